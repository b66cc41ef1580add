defmodule Espalier.Schema.ValidationTest do
  use ExUnit.Case, async: true

  alias Espalier.Constraint
  alias Espalier.JSONError
  alias Espalier.Schema
  alias Espalier.SchemaError
  alias Espalier.StubBackend
  alias Espalier.ValidationError
  alias Espalier.Vocabulary

  defp violations(schema, text) do
    assert {:error, %ValidationError{violations: violations}} = Schema.read(schema, text)

    for violation <- violations,
        do: {violation.path, violation.keyword, violation.expected, violation.got}
  end

  describe "Schema.read/2" do
    test "tells each rule that a text breaks" do
      for {type, json, keyword, expected} <- [
            {{:string, min_length: 2}, ~s("é"), "minLength", "2"},
            {{:string, max_length: 2}, ~s("abc"), "maxLength", "2"},
            {{:string, format: ~r/^a/}, ~s("ba"), "pattern", ~s("^a")},
            {{:regex, "a+"}, ~s("aab"), "pattern", ~s("^a+$")},
            {{:integer, min: 0}, "-1", "minimum", "0"},
            {{:integer, max: 5}, "6", "maximum", "5"},
            {{:number, greater_than: 0}, "0", "exclusiveMinimum", "0"},
            {{:number, less_than: 0.5}, "0.5", "exclusiveMaximum", "0.5"},
            {{:number, multiple_of: 0.1}, "0.25", "multipleOf", "0.1"},
            {{:enum, [:low, :high]}, ~s("LOW"), "enum", ~s(["low","high"])},
            {{{:array, :integer}, min_items: 1}, "[]", "minItems", "1"},
            {{{:array, :integer}, unique: true}, "[1,1.0]", "uniqueItems", "true"},
            {{:tuple, [:integer, :string]}, "[1]", "minItems", "2"},
            {{{:map, :any}, min_keys: 1}, "{}", "minProperties", "1"},
            {:date, ~s("2027-02-29"), "format", ~s("date")},
            {:boolean, ~s("true"), "type", ~s("boolean")},
            {{:integer, min: 0, nullable: true}, "-1", "minimum", "0"}
          ] do
        assert violations([v: type], ~s({"v":#{json}})) == [{["v"], keyword, expected, json}]
      end
    end

    test "tells them all at once, with their places" do
      schema = [name: {:string, min_length: 1}, "a/b~c": {:array, {:integer, max: 3}}]

      assert violations(schema, ~s({"name":"","a/b~c":[1,7,9],"more":null})) |> Enum.sort() ==
               [
                 {["a/b~c", 1], "maximum", "3", "7"},
                 {["a/b~c", 2], "maximum", "3", "9"},
                 {["name"], "minLength", "1", ~s("")},
                 {[], "additionalProperties", "false",
                  ~s({"name":"","a/b~c":[1,7,9],"more":null})}
               ]
               |> Enum.sort()
    end

    test "tells of a union what breaks the one type that is meant" do
      shape = {:union, circle: [radius: {:number, min: 0}], square: [side: {:number, min: 0}]}

      assert violations([shape: shape], ~s({"shape":{"type":"square","side":-2}})) ==
               [{["shape", "side"], "minimum", "0", "-2"}]

      assert [{["shape"], "anyOf", _types, _got}] =
               violations([shape: shape], ~s({"shape":{"type":"star"}}))

      assert [{["id"], "maxLength", "3", ~s("abcd")}] =
               violations([id: {:union, [{:string, max_length: 3}, :integer]}], ~s({"id":"abcd"}))
    end

    test "compares numbers digit by digit" do
      schema = [v: {:number, max: 1}]
      assert {:ok, _value} = Schema.read(schema, ~s({"v":1.00000000000000000000}))

      assert [{["v"], "maximum", "1", "1.00000000000000000001"}] =
               violations(schema, ~s({"v":1.00000000000000000001}))
    end

    test "matches expressions, choices and constraints with the whole text" do
      assert Schema.read({:regex, "[a-c]+"}, "abc") == {:ok, "abc"}
      assert violations({:regex, "[a-c]+"}, "abcd") == [{[], "pattern", "[a-c]+", "abcd"}]
      assert violations({:regex, "[a-c]{3}"}, "ab") == [{[], "pattern", "[a-c]{3}", "ab"}]

      vocabulary = Vocabulary.from_tokens!(["a", "b", ""], eos_ids: [2])
      constraint = Constraint.regex!("ab", vocabulary: vocabulary)
      assert Schema.read(constraint, "ab") == {:ok, "ab"}
      assert [{[], "constraint", "", "a"}] = violations(constraint, "a")
      assert [{[], "constraint", "", "aa"}] = violations(constraint, "aa")
    end

    test "refuses what is no JSON, and schemas that are none" do
      for text <- ["", "{", <<0xFF>>, "1 2", String.duplicate("[", 100_000)],
          do: assert({:error, %JSONError{}} = Schema.read([v: :any], text))

      assert {:error, %SchemaError{}} = Schema.read(%{"type" => "integr"}, "1")
      assert [{[], "pattern", ".", <<0xFF>>}] = violations({:regex, "."}, <<0xFF>>)
    end

    test "names a few of many violations in the message" do
      text = ~s({"v":[#{Enum.map_join(1..500, ",", fn _ -> "null" end)}]})
      assert {:error, error} = Schema.read([v: {:array, :integer}], text)
      assert length(error.violations) == 100
      assert Exception.message(error) =~ ~r/^invalid value: at v\.0: .*; and 90 more$/
    end
  end

  describe "a union" do
    test "is cast by the type whose rules hold" do
      for {types, json, value} <- [
            {[{:regex, ~r/\d{4}-\d{2}/}, {:const, :present}, :date], ~s("present"), :present},
            {[{:regex, ~r/\d{4}-\d{2}/}, {:const, :present}, :date], ~s("2026-01-02"),
             ~D[2026-01-02]},
            {[{:regex, ~r/\d{4}-\d{2}/}, {:const, :present}, :date], ~s("2026-01"), "2026-01"},
            {[{:integer, max: 5}, :float], "7", 7.0},
            {[{:integer, max: 5}, :float], "5", 5},
            {[{:array, {:integer, max: 5}}, {:array, :float}], "[7]", [7.0]}
          ] do
        assert {:ok, %{v: ^value}} = Schema.read([v: {:union, types}], ~s({"v":#{json}}))
      end
    end
  end

  describe "a backend that is not exact" do
    test "has its texts checked" do
      stub = [backend: {StubBackend, pieces: [~s({"age":-5})]}]

      assert {:error, %ValidationError{}} =
               Espalier.generate([age: {:integer, min: 0}], "?", stub)

      assert Espalier.generate([age: :integer], "?", stub) == {:ok, %{age: -5}}

      stub = [backend: {StubBackend, pieces: ["seven"]}]
      assert {:error, %ValidationError{}} = Espalier.generate({:regex, "[0-9]+"}, "?", stub)
    end

    test "has its schema refer to other documents" do
      schema =
        ~s({"$schema":"http://json-schema.org/draft-07/schema#","properties":{"age":{"$ref":"urn:age"}}})

      documents = %{"urn:age" => %{"minimum" => 0, "dependentRequired" => %{"a" => ["b"]}}}
      stub = [documents: documents, backend: {StubBackend, pieces: [~s({"age":-5})]}]

      assert {:error, %ValidationError{violations: [violation]}} =
               Espalier.generate(schema, "?", stub)

      assert %{path: ["age"], keyword: "minimum", got: "-5"} = violation

      # Of a document that names no draft it is that of the schema.
      stub = [documents: documents, backend: {StubBackend, pieces: [~s({"age":{"a":1}})]}]
      assert Espalier.generate(schema, "?", stub) == {:ok, %{"age" => %{"a" => 1}}}

      stub = [backend: {StubBackend, pieces: [~s({"age":5})]}]
      assert {:error, %SchemaError{}} = Espalier.generate(schema, "?", stub)
    end

    test "has formats checked where they are asserted" do
      schema = ~s({"type":"string","format":"date"})
      stub = [backend: {StubBackend, pieces: [~s("soon")]}]
      assert {:error, %ValidationError{}} = Espalier.generate(schema, "?", stub)
      assert Espalier.generate(schema, "?", [format: :ignore] ++ stub) == {:ok, "soon"}
    end
  end
end
