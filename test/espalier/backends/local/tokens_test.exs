defmodule Espalier.Backends.Local.TokensTest do
  use ExUnit.Case, async: true

  alias Espalier.Backends.Local.Tokens
  alias Espalier.Vocabulary

  setup_all do
    %{vocabulary: Vocabulary.from_tokens!(["ab", "é", "c", "</s>"], eos_ids: [3])}
  end

  # Each place where a stop may cut what was forced, within a character, too.
  test "the texts of a trace are that of the whole, wherever it was cut", %{
    vocabulary: vocabulary
  } do
    without_text = 9
    ids = [0, 1, without_text, 2, 0]
    whole = "abécab"

    for size <- 0..byte_size(whole) do
      cut = binary_part(whole, 0, size)
      events = Tokens.events({:tokens, ids, cut, true, nil}, vocabulary)

      assert cut == for({:tokens, [_id], text, true} <- events, into: "", do: text)
      told = for {:tokens, [id], _text, true} <- events, do: id
      assert List.starts_with?(ids, told)

      # What is after the cut is not told.
      for {:tokens, [id], "", true} <- events, do: assert(id == without_text)
      if size == byte_size(whole), do: assert(told == ids)
    end
  end

  test "without a trace tokens stay together" do
    assert Tokens.events({:tokens, [0, 1], "abé", true, nil}, nil) ==
             [{:tokens, [0, 1], "abé", true}]
  end
end
