defmodule Espalier.BuildCache.Directory do
  @moduledoc false
  # Values as files: the key, and the serialised form, which is checked when it is loaded. A file has its name from the
  # first moment on with all that is in it, and is written anew, never changed.

  alias Espalier.BuildCache

  require Logger

  @enforce_keys [:path, :noun, :key, :max_bytes, :max_files]
  defstruct @enforce_keys

  @typedoc "The directory, and the key of the value that is looked for or stored there."
  @type t :: %__MODULE__{
          path: Path.t(),
          noun: String.t(),
          key: BuildCache.key(),
          max_bytes: non_neg_integer,
          max_files: non_neg_integer
        }

  @doc "The value and its bytes as they are stored, if they are there and right."
  @spec load(t, BuildCache.recipe()) :: {:ok, BuildCache.value(), binary} | :none
  def load(%{key: key} = directory, %module{} = recipe) do
    file = file(directory)

    with {:ok, %{type: :regular, size: size}} when size <= directory.max_bytes <- File.stat(file),
         {:ok, <<^key::binary-size(32), stored::binary>>} <- File.read(file),
         {:ok, value} <- module.deserialize(stored, recipe) do
      # The files that were used least recently are those that are deleted.
      _not_ours = File.touch(file)
      {:ok, value, stored}
    else
      _not_there_or_wrong -> :none
    end
  end

  @doc "Stores a value, and deletes others where these are too many."
  @spec store(t, binary) :: :ok
  def store(%{max_bytes: most_bytes, max_files: most_files}, stored)
      when byte_size(stored) + 32 > most_bytes or most_files == 0,
      do: :ok

  def store(directory, stored) do
    file = file(directory)
    unique = Base.encode16(:crypto.strong_rand_bytes(8), case: :lower)
    temporary = "#{file}.#{unique}"

    with :ok <- File.mkdir_p(directory.path),
         :ok <- File.write(temporary, [directory.key, stored]),
         :ok <- File.rename(temporary, file) do
      shrink(directory)
    else
      # Another process made room meanwhile.
      {:error, :enoent} ->
        :ok

      {:error, reason} ->
        File.rm(temporary)
        reason = :file.format_error(reason)
        Logger.warning("cannot store a #{directory.noun} in #{directory.path}: #{reason}")
    end
  end

  defp file(%{key: key} = directory),
    do: Path.join(directory.path, "#{Base.encode16(key, case: :lower)}.#{directory.noun}")

  # After each file, so that the bounds hold when several processes have stored at once.
  defp shrink(directory) do
    # Nothing else is ever deleted. What a VM that was killed didn't rename counts, too.
    own_name = ~r/\A[0-9a-f]{64}\.#{directory.noun}(\.[0-9a-f]{16})?\z/

    with {:ok, names} <- File.ls(directory.path) do
      names
      |> Enum.filter(&(&1 =~ own_name))
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
