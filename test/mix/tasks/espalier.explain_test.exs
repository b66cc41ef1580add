defmodule Mix.Tasks.Espalier.ExplainTest do
  # Standard error is one for all processes.
  use Espalier.TaskCase, async: false

  alias Espalier.JSON
  alias Mix.Tasks.Espalier.Explain

  defmodule Order do
    use Espalier.Schema

    schema do
      field :items, {:array, :string}, min_items: 1, validate: &__MODULE__.check/1
    end

    def check(_items), do: :ok
  end

  if Code.ensure_loaded?(Ecto.Schema) do
    defmodule Account do
      use Ecto.Schema

      embedded_schema do
        field :email, :string
      end

      def changeset(account, params) do
        account
        |> Ecto.Changeset.cast(params, [:email])
        |> Ecto.Changeset.validate_change(:email, fn :email, _email -> [] end)
      end
    end

    test "the rules of a changeset function are told" do
      assert {0, output, ""} = run(["--schema", inspect(Account)])
      assert output =~ ~r/changeset/
    end
  end

  @schema """
  {"type": "object",
   "properties": {"名前": {"type": "string", "maxLength": 80}, "a.b": {"enum": ["x", 1]}},
   "items": {"maxlenght": 3}}
  """

  defp run(arguments), do: run_task(Explain, arguments)

  defp lines(output), do: String.split(output, "\n")

  test "the table has the rules of a path together, and what its words mean", context do
    assert {0, output, ""} = run(["--schema", file(context, @schema)])
    assert Enum.any?(lines(output), &(&1 =~ ~r/^\(value\) +type +"object" +tokens$/))
    assert Enum.any?(lines(output), &(&1 =~ ~r/^名前 +type +"string" +tokens$/))
    assert Enum.any?(lines(output), &(&1 =~ ~r/^ +maxLength +80 +tokens$/))
    assert Enum.any?(lines(output), &(&1 =~ ~r/^"a\.b" +enum +\["x",1\] +tokens$/))
    assert Enum.any?(lines(output), &(&1 =~ ~r/^\* +maxlenght +3 +nothing$/))
    assert output =~ ~r/^tokens +no text that breaks it can be written$/m
    assert output =~ ~r/^nothing +.*misspelt/m
    assert output =~ "5 rules: 4 by tokens, 1 by nothing\n"
  end

  test "a backend says who keeps what", context do
    arguments = ["--schema", file(context, @schema), "--backend"]
    assert {0, output, ""} = run(arguments ++ ["anthropic"])
    assert output =~ ~r/maxLength +80 +description$/m
    assert {0, output, ""} = run(arguments ++ ["vllm"])
    refute output =~ "description"
    assert {2, "", errors} = run(arguments ++ ["antropic"])
    assert errors =~ "Did you mean anthropic?"
  end

  test "JSON has a line for each rule, as Espalier.explain/2 tells them", context do
    assert {0, output, ""} = run(["--schema", file(context, @schema), "--format", "json"])

    for {line, rule} <- Enum.zip(json_lines(output), Espalier.explain(@schema)) do
      path = Enum.map(rule.path, &if(&1 == :*, do: nil, else: &1))
      assert line["path"] == path
      assert line["keyword"] == rule.keyword
      assert line["by"] == Atom.to_string(rule.by)
      assert JSON.encode!(line["value"]) == JSON.encode!(rule.value)
    end

    assert length(json_lines(output)) == length(Espalier.explain(@schema))
  end

  test "functions are told, too" do
    for format <- ["text", "json"] do
      assert {0, output, ""} = run(["--schema", inspect(Order), "--format", format])
      assert output =~ "&#{inspect(Order)}.check/1"
      assert output =~ "function"
    end
  end

  test "a choice, a regular expression and a schema without rules have theirs", context do
    assert {0, output, ""} = run(["--choice", "a,b"])
    assert output =~ ~s(["a","b"])
    assert {0, output, ""} = run(["--regex", "[a-z]+"])
    assert output =~ "[a-z]+"

    for file <- ["chess.gbnf", "chess.lark"] do
      assert {0, output, ""} = run(["--grammar", "testdata/grammars/#{file}"])
      assert output =~ "turn"
    end

    assert {0, "no rule: any JSON value is one of this schema\n", ""} =
             run(["--schema", file(context, "{}")])
  end

  test "--strict fails where a rule is kept by nothing", context do
    misspelt = file(context, ~s({"maxlenght": 3}))
    assert {1, output, errors} = run(["--schema", misspelt, "--strict"])
    assert output =~ "maxlenght"
    assert errors =~ "a rule is kept by nothing"
    assert {0, _output, ""} = run(["--schema", misspelt])
    assert {0, _output, ""} = run(["--schema", file(context, ~s({"maxLength": 3})), "--strict"])
  end

  test "what is no schema is told with its place", context do
    schema = ~s({"properties": {"a": {"type": "int"}}})
    assert {1, "", errors} = run(["--schema", file(context, schema)])
    assert errors =~ ~s(at "/properties/a/type")
    assert {1, "", errors} = run(["--schema", "No.Such.Module"])
    assert errors =~ "there is neither a file nor a module No.Such.Module"
    assert {1, "", errors} = run(["--schema", "String"])
    assert errors =~ "String is not a schema module"
    assert {2, "", errors} = run([])
    assert errors =~ "--schema is missing"
  end

  test "a name of no module makes no atom" do
    name = "NoSuch#{System.unique_integer([:positive])}Module"
    assert {1, "", _errors} = run(["--schema", name])
    assert_raise ArgumentError, fn -> String.to_existing_atom("Elixir." <> name) end
    long = "A" <> String.duplicate("a", 1000)
    assert {1, "", errors} = run(["--schema", long])
    assert errors =~ "file name too long"
  end

  test "texts of a schema reach no terminal as they are", context do
    schema = JSON.encode!(%{"properties" => %{"a\e[2J\u202Eb" => %{"const" => "\u202E\u009B"}}})
    assert {0, output, ""} = run(["--schema", file(context, schema)])
    refute output =~ ~r/[\e\x{202e}\x{9b}]/u
  end
end
