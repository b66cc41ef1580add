# What does an event of telemetry cost?
#
#     mix run bench/telemetry.exs [--rounds N] [--events N]
#
# An event and a span, as a generation emits them, are emitted in a row where nobody listens, where `:telemetry` is there
# without handlers, with the aggregator that counts for Prometheus, and with the default logger below the level
# of the log. The best of several rounds counts, for one event, in nanoseconds; a span is two events. With `ERL_LIBS` as in
# CONTRIBUTING.md `:telemetry` is there without Hex.

Code.require_file("support/machine.exs", __DIR__)

for folder <- "ERL_LIBS" |> System.get_env("") |> String.split(":", trim: true),
    ebin <- Path.wildcard("#{folder}/*/ebin"),
    do: Code.append_path(ebin)

Application.ensure_all_started(:telemetry)

defmodule Bench.Telemetry do
  @compile {:no_warn_undefined, :telemetry}

  alias Espalier.Telemetry
  alias Espalier.Telemetry.Aggregator

  @asked %{backend: Espalier.Backends.Local, model: "large", schema: :fields}

  @usage %{
    prompt_tokens: 213,
    completion_tokens: 40,
    forced_tokens: 17,
    steps: 23,
    attempts: 1,
    retries: 0
  }

  def run(arguments) do
    switches = [rounds: :integer, events: :integer]
    {options, [], []} = OptionParser.parse(arguments, strict: switches)
    size = {options[:rounds] || 20, options[:events] || 20_000}
    there? = Code.ensure_loaded?(:telemetry)
    Logger.configure(level: :warning)

    IO.puts(Bench.Machine.describe())
    Telemetry.remove_sink(:telemetry)
    report("nobody listens", size)
    if there?, do: with_telemetry(size), else: IO.puts(":telemetry without handlers: not there")
    with_aggregator(size)
    :ok = Telemetry.attach_default_logger(level: :info)
    report("logger below the level", size)
    :ok = Telemetry.detach_default_logger()
  end

  defp with_telemetry(size) do
    Telemetry.add_sink(:telemetry, &:telemetry.execute/3)
    report(":telemetry without handlers", size)
    Telemetry.remove_sink(:telemetry)
  end

  defp with_aggregator(size) do
    {:ok, aggregator} = Aggregator.start_link(name: __MODULE__)
    report("aggregator", size)
    GenServer.stop(aggregator)
  end

  defp report(listener, {_rounds, n} = size) do
    # A hit is one update of the aggregator, the end of a generation are three.
    hit = best(size, fn -> hits(n, :fields) end)
    generate = best(size, fn -> generations(n, @asked, @usage) end)
    event = String.pad_leading("#{hit}", 6)
    span = String.pad_leading("#{round(generate / 2)}", 6)
    IO.puts("#{String.pad_trailing(listener, 28)} #{event} ns/event #{span} ns/event of a span")
  end

  defp best({rounds, n}, run) do
    microseconds = for _round <- 1..rounds, do: run |> :timer.tc() |> elem(0)
    round(Enum.min(microseconds) * 1000 / n)
  end

  defp hits(0, _schema), do: :ok

  defp hits(n, schema) do
    Telemetry.event([:constraint_cache, :hit], fn ->
      {%{system_time: System.system_time()}, %{schema: schema}}
    end)

    hits(n - 1, schema)
  end

  defp generations(0, _asked, _usage), do: :ok

  defp generations(n, asked, usage) do
    span = Telemetry.start(:generate, fn -> Map.merge(asked, %{max_tokens: 512, seed: n}) end)
    Telemetry.stop(span, usage, %{finish_reason: :stop, cached?: false})
    generations(n - 1, asked, usage)
  end
end

Bench.Telemetry.run(System.argv())
