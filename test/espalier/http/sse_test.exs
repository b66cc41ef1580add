defmodule Espalier.HTTP.SSETest do
  use ExUnit.Case, async: true

  alias Espalier.Chunks
  alias Espalier.HTTP.SSE

  defp events(bytes), do: Chunks.decode(SSE.new(), [bytes])

  # The steps of the standard, of a text that is there as a whole.
  defp oracle(text) do
    text
    |> String.replace_prefix("\uFEFF", "")
    |> String.split(["\r\n", "\n", "\r"])
    |> Enum.drop(-1)
    |> Enum.reduce({"", "", []}, fn
      "", {"", _type, events} ->
        {"", "", events}

      "", {data, "", events} ->
        {"", "", [{"message", String.replace_suffix(data, "\n", "")} | events]}

      "", {data, type, events} ->
        {"", "", [{type, String.replace_suffix(data, "\n", "")} | events]}

      ":" <> _comment, event ->
        event

      "data:" <> value, {data, type, events} ->
        {data <> value(value) <> "\n", type, events}

      "data", {data, type, events} ->
        {data <> "\n", type, events}

      "event:" <> value, {data, _type, events} ->
        {data, value(value), events}

      "event", {data, _type, events} ->
        {data, "", events}

      _other, event ->
        event
    end)
    |> elem(2)
    |> Enum.reverse()
  end

  defp value(" " <> value), do: value
  defp value(value), do: value

  test "events are lines of data up to a blank one" do
    for {bytes, expected} <- [
          {"data: a\n\n", [{"message", "a"}]},
          {"data:a\r\rdata: b\r\n\r\n", [{"message", "a"}, {"message", "b"}]},
          {"data:  a\ndata\ndata:\ndata: b\n\n", [{"message", " a\n\n\nb"}]},
          {"data\n\n", [{"message", ""}]},
          {"event: ping\ndata: {}\n\ndata: x\n\n", [{"ping", "{}"}, {"message", "x"}]},
          {"event: ping\n\ndata: x\n\n", [{"message", "x"}]},
          {": a comment\nid: 7\nretry: 9\ndatum: y\n\n", []},
          {"\uFEFFdata: a\n\n\uFEFFdata: b\n\n", [{"message", "a"}]},
          {"data: a:b: c\n\n", [{"message", "a:b: c"}]},
          {"data: a\n\ndata: [DONE]\n", [{"message", "a"}]},
          {"data: a", []},
          {"", []}
        ] do
      assert events(bytes) == expected
      assert oracle(bytes) == expected
    end
  end

  test "wherever the bytes are cut, the events are those of the standard" do
    parts = ~w(data data: event: : id:7 x é 🌲) ++ [" ", "\n", "\r", "\r\n", "\n\n", "\uFEFF"]

    for seed <- 1..500 do
      :rand.seed(:exsss, seed)
      text = Enum.map_join(1..Enum.random(1..40), fn _part -> Enum.random(parts) end)
      assert Chunks.decode(SSE.new(), Chunks.cut(text)) == oracle(text), inspect(text)
    end
  end

  test "an event has an end to its size, comments have none" do
    decoder = SSE.new(100)
    assert Chunks.decode(decoder, ["data: ", String.duplicate("a", 100)]) == {:error, :too_long}
    lines = String.duplicate("data: abcdef\n", 20)
    assert Chunks.decode(decoder, [lines]) == {:error, :too_long}
    assert Chunks.decode(decoder, [String.duplicate(": keep alive\n", 50)]) == []

    assert [{"message", _}] =
             Chunks.decode(decoder, [String.duplicate(": x\n", 50), "data: a\n\n"])
  end
end
