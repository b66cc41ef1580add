defmodule Espalier.Hub.Storage do
  @moduledoc false
  # The folder of a repository in the cache, as the hub's own clients lay it out:
  #
  #     models--org--name/blobs/<etag>              what files hold, once for all commits
  #     models--org--name/snapshots/<commit>/...    the files by their names, as links to blobs
  #     models--org--name/refs/<revision>           the commit that a branch or tag had lately
  #     models--org--name/.no_exist/<commit>/...    empty files, for those that the commit doesn't have
  #
  # Whatever has its name is whole: files are written under another name and renamed.

  alias Espalier.Hub.Fault
  alias Espalier.Hub.Name
  alias Espalier.Hub.Settings
  alias Espalier.HubError

  @typedoc "An error of the kind `:storage`."
  @type error :: {:error, HubError.t()}

  @doc "The folder with the files of a commit."
  @spec snapshot(Settings.t(), String.t()) :: Path.t()
  def snapshot(settings, commit), do: Path.join([folder(settings), "snapshots", commit])

  @doc "The file with what has an etag."
  @spec blob(Settings.t(), String.t()) :: Path.t()
  def blob(settings, etag), do: Path.join([folder(settings), "blobs", etag])

  defp folder(settings) do
    parts = ["models" | String.split(settings.repository, "/")]
    Path.join(settings.cache_dir, Enum.join(parts, "--"))
  end

  @doc "The commit that the revision is, or was when it was last downloaded."
  @spec commit(Settings.t()) :: {:ok, String.t()} | :none
  def commit(%{revision: revision} = settings) do
    with false <- Name.commit?(revision),
         {:ok, text} <- File.read(ref(settings)),
         commit = String.trim(text),
         true <- Name.commit?(commit) do
      {:ok, commit}
    else
      true -> {:ok, revision}
      _none -> :none
    end
  end

  @doc "Remembers the commit that the revision is."
  @spec put_commit(Settings.t(), String.t()) :: :ok | error
  def put_commit(settings, commit) do
    if commit(settings) == {:ok, commit}, do: :ok, else: write(settings, ref(settings), commit)
  end

  defp ref(settings), do: Path.join([folder(settings), "refs", settings.revision])

  defp write(settings, path, text) do
    unique = Base.encode16(:crypto.strong_rand_bytes(8), case: :lower)
    temporary = "#{path}.#{unique}.tmp"

    with :ok <- File.mkdir_p(Path.dirname(path)),
         :ok <- File.write(temporary, text),
         :ok <- File.rename(temporary, path) do
      :ok
    else
      {:error, reason} ->
        File.rm(temporary)
        error(settings, path, reason)
    end
  end

  @doc "The names of the files of a commit that are there."
  @spec files(Settings.t(), String.t()) :: [String.t()]
  def files(settings, commit) do
    folder = snapshot(settings, commit)

    # A link to what is gone is no file.
    for path <- Path.wildcard(Path.join(escaped(folder), "**"), match_dot: true),
        File.regular?(path),
        do: Path.relative_to(path, folder)
  end

  # What stands for other characters in a wildcard.
  defp escaped(path), do: String.replace(path, ~r/[\\*?\[\]{}]/, "\\\\\\0")

  @doc "Whether the file of a commit is there."
  @spec file?(Settings.t(), String.t(), String.t()) :: boolean
  def file?(settings, commit, file),
    do: settings |> snapshot(commit) |> Path.join(file) |> File.regular?()

  @doc "Whether it is known that the commit doesn't have the file."
  @spec absent?(Settings.t(), String.t(), String.t()) :: boolean
  def absent?(settings, commit, file), do: settings |> absence(commit, file) |> File.regular?()

  @doc "Remembers that the commit doesn't have the file."
  @spec put_absent(Settings.t(), String.t(), String.t()) :: :ok | error
  def put_absent(settings, commit, file) do
    if absent?(settings, commit, file),
      do: :ok,
      else: write(settings, absence(settings, commit, file), "")
  end

  defp absence(settings, commit, file),
    do: Path.join([folder(settings), ".no_exist", commit, file])

  @doc "Gives a blob its name in a commit: by a link, or by a copy where links can't be."
  @spec link(Settings.t(), String.t(), String.t(), String.t()) :: :ok | error
  def link(settings, commit, file, etag) do
    path = Path.join(snapshot(settings, commit), file)
    up = String.duplicate("../", length(String.split(file, "/")) + 1)

    with :ok <- File.mkdir_p(Path.dirname(path)),
         :ok <- replace(path, &place(&1, "#{up}blobs/#{etag}", blob(settings, etag))) do
      :ok
    else
      {:error, reason} -> error(settings, path, reason)
    end
  end

  defp replace(path, make) do
    unique = Base.encode16(:crypto.strong_rand_bytes(8), case: :lower)
    temporary = "#{path}.#{unique}.tmp"

    with :ok <- make.(temporary), :ok <- File.rename(temporary, path) do
      :ok
    else
      error ->
        File.rm(temporary)
        error
    end
  end

  defp place(path, target, blob) do
    with false <- Settings.true?("HF_HUB_DISABLE_SYMLINKS"),
         :ok <- File.ln_s(target, path) do
      :ok
    else
      _no_links -> File.cp(blob, path)
    end
  end

  @doc "The error of a file of the cache."
  @spec error(Settings.t(), Path.t(), atom, String.t() | nil) :: error
  def error(settings, path, reason, file \\ nil) do
    detail = reason |> :file.format_error() |> to_string()
    {:error, Fault.error(settings, file, :storage, path: path, detail: detail)}
  end
end
