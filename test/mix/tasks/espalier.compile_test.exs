defmodule Mix.Tasks.Espalier.CompileTest do
  # Standard error is one for all processes.
  use Espalier.TaskCase, async: false

  alias Espalier.Constraint
  alias Espalier.Matcher
  alias Espalier.Model
  alias Espalier.Vocabulary
  alias Mix.Tasks.Espalier.Compile

  @schema ~s({"type": "array", "items": {"enum": [12, 34]}, "minItems": 1})

  defp run(arguments), do: run_task(Compile, arguments)

  test "tells what compiling takes", context do
    assert {0, output, ""} = run(["--schema", file(context, @schema)])
    size = Model.fetch!(MyApp.Model).vocabulary.size
    assert output =~ ~r/^tokens +#{size}$/m
    assert output =~ ~r/^compiled +\d+\.\d\d ms, the median/m
    assert output =~ ~r/^first mask +\d+\.\d\d ms, \d+ tokens? allowed$/m
    refute output =~ "Not kept by tokens"
  end

  test "tells what tokens don't keep", context do
    assert {0, output, ""} = run(["--schema", file(context, ~s({"minItem": 1}))])
    assert output =~ ~r/minItem +1 +nothing/
  end

  test "in JSON is one object", context do
    schema = file(context, ~s({"minItem": 1, "type": "boolean"}))
    assert {0, output, ""} = run(["--schema", schema, "--format", "json"])
    assert [told] = json_lines(output)
    assert [%{"path" => [], "keyword" => "minItem", "by" => "nothing"}] = told["not_by_tokens"]

    {:ok, constraint} =
      Constraint.json_schema(File.read!(schema), vocabulary: Model.fetch!(MyApp.Model).vocabulary)

    {:ok, allowed} = constraint |> Matcher.new() |> Matcher.allowed_tokens()
    assert told["allowed_tokens"] == length(allowed)
    assert told["serialised_bytes"] == byte_size(Constraint.serialize(constraint))
    assert told["compiled_us"] >= 0
  end

  test "writes a constraint that can be loaded for the model", context do
    output = Path.join(context.tmp_dir, "out.constraint")
    assert {0, _told, ""} = run(["--schema", file(context, @schema), "--output", output])
    vocabulary = Model.fetch!(MyApp.Model).vocabulary
    {:ok, constraint} = output |> File.read!() |> Constraint.deserialize(vocabulary: vocabulary)
    matcher = Matcher.new(constraint)
    assert Matcher.accept_text(matcher, "[12,34]") == :ok
    assert Matcher.must_stop?(matcher)
  end

  test "takes the vocabulary of a tokenizer, or of ranks", context do
    tokenizer = Path.join(Model.tiny_path(), "tokenizer.json")
    schema = file(context, @schema)
    [eos | _] = Model.fetch!(MyApp.Model).vocabulary.eos_ids
    text = eos_text(tokenizer, eos)
    output = Path.join(context.tmp_dir, "out.constraint")
    arguments = ["--schema", schema, "--output", output, "--vocabulary"]
    assert {0, _told, ""} = run(arguments ++ [tokenizer, "--eos", text])
    vocabulary = tokenizer |> File.read!() |> Vocabulary.from_tokenizer_json!(eos_tokens: [text])
    assert {:ok, _} = output |> File.read!() |> Constraint.deserialize(vocabulary: vocabulary)

    ranks = for byte <- 0..255, do: "#{Base.encode64(<<byte>>)} #{byte}\n"
    ranks = file(context, "ranks.tiktoken", ranks)
    assert {0, told, ""} = run(arguments ++ [ranks, "--eos", "<|end|>=256,<|eot|>=257"])
    assert told =~ ~r/^tokens +258$/m

    vocabulary =
      ranks
      |> File.read!()
      |> Vocabulary.from_tiktoken!(
        special_tokens: [{"<|end|>", 256}, {"<|eot|>", 257}],
        eos_ids: [256, 257]
      )

    assert {:ok, _} = output |> File.read!() |> Constraint.deserialize(vocabulary: vocabulary)
  end

  test "takes a vocabulary that was stored", context do
    vocabulary = Model.fetch!(MyApp.Model).vocabulary
    stored = file(context, "stored.vocabulary", Vocabulary.serialize(vocabulary))
    arguments = ["--schema", file(context, @schema), "--vocabulary", stored]
    assert {0, told, ""} = run(arguments)
    assert told =~ ~r/^tokens +#{vocabulary.size}$/m
    assert {2, "", errors} = run(arguments ++ ["--eos", "a"])
    assert errors =~ "--eos is not for a serialised vocabulary"
  end

  defp eos_text(tokenizer, id) do
    %{"added_tokens" => tokens} = tokenizer |> File.read!() |> Espalier.JSON.decode!()
    Enum.find(tokens, &(&1["id"] == id))["content"]
  end

  test "tells what is wrong", context do
    schema = file(context, @schema)
    tokenizer = Path.join(Model.tiny_path(), "tokenizer.json")
    ranks = file(context, "ranks.tiktoken", "YQ== 0\n")

    for {status, arguments, expected} <- [
          {2, [], "--schema is missing"},
          {2, ["--schema", schema, "--vocabulary", tokenizer], "--eos is missing"},
          {2, ["--schema", schema, "--eos", "a"], "--eos is for --vocabulary"},
          {2, ["--schema", schema, "--model", "a", "--vocabulary", "b"], "are both given"},
          {2, ["--schema", schema, "--vocabulary", ranks, "--eos", "<|end|>"],
           "expected TEXT=ID for a file of ranks, got <|end|>"},
          {1, ["--schema", schema, "--vocabulary", tokenizer, "--eos", "<nope>"], "<nope>"},
          {1, ["--schema", schema, "--vocabulary", "no/such/file", "--eos", "a"],
           "can't read no/such/file"},
          {1, ["--schema", schema, "--vocabulary", "/dev/zero", "--eos", "a"],
           "can't read /dev/zero: it is not a regular file"},
          {1, ["--schema", schema, "--model", "no/such/model"], "no/such/model"},
          {1, ["--schema", schema, "--output", "no/such/folder/file"],
           "can't write no/such/folder/file: no such file or directory"},
          {1, ["--schema", file(context, "wrong.json", ~s({"items": {"type": 3}}))],
           ~s(at "/items/type")},
          {1,
           [
             "--schema",
             file(context, "never.json", ~s({"minimum": 3, "maximum": 2, "type": "integer"}))
           ], "no value can satisfy the schema"},
          {1, ["--regex", "("], "invalid regular expression"},
          {1, ["--grammar", file(context, "wrong.gbnf", "root ::= a")], "\"a\" is not defined"},
          {1, ["--grammar", file(context, "wrong.lark", "start: a")], "\"a\" is not defined"}
        ] do
      assert {^status, "", errors} = run(arguments)
      assert errors =~ expected
    end
  end

  test "exports the schema for another engine", context do
    schema = file(context, @schema)

    for {notation, text} <- [
          {"regex", Constraint.to_regex!(@schema)},
          {"gbnf", Constraint.to_gbnf!(@schema)},
          {"lark", Constraint.to_lark!(@schema)}
        ] do
      assert {0, output, ""} = run(["--schema", schema, "--export", notation])
      assert String.trim(output) == String.trim(text)
    end
  end

  test "exports with a depth and repeated keys, which are for that alone", context do
    schema = file(context, ~s({"type": "object", "additionalProperties": {"$ref": "#"}}))
    assert {1, "", error} = run(["--schema", schema, "--export", "regex"])
    assert error =~ "additionalProperties"
    options = ["--depth", "2", "--repeated-keys", "allow"]
    assert {0, output, ""} = run(["--schema", schema, "--export", "regex"] ++ options)
    assert String.trim(output) =~ ~r/^\\\{/
    assert {2, "", _usage} = run(["--schema", schema, "--export", "gbnf", "--depth", "2"])
    assert {2, "", _usage} = run(["--schema", schema, "--export", "gbnf", "--format", "json"])
    assert {2, "", _usage} = run(["--schema", schema, "--depth", "2"])
  end
end
