defmodule Mix.Tasks.Espalier.GenerateTest do
  # Standard error is one for all processes.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Mix.Tasks.Espalier.Generate

  @moduletag :tmp_dir

  defp run(arguments, input \\ "") do
    parent = self()

    output =
      capture_io([input: input, capture_prompt: false], fn ->
        errors = capture_io(:stderr, fn -> send(parent, {:status, status(arguments)}) end)
        send(parent, {:errors, errors})
      end)

    assert_received {:status, status}
    assert_received {:errors, errors}
    {status, output, errors}
  end

  defp status(arguments) do
    Generate.run(arguments)
    0
  catch
    :exit, {:shutdown, status} -> status
  end

  defp schema_file(%{tmp_dir: folder}, text) do
    file = Path.join(folder, "schema.json")
    File.write!(file, text)
    file
  end

  describe "arguments" do
    test "that are wrong are told on standard error" do
      assert {1, "", "mix espalier.generate: --schema is missing, see --help\n"} = run([])
      assert {1, "", errors} = run(["--shema", "a"])
      assert errors =~ "unknown option --shema. Did you mean --schema?"
      assert {1, "", errors} = run(["--max-tokens", "many"])
      assert errors =~ "wrong value for --max-tokens: many"
      assert {1, "", errors} = run(["--schema"])
      assert errors =~ "--schema needs a value"
      assert {1, "", errors} = run(["ticket.json"])
      assert errors =~ "unexpected argument ticket.json"
    end

    test "must name a schema that can be read, and one prompt", context do
      assert {1, "", errors} = run(["--schema", "no/such/file", "--prompt", "a"])
      assert errors =~ "can't read no/such/file: no such file or directory"
      file = schema_file(context, "{}")
      assert {1, "", errors} = run(["--schema", file])
      assert errors =~ "--prompt or --prompt-file is missing"
      assert {1, "", errors} = run(["--schema", file, "--prompt", "a", "--prompt-file", "b"])
      assert errors =~ "both given"
      assert {1, "", errors} = run(["--schema", file, "--prompt-file", "no/such/file"])
      assert errors =~ "can't read no/such/file"
    end

    test "--help prints the help" do
      assert {0, output, ""} = run(["--help"])
      assert output =~ "--prompt-file FILE"
    end
  end

  describe "a value" do
    @schema ~S({"type":"object","properties":{"urgent":{"type":"boolean"}},"required":["urgent"],) <>
              ~S("additionalProperties":false})
    @values [~S({"urgent":true}) <> "\n", ~S({"urgent":false}) <> "\n"]

    test "is printed, and nothing else", context do
      file = schema_file(context, @schema)
      assert {0, output, ""} = run(["--schema", file, "--prompt", "Please hurry!"])
      assert output in @values
      assert {0, ^output, ""} = run(["--schema", file, "--prompt", "Please hurry!", "--stream"])
      assert {0, ^output, ""} = run(["--schema", file, "--prompt-file", "-"], "Please hurry!")
    end

    test "that can't be is told on standard error", context do
      file = schema_file(context, ~S({"type":"integer","minimum":3,"maximum":2}))
      assert {1, "", errors} = run(["--schema", file, "--prompt", "a"])
      assert errors =~ "no value can satisfy the schema"
      assert {1, _output, errors} = run(["--schema", file, "--prompt", "a", "--stream"])
      assert errors =~ "no value can satisfy the schema"
      file = schema_file(context, "{}")
      assert {1, "", errors} = run(["--schema", file, "--prompt", ""])
      assert errors =~ "the prompt is empty"
      assert {1, "", errors} = run(["--schema", file, "--prompt", "a", "--max-tokens", "0"])
      assert errors =~ "expected positive integer, got: 0"
    end

    test "needs a model that can be loaded", context do
      file = schema_file(context, "{}")

      assert {1, "", errors} =
               run(["--schema", file, "--prompt", "a", "--model", "no/such/folder"])

      assert errors =~ "no/such/folder"
    end
  end
end
