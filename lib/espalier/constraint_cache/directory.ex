defmodule Espalier.ConstraintCache.Directory do
  @moduledoc false
  # Constraints as files: the key, and what `Espalier.Constraint.serialize/1` gives, which is checked when it is
  # loaded. A file has its name from the first moment on with all that is in it, and is written anew, never changed.

  alias Espalier.Constraint
  alias Espalier.Constraint.Source
  alias Espalier.ConstraintCache.Key

  require Logger

  @enforce_keys [:path, :max_bytes, :max_files]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          path: Path.t(),
          max_bytes: non_neg_integer,
          max_files: non_neg_integer
        }

  # Nothing else is ever deleted. What a VM that was killed didn't rename counts, too.
  @own_names ~r/\A[0-9a-f]{64}\.constraint(\.[0-9a-f]{16})?\z/

  @doc "The constraint and its bytes as they are stored, if they are there and right."
  @spec load(t, Source.t()) :: {:ok, Constraint.t(), binary} | :none
  def load(directory, source) do
    key = Key.in_directory(source)
    file = file(directory, key)

    with {:ok, %{type: :regular, size: size}} when size <= directory.max_bytes <- File.stat(file),
         {:ok, <<^key::binary-size(32), stored::binary>>} <- File.read(file),
         {:ok, constraint} <- Constraint.deserialize(stored, vocabulary: source.vocabulary) do
      # The files that were used least recently are those that are deleted.
      _not_ours = File.touch(file)
      {:ok, constraint, stored}
    else
      _not_there_or_wrong -> :none
    end
  end

  @doc "Stores a constraint, and deletes others where these are too many."
  @spec store(t, Source.t(), binary) :: :ok
  def store(%{max_bytes: most_bytes, max_files: most_files}, _source, stored)
      when byte_size(stored) + 32 > most_bytes or most_files == 0,
      do: :ok

  def store(directory, source, stored) do
    key = Key.in_directory(source)
    file = file(directory, key)
    unique = Base.encode16(:crypto.strong_rand_bytes(8), case: :lower)
    temporary = "#{file}.#{unique}"

    with :ok <- File.mkdir_p(directory.path),
         :ok <- File.write(temporary, [key, stored]),
         :ok <- File.rename(temporary, file) do
      shrink(directory)
    else
      # Another process made room meanwhile.
      {:error, :enoent} ->
        :ok

      {:error, reason} ->
        File.rm(temporary)
        reason = :file.format_error(reason)
        Logger.warning("cannot store a constraint in #{directory.path}: #{reason}")
    end
  end

  defp file(directory, key),
    do: Path.join(directory.path, Base.encode16(key, case: :lower) <> ".constraint")

  # After each file, so that the bounds hold when several processes have stored at once.
  defp shrink(directory) do
    with {:ok, names} <- File.ls(directory.path) do
      names
      |> Enum.filter(&(&1 =~ @own_names))
      |> Enum.flat_map(&stat(Path.join(directory.path, &1)))
      |> Enum.sort(:desc)
      |> Enum.reduce({0, 0}, &keep(&1, &2, directory))
    end

    :ok
  end

  defp stat(file) do
    case File.lstat(file, time: :posix) do
      {:ok, %{type: :regular, mtime: mtime, size: size}} -> [{mtime, file, size}]
      _gone -> []
    end
  end

  # The newest come first.
  defp keep({_mtime, file, size}, {n_files, n_bytes}, directory) do
    if n_files < directory.max_files and n_bytes + size <= directory.max_bytes do
      {n_files + 1, n_bytes + size}
    else
      File.rm(file)
      {n_files, n_bytes}
    end
  end
end
