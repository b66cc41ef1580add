defmodule Mix.Tasks.Espalier.GenerateTest do
  # Standard error is one for all processes.
  use Espalier.TaskCase, async: false

  alias Espalier.JSON
  alias Espalier.Loopback
  alias Espalier.StubBackend
  alias Mix.Tasks.Espalier.Generate

  defmodule Ticket do
    use Espalier.Schema

    schema do
      field :urgent, :boolean
    end
  end

  defmodule Echo do
    @behaviour Espalier.Backend

    @impl true
    def stream(%{prompt: {:text, text}}),
      do: {:ok, [{:tokens, [], text, false}, StubBackend.done()]}
  end

  defp run(arguments, input \\ ""), do: run_task(Generate, arguments, input)

  # A backend that writes one of the texts each time it is asked.
  defp replies(texts) do
    agent = start_supervised!({Agent, fn -> texts end})
    configure(backend: {StubBackend, pieces: agent})
  end

  describe "arguments" do
    test "that are wrong are told on standard error" do
      for {arguments, expected} <- [
            {[], "--schema is missing, see --help"},
            {["--shema", "a"], "unknown option --shema. Did you mean --schema?, see --help"},
            {["--max-tokens", "many"], "wrong value for --max-tokens: many, see --help"},
            {["ticket.json"], "unexpected argument ticket.json, see --help"},
            {["--choice", "a", "--regex", "b"], "--choice and --regex are both given"},
            {["--choice", "a"], "--prompt or --prompt-file is missing, see --help"},
            {["--choice", "a,,b", "--prompt", "a"],
             "wrong value for --choice: an empty text among the choices"},
            {["--choice", "a", "--prompt", "a", "--prompt-file", "b"],
             "--prompt and --prompt-file are both given"},
            {["--choice", "a", "--prompt", "a", "--stream", "--result"],
             "--stream and --result are both given"},
            {["--choice", "a", "--prompt", "a", "--max-concurrency", "2"],
             "--max-concurrency is for --batch"},
            {["--choice", "a", "--batch", "a", "--stream"], "--stream is for a single prompt"},
            {["--choice", "a", "--prompt", "a", "--backend", "opneai"],
             "there is no backend opneai. Did you mean openai?"},
            {["--choice", "a", "--prompt", "a", "--backend", "String"],
             "there is no backend String"},
            {["--choice", "a", "--prompt", "a", "--base-url", "http://127.0.0.1"],
             "--base-url needs a --backend"},
            {["--choice", "a", "--prompt", "a", "--backend", "local", "--base-url", "http://a"],
             "--base-url is for hosted backends"},
            {["--choice", "a", "--prompt", "a", "--backend", "ollama"],
             "--model is missing: expected text"},
            {["--choice", "a", "--prompt", "a", "--max-tokens", "0"],
             "invalid value for :max_tokens option: expected positive integer, got: 0"}
          ],
          do: assert(run(arguments) == {2, "", "mix espalier.generate: #{expected}\n"})
    end

    test "must name a schema and a prompt that can be read", context do
      assert {1, "", errors} = run(["--schema", "no/such/file", "--prompt", "a"])
      assert errors =~ "can't read no/such/file: no such file or directory"
      assert {1, "", errors} = run(["--schema", context.tmp_dir, "--prompt", "a"])
      assert errors =~ "illegal operation on a directory"
      assert {1, "", errors} = run(["--schema", file(context, "{"), "--prompt", "a"])
      assert errors =~ "line 1"
      assert {1, "", errors} = run(["--schema", file(context, <<0xFF>>), "--prompt", "a"])
      assert errors =~ "it is not UTF-8"
      assert {1, "", errors} = run(["--choice", "a", "--prompt-file", "no/such/file"])
      assert errors =~ "can't read no/such/file"
      assert {1, "", errors} = run(["--choice", "a", "--batch", "no/such/file"])
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
      file = file(context, @schema)
      assert {0, output, ""} = run(["--schema", file, "--prompt", "Please hurry!"])
      assert output in @values
      assert {0, ^output, ""} = run(["--schema", file, "--prompt", "Please hurry!", "--stream"])
      assert {0, ^output, ""} = run(["--schema", file, "--prompt-file", "-"], "Please hurry!")
    end

    test "of a choice or regular expression is printed as it is" do
      assert {0, output, ""} = run(["--choice", "nein, jä", "--prompt", "Is it?"])
      assert output in ["nein\n", "jä\n"]
      assert {0, output, ""} = run(["--regex", "\"[0-9]{3}\"", "--prompt", "How many?"])
      assert output =~ ~r/\A"[0-9]{3}"\n\z/
    end

    test "of a schema module is JSON" do
      assert {0, output, ""} = run(["--schema", inspect(Ticket), "--prompt", "Please hurry!"])
      assert output in @values
    end

    test "keeps the order and the numbers of its text, and is one line", context do
      replies([~s({"b": 1.50,\n "a": 12345678901234567890123})])
      file = file(context, ~s({"type": "object"}))

      assert {0, ~s({"b":1.50,"a":12345678901234567890123}\n), ""} =
               run(["--schema", file, "--prompt", "a"])
    end

    test "is the value, where a text had to be mended" do
      replies(["Here it is:\n```json\n{\"urgent\": true}\n```"])
      arguments = ["--schema", inspect(Ticket), "--prompt", "a"]
      assert {0, ~s({"urgent":true}\n), ""} = run(arguments)
    end

    test "that can't be is told on standard error", context do
      file = file(context, ~S({"type":"integer","minimum":3,"maximum":2}))
      assert {1, "", errors} = run(["--schema", file, "--prompt", "a"])
      assert errors =~ "no value can satisfy the schema"
      assert {1, _output, errors} = run(["--schema", file, "--prompt", "a", "--stream"])
      assert errors =~ "no value can satisfy the schema"
      assert {1, "", errors} = run(["--choice", "a", "--prompt", ""])
      assert errors =~ "the prompt is empty"
    end

    test "comes with how it came about" do
      assert {0, output, ""} = run(["--choice", "yes", "--prompt", "Is it?", "--result"])

      assert [%{"value" => "yes", "text" => "yes", "usage" => usage} = result] =
               json_lines(output)

      assert usage["completion_tokens"] > 0
      assert [%{"text" => "yes", "error" => nil}] = result["attempts"]
    end

    test "tells of attempts that were refused" do
      replies(["{}", ~s({"urgent":false})])
      assert {0, output, ""} = run(["--schema", inspect(Ticket), "--prompt", "a", "--result"])

      assert [%{"value" => %{"urgent" => false}, "attempts" => [refused, _last]}] =
               json_lines(output)

      assert %{"text" => "{}", "error" => %{"type" => "Espalier.ValidationError"}} = refused
    end

    test "that is streamed begins anew on a line of its own" do
      replies(["{}", ~s({"urgent":false})])
      assert {0, output, errors} = run(["--schema", inspect(Ticket), "--prompt", "a", "--stream"])
      assert output == ~s({}\n{"urgent":false}\n)
      assert errors =~ "asked again, attempt 2: invalid value"
    end
  end

  describe "a trace" do
    test "is shown on standard error" do
      arguments = ~w(--model MyApp.Model --choice yes,no --prompt Late? --trace)
      assert {0, output, trace} = run(arguments)
      assert output in ["yes\n", "no\n"]
      assert trace =~ ~r/^1 +\S+ +sampled/m
      refute trace =~ "\e"
      assert {0, ^output, ^trace} = run(arguments ++ ["--stream"])
    end

    test "is shown of each attempt" do
      replies(["{}", ~s({"urgent":false})])
      arguments = ["--schema", inspect(Ticket), "--prompt", "a", "--trace"]
      assert {0, ~s({"urgent":false}\n), traces} = run(arguments)
      assert traces =~ "{}"
      assert traces =~ ~s({"urgent":false})
    end

    test "is of what was written now, and not of what was remembered" do
      start_supervised!({Espalier.Cache, name: __MODULE__.Cache})
      configure(cache: __MODULE__.Cache)
      arguments = ~w(--model MyApp.Model --choice yes,no --prompt Late? --trace)
      assert {0, output, _trace} = run(arguments)

      assert {1, ^output, errors} = run(arguments)
      assert errors == "mix espalier.generate: there is no trace of a value from the cache\n"
      assert {0, ^output, ""} = run(List.delete(arguments, "--trace"))
    end

    test "may be a page", context do
      file = Path.join(context.tmp_dir, "trace.html")
      arguments = ["--choice", "yes", "--prompt", "Is it?", "--trace-html"]
      assert {0, "yes\n", ""} = run(arguments ++ [file])
      assert File.read!(file) =~ ~r/\A<!doctype html>/i
      assert {1, "yes\n", errors} = run(arguments ++ ["no/such/folder/trace.html"])
      assert errors =~ "no/such/folder/trace.html"
    end

    test "is of one prompt", context do
      file = file(context, "prompts.txt", "a\n")

      for trace <- [["--trace"], ["--trace-html", "trace.html"]] do
        assert {2, "", errors} = run(["--choice", "yes", "--batch", file] ++ trace)
        assert errors =~ "is for a single prompt"
      end
    end
  end

  describe "a model" do
    test "is one that the project serves, or a folder" do
      arguments = ["--choice", "yes", "--prompt", "Is it?"]
      assert {0, "yes\n", ""} = run(["--model", "MyApp.Model"] ++ arguments)
      assert {0, "yes\n", ""} = run(["--model", Espalier.Model.tiny_path()] ++ arguments)
      assert {0, "yes\n", ""} = run(["--backend", "local"] ++ arguments)

      for name <- ["no/such/folder", "MyApp.NoSuchModel"] do
        assert {1, "", errors} = run(["--model", name] ++ arguments)
        assert errors =~ name
      end
    end

    test "is what the project is configured for" do
      configure(model: :nobody)
      assert {1, "", errors} = run(["--choice", "yes", "--prompt", "Is it?"])
      assert errors =~ "no model is running as :nobody"
    end

    test "is asked with the options that are given" do
      configure(backend: {StubBackend, pieces: ["yes"], to: self()})
      options = ["--max-tokens", "7", "--temperature", "0.5", "--seed", "3", "--top-k", "4"]
      assert {0, "yes\n", ""} = run(["--choice", "yes", "--prompt", "Is it?"] ++ options)
      assert_received {:started, request}
      assert request.max_tokens == 7
      assert Enum.sort(request.sampling_options) == [seed: 3, temperature: 0.5, top_k: 4]
    end

    test "may be hosted" do
      answer = %{
        "choices" => [
          %{"message" => %{"content" => ~s({"urgent":true})}, "finish_reason" => "stop"}
        ],
        "usage" => %{"prompt_tokens" => 1, "completion_tokens" => 2}
      }

      server = Loopback.start_link([Loopback.json(200, answer)])

      arguments =
        ~w(--backend compatible --model large --prompt a --schema) ++
          [inspect(Ticket), "--base-url", server.url <> "/v1"]

      assert {0, ~s({"urgent":true}\n), ""} = run(arguments)

      assert [%{path: "/v1/chat/completions", json: %{"model" => "large"}}] =
               Loopback.requests(server)
    end

    test "that is hosted needs its key" do
      before = System.get_env("MISTRAL_API_KEY")
      System.delete_env("MISTRAL_API_KEY")
      if before, do: on_exit(fn -> System.put_env("MISTRAL_API_KEY", before) end)
      arguments = ~w(--backend mistral --model large --prompt a --choice a,b)
      assert {1, "", errors} = run(arguments)
      assert errors =~ "there is no key: set the environment variable MISTRAL_API_KEY"
    end
  end

  describe "a batch" do
    test "has a line for each prompt, in order", context do
      file = file(context, "prompts.txt", "Is it?\n\nIst es grün?\r\nlast")
      assert {1, output, ""} = run(["--choice", "yes", "--batch", file, "--no-progress"])

      assert [%{"value" => "yes"}, %{"error" => error}, %{"value" => "yes"}, %{"value" => "yes"}] =
               json_lines(output)

      assert %{"type" => "Espalier.GenerationError", "kind" => "invalid_prompt"} = error
      assert error["message"] =~ "the prompt is empty"
    end

    test "is what each line asked for", context do
      configure(backend: __MODULE__.Echo)
      prompts = for n <- 1..40, do: "prompt #{n} — 日本"
      file = file(context, "prompts.txt", Enum.map(prompts, &(&1 <> "\n")))
      arguments = ["--regex", ".*", "--no-progress", "--max-concurrency", "7", "--batch"]
      assert {0, output, ""} = run(arguments ++ [file])
      assert Enum.map(json_lines(output), & &1["value"]) == prompts
      assert {0, ^output, ""} = run(arguments ++ ["-"], Enum.join(prompts, "\n"))

      file = file(context, "prompts.jsonl", Enum.map(prompts, &(JSON.encode!(&1) <> "\n")))
      assert {0, ^output, ""} = run(arguments ++ [file])
    end

    test "of JSON lines takes texts only", context do
      file = file(context, "prompts.jsonl", ~s("a\\nb"\n{"prompt": "a"}\n))
      assert {1, "", errors} = run(["--choice", "yes", "--batch", file])
      assert errors =~ ~s(line 2 of #{file} is no JSON text: {"prompt": "a"})
    end

    test "may be empty", context do
      file = file(context, "prompts.txt", "")
      assert {0, "", ""} = run(["--choice", "yes", "--batch", file, "--no-progress"])
    end

    test "shows how far it is on standard error", context do
      file = file(context, "prompts.txt", "a\nb\n")
      assert {0, output, errors} = run(["--choice", "yes", "--batch", file, "--progress"])
      assert length(json_lines(output)) == 2
      assert errors =~ "2/2 done, 0 failed"
    end

    test "may have results", context do
      file = file(context, "prompts.txt", "a\n")
      arguments = ["--choice", "yes", "--batch", file, "--result", "--no-progress"]
      assert {0, output, ""} = run(arguments)
      assert [%{"value" => "yes", "text" => "yes", "attempts" => [_one]}] = json_lines(output)
    end
  end

  describe "in a shell" do
    test "exits as it went, and writes what was asked for to standard output alone" do
      assert {0, "yes\n"} = shell("mix espalier.generate --choice yes --prompt a 2>/dev/null")
      assert {2, errors} = shell("mix espalier.generate --choice yes --promt a >/dev/null")
      assert errors =~ "Did you mean --prompt?"
      assert {1, errors} = shell("mix espalier.generate --choice yes --prompt '' >/dev/null")
      assert errors =~ "the prompt is empty"
    end

    test "ends quietly when nobody reads on", context do
      errors = Path.join(context.tmp_dir, "errors")
      batch = "yes 2>/dev/null | mix espalier.generate --choice yes --batch - 2>#{errors}"
      assert {0, output} = shell("#{batch} | head -n 2")
      assert output == String.duplicate(~s({"value":"yes"}\n), 2)
      assert {141, ~s({"value":"yes"}\n)} = shell("set -o pipefail; #{batch} | head -n 1")
      refute File.read!(errors) =~ "espalier"
    end
  end
end
