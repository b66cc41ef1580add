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

  describe "from_tokenizer_json/2" do
    test "spells forced tokens as it is told" do
      text = Espalier.Model.tiny_path() |> Path.join("tokenizer.json") |> File.read!()
      make = &Vocabulary.from_tokenizer_json!(text, [eos_tokens: ["<|end|>"]] ++ &1)
      default = make.([])
      [tokenizer, longest] = for how <- [:tokenizer, :longest], do: make.(forced_tokens: how)
      loaded = default |> Vocabulary.serialize() |> Vocabulary.deserialize!()

      texts = for word <- ["summary", "unbelievable", "aaaa bbbb", "ärger"], do: [word]
      assert Enum.map(texts, &forced(default, &1)) == Enum.map(texts, &forced(tokenizer, &1))
      assert Enum.map(texts, &forced(longest, &1)) == Enum.map(texts, &forced(loaded, &1))
      assert Enum.map(texts, &forced(longest, &1)) != Enum.map(texts, &forced(default, &1))
    end

    defp forced(vocabulary, texts) do
      constraint = Espalier.Constraint.choice!(texts, vocabulary: vocabulary)
      constraint |> Espalier.Matcher.new() |> Espalier.Matcher.forced_tokens()
    end

    test "reads the tokenizer of the shipped model" do
      text = Espalier.Model.tiny_path() |> Path.join("tokenizer.json") |> File.read!()
      vocabulary = Vocabulary.from_tokenizer_json!(text, eos_tokens: ["<|end|>"])
      assert [eos_id] = vocabulary.eos_ids
      assert eos_id < vocabulary.size
      tokens = Enum.map(0..(vocabulary.size - 1), &Vocabulary.token_bytes(vocabulary, &1))
      for byte <- 0x20..0x7E, do: assert(<<byte>> in tokens)
    end

    test "says what is wrong with a file" do
      for {text, eos_tokens} <- [
            {"", []},
            {"{}", []},
            {"\xFF", []},
            {String.duplicate("[", 100_000), []},
            {~s({"model": {"type": "BPE", "vocab": {}, "merges": []}}), ["</s>"]}
          ] do
        assert {:error, %VocabularyError{detail: detail}} =
                 Vocabulary.from_tokenizer_json(text, eos_tokens: eos_tokens)

        assert is_binary(detail)
      end
    end
  end

  describe "from_tiktoken/2" do
    test "says what is wrong with a file" do
      for ranks <- ["YQ==", "YQ== x", "YQ== 99999999999", "\xFF 1"] do
        assert {:error, %VocabularyError{kind: :invalid_tokenizer}} =
                 Vocabulary.from_tiktoken(ranks, eos_ids: [0])
      end

      assert {:error, %VocabularyError{kind: :invalid_vocabulary}} =
               Vocabulary.from_tiktoken("YQ== 0", eos_ids: [1])
    end

    test "checks its options" do
      for wrong <- [[{"a", -1}], [{:a, 1}], ["a"], %{"a" => 1}] do
        assert {:error, %Espalier.OptionsError{option: :special_tokens}} =
                 Vocabulary.from_tiktoken("YQ== 0", special_tokens: wrong, eos_ids: [0])
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

  describe "deserialize/1" do
    test "keeps tokens and ids" do
      options = [eos_ids: [3], special_ids: [0]]
      vocabulary = Vocabulary.from_tokens!(["<s>", <<0xC3>>, "é", "", "é"], options)
      bytes = Vocabulary.serialize(vocabulary)
      loaded = Vocabulary.deserialize!(bytes)
      assert %Vocabulary{size: 5, eos_ids: [3]} = loaded
      assert Vocabulary.serialize(loaded) == bytes

      for id <- 0..5 do
        assert Vocabulary.token_bytes(loaded, id) == Vocabulary.token_bytes(vocabulary, id)
      end

      constraint = Espalier.Constraint.regex!("(?s:.)*", vocabulary: loaded)

      assert constraint |> Espalier.Matcher.new() |> Espalier.Matcher.allowed_tokens() ==
               {:ok, [1, 2, 3, 4]}
    end

    test "refuses what is damaged" do
      bytes = ["a", "bc", ""] |> Vocabulary.from_tokens!(eos_ids: [2]) |> Vocabulary.serialize()

      for at <- 0..(byte_size(bytes) - 1) do
        <<before::binary-size(at), byte, rest::binary>> = bytes

        for damaged <- [before, <<before::binary, Bitwise.bxor(byte, 0x80), rest::binary>>] do
          assert {:error, %Espalier.SerializationError{what: "vocabulary"}} =
                   Vocabulary.deserialize(damaged)
        end
      end

      assert_raise Espalier.SerializationError, fn -> Vocabulary.deserialize!("") end
    end
  end
end
