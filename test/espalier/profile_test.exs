defmodule Espalier.ProfileTest do
  use ExUnit.Case, async: true

  alias Espalier.{JSON, Profile, SchemaError}
  alias Espalier.Hosted.Wrapper
  alias Espalier.Profile.Adapted

  doctest Espalier.Profile
  doctest Espalier.Profile.Adapted
  doctest Espalier.Profile.Statement

  defp json(text), do: JSON.decode!(text, objects: :ordered)

  defp adapt(profile, text) do
    assert {:ok, adapted} = Profile.adapt(profile, json(text))
    adapted
  end

  # The profile, the original and what is sent.
  @rewrites [
    {"an optional property may be null", :groq,
     ~s({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["b"]}),
     ~s({"type":"object","properties":{"a":{"type":["string","null"]},"b":{"type":"integer"}},"required":["a","b"],"additionalProperties":false})},
    {"an optional property stays so where it may", :anthropic,
     ~s({"type":"object","properties":{"a":{"type":"string"}}}),
     ~s({"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false})},
    {"a root that is no object is wrapped", :open_ai_strict,
     ~s({"type":"array","items":{"type":"number"},"maxItems":2}),
     ~s({"type":"object","properties":{"value":{"type":"array","items":{"type":"number"},"maxItems":2}},"required":["value"],"additionalProperties":false})},
    {"a root that is a reference is in place", :open_ai_strict,
     ~s({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"n":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["n"],"additionalProperties":false}}}),
     ~s({"type":"object","properties":{"n":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["n"],"additionalProperties":false,"$defs":{"n":{"type":"object","properties":{"n":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["n"],"additionalProperties":false}}})},
    {"oneOf is anyOf, and const enum", :open_ai_strict,
     ~s({"type":"object","properties":{"a":{"oneOf":[{"const":1},{"type":"string"}]}},"required":["a"],"additionalProperties":false}),
     ~s({"type":"object","properties":{"a":{"anyOf":[{"type":"integer","enum":[1]},{"type":"string"}]}},"required":["a"],"additionalProperties":false})},
    {"allOf is one", :anthropic,
     ~s({"allOf":[{"type":"string","minLength":1},{"format":"date"},{"minLength":2}]}),
     ~s({"type":"string","format":"date","description":"At least 1 character.\\nAt least 2 characters."})},
    {"what is beside a choice is in its branches", :groq,
     ~s({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}),
     ~s({"type":"object","properties":{"value":{"anyOf":[{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":["string","null"]}},"required":["a","b"],"additionalProperties":false},{"type":"object","properties":{"a":{"type":["integer","null"]},"b":{"type":"string"}},"required":["a","b"],"additionalProperties":false}]}},"required":["value"],"additionalProperties":false})},
    {"references are in place", :gemini_schema,
     ~s({"type":"array","items":{"$ref":"#/$defs/a"},"$defs":{"a":{"type":["string","null"],"title":"A"}}}),
     ~s({"type":"array","items":{"type":"string","nullable":true,"title":"A"}})},
    {"a reference has its hints around it", :anthropic,
     ~s({"type":"array","items":{"$ref":"#/$defs/a","description":"D"},"$defs":{"a":{"type":"string"}}}),
     ~s({"type":"array","items":{"anyOf":[{"$ref":"#/$defs/a"}],"description":"D"},"$defs":{"a":{"type":"string"}}})},
    {"a tuple is an array of all its items", :mistral,
     ~s({"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}),
     ~s({"type":"object","properties":{"value":{"type":"array","items":{"anyOf":[{"type":"string"},{"type":"integer"}]},"description":"At most 2 items.\\nThe first items are values of these JSON Schemas, in this order: [{\\"type\\":\\"string\\"},{\\"type\\":\\"integer\\"}]."}},"required":["value"],"additionalProperties":false})},
    {"properties are ordered", :gemini_json_schema,
     ~s({"type":"object","properties":{"b":{"type":"null"},"a":{"type":"null"}},"required":["a"]}),
     ~s({"type":"object","properties":{"b":{"type":"null"},"a":{"type":"null"}},"required":["a"],"propertyOrdering":["b","a"]})},
    {"bounds of numbers are for integers", :llama_cpp,
     ~s({"anyOf":[{"type":"integer","minimum":3},{"type":"number","minimum":3},{"type":"string","pattern":"^a|b$"}]}),
     ~s({"anyOf":[{"type":"integer","minimum":3},{"type":"number","description":"At least 3."},{"type":"string","description":"The regular expression ^a|b$ matches."}]})},
    {"only plain patterns are sent", :llama_cpp_python,
     ~S'{"anyOf":[{"type":"string","pattern":"^[A-F]{2}-(a|b)+$"},{"type":"string","pattern":"^\\d$"},{"type":"string","pattern":"^(?:a)$"},{"type":"integer","minimum":3}]}',
     ~S'{"anyOf":[{"type":"string","pattern":"^[A-F]{2}-(a|b)+$"},{"type":"string","description":"The regular expression ^\\d$ matches."},{"type":"string","description":"The regular expression ^(?:a)$ matches."},{"type":"integer","description":"At least 3."}]}'},
    {"identifiers are not sent", :vllm,
     ~s({"$schema":"http://json-schema.org/draft-07/schema#","$id":"http://a.b/c","type":"string","definitions":{}}),
     ~s({"type":"string"})},
    {"values are listed that what is beside them admits", :anthropic,
     ~s({"enum":["a","abc",3,null],"type":["string","null"],"maxLength":2}),
     ~s({"type":["string","null"],"enum":["a",null]})}
  ]

  for {name, profile, original, sent} <- @rewrites do
    test "#{name} (#{profile})" do
      adapted = adapt(unquote(profile), unquote(original))
      assert JSON.encode!(adapted.schema) == unquote(sent)
    end
  end

  # What becomes of one keyword.
  @decisions [
    {:vllm, ~s({"oneOf":[{"type":"integer"},{"type":"number"}]}), "/oneOf", :rewritten, :wider},
    {:vllm, ~s({"oneOf":[{"type":"integer"},{"type":"string"}]}), "/oneOf", :rewritten, :same},
    {:vllm, ~s({"type":"string","pattern":"^a","maxLength":3}), "/pattern", :kept, :same},
    {:vllm, ~s({"type":"string","pattern":"^a","maxLength":3}), "/maxLength", :described, :wider},
    {:groq, ~s({"type":"object","additionalProperties":{"type":"null"}}), "/additionalProperties",
     :rewritten, :narrower},
    {:groq, ~s({"type":"object","patternProperties":{"a":{"type":"null"}}}),
     "/patternProperties/a/type", :removed, :narrower},
    {:groq, ~s({"type":"string","not":{"enum":["a"]}}), "/not/enum", :described, :wider},
    {:groq, ~s({"type":"string","minItems":2}), "/minItems", :removed, :same},
    {:groq, ~s({"type":"string","maxlength":2}), "/maxlength", :removed, :same},
    {:groq, ~s({"type":"string","$defs":{"a":{"type":"null"}}}), "/$defs/a/type", :removed,
     :same},
    {:none, ~s({"type":"string","title":"A"}), "/type", :described, :wider},
    {:gbnf, ~s({"type":"string","title":"A"}), "/type", :rewritten, :same},
    {:none, ~s({"type":"string","title":"A"}), "/title", :kept, :same}
  ]

  test "each keyword has its decision" do
    for {profile, original, pointer, decision, effect} <- @decisions do
      decisions =
        for told <- adapt(profile, original).decisions,
            told.pointer == pointer,
            do: {told.decision, told.effect}

      assert decisions == [{decision, effect}], "#{profile}: #{original}"
    end
  end

  @refusals [
    {:anthropic,
     ~s({"$ref":"#/$defs/n","$defs":{"n":{"type":"array","items":{"$ref":"#/$defs/n"}}}}), "$ref",
     nil},
    {:gemini_schema, ~s({"type":"object","properties":{"n":{"$ref":"#"}}}), "$ref", nil},
    {:gemini_json_schema,
     ~s({"type":"object","properties":{"n":{"type":"array","items":{"$ref":"#"}}},"required":["n"]}),
     "$ref", nil},
    {:open_ai_strict,
     ~s({"type":"object","minProperties":1,"additionalProperties":{"type":"string"}}),
     "minProperties", nil},
    {:open_ai_strict, ~s({"enum":[#{Enum.map_join(1..1001, ",", &to_string/1)}]}), nil,
     "enum_values"}
  ]

  test "plain patterns are those that a grammar can have as they are, within the quotes of a text" do
    plain =
      ~W/^$ ^abc$ ^[0-9]{3}$ ^[A-F]{2}-[0-9]{4}$ ^(a|b)+$ ^((a|b)c)?$ ^a{2,}$ ^[a-z_-]+$ ^[-+]?[0-9]*$
               ^\(a\)$ ^[(|)]$ ^é+$/

    other =
      ~W/a ^a a$ ^a|b$ ^\d$ ^[\d]$ ^\w+$ ^a\.b$ ^a.b$ ^.*$ ^(?:a)$ ^(?=a)a$ ^[^a]$ ^[!-~]$ ^[A-z]$ ^a"b$ ^["]$
               ^\\$ ^[\]]$ ^a+?$ ^\(?a$ ^\+{2}$ ^(^a$)$ ^a\$ ^\u0041$/

    for {sources, decision} <- [{plain, :kept}, {other, :described}], source <- sources do
      schema = json(JSON.encode!(%{"type" => "string", "pattern" => source}))
      assert {:ok, adapted} = Profile.adapt(:llama_cpp_python, schema)
      decisions = for %{pointer: "/pattern", decision: one} <- adapted.decisions, do: one
      assert {source, decisions} == {source, [decision]}
    end
  end

  test "what can't be said is refused, with its place" do
    for {profile, original, keyword, limit} <- @refusals do
      assert {:error, %SchemaError{kind: :unsupported_by_provider} = error} =
               Profile.adapt(profile, json(original))

      assert {error.keyword, error.limit} == {keyword, limit}
    end
  end

  test "the wrapper counts as a level" do
    nested = fn levels ->
      Enum.reduce(1..levels, ~s({"type":"string"}), fn _level, inner ->
        ~s({"type":"object","properties":{"a":#{inner}},"required":["a"],"additionalProperties":false})
      end)
    end

    assert adapt(:open_ai_strict, nested.(10)).wrapper == nil
    array = ~s({"type":"array","items":#{nested.(10)}})
    assert {:error, %{limit: "nesting", value: 10}} = Profile.adapt(:open_ai_strict, json(array))
    assert adapt(:open_ai_strict, ~s({"type":"array","items":#{nested.(9)}})).wrapper == "value"
  end

  test "schemas that are none, and unknown options, are errors" do
    assert {:error, %SchemaError{kind: :invalid_schema}} =
             Profile.adapt(:groq, json(~s({"type":"strin"})))

    assert {:error, %SchemaError{kind: :unsatisfiable}} = Profile.adapt(:groq, false)

    assert {:error, %Espalier.OptionsError{option: :formats}} =
             Profile.adapt(:groq, true, formats: :assert)

    assert_raise ArgumentError, ~r/no profile :gpt/, fn -> Profile.adapt(:gpt, true) end
  end

  describe "schemas that would grow without an end" do
    defp levels(count, schema) do
      definitions =
        for n <- 1..count,
            into: %{"d#{count + 1}" => %{"type" => "string"}},
            do: {"d#{n}", schema.(%{"$ref" => "#/$defs/d#{n + 1}"})}

      root = %{"type" => "object", "properties" => %{"x" => %{"$ref" => "#/$defs/d1"}}}
      root |> Map.put("$defs", definitions) |> JSON.encode!() |> json()
    end

    test "whether null is a value is looked up once in each place" do
      schema = levels(60, &%{"anyOf" => [&1, &1]})
      assert {:ok, adapted} = Profile.adapt(:open_ai_strict, schema)
      assert Adapted.restore(adapted, ~s({"x":null})) == {:ok, "{}"}
    end

    test "what is said twice is merged once" do
      schema = levels(60, &%{"properties" => %{"a" => %{"allOf" => [&1, &1]}}})

      assert {:ok, _adapted} = Profile.adapt(:vllm, schema)

      for profile <- Profile.names() do
        case Profile.adapt(profile, levels(60, &%{"allOf" => [&1, &1]})) do
          {:ok, _adapted} -> :ok
          {:error, %SchemaError{kind: kind}} -> assert kind == :unsupported_by_provider
        end
      end
    end

    test "those of which each level is another are refused" do
      both = ~s({"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}]})

      schema =
        json(
          ~s({"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"l":#{both},"r":#{both}}},) <>
            ~s("b":{"type":"object","properties":{"l":{"$ref":"#/$defs/b"},"r":{"$ref":"#/$defs/a"}}}}})
        )

      assert {:error, %SchemaError{kind: :unsupported_by_provider, limit: "schemas"}} =
               Profile.adapt(:vllm, schema)
    end

    test "values and patterns are tried in bulk" do
      names = for n <- 1..250, do: "p#{n}"
      enum = json(~s({"enum":#{JSON.encode!(names)},"pattern":"[05]$"}))
      assert {:ok, adapted} = Profile.adapt(:anthropic, enum)
      {"enum", kept} = List.keyfind(adapted.schema.members, "enum", 0)
      assert kept == Enum.filter(names, &String.ends_with?(&1, ["0", "5"]))
    end
  end

  test "branches with other constants are apart, however many there are" do
    for {count, branch} <- [
          {3, &%{"const" => &1}},
          {300, &%{"const" => "v#{&1}"}},
          {300,
           &%{
             "type" => "object",
             "properties" => %{"k" => %{"const" => &1}},
             "required" => ["k"]
           }}
        ] do
      schema = %{"oneOf" => Enum.map(1..count, branch)} |> JSON.encode!() |> json()
      assert {:ok, adapted} = Profile.adapt(:vllm, schema)
      assert %{effect: :same} = Enum.find(adapted.decisions, &(&1.pointer == "/oneOf"))
      again = %{"oneOf" => Enum.map([1 | Enum.to_list(1..count)], branch)}
      assert {:ok, adapted} = Profile.adapt(:vllm, again |> JSON.encode!() |> json())
      assert %{effect: :wider} = Enum.find(adapted.decisions, &(&1.pointer == "/oneOf"))
    end
  end

  test "other documents are read" do
    documents = %{"http://a.b/name" => %{"type" => "string", "maxLength" => 3}}

    assert {:ok, adapted} =
             Profile.adapt(:vllm, json(~s({"$ref":"http://a.b/name"})), documents: documents)

    assert JSON.encode!(adapted.schema) =~ ~s("maxLength":3)
  end

  test "each statement has a source and a date" do
    for name <- Profile.names(), statement <- Profile.fetch!(name).statements do
      assert %URI{scheme: "https", host: host} = URI.parse(statement.source)
      assert host =~ "."
      assert Date.compare(statement.date, ~D[2026-01-01]) == :gt
      assert is_atom(statement.rule)
    end
  end

  describe "restore/2" do
    test "null stays where the original takes it, and goes where it does not" do
      adapted =
        adapt(
          :groq,
          ~s({"type":"object","properties":{"a":{"type":["string","null"]},"b":{"type":"string"},
        "c":{"type":"array","items":{"type":"object","properties":{"d":{"type":"integer"}}}}},"required":["c"]})
        )

      assert Adapted.restore(adapted, ~s({"a":null,"b":null,"c":[{"d":null},{"d":1}]})) ==
               {:ok, ~s({"a":null,"c":[{},{"d":1}]})}
    end

    test "numbers and the order of keys stay as they are" do
      adapted =
        adapt(
          :groq,
          ~s({"type":"object","properties":{"a":{"type":"number"},"b":{"type":"string"},"c":{"type":"integer"}},"required":["a","c"]})
        )

      assert Adapted.restore(
               adapted,
               ~s({"c":123456789012345678901234567890, "b":null, "a":1.10})
             ) ==
               {:ok, ~s({"c":123456789012345678901234567890,"a":1.10})}
    end

    test "of a choice the branch counts that the value satisfies" do
      adapted =
        adapt(
          :groq,
          ~s({"type":"array","items":{"anyOf":[
        {"type":"object","properties":{"k":{"const":"a"},"x":{"type":["string","null"]}},"required":["k"]},
        {"type":"object","properties":{"k":{"const":"b"},"x":{"type":"string"}},"required":["k"]}]}})
        )

      text = ~s({"value":[{"k":"a","x":null},{"k":"b","x":null}]})
      assert Adapted.restore(adapted, text) == {:ok, ~s([{"k":"a","x":null},{"k":"b"}])}
    end

    test "what is no JSON is an error, what is no value comes back" do
      adapted = adapt(:groq, ~s({"type":"string"}))
      assert {:error, %Espalier.JSONError{}} = Adapted.restore(adapted, ~s({"value":))
      assert Adapted.restore(adapted, ~s({"other":1})) == {:ok, ~s({"other":1})}
      assert Adapted.restore(adapted, "3") == {:ok, "3"}
    end
  end

  test "a root that is an object may be demanded of any mode" do
    schema = JSON.decode!(~s({"type":"array","items":{"type":"integer"}}), objects: :ordered)
    assert {:ok, %Adapted{wrapper: nil}} = Profile.adapt(:vllm, schema)

    assert {:ok, %Adapted{wrapper: "value"} = adapted} =
             Profile.adapt(:vllm, schema, root: :object)

    assert Adapted.restore(adapted, ~s({"value":[1]})) == {:ok, "[1]"}
  end

  test "a wrapper is taken off wherever the text is cut" do
    adapted = adapt(:groq, ~s({"type":"array"}))

    for text <- [
          ~s({"value":[1,{"a":{}},"}"]}),
          ~s( { "value" : ["é }"] }\n),
          ~s({"value":[]}),
          ~s("no")
        ] do
      {:ok, whole} = Adapted.restore(adapted, text)

      for size <- 1..byte_size(text) do
        pieces = for <<piece::binary-size(size) <- text>>, do: piece
        rest = binary_part(text, size * length(pieces), rem(byte_size(text), size))

        {parts, wrapper} =
          Enum.map_reduce(pieces ++ [rest], Wrapper.new(:json), &Wrapper.read(&2, &1))

        joined = Enum.join(parts) <> Wrapper.finish(wrapper)
        assert JSON.decode!(joined) == JSON.decode!(whole)
      end
    end
  end
end
