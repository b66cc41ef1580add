defmodule Espalier.Constraint.ExportTest do
  use ExUnit.Case, async: true

  alias Espalier.{Constraint, Matcher, OptionsError, SchemaError, Vocabulary}

  defmodule Ticket do
    use Espalier.Schema

    schema do
      field :title, :string, max_length: 10
      field :priority, {:enum, [:low, :high]}
      field :votes, :integer, min: 0, max: 99, required: false
    end
  end

  @targets [
    regex: &Constraint.to_regex/2,
    gbnf: &Constraint.to_gbnf/2,
    lark: &Constraint.to_lark/2
  ]
  @ticket ~s({"title":"Broken","priority":"high","votes":12})

  defp accepts?(constraint, text) do
    matcher = Matcher.new(constraint)
    Matcher.accept_text(matcher, text) == :ok and Matcher.accepting?(matcher)
  end

  defp read(:regex, text), do: Constraint.regex!(text, vocabulary: Vocabulary.bytes())

  defp read(syntax, text),
    do: Constraint.grammar!(text, vocabulary: Vocabulary.bytes(), syntax: syntax)

  defp exported(schema, options \\ []) do
    for {target, export} <- @targets do
      {:ok, text} = export.(schema, options)
      read(target, text)
    end
  end

  test "a module is exported as the constraint that it is" do
    for constraint <- exported(Ticket) do
      assert accepts?(constraint, @ticket)
      refute accepts?(constraint, ~s({"title":"Broken","priority":"none"}))
      refute accepts?(constraint, ~s({"title":"Much too long","priority":"low"}))
      refute accepts?(constraint, ~s({"priority":"low","title":"Broken"}))
    end
  end

  test "the style is that of the options" do
    for constraint <- exported(Ticket, whitespace: :spaced, property_order: :any) do
      assert accepts?(constraint, ~s({"priority": "low", "title": "Broken"}))
      refute accepts?(constraint, @ticket)
    end
  end

  test "an expression is one for Elixir, too" do
    regex = Regex.compile!("\\A(?:" <> Constraint.to_regex!(Ticket) <> ")\\z", "u")
    assert @ticket =~ regex
    refute String.replace(@ticket, "12", "012") =~ regex
  end

  test "texts that are no JSON are exported" do
    for {schema, yes, no} <- [
          {{:regex, "a+(?i:b)"}, "aaB", "b"},
          {{:regex, ~r/(?=.{3}$)\w+/u}, "abc", "abcd"},
          {{:choice, [:yes, "no", 12]}, "12", "1"},
          {{:sequence, ["Age: ", {:regex, "[0-9]+"}, {:text, until: "."}]}, "Age: 36 or so.",
           "Age: 36"},
          {{:grammar, ~S{start: "(" start ")" | "x"}}, "((x))", "((x)"}
        ],
        {target, export} <- @targets,
        result = export.(schema, []),
        not (target == :regex and match?({:grammar, _text}, schema)) do
      {:ok, text} = result
      constraint = read(target, text)
      assert accepts?(constraint, yes)
      refute accepts?(constraint, no)
    end
  end

  test "a compiled constraint is exported as it was compiled" do
    constraint =
      Constraint.json_schema!(%{type: :integer, maximum: 9, minimum: 0},
        vocabulary: Vocabulary.bytes(),
        style: :matching,
        numbers: :plain
      )

    [regex, _gbnf, _lark] = exported(constraint)
    assert accepts?(regex, "\n3 ")
    assert {:error, %OptionsError{}} = Constraint.to_regex(constraint, style: :generating)
  end

  test "what can't be said is an error with its place" do
    unique = %{
      type: :object,
      properties: %{ids: %{type: :array, uniqueItems: true}},
      additionalProperties: false
    }

    for {_target, export} <- @targets do
      assert {:error, %SchemaError{kind: :not_exportable} = error} = export.(unique, [])
      assert {error.keyword, error.pointer} == {"uniqueItems", "/properties/ids/uniqueItems"}
      assert {:error, %SchemaError{kind: :not_exportable} = error} = export.(%{type: :object}, [])
      assert error.keyword == "additionalProperties"
      assert error.detail =~ ":repeated_keys"
      assert Exception.message(error) =~ "can't be exported as"

      exponents = %{
        properties: %{n: %{type: :integer}},
        required: [:n],
        additionalProperties: false
      }

      assert {:error, %SchemaError{kind: :not_exportable} = error} =
               export.(exponents, numbers: :any)

      assert {error.keyword, error.pointer} == {"type", "/properties/n/type"}
    end
  end

  test "keys without a name may come twice where that is allowed" do
    schema = %{type: :object, additionalProperties: %{type: :integer}}

    for constraint <- exported(schema, repeated_keys: :allow) do
      assert accepts?(constraint, ~s({"a":1,"b":2,"a":3}))
      refute accepts?(constraint, ~s({"a":1,"b":"2"}))
    end
  end

  test "grammars within a text are exported with rules of their own" do
    parts = [{:grammar, ~S(start: "a" start? "b")}, "-", {:grammar, ~S(start: "c" start | "d")}]

    for {target, export} <- @targets, target != :regex do
      {:ok, text} = export.({:sequence, parts}, [])
      constraint = read(target, text)
      assert accepts?(constraint, "aabb-ccd")
      for wrong <- ["aab-d", "aabb-cc", "d-ab"], do: refute(accepts?(constraint, wrong))
    end
  end

  test "a bound in tokens can't be said" do
    for {_target, export} <- @targets do
      assert {:error, %SchemaError{kind: :not_exportable, keyword: "max_tokens"}} =
               export.({:sequence, [{:text, until: ".", max_tokens: 3}]}, [])
    end
  end

  test "a depth bounds what leads back to itself" do
    schema = %{type: :array, items: %{"$ref": "#"}}
    assert {:error, %SchemaError{kind: :not_exportable}} = Constraint.to_regex(schema)
    regex = read(:regex, Constraint.to_regex!(schema, depth: 3))
    assert accepts?(regex, "[[[]],[]]")
    refute accepts?(regex, "[[[[]]]]")
    assert {:error, %SchemaError{kind: :not_exportable}} = Constraint.to_regex(schema, depth: 0)
  end

  test "options that mean nothing are refused" do
    assert {:error, %OptionsError{}} = Constraint.to_gbnf(Ticket, depth: 3)
    assert {:error, %OptionsError{}} = Constraint.to_regex({:regex, "a"}, whitespace: :any)
    assert {:error, %OptionsError{}} = Constraint.to_lark(Ticket, :all)
    assert {:error, %SchemaError{kind: :invalid_schema}} = Constraint.to_lark(:no_module)
  end

  test "limits hold" do
    schema = %{enum: Enum.to_list(1..1000)}
    options = [limits: [export_bytes: 100]]

    for schema <- [schema, {:regex, "[a-z]+|[0-9]{9,99}x{9}" <> String.duplicate("y", 99)}] do
      assert {:error, %SchemaError{kind: :limit_exceeded, limit: "export_bytes"}} =
               Constraint.to_regex(schema, options)
    end
  end
end
