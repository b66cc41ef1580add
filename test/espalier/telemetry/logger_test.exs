defmodule Espalier.Telemetry.LoggerTest do
  # The log is one for all processes.
  use ExUnit.Case, async: false

  import ExUnit.CaptureLog

  alias Espalier.OptionsError
  alias Espalier.Telemetry

  setup do
    on_exit(&Telemetry.detach_default_logger/0)
  end

  @secret "very private"
  @format [format: "[$level] $message\n", colors: [enabled: false]]

  # The lines of this library in the log.
  defp lines(fun) do
    for line <- @format |> capture_log(fun) |> String.split("\n"), line =~ "espalier.", do: line
  end

  defp attach(options \\ []), do: assert(Telemetry.attach_default_logger(options) == :ok)

  defp generate(replies, options \\ []) do
    Espalier.Testing.stub(replies)
    options = [backend: Espalier.Testing, model: "a model", retry_delay: 0] ++ options

    Espalier.generate([name: {:string, max_length: 20}], @secret, options)
  end

  test "a generation is one line" do
    attach()
    assert [line] = lines(fn -> generate([%{name: @secret}]) end)

    assert line =~
             ~r/^\[info\] espalier.generate.stop backend=Espalier.Testing model="a model" schema=fields finish_reason=stop cached=false duration_ms=\d+\.\d attempts=1 retries=0 prompt_tokens=\d+ completion_tokens=\d+ forced_tokens=0/

    refute line =~ @secret
  end

  test "what went wrong is a warning, without what was written" do
    attach()
    down = %Espalier.TransportError{kind: :closed, url: @secret}
    lines = lines(fn -> generate([down, down, down], max_retries: 1) end)
    assert Enum.all?(lines, &String.starts_with?(&1, "[warning] "))

    assert Enum.any?(
             lines,
             &(&1 =~
                 ~r/espalier.retry .*attempt=1 error=Espalier.TransportError kind=closed delay_ms=0 retries=1$/)
           )

    assert Enum.any?(
             lines,
             &(&1 =~
                 ~r/espalier.generate.exception .*error=Espalier.TransportError kind=closed duration_ms=.* attempts=1 retries=1/)
           )

    refute Enum.join(lines) =~ @secret
  end

  test "attempts that were refused and changes of circuits are warnings" do
    attach()

    events = [
      {[:attempt, :exception], %{duration: 1_000},
       %{attempt: 2, reason: Espalier.CastError, error_kind: nil}},
      {[:circuit], %{}, %{from: :closed, to: :open}},
      {[:compile, :exception], %{}, %{reason: Espalier.SchemaError, error_kind: :unsatisfiable}},
      {[:batch, :exception], %{done: 3, failed: 1}, %{reason: RuntimeError, error_kind: nil}},
      {[:model_load, :exception], %{}, %{path: "/no/such", reason: Espalier.ModelError}}
    ]

    assert lines(fn -> Enum.each(events, &tell/1) end) == [
             "[warning] espalier.attempt.exception attempt=2 error=Espalier.CastError duration_ms=0.0",
             "[warning] espalier.circuit from=closed to=open",
             "[warning] espalier.compile.exception error=Espalier.SchemaError kind=unsatisfiable",
             "[warning] espalier.batch.exception error=RuntimeError done=3 failed=1",
             "[warning] espalier.model_load.exception path=/no/such error=Espalier.ModelError"
           ]
  end

  defp tell({event, measurements, metadata}),
    do: Telemetry.event(event, fn -> {measurements, metadata} end)

  test "events without news are no lines" do
    attach()

    told =
      for %{name: [:espalier | event]} <- Telemetry.Events.all(),
          lines(fn -> tell({event, %{}, %{}}) end) != [],
          do: event

    assert told == [
             [:generate, :stop],
             [:generate, :exception],
             [:attempt, :exception],
             [:retry],
             [:circuit],
             [:batch, :stop],
             [:batch, :exception],
             [:compile, :exception],
             [:model_load, :stop],
             [:model_load, :exception]
           ]
  end

  test "content that is told is not written" do
    attach()
    content = %{prompt: {:text, @secret}, text: @secret}
    gen_ai = %{"gen_ai.request.model" => "large"}

    for %{name: [:espalier | event]} <- Telemetry.Events.all() do
      told = {event, %{duration: 1}, %{content: content, gen_ai: gen_ai, stacktrace: [@secret]}}
      refute Enum.join(lines(fn -> tell(told) end)) =~ @secret
    end
  end

  test "no name begins a line or a pair of its own" do
    attach()

    for model <- [
          "x\nespalier.forged a=1",
          "a b=1",
          "\"",
          "=",
          "",
          "\e[31m",
          <<255>>,
          {:a, "\n"},
          "\u2028"
        ] do
      assert [line] = lines(fn -> tell({[:retry], %{retries: 1}, %{model: model}}) end)

      assert [_, shown] =
               Regex.run(~r/^\[warning\] espalier\.retry model=(".*") retries=1$/u, line)

      assert Code.string_to_quoted!(shown) == Espalier.Telemetry.Label.text(model)
    end
  end

  test "the level is that of good news, and the events are those of the list" do
    attach(level: :debug, events: [:generate])
    assert ["[debug] espalier.generate.stop" <> _] = lines(fn -> generate([%{name: "Ada"}]) end)
    assert lines(fn -> tell({[:circuit], %{}, %{}}) end) == []
    attach(level: :notice)
    assert ["[notice] espalier.generate.stop" <> _] = lines(fn -> generate([%{name: "Ada"}]) end)
    assert Telemetry.detach_default_logger() == :ok
    assert Telemetry.detach_default_logger() == :ok
    assert lines(fn -> generate([%{name: "Ada"}]) end) == []
  end

  test "options that are none are errors, and attach nothing" do
    for {options, kind} <- [
          {[lvl: :info], :unknown},
          {[level: :loud], :invalid},
          {[events: [:tea]], :invalid},
          {:info, :not_keyword}
        ] do
      assert {:error, %OptionsError{kind: ^kind}} = Telemetry.attach_default_logger(options)
    end

    assert lines(fn -> generate([%{name: "Ada"}]) end) == []
  end
end
