defmodule Espalier.Hub.Checksum do
  @moduledoc false
  # Whether a file is what its etag says: the SHA-256 of its bytes, or the SHA-1 of a git object with them.

  alias Espalier.Hub.Client

  @read_bytes 0x100000

  @doc "Reads the file."
  @spec check(Path.t(), Client.meta()) :: :ok | :wrong | {:error, File.posix()}
  def check(path, %{etag: etag, size: size}) do
    with {:ok, %{size: ^size}} <- File.stat(path),
         {:ok, io} <- :file.open(path, [:read, :raw, :binary]) do
      try do
        verdict(io, start(etag, size), etag)
      after
        :file.close(io)
      end
    else
      {:ok, _other_size} -> :wrong
      {:error, reason} -> {:error, reason}
    end
  end

  defp start(etag, _size) when byte_size(etag) == 64, do: :crypto.hash_init(:sha256)

  defp start(_git, size),
    do: :sha |> :crypto.hash_init() |> :crypto.hash_update("blob #{size}\0")

  defp verdict(io, hash, etag) do
    case :file.read(io, @read_bytes) do
      {:ok, bytes} -> verdict(io, :crypto.hash_update(hash, bytes), etag)
      :eof -> if hex(hash) == etag, do: :ok, else: :wrong
      {:error, reason} -> {:error, reason}
    end
  end

  defp hex(hash), do: hash |> :crypto.hash_final() |> Base.encode16(case: :lower)
end
