defmodule Espalier.HTTP.NDJSON do
  @moduledoc false
  # JSON texts of one line each, from bytes that are cut anywhere.

  @most_bytes 0x1000000

  @enforce_keys [:most_bytes]
  defstruct [:most_bytes, line: [], size: 0]

  @typedoc "`line` is what there is of the line, and `size` its bytes."
  @type t :: %__MODULE__{most_bytes: pos_integer, line: iodata, size: non_neg_integer}

  @typedoc "As those of server-sent events; they have no type."
  @type event :: {nil, line :: binary}

  @doc "A decoder that takes so many bytes for a line."
  @spec new(pos_integer) :: t
  def new(most_bytes \\ @most_bytes), do: %__MODULE__{most_bytes: most_bytes}

  @doc "The lines that end in a chunk of bytes, without those that are blank."
  @spec decode(t, binary) :: {:ok, [event], t} | {:error, :too_long}
  def decode(decoder, chunk) do
    [first | others] = :binary.split(chunk, "\n", [:global])
    lines(others, add(decoder, first), [])
  catch
    :too_long -> {:error, :too_long}
  end

  @doc "The last line, where no line feed ends it."
  @spec finish(t) :: {:ok, [event]}
  def finish(decoder), do: {:ok, event(decoder)}

  defp lines([], decoder, events), do: {:ok, Enum.reverse(events), decoder}

  defp lines([part | others], decoder, events),
    do: lines(others, add(new(decoder.most_bytes), part), event(decoder) ++ events)

  defp add(decoder, part) do
    size = decoder.size + byte_size(part)
    if size > decoder.most_bytes, do: throw(:too_long)
    %{decoder | line: [decoder.line | part], size: size}
  end

  defp event(decoder) do
    case decoder.line |> IO.iodata_to_binary() |> String.trim() do
      "" -> []
      line -> [{nil, line}]
    end
  end
end
