defmodule Espalier.VocabularyCache.Contents do
  @moduledoc false
  # What is in a file, read piece by piece: the hash takes no memory for it.

  alias Espalier.VocabularyError

  @piece_bytes 65_536

  @enforce_keys [:hash, :head, :size]
  defstruct @enforce_keys

  @typedoc "`head` is what it begins with."
  @type t :: %__MODULE__{hash: <<_::256>>, head: binary, size: non_neg_integer}

  @doc "What is found out about a file of so many bytes at most."
  @spec fingerprint(String.t(), pos_integer) :: {:ok, t} | {:error, VocabularyError.t()}
  def fingerprint(path, most) do
    nothing = %__MODULE__{hash: :crypto.hash_init(:sha256), head: "", size: 0}

    case reduce(path, most, nothing, &add/2) do
      {:ok, contents} -> {:ok, %{contents | hash: :crypto.hash_final(contents.hash)}}
      {:error, :too_large} -> {:error, too_large(path, most)}
      {:error, reason} -> {:error, not_found(path, detail(reason))}
    end
  end

  defp add(piece, %{hash: hash, head: head, size: size}) do
    %__MODULE__{
      hash: :crypto.hash_update(hash, piece),
      head: if(size == 0, do: piece, else: head),
      size: size + byte_size(piece)
    }
  end

  @doc "All that is in the file, if it is what it was."
  @spec read(String.t(), t) :: {:ok, binary} | {:error, VocabularyError.t()}
  def read(path, %{hash: hash, size: size}) do
    with {:ok, pieces} <- reduce(path, size, [], &[&2 | &1]),
         contents = IO.iodata_to_binary(pieces),
         true <- :crypto.hash(:sha256, contents) == hash do
      {:ok, contents}
    else
      _gone_or_other -> {:error, changed(path)}
    end
  end

  # What is no file may never end, or wait for somebody to write to it.
  defp reduce(path, most, acc, fun) do
    with {:ok, %{type: :regular}} <- File.stat(path),
         {:ok, file} <- :file.open(path, [:read, :raw, :binary]) do
      try do
        pieces(file, most, acc, fun)
      after
        :file.close(file)
      end
    else
      {:ok, %{type: :directory}} -> {:error, :eisdir}
      {:ok, _device} -> {:error, :device}
      error -> error
    end
  end

  defp pieces(file, left, acc, fun) do
    case :file.read(file, @piece_bytes) do
      {:ok, piece} when byte_size(piece) > left -> {:error, :too_large}
      {:ok, piece} -> pieces(file, left - byte_size(piece), fun.(piece, acc), fun)
      :eof -> {:ok, acc}
      error -> error
    end
  end

  defp detail(:device), do: "it is not a regular file"
  defp detail(:eisdir), do: "it is a directory"
  defp detail(reason), do: List.to_string(:file.format_error(reason))

  defp not_found(path, detail) do
    message = "can't read #{path}: #{detail}"
    %VocabularyError{kind: :not_found, message: message, path: path, detail: detail}
  end

  defp too_large(path, most) do
    message = "#{path} has more than #{most} bytes, see max_file_bytes"
    fields = [limit: "max_file_bytes", value: most, path: path]
    struct(VocabularyError, [kind: :limit_exceeded, message: message] ++ fields)
  end

  defp changed(path) do
    %VocabularyError{kind: :file_changed, message: "it changed while it was read", path: path}
  end
end
