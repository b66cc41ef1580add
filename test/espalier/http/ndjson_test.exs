defmodule Espalier.HTTP.NDJSONTest do
  use ExUnit.Case, async: true

  alias Espalier.Chunks
  alias Espalier.HTTP.NDJSON

  test "wherever the bytes are cut, the lines are the same" do
    parts = ["{}", ~s({"a":"é🌲"}), " ", "\n", "\r\n", "\n\n"]

    for seed <- 1..300 do
      :rand.seed(:exsss, seed)
      text = Enum.map_join(1..Enum.random(1..30), fn _part -> Enum.random(parts) end)
      lines = for line <- String.split(text, "\n"), String.trim(line) != "", do: String.trim(line)
      assert Chunks.decode(NDJSON.new(), Chunks.cut(text)) == Enum.map(lines, &{nil, &1})
    end
  end

  test "a line has an end to its size" do
    pieces = List.duplicate("0123456789", 11)
    assert Chunks.decode(NDJSON.new(100), pieces) == {:error, :too_long}
    assert length(Chunks.decode(NDJSON.new(100), Enum.map(pieces, &(&1 <> "\n")))) == 11
  end
end
