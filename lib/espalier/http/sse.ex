defmodule Espalier.HTTP.SSE do
  @moduledoc false
  # Server-sent events, as the WHATWG's HTML standard defines their stream, from bytes that are cut anywhere.
  # (https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6)

  @most_bytes 0x1000000
  @bom "\uFEFF"

  @enforce_keys [:most_bytes]
  defstruct [:most_bytes, line: [], first?: true, after_cr?: false, type: "", data: [], size: 0]

  @typedoc """
  `line` is what there is of the line, `data` the lines of data of the event, the last one first, and `size` the
  bytes of both.
  """
  @type t :: %__MODULE__{}

  @type event :: {type :: String.t(), data :: binary}

  @doc "A decoder that takes so many bytes for an event."
  @spec new(pos_integer) :: t
  def new(most_bytes \\ @most_bytes), do: %__MODULE__{most_bytes: most_bytes}

  @doc "The events that end in a chunk of bytes."
  @spec decode(t, binary) :: {:ok, [event], t} | {:error, :too_long}
  def decode(decoder, chunk) do
    chunk |> skip_lf(decoder) |> lines(%{decoder | after_cr?: false}, [])
  catch
    :too_long -> {:error, :too_long}
  end

  @doc "The events that end with the bytes. By the standard an event without its blank line is none."
  @spec finish(t) :: {:ok, [event]}
  def finish(_decoder), do: {:ok, []}

  # CR LF is one end of a line, and may come in two chunks.
  defp skip_lf("\n" <> chunk, %{after_cr?: true}), do: chunk
  defp skip_lf(chunk, _decoder), do: chunk

  defp lines("", decoder, events), do: {:ok, Enum.reverse(events), decoder}

  defp lines(chunk, decoder, events) do
    case :binary.match(chunk, ["\r", "\n"]) do
      :nomatch ->
        {:ok, Enum.reverse(events), add(decoder, chunk)}

      {at, 1} ->
        <<part::binary-size(at), _ending, rest::binary>> = chunk
        {rest, after_cr?} = after_ending(binary_part(chunk, at, 1), rest)
        decoder = add(decoder, part)
        {decoder, events} = decoder |> whole_line() |> line(decoder, events)
        lines(rest, %{decoder | line: [], first?: false, after_cr?: after_cr?}, events)
    end
  end

  defp after_ending("\r", "\n" <> rest), do: {rest, false}
  defp after_ending("\r", ""), do: {"", true}
  defp after_ending(_ending, rest), do: {rest, false}

  defp add(decoder, ""), do: decoder

  defp add(decoder, part) do
    size = decoder.size + byte_size(part)
    if size > decoder.most_bytes, do: throw(:too_long)
    %{decoder | line: [decoder.line | part], size: size}
  end

  defp whole_line(%{line: line, first?: first?}) do
    case IO.iodata_to_binary(line) do
      @bom <> line when first? -> line
      line -> line
    end
  end

  defp line("", %{data: []} = decoder, events), do: {%{decoder | type: "", size: 0}, events}

  defp line("", decoder, events) do
    type = if decoder.type == "", do: "message", else: decoder.type
    data = decoder.data |> Enum.reverse() |> Enum.join("\n")
    {%{decoder | type: "", data: [], size: 0}, [{type, data} | events]}
  end

  defp line(line, decoder, events) do
    decoder =
      case field(line) do
        {"data", value} -> %{decoder | data: [value | decoder.data]}
        {"event", value} -> %{decoder | type: value}
        # Comments, fields of reconnecting, and those that mean nothing.
        _other -> %{decoder | size: decoder.size - byte_size(line)}
      end

    {decoder, events}
  end

  defp field(line) do
    case :binary.split(line, ":") do
      [name, " " <> value] -> {name, value}
      [name, value] -> {name, value}
      [name] -> {name, ""}
    end
  end
end
