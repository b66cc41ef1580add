defmodule Espalier.GrammarTest do
  use ExUnit.Case, async: true

  alias Espalier.{Constraint, ConstraintCache, Matcher, OptionsError, Schema, SchemaError}
  alias Espalier.{ValidationError, Vocabulary}
  alias Espalier.Schema.Form

  @lark ~S"""
  start: "size" SIZE
  SIZE: /[0-9]+/ ("cm" | "mm")
  %ignore " "
  """
  @gbnf ~S(root ::= "size " number unit
  number ::= [0-9]+
  unit ::= "cm" | "mm")

  test "a grammar is a schema, and its value is the text" do
    for {schema, text} <- [
          {{:grammar, @lark}, " size  12mm "},
          {{:grammar, @gbnf, syntax: :gbnf}, "size 7cm"},
          {{:grammar, @gbnf, syntax: :gbnf, start: "unit"}, "cm"}
        ] do
      assert Schema.read(schema, text) == {:ok, text}
      assert {:ok, form} = Form.new(schema)
      assert Form.name(form) == :grammar
      assert Form.validate(form, text) == :ok

      assert {:error, %ValidationError{violations: [violation]}} =
               Form.validate(form, text <> "!")

      assert %{keyword: "grammar", path: []} = violation
    end
  end

  test "what is no grammar is refused" do
    assert {:error, %SchemaError{kind: :invalid_schema}} = Form.new({:grammar, :text})
    assert {:error, %SchemaError{kind: :invalid_schema}} = Form.new({:grammar, <<255>>})
    assert {:error, %OptionsError{option: :syntax}} = Form.new({:grammar, @lark, syntax: :ebnf})
    assert {:error, %OptionsError{option: :strat}} = Form.new({:grammar, @lark, strat: "a"})

    assert {:error, %SchemaError{} = error} =
             Schema.to_constraint({:grammar, "start: a"}, vocabulary: Vocabulary.bytes())

    assert %{kind: :undefined_name, name: "a", line: 1, column: 8} = error
    assert error.message =~ "\"a\" is not defined"
  end

  test "what is wrong within a grammar has its kind and its place" do
    compile = &Constraint.grammar(&1, vocabulary: Vocabulary.bytes())
    assert {:error, error} = compile.("start: \"a\"\n  | /b(/\n")
    assert %{kind: :invalid_regex, pattern: "b(", line: 2, column: 8} = error
    assert {:error, error} = compile.(~S(start: %json {"type": "int"}))
    assert %{kind: :invalid_schema, pointer: "/type", line: 1, column: 8} = error
    assert error.message =~ "line 1, column 8"
    assert {:error, error} = compile.("start: <|end|>")
    assert %{kind: :unsupported_grammar, got: "<...>", detail: "" <> _} = error
  end

  test "options shape the JSON in a grammar" do
    grammar = ~S(start: %json {"type": "array", "items": {"type": "integer"}})

    for {style, text, accepted?} <- [
          {:generating, "[1,2]", true},
          {:generating, "[1, 2]", false},
          {:matching, "[1, 2]", true}
        ] do
      options = [vocabulary: Vocabulary.bytes(), style: style]
      matcher = grammar |> Constraint.grammar!(options) |> Matcher.new()
      assert Matcher.accept_text(matcher, text) == :ok == accepted?
    end

    # A text that was written is read in any style.
    assert {:ok, form} = Form.new({:grammar, grammar})
    assert Form.validate(form, "[1, 2]") == :ok
  end

  test "a constraint is stored with its grammar" do
    vocabulary = Vocabulary.bytes()
    constraint = Constraint.grammar!(@lark, vocabulary: vocabulary)
    bytes = Constraint.serialize(constraint)

    assert {:ok, %{kind: :grammar} = loaded} =
             Constraint.deserialize(bytes, vocabulary: vocabulary)

    matcher = Matcher.new(loaded)
    assert Matcher.accept_text(matcher, "size 3cm") == :ok
    assert Matcher.accepting?(matcher)
  end

  test "syntax, start and text tell cached constraints apart" do
    fetch = &ConstraintCache.fetch!(&1, vocabulary: Vocabulary.bytes())
    unit = {:grammar, @gbnf, syntax: :gbnf, start: "unit"}
    assert fetch.(unit).ref == fetch.(unit).ref
    assert fetch.(unit).ref != fetch.({:grammar, @gbnf, syntax: :gbnf}).ref
  end

  test "limits hold" do
    options = [vocabulary: Vocabulary.bytes(), limits: [grammar_bytes: 10]]

    assert {:error, %{kind: :limit_exceeded, limit: "grammar_bytes"}} =
             Constraint.grammar(@lark, options)

    deep = "start: " <> String.duplicate("(", 100_000)

    assert {:error, %{limit: "grammar_nesting"}} =
             Constraint.grammar(deep, vocabulary: Vocabulary.bytes())
  end

  test "the shipped model writes texts of a grammar" do
    model = start_supervised!({Espalier.Model, path: Espalier.Model.tiny_path()})

    assert {:ok, text} =
             Espalier.generate({:grammar, @gbnf, syntax: :gbnf}, "How large?", model: model)

    assert text =~ ~r/\Asize [0-9]+(cm|mm)\z/
  end

  test "rules are explained" do
    assert [%{keyword: "grammar", by: :tokens}] = Espalier.explain({:grammar, @lark})
  end
end
