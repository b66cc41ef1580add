defmodule Espalier.ConstraintTest do
  use ExUnit.Case, async: true

  alias Espalier.{Constraint, JSON, Matcher, SchemaError, Vocabulary}

  doctest Espalier.Constraint

  @vocabulary_options [eos_ids: [256]]

  setup_all do
    bytes = for(byte <- 0..255, do: <<byte>>) ++ [""]
    %{vocabulary: Vocabulary.from_tokens!(bytes, @vocabulary_options)}
  end

  defp accepts?(constraint, text) do
    matcher = Matcher.new(constraint)
    Matcher.accept_text(matcher, text) == :ok and Matcher.accepting?(matcher)
  end

  describe "json_schema/2" do
    test "takes a schema as text, map, object or boolean", %{vocabulary: vocabulary} do
      for schema <- [
            ~s({"type": "integer"}),
            %{type: :integer},
            %{"type" => "integer"},
            %JSON.Object{members: [{"type", "integer"}]}
          ] do
        constraint = Constraint.json_schema!(schema, vocabulary: vocabulary)
        assert accepts?(constraint, "42")
        refute accepts?(constraint, "true")
      end

      assert true |> Constraint.json_schema!(vocabulary: vocabulary) |> accepts?("[{}]")
    end

    test "keeps the order of an object's properties", %{vocabulary: vocabulary} do
      properties = %JSON.Object{members: [{"b", true}, {"a", true}]}
      schema = %JSON.Object{members: [{"type", "object"}, {"properties", properties}]}
      generating = Constraint.json_schema!(schema, vocabulary: vocabulary)
      assert accepts?(generating, ~s({"b":1,"a":2}))
      refute accepts?(generating, ~s({"a":2,"b":1}))
      matching = Constraint.json_schema!(schema, vocabulary: vocabulary, style: :matching)
      assert accepts?(matching, ~s({"a": 2, "b": 1}))
    end

    test "changes parts of a style", %{vocabulary: vocabulary} do
      accepts = fn text, options ->
        [true, [vocabulary: vocabulary] ++ options]
        |> then(&apply(Constraint, :json_schema!, &1))
        |> accepts?(text)
      end

      assert accepts.("[1, 2]", whitespace: :spaced)
      refute accepts.("[1,2]", whitespace: :spaced)
      assert accepts.("[ 1,2]", whitespace: {:max, 1})
      refute accepts.("[  1,2]", whitespace: {:max, 1})
      assert accepts.("1e3", numbers: :any)
      refute accepts.("1e3", [])
      assert accepts.(~S("\u0041"), escapes: :any)
      refute accepts.(~S("\u0041"), [])
      refute accepts.("[ 1]", style: :matching, whitespace: :compact)
    end

    test "asserts formats unless told to ignore them", %{vocabulary: vocabulary} do
      schema = ~S({"type": "string", "format": "date"})
      accepts = &accepts?(Constraint.json_schema!(schema, [vocabulary: vocabulary] ++ &1), &2)
      assert accepts.([], ~S("2024-02-29"))
      refute accepts.([], ~S("2023-02-29"))
      refute accepts.([style: :matching], ~S("2023-02-29"))
      assert accepts.([format: :ignore], ~S("2023-02-29"))
    end

    test "says what is wrong with a schema", %{vocabulary: vocabulary} do
      refused = fn schema ->
        {:error, %SchemaError{} = error} = Constraint.json_schema(schema, vocabulary: vocabulary)
        assert Exception.message(error) != ""
        error
      end

      assert %{kind: :invalid_json, line: 1, column: _} = refused.("{")

      assert %{kind: :invalid_schema, pointer: "/type", expected: _, got: _} =
               refused.(%{type: 1})

      assert %{kind: :unsatisfiable, pointer: ""} = refused.(false)

      assert %{kind: :invalid_regex, pattern: "(", pointer: "/pattern"} =
               refused.(%{pattern: "("})

      assert %{kind: :unsupported_keyword, keyword: "$dynamicRef", pointer: "/$dynamicRef"} =
               refused.(%{"$dynamicRef" => "#node"})
    end

    test "knows other documents that it is given", %{vocabulary: vocabulary} do
      schema = %{items: %{"$ref": "https://example.com/defs.json#/$defs/digit"}}
      digit = %{"$defs" => %{"digit" => %{"pattern" => "^[0-9]$"}}}

      for document <- [digit, ~s({"$defs": {"digit": {"pattern": "^[0-9]$"}}})] do
        options = [
          vocabulary: vocabulary,
          documents: %{"https://example.com/defs.json" => document}
        ]

        constraint = Constraint.json_schema!(schema, options)
        assert accepts?(constraint, ~s(["1"]))
        refute accepts?(constraint, ~s(["a"]))
      end

      assert {:error, %SchemaError{kind: :unsupported_keyword, pointer: "/items/$ref"}} =
               Constraint.json_schema(schema, vocabulary: vocabulary)

      for documents <- [[], %{1 => true}, %{<<255>> => true}] do
        assert {:error, %Espalier.OptionsError{option: :documents}} =
                 Constraint.json_schema(schema, vocabulary: vocabulary, documents: documents)
      end

      assert {:error, %SchemaError{kind: :invalid_json}} =
               Constraint.json_schema(schema, vocabulary: vocabulary, documents: %{"a:b" => "{"})
    end

    test "tells which keywords say nothing", %{vocabulary: vocabulary} do
      schema = %{properties: %{a: %{minimun: 1, format: "no-such", title: "A"}}, then: true}
      constraint = Constraint.json_schema!(schema, vocabulary: vocabulary)

      assert Enum.sort(Constraint.unknown_keywords(constraint)) ==
               ["/properties/a/format", "/properties/a/minimun", "/then"]

      assert Constraint.unknown_keywords(Constraint.regex!("a", vocabulary: vocabulary)) == []
    end

    test "gives the error for a term that is not JSON", %{vocabulary: vocabulary} do
      assert {:error, %Espalier.JSONError{kind: :json_term, pointer: "/const"}} =
               Constraint.json_schema(%{const: {1, 2}}, vocabulary: vocabulary)
    end

    test "stands deeply nested schemas", %{vocabulary: vocabulary} do
      deep = String.duplicate(~s({"items": ), 100_000) <> "true" <> String.duplicate("}", 100_000)
      assert {:error, %SchemaError{}} = Constraint.json_schema(deep, vocabulary: vocabulary)
    end

    test "refuses options that it does not know", %{vocabulary: vocabulary} do
      assert {:error, error} =
               Constraint.json_schema(true, vocabulary: vocabulary, whitespaces: :any)

      assert Exception.message(error) =~ "Did you mean :whitespace?"
      assert {:error, %Espalier.OptionsError{}} = Constraint.json_schema(true, vocabulary: nil)

      assert {:error, %Espalier.OptionsError{option: :vocabulary}} =
               Constraint.json_schema(true, [])
    end
  end

  describe "regex/2" do
    test "matches the whole text", %{vocabulary: vocabulary} do
      constraint = Constraint.regex!("a+b?", vocabulary: vocabulary)
      assert accepts?(constraint, "aab")
      refute accepts?(constraint, "aabb")
    end

    test "takes the syntax that it is told", %{vocabulary: vocabulary} do
      regex = &Constraint.regex(&1, [vocabulary: vocabulary] ++ &2)
      {:ok, rust} = regex.("\\d|b", syntax: :rust)
      {:ok, ecma} = regex.("\\d|b", syntax: :ecma)
      {:ok, elixir} = regex.(~r/\d|b/i, [])
      {:ok, looking} = regex.("(?!ab)[a-z]+", syntax: :ecma)

      for {text, expected} <-
            [{"1", [true, true, true, false]}] ++
              [{"٣", [true, false, false, false]}] ++
              [{"B", [false, false, true, false]}] ++
              [{"b", [true, true, true, true]}] ++
              [{"1b", [false, false, false, false]}] ++
              [{"abc", [false, false, false, false]}] do
        found = Enum.map([rust, ecma, elixir, looking], &accepts?(&1, text))
        assert {text, found} == {text, expected}
      end

      assert {:error, %{kind: :unsupported_regex}} = regex.("(?=a)a", [])
      assert {:error, %{kind: :invalid_regex, pattern: "(?i)a"}} = regex.("(?i)a", syntax: :ecma)
      assert {:error, %Espalier.OptionsError{}} = regex.("a", syntax: :pcre)
      assert {:error, %Espalier.OptionsError{}} = regex.(~r/a/, syntax: :ecma)
      assert {:error, %{kind: :unsatisfiable}} = regex.(~r/a\bb/, [])
    end

    test "says what is wrong with a pattern", %{vocabulary: vocabulary} do
      assert {:error, %SchemaError{kind: :invalid_regex, pattern: "(", detail: _, pointer: nil}} =
               Constraint.regex("(", vocabulary: vocabulary)

      assert {:error, %SchemaError{kind: kind}} =
               Constraint.regex("(a)\\1", vocabulary: vocabulary)

      assert kind in [:unsupported_regex, :invalid_regex]
      assert_raise SchemaError, fn -> Constraint.regex!("[", vocabulary: vocabulary) end
    end

    test "stands hostile patterns", %{vocabulary: vocabulary} do
      for pattern <- [
            String.duplicate("(", 100_000),
            String.duplicate("(", 100_000) <> String.duplicate(")", 100_000),
            "a{1000}{1000}{1000}",
            "(\\w{50}){50}"
          ] do
        assert {:error, %SchemaError{}} = Constraint.regex(pattern, vocabulary: vocabulary)
      end
    end
  end

  describe "choice/2" do
    test "takes one of the texts", %{vocabulary: vocabulary} do
      constraint = Constraint.choice!(["yes", "no"], vocabulary: vocabulary)
      assert accepts?(constraint, "no")
      refute accepts?(constraint, "n")
    end

    test "needs a text", %{vocabulary: vocabulary} do
      assert {:error, %SchemaError{kind: :empty_choice}} =
               Constraint.choice([], vocabulary: vocabulary)

      for texts <- [[:yes], ["yes" | "no"], [1]] do
        assert_raise ArgumentError, fn -> Constraint.choice(texts, vocabulary: vocabulary) end
      end
    end
  end

  describe "deserialize/2" do
    setup %{vocabulary: vocabulary} do
      schema = %{
        type: :object,
        properties: %{
          id: %{type: :string, format: :uuid},
          name: %{pattern: "^[a-zé]{2,3}$", x: 1}
        }
      }

      constraints = [
        Constraint.json_schema!(schema, vocabulary: vocabulary, style: :matching),
        Constraint.regex!("a+(?:b|é)?", vocabulary: vocabulary),
        Constraint.regex!(~r/aa?(?!c)[abc]*/, vocabulary: vocabulary),
        Constraint.choice!(["yes", "no", ""], vocabulary: vocabulary)
      ]

      %{constraints: constraints}
    end

    test "gives the same masks", %{vocabulary: vocabulary, constraints: constraints} do
      texts = [
        ~s({"id":"01234567-89ab-cdef-0123-456789abcdef","name": "aé"}),
        "aab",
        "no",
        ~s({"id":"x)
      ]

      for constraint <- constraints do
        loaded =
          constraint |> Constraint.serialize() |> Constraint.deserialize!(vocabulary: vocabulary)

        assert loaded.kind == constraint.kind
        assert Constraint.unknown_keywords(loaded) == Constraint.unknown_keywords(constraint)
        assert Constraint.serialize(loaded) == Constraint.serialize(constraint)
        for text <- texts, do: assert(masks(loaded, text) == masks(constraint, text))
      end
    end

    test "refuses what is damaged", %{vocabulary: vocabulary, constraints: constraints} do
      for bytes <- Enum.map(constraints, &Constraint.serialize/1),
          at <- 0..(byte_size(bytes) - 1) do
        <<before::binary-size(at), byte, rest::binary>> = bytes

        for damaged <- [before, <<before::binary, Bitwise.bxor(byte, 1), rest::binary>>] do
          assert {:error, %Espalier.SerializationError{what: "constraint", part: part}} =
                   Constraint.deserialize(damaged, vocabulary: vocabulary)

          assert is_binary(part)
        end
      end
    end

    test "refuses another vocabulary", %{constraints: constraints} do
      other = Vocabulary.from_tokens!(["a", ""], eos_ids: [1])

      for bytes <- Enum.map(constraints, &Constraint.serialize/1) do
        assert {:error,
                %Espalier.SerializationError{kind: :invalid_serialized, part: "vocabulary"}} =
                 Constraint.deserialize(bytes, vocabulary: other)

        assert_raise Espalier.SerializationError, fn ->
          Constraint.deserialize!(bytes, vocabulary: other)
        end
      end

      assert {:error, %Espalier.OptionsError{option: :vocabulary}} =
               Constraint.deserialize("", [])
    end

    # The mask before each byte, up to the first that is refused.
    defp masks(constraint, text) do
      matcher = Matcher.new(constraint)

      Enum.reduce_while(:binary.bin_to_list(text), [Matcher.allowed_tokens(matcher)], fn byte,
                                                                                         masks ->
        case Matcher.accept_token(matcher, byte) do
          :ok -> {:cont, [Matcher.allowed_tokens(matcher) | masks]}
          {:error, _error} -> {:halt, masks}
        end
      end)
    end
  end

  test "is shown without its reference", %{vocabulary: vocabulary} do
    constraint = Constraint.choice!(["yes"], vocabulary: vocabulary)
    assert inspect(constraint) =~ "#Espalier.Constraint<kind: :choice"
  end

  test "a schema in other bytes than UTF-8 is told" do
    bytes = Espalier.Vocabulary.bytes()
    broken = <<"{\"const\":\"", 255, "\"}">>

    for result <- [
          Espalier.Constraint.json_schema(broken, vocabulary: bytes),
          Espalier.Constraint.regex(broken, vocabulary: bytes),
          Espalier.Constraint.json_schema(true, vocabulary: bytes, documents: %{"a" => broken}),
          Espalier.generate(broken, "?", model: MyApp.Model),
          Espalier.Schema.to_json_schema(broken)
        ] do
      assert {:error, %Espalier.SchemaError{kind: :invalid_schema, detail: detail}} = result
      assert detail =~ "UTF-8"
    end

    {:error, error} = Espalier.Constraint.regex(<<"a", 255>>, vocabulary: bytes)
    assert error.detail =~ "a regular expression is a text in UTF-8"
    {:error, error} = Espalier.Constraint.grammar(<<"a", 255>>, vocabulary: bytes)
    assert error.detail =~ "a grammar is a text in UTF-8"
  end

  test "a regular expression that nobody compiled is read or told" do
    bytes = Espalier.Vocabulary.bytes()

    for opts <- [[], [:unicode, :ucp]] do
      broken = %Regex{source: "a(", opts: opts}
      assert {:error, error} = Espalier.Constraint.regex(broken, vocabulary: bytes)
      assert %SchemaError{kind: :invalid_regex, pattern: "a(", detail: detail} = error
      assert detail =~ "at byte 2"
      assert {:ok, _constraint} = Constraint.regex(%{broken | source: "a"}, vocabulary: bytes)
    end
  end
end
