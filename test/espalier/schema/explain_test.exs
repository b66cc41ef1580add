defmodule Espalier.Schema.ExplainTest do
  use ExUnit.Case, async: true

  alias Espalier.OptionsError
  alias Espalier.SchemaError
  alias Espalier.StubBackend
  alias Espalier.Vocabulary

  doctest Espalier.Explanation

  defmodule Part do
    use Espalier.Schema

    schema validate: &__MODULE__.check/1 do
      field :code, {:regex, "[A-Z]+"}, validate: &__MODULE__.check/1
      field :parts, {:array, Part}, required: false
    end

    def check(_value), do: :ok
  end

  defp rules(schema, backend \\ Espalier.Backends.Local) do
    for rule <- Espalier.explain(schema, backend),
        do: {rule.path, rule.keyword, rule.value, rule.by}
  end

  test "tells each keyword with the place of its values" do
    schema = """
    {"title": "T", "type": "object", "minProperties": 1,
     "properties": {"a": {"type": ["integer", "null"], "minimum": 0, "description": "D"}, "b": true},
     "patternProperties": {"^x": {"maxLength": 3}},
     "additionalProperties": {"items": {"prefixItems": [{"const": 1}, {"enum": [2, 3]}], "items": false}},
     "required": ["a"], "not": {"required": ["c"]}, "if": {"minProperties": 2}, "then": {"required": ["b"]},
     "anyOf": [{"maxProperties": 5}, false], "dependentRequired": {"a": ["b"]}, "maxlength": 3}
    """

    told = rules(schema)
    assert {["a"], "type", ["integer", "null"], :tokens} in told
    assert {["a"], "minimum", 0, :tokens} in told
    assert {[:*], "maxLength", 3, :tokens} in told
    assert {[:*, :*, 0], "const", 1, :tokens} in told
    assert {[:*, :*, 1], "enum", [2, 3], :tokens} in told
    assert {[:*, :*], "items", false, :tokens} in told
    assert {[], "maxProperties", 5, :tokens} in told
    assert {[], "false", false, :tokens} in told
    assert {[], "maxlength", 3, :nothing} in told

    assert told |> Enum.map(&elem(&1, 1)) |> Enum.uniq() |> Enum.sort() ==
             ~w(type minimum maxLength const enum items maxProperties false maxlength minProperties
                patternProperties required not if then anyOf dependentRequired)
             |> Enum.sort()
  end

  test "tells what states nothing in the draft of the schema" do
    schema = """
    {"$schema": "http://json-schema.org/draft-07/schema#", "then": {"minLength": 1}, "format": "colour",
     "dependentRequired": {"a": ["b"]}, "minItems": 1,
     "properties": {"a/b": {"minContains": 2, "maxLength": 3}},
     "items": [{"$ref": "#/items/1"}, {"pattren": "a"}]}
    """

    told = rules(schema)

    assert for({path, keyword, _value, :nothing} <- told, do: {path, keyword}) |> Enum.sort() == [
             {[], "dependentRequired"},
             {[], "format"},
             {[], "then"},
             {[0], "pattren"},
             {[1], "pattren"},
             {["a/b"], "minContains"}
           ]

    assert for({path, keyword, _value, :tokens} <- told, do: {path, keyword}) ==
             [{[], "minItems"}, {["a/b"], "maxLength"}]
  end

  test "follows each reference once, at the place where it is met first" do
    schema = """
    {"properties": {"left": {"$ref": "#/$defs/a~1b"}, "right": {"$ref": "#/$defs/a~1b"}, "self": {"$ref": "#"}},
     "$defs": {"a/b": {"minLength": 2, "items": {"$ref": "#/$defs/a~1b"}}}}
    """

    assert rules(schema) == [{["left"], "minLength", 2, :tokens}]
  end

  test "tells the functions that are asked afterwards" do
    assert for(
             {path, "validate", function, :function} <- rules(parts: {:array, Part}),
             do: {path, function}
           ) ==
             [{["parts", :*], &Part.check/1}, {["parts", :*, "code"], &Part.check/1}]

    assert {["code"], "pattern", "^[A-Z]+$", :tokens} in rules(Part)
  end

  test "takes all forms of schemas" do
    assert rules({:regex, ~r/a+/}) == [{[], "pattern", "a+", :tokens}]
    assert rules({:choice, [:yes, 2]}) == [{[], "enum", ["yes", "2"], :tokens}]
    constraint = Espalier.Constraint.regex!("a", vocabulary: Vocabulary.bytes())
    assert rules(constraint) == [{[], "constraint", constraint, :tokens}]
    assert rules(%{}) == []
  end

  test "of a backend that is not exact all is validated" do
    for backend <- [StubBackend, {StubBackend, pieces: []}] do
      assert rules([age: {:integer, min: 0}], backend) |> Enum.all?(&(elem(&1, 3) == :validation))
      assert rules({:regex, "a+"}, backend) == [{[], "pattern", "a+", :validation}]
    end
  end

  test "of a backend with a profile it tells what the provider enforces, and what it only reads" do
    backend = {Espalier.ProfiledBackend, profile: :anthropic}
    schema = [name: {:string, min_length: 2}, born: {:date, required: false}]
    told = rules(schema, backend)
    assert {["name"], "type", "string", :provider} in told
    assert {["name"], "minLength", 2, :description} in told
    assert {["born"], "format", "date", :provider} in told
    assert {[], "required", ["name"], :provider} in told

    one_of = %{"oneOf" => [%{"type" => "integer"}, %{"type" => "number"}]}
    told = plain(rules(one_of, backend))
    assert {[], "oneOf", one_of["oneOf"], :validation} in told
    assert rules({:regex, "a+"}, backend) == [{[], "pattern", "a+", :provider}]

    assert_raise SchemaError, ~r/no recursion/, fn ->
      rules(%{"items" => %{"$ref" => "#"}}, backend)
    end

    assert rules([age: {:integer, min: 0}], {Espalier.ProfiledBackend, profile: :none})
           |> Enum.all?(&(elem(&1, 3) == :description))
  end

  defp plain(rules) do
    for {path, keyword, value, by} <- rules,
        do: {path, keyword, value |> Espalier.JSON.encode!() |> Espalier.JSON.decode!(), by}
  end

  test "a validator may keep what tokens can't" do
    schema = %{"pattern" => "(a)\\1"}
    assert_raise SchemaError, fn -> rules(schema) end
    assert rules(schema, StubBackend) == [{[], "pattern", "(a)\\1", :validation}]
  end

  test "raises what is the matter with a schema" do
    assert_raise SchemaError, ~r/no value/, fn ->
      rules(%{"type" => "integer", "enum" => ["a"]})
    end

    assert_raise SchemaError, fn -> rules(%{"type" => "integr"}) end
    assert_raise SchemaError, fn -> rules(String) end
    assert_raise SchemaError, fn -> rules(%{"type" => "integr"}, StubBackend) end
    assert_raise OptionsError, fn -> rules([a: :integer], "local") end
  end
end
