defmodule Espalier.Hub.Download do
  @moduledoc false
  # What is needed of a repository, from the cache or from the hub.

  alias Espalier.Hub.Client
  alias Espalier.Hub.Fault
  alias Espalier.Hub.Name
  alias Espalier.Hub.Progress
  alias Espalier.Hub.Retry
  alias Espalier.Hub.Selection
  alias Espalier.Hub.Settings
  alias Espalier.Hub.Storage
  alias Espalier.Hub.Transfer
  alias Espalier.HubError

  require Logger

  @typedoc "`path` is the folder or file with the model, `files` and `bytes` are what was downloaded."
  @type t :: %{
          path: Path.t(),
          commit: String.t(),
          files: non_neg_integer,
          bytes: non_neg_integer
        }

  @spec run(Settings.t()) :: {:ok, t} | {:error, HubError.t()}
  def run(settings) do
    cached = cached(settings)

    if settings.offline? or final?(settings, cached),
      do: cached,
      else: update(settings, cached)
  end

  # What there is of the last download.
  defp cached(settings) do
    with {:ok, commit} <- Storage.commit(settings),
         files = Storage.files(settings, commit),
         {:ok, selection} <- Selection.select(files, settings),
         {:ok, names} <- with_shards(selection, settings, commit),
         [] <- names -- files do
      {:ok, result(settings, commit, selection, [])}
    else
      {:error, %{kind: :ambiguous}} = error -> error
      [missing | _] -> not_cached(settings, missing)
      {:error, %{file: file}} -> not_cached(settings, file)
      :none -> not_cached(settings, settings.file)
    end
  end

  defp not_cached(settings, file), do: {:error, Fault.error(settings, file, :not_cached)}

  # Whether the hub has nothing to add. Where a file was not named there may be others of its kind.
  defp final?(settings, {:ok, %{commit: commit} = cached}) do
    Name.commit?(settings.revision) and
      (settings.file != nil or
         (cached.path == Storage.snapshot(settings, commit) and
            Enum.all?(Selection.optional(), &known?(settings, commit, &1))))
  end

  defp final?(_settings, {:error, _error}), do: false

  defp known?(settings, commit, file),
    do: Storage.file?(settings, commit, file) or Storage.absent?(settings, commit, file)

  # Where there is something to go on with, a hub that can't be reached is no reason to wait.
  defp update(settings, {:ok, cached}) do
    once = put_in(settings.options[:max_retries], 0)

    with {:error, error} <- list(once) do
      if Retry.transient?(error) do
        Logger.warning("#{Exception.message(error)}; going on with commit #{cached.commit}")
        {:ok, cached}
      else
        {:error, error}
      end
    else
      {:ok, listing} -> download(settings, listing)
    end
  end

  defp update(settings, {:error, _not_cached}) do
    with {:ok, listing} <- list(settings), do: download(settings, listing)
  end

  defp list(settings), do: Retry.run(settings, fn -> Client.list(settings) end)

  defp download(settings, {commit, files}) do
    with {:ok, selection} <- Selection.select(files, settings),
         :ok <- check(selection.files, files, settings),
         {:ok, first} <- fetch(settings, commit, List.wrap(selection.index), false),
         {:ok, names} <- with_shards(selection, settings, commit),
         :ok <- check(names, files, settings),
         {:ok, others} <- fetch(settings, commit, names, settings.options[:progress]),
         :ok <- each(selection.absent, &Storage.put_absent(settings, commit, &1)),
         :ok <- Storage.put_commit(settings, commit) do
      {:ok, result(settings, commit, selection, first ++ others)}
    end
  end

  defp with_shards(%{index: nil} = selection, _settings, _commit), do: {:ok, selection.files}

  defp with_shards(selection, settings, commit) do
    path = Path.join(Storage.snapshot(settings, commit), selection.index)

    with {:ok, shards} <- Selection.shards(path, settings),
         do: {:ok, Enum.uniq(selection.files ++ shards)}
  end

  # A name comes from outside and becomes a path.
  defp check(names, files, settings) do
    each(names, fn name ->
      cond do
        not Name.file?(name) ->
          detail = "the file #{Espalier.Error.show(name)}"
          {:error, Fault.error(settings, nil, :invalid_name, detail: detail)}

        name not in files ->
          {:error, Fault.error(settings, name, :file_not_found)}

        true ->
          :ok
      end
    end)
  end

  # What was downloaded of the files.
  defp fetch(settings, commit, names, progress) do
    missing = Enum.reject(names, &Storage.file?(settings, commit, &1))

    with {:ok, files} <- metas(settings, commit, missing) do
      {linked, new} = Enum.split_with(files, &blob?(settings, &1))
      total = new |> Enum.map(fn {_name, meta} -> meta.size end) |> Enum.sum()
      progress = Progress.new(progress, settings.repository, total)

      with :ok <- transfer(settings, commit, linked ++ new, progress), do: {:ok, new}
    end
  end

  defp blob?(settings, {_name, meta}), do: settings |> Storage.blob(meta.etag) |> File.regular?()

  defp metas(settings, commit, names) do
    Enum.reduce_while(names, {:ok, []}, fn name, {:ok, files} ->
      case Retry.run(settings, fn -> Client.meta(settings, commit, name) end) do
        {:ok, meta} -> {:cont, {:ok, files ++ [{name, meta}]}}
        error -> {:halt, error}
      end
    end)
  end

  defp transfer(settings, commit, files, progress) do
    result = Enum.reduce_while(files, {:ok, progress}, &step(settings, commit, &1, &2))
    Progress.close(progress)
    with {:ok, _progress} <- result, do: :ok
  end

  defp step(settings, commit, {name, meta} = file, {:ok, progress}) do
    new? = not blob?(settings, file)
    progress = if new?, do: Progress.file(progress, name), else: progress

    case Transfer.fetch(settings, commit, name, meta, progress) do
      :ok when new? -> {:cont, {:ok, Progress.finish(progress, meta.size)}}
      :ok -> {:cont, {:ok, progress}}
      error -> {:halt, error}
    end
  end

  defp each(items, function) do
    Enum.find_value(items, :ok, fn item ->
      with :ok <- function.(item), do: nil
    end)
  end

  defp result(settings, commit, selection, files) do
    folder = Storage.snapshot(settings, commit)

    %{
      path: if(selection.result, do: Path.join(folder, selection.result), else: folder),
      commit: commit,
      files: length(files),
      bytes: files |> Enum.map(fn {_name, meta} -> meta.size end) |> Enum.sum()
    }
  end
end
