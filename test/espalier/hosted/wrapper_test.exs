defmodule Espalier.Hosted.WrapperTest do
  use ExUnit.Case, async: true

  alias Espalier.Chunks
  alias Espalier.Hosted.Wrapper
  alias Espalier.JSON

  defp unwrap(kind, pieces) do
    {texts, wrapper} = Enum.map_reduce(pieces, Wrapper.new(kind), &Wrapper.read(&2, &1))
    IO.iodata_to_binary([texts, Wrapper.finish(wrapper)])
  end

  defp value(0), do: Enum.random([nil, true, 1, -2.5, "", "a}\"]{\\", "é\n🌲", [], %{}])

  defp value(depth) do
    case :rand.uniform(3) do
      1 -> value(0)
      2 -> for _item <- 1..Enum.random(1..3), do: value(depth - 1)
      3 -> for key <- ["value", "}", "é"], into: %{}, do: {key, value(depth - 1)}
    end
  end

  defp space, do: Enum.random(["", " ", "\n  "])

  test "the value's text comes out, wherever the text is cut" do
    for seed <- 1..300 do
      :rand.seed(:exsss, seed)
      value = value(3)

      text =
        space() <>
          "{" <>
          space() <>
          ~s("value") <>
          space() <>
          ":" <>
          space() <>
          JSON.encode!(value) <> space() <> "}" <> space()

      assert JSON.decode!(unwrap(:json, Chunks.cut(text))) == value
      if is_binary(value), do: assert(unwrap(:text, Chunks.cut(text)) == value)
    end
  end

  test "what is no wrapper comes out as it is" do
    for text <- ["", "{", "yes", "[1]", ~s({"valued":1}), ~s({"va lue":1}), ~s({"value")],
        kind <- [:json, :text],
        do: assert(unwrap(kind, Chunks.cut(text)) == text)

    assert unwrap(:text, [~s({"value":1})]) == ~s({"value":1})
  end

  test "white space without an end is read in one go" do
    spaces = List.duplicate("\n", 100_000)
    assert unwrap(:json, ["{" | spaces] ++ [~s("value":1})]) == "1"
    assert unwrap(:json, ["{" | spaces]) == "{" <> String.duplicate("\n", 100_000)
  end

  test "what is cut off comes out as far as it goes" do
    assert unwrap(:json, [~s({"value":[1,{"a")]) == ~s([1,{"a")
    assert unwrap(:text, [~s({"value":"ab)]) == ~s({"value":"ab)
  end

  test "the wrapper admits what the schema admits, references included" do
    for {schema, valid, invalid} <- [
          {~s({"type":"integer"}), "1", "{}"},
          {~s({"$ref":"#/$defs/a","$defs":{"a":{"enum":[1]}}}), "1", "2"},
          {~s({"anyOf":[{"type":"null"},{"type":"array","items":{"$ref":"#"}}]}), "[[null]]",
           "[1]"},
          {~s({"properties":{"default":{"$ref":"#/$defs/enum"}},"$defs":{"enum":{"type":"null"}}}),
           ~s({"default":null}), ~s({"default":1})},
          {~s({"const":{"$ref":"#/a"}}), ~s({"$ref":"#/a"}), ~s({"$ref":"#/properties/value/a"})},
          {"false", nil, "1"}
        ] do
      wrapped = schema |> JSON.decode!(objects: :ordered) |> Wrapper.schema() |> JSON.encode!()
      if valid, do: assert(JSON.validate(wrapped, ~s({"value":#{valid}})) == {:ok, []})
      assert {:ok, [_ | _]} = JSON.validate(wrapped, ~s({"value":#{invalid}}))
      assert {:ok, [_ | _]} = JSON.validate(wrapped, "{}")
    end
  end
end
