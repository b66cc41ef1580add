defmodule Espalier.VocabularyTest do
  use ExUnit.Case, async: true

  alias Espalier.{Vocabulary, VocabularyError}

  doctest Espalier.Vocabulary

  describe "from_tokens/2" do
    test "keeps tokens that are not UTF-8" do
      vocabulary = Vocabulary.from_tokens!([<<0xC3>>, <<0xA9>>, "é", ""], eos_ids: [3])

      assert Enum.map(0..3, &Vocabulary.token_bytes(vocabulary, &1)) == [
               <<0xC3>>,
               <<0xA9>>,
               "é",
               ""
             ]

      assert Vocabulary.token_bytes(vocabulary, 4) == nil
      assert %Vocabulary{size: 4, eos_ids: [3]} = vocabulary
    end

    test "refuses tokens that no vocabulary can be made of" do
      for {tokens, eos_ids} <- [{[], []}, {["a"], []}, {["a"], [1]}, {[""], [0]}] do
        assert {:error, %VocabularyError{kind: :invalid_vocabulary, detail: detail}} =
                 Vocabulary.from_tokens(tokens, eos_ids: eos_ids)

        assert is_binary(detail)
      end

      assert_raise VocabularyError, fn -> Vocabulary.from_tokens!(["a"], eos_ids: [1]) end
    end

    test "refuses options that it does not know, and asks for what it needs" do
      assert {:error, error} = Vocabulary.from_tokens(["a", ""], eos_id: [1])
      assert Exception.message(error) =~ "Did you mean :eos_ids?"

      assert {:error, %Espalier.OptionsError{option: :eos_ids}} =
               Vocabulary.from_tokens(["a"], [])

      assert {:error, %Espalier.OptionsError{}} = Vocabulary.from_tokens(["a"], eos_ids: [-1])
    end

    test "raises for tokens that are not binaries" do
      for tokens <- [:tokens, ["a", :b], ["a" | "b"], [~c"a"]] do
        assert_raise ArgumentError, fn -> Vocabulary.from_tokens(tokens, eos_ids: [0]) end
      end
    end
  end

  describe "token_bytes/2" do
    test "raises for what is not an id" do
      vocabulary = Vocabulary.from_tokens!(["a", ""], eos_ids: [1])

      for id <- [-1, "0", 1.0, 2 ** 32] do
        assert_raise ArgumentError, fn -> Vocabulary.token_bytes(vocabulary, id) end
      end
    end
  end
end
