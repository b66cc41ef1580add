defmodule Espalier.HTTP.Body do
  @moduledoc false
  # Where the body of an answer ends: its framing, and what of it is to come.

  alias Espalier.HTTP.Head

  @most_line 0x4000

  @typedoc "`{:chunk, n}` are the bytes to come of a chunk, and `:size` is the line before one."
  @type t ::
          {:length, pos_integer}
          | :size
          | {:chunk, pos_integer}
          | :chunk_end
          | :trailer
          | :until_closed
          | :done

  @type error :: {:error, {:protocol, String.t()}}

  @doc "The framing that the head of an answer tells. One to a HEAD request tells what there would be, and has nothing."
  @spec new(method :: String.t(), Head.t()) :: {:ok, t} | error
  def new("HEAD", _head), do: {:ok, :done}
  def new(_method, {status, _headers}) when status in [204, 304], do: {:ok, :done}

  def new(_method, {_status, headers}) do
    codings = headers |> Head.values("transfer-encoding") |> Enum.map(&String.downcase/1)

    case {codings, headers |> Head.values("content-length") |> Enum.uniq()} do
      {["chunked"], _lengths} -> {:ok, :size}
      {[], []} -> {:ok, :until_closed}
      {[], [length]} -> sized(length)
      {[], _lengths} -> error("two lengths")
      {codings, _lengths} -> error("the transfer encoding #{shown(codings)}")
    end
  end

  # It may be anything, of any length.
  defp shown(codings), do: codings |> Enum.join(", ") |> inspect(printable_limit: 100, limit: 100)

  defp sized(text) do
    case if(text =~ ~r/\A[0-9]{1,18}\z/, do: String.to_integer(text)) do
      nil -> error("a length that is no number")
      0 -> {:ok, :done}
      length -> {:ok, {:length, length}}
    end
  end

  @doc """
  What is there of the body in the bytes, and what is left of them.

  There is none before more bytes come where the data is empty and the body not `:done`.
  """
  @spec read(t, binary) :: {:ok, data :: binary, t, rest :: binary} | error
  def read(body, bytes), do: read(body, bytes, [])

  defp read({:length, n}, bytes, []) do
    case bytes do
      <<data::binary-size(n), rest::binary>> -> {:ok, data, :done, rest}
      data -> {:ok, data, {:length, n - byte_size(data)}, ""}
    end
  end

  defp read(:until_closed, bytes, []), do: {:ok, bytes, :until_closed, ""}

  defp read(:size, bytes, data) do
    with {:ok, line, rest} <- line(:size, bytes, data),
         {:ok, size} <- size(line) do
      read(if(size == 0, do: :trailer, else: {:chunk, size}), rest, data)
    end
  end

  defp read({:chunk, n}, bytes, data) do
    case bytes do
      <<chunk::binary-size(n), rest::binary>> -> read(:chunk_end, rest, [data | chunk])
      chunk -> read_so_far({:chunk, n - byte_size(chunk)}, "", [data | chunk])
    end
  end

  defp read(:chunk_end, bytes, data) do
    case line(:chunk_end, bytes, data) do
      {:ok, "", rest} -> read(:size, rest, data)
      {:ok, _line, _rest} -> error("a chunk that is longer than its size")
      other -> other
    end
  end

  defp read(:trailer, bytes, data) do
    case line(:trailer, bytes, data) do
      {:ok, "", rest} -> read_so_far(:done, rest, data)
      {:ok, _header, rest} -> read(:trailer, rest, data)
      other -> other
    end
  end

  defp read(:done, bytes, data), do: read_so_far(:done, bytes, data)

  defp read_so_far(body, bytes, data), do: {:ok, IO.iodata_to_binary(data), body, bytes}

  # The line at the beginning of the bytes, or what `read/2` gives where it is not whole yet.
  defp line(body, bytes, data) do
    case :binary.split(bytes, "\n") do
      [line, rest] -> {:ok, String.trim_trailing(line, "\r"), rest}
      [part] when byte_size(part) > @most_line -> error("a line without an end")
      [part] -> read_so_far(body, part, data)
    end
  end

  # An extension may follow.
  defp size(line) do
    case Regex.run(~r/\A([0-9A-Fa-f]{1,15})[ \t]*(?:;|\z)/, line) do
      [_line, size] -> {:ok, String.to_integer(size, 16)}
      nil -> error("a chunk without a size")
    end
  end

  defp error(detail), do: {:error, {:protocol, detail}}
end
