defmodule Mix.Tasks.Espalier.DoctorTest do
  # Standard error is one for all processes.
  use Espalier.TaskCase, async: false

  alias Espalier.Doctor.Platform
  alias Espalier.Loopback
  alias Mix.Tasks.Espalier.Doctor

  defp run(arguments), do: run_task(Doctor, arguments)

  # What was found of one thing.
  defp found(arguments, check) do
    {status, output, ""} = run(arguments ++ ["--format", "json"])
    {status, for(line <- json_lines(output), line["check"] == check, do: line)}
  end

  test "all is well here" do
    assert {0, output, ""} = run([])
    lines = String.split(output, "\n", trim: true)
    assert Enum.any?(lines, &(&1 =~ ~r/^ok +Elixir +#{Regex.escape(System.version())}$/))
    assert Enum.any?(lines, &(&1 =~ ~r/^ok +native library +loaded from /))
    assert Enum.any?(lines, &(&1 =~ ~r/^ok +shipped model +.*{"urgent":(true|false)}$/))
    refute Enum.any?(lines, &(&1 =~ ~r/^\w+ +\S+…/))
    assert List.last(lines) =~ ~r/^\d+ ok, \d+ to look at, 0 wrong$/
  end

  test "packages that are there have a version, and others say what is off" do
    for {name, module} <- [
          {"telemetry", :telemetry},
          {"telemetry_metrics", Telemetry.Metrics},
          {"decimal", Decimal},
          {"ecto", Ecto.Schema}
        ] do
      assert {0, [line]} = found([], name)

      if Code.ensure_loaded?(module) do
        assert %{"status" => "ok", "advice" => nil} = line
      else
        assert %{"status" => "warn", "advice" => advice} = line
        assert advice =~ "add {:#{name}, "
      end
    end
  end

  test "versions and schedulers are compared with what is needed" do
    for {check, status} <- [
          {Platform.elixir("1.14.0"), :ok},
          {Platform.elixir("1.20.1"), :ok},
          {Platform.elixir("1.13.4"), :fail},
          {Platform.otp(25), :ok},
          {Platform.otp(24), :fail},
          {Platform.schedulers(4, 4), :ok},
          {Platform.schedulers(4, 1), :warn}
        ],
        do: assert({check.status, check} == {status, check})
  end

  describe "the configuration" do
    test "has options that there are" do
      configure(timout: 3)
      assert {0, [line]} = found([], "configuration")
      assert %{"status" => "warn", "message" => "nothing reads :timout"} = line
      assert line["advice"] == "did you mean :timeout?"
    end

    test "has values that they take" do
      configure(timeout: -1)
      assert {1, [%{"status" => "fail", "message" => message}]} = found([], "configuration")
      assert message =~ "invalid value for :timeout option"
    end

    test "has middleware that is some" do
      configure(middleware: [:none])
      assert {1, [%{"status" => "fail"}]} = found([], "configuration")
    end

    test "of a provider has options that it takes, and no key is shown" do
      configure(groq: [api_key: "s3cret-key", receive_timout: 3])
      assert {1, output, ""} = run([])
      assert output =~ ":groq: unknown option :receive_timout. Did you mean :receive_timeout?"
      refute output =~ "s3cret"
      configure(groq: [api_key: "s3cret-key"])
      assert {0, output, ""} = run([])
      refute output =~ "s3cret"
      configure(groq: "s3cret-key")
      assert {1, output, ""} = run([])
      refute output =~ "s3cret"
    end
  end

  for {name, title} <- [
        constraint_cache: "constraint cache",
        vocabulary_cache: "vocabulary cache"
      ] do
    test "the #{title} has a directory that can be written to", context do
      configure([{unquote(name), directory: context.tmp_dir}])
      assert {0, [%{"message" => message}]} = found([], unquote(title))
      assert message =~ context.tmp_dir
      assert File.ls!(context.tmp_dir) == []

      configure([{unquote(name), directory: file(context, "") <> "/below"}])
      assert {1, [%{"status" => "fail", "message" => message}]} = found([], unquote(title))
      assert message =~ "not a directory"

      configure([{unquote(name), directry: "a"}])
      assert {1, [%{"status" => "fail", "message" => message}]} = found([], unquote(title))
      assert message =~ "Did you mean :directory?"
    end
  end

  test "a model that is named can be loaded" do
    assert {0, [line]} = found(["--model", Espalier.Model.tiny_path()], "model")
    assert line["message"] =~ ~r/\d+ parameters, \d+ tokens, a context of \d+/

    assert {1, [%{"status" => "fail", "advice" => advice}]} =
             found(["--model", "no/such"], "model")

    assert advice =~ "Espalier.Model"
  end

  describe "a backend" do
    test "has its key" do
      before = System.get_env("GROQ_API_KEY")
      on_exit(fn -> if before, do: System.put_env("GROQ_API_KEY", before) end)
      System.delete_env("GROQ_API_KEY")
      assert {1, [line]} = found(["--backend", "groq"], "backend")
      assert %{"status" => "fail", "advice" => "set the environment variable GROQ_API_KEY"} = line

      System.put_env("GROQ_API_KEY", "s3cret-key")
      assert {0, [%{"message" => message}]} = found(["--backend", "groq"], "backend")
      assert message =~ "the key is in GROQ_API_KEY"
      System.delete_env("GROQ_API_KEY")

      configure(groq: [api_key: "s3cret-key"])
      assert {0, [%{"message" => message}]} = found(["--backend", "groq"], "backend")
      assert message =~ "the key is configured"
    end

    test "that is configured is checked, too" do
      configure(backend: {Espalier.Backends.OpenAI, dialect: :groq, api_key: "s3cret-key"})
      assert {0, [%{"message" => message}]} = found([], "backend")
      assert message =~ "the key is configured"
      refute message =~ "s3cret"
    end

    test "is asked only with --online" do
      content = ~s({"value":"yes"})

      answer = %{
        "choices" => [%{"message" => %{"content" => content}, "finish_reason" => "stop"}],
        "usage" => %{"prompt_tokens" => 1, "completion_tokens" => 2}
      }

      server = Loopback.start_link([Loopback.json(200, answer), Loopback.json(401, %{})])
      arguments = ["--backend", "compatible", "--model", "x", "--base-url", server.url]
      assert {0, [%{"status" => "ok"}]} = found(arguments, "backend")
      assert Loopback.requests(server) == []
      assert {0, [_key, %{"message" => message}]} = found(arguments ++ ["--online"], "backend")
      assert message =~ "answered yes"
      assert {1, [_key, %{"message" => message}]} = found(arguments ++ ["--online"], "backend")
      assert message =~ "unauthorized"
    end

    test "has options that it takes" do
      arguments = ["--backend", "ollama", "--base-url", "no-address"]
      assert {1, [%{"status" => "fail", "message" => message}]} = found(arguments, "backend")
      assert message =~ "invalid value for :base_url option"
    end

    test "is named rightly" do
      assert {2, "", errors} = run(["--backend", "antropic"])
      assert errors =~ "Did you mean anthropic?"
      assert {2, "", errors} = run(["--online"])
      assert errors =~ "--online needs a hosted backend"
    end
  end

  test "a shell sees whether anything is wrong" do
    assert {1, output} = shell("mix espalier.doctor --model no/such 2>&1")
    assert output =~ ~r/^fail +model +/m
    assert {2, _output} = shell("mix espalier.doctor --modle no/such")
  end
end
