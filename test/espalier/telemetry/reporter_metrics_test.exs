if Code.ensure_loaded?(Telemetry.Metrics) do
  defmodule Espalier.Telemetry.ReporterMetricsTest do
    use ExUnit.Case, async: true

    alias Espalier.Telemetry.Aggregator
    alias Espalier.Telemetry.Aggregator.Recorder
    alias Espalier.Telemetry.Aggregator.Table
    alias Espalier.Telemetry.Events
    alias Espalier.Telemetry.Metrics
    alias Telemetry.Metrics.Counter
    alias Telemetry.Metrics.Distribution
    alias Telemetry.Metrics.LastValue
    alias Telemetry.Metrics.Sum

    defp metrics, do: Espalier.Telemetry.metrics()

    test "each is named once, by its event" do
      names = Enum.map(metrics(), & &1.name)
      assert names == Enum.uniq(names)
      assert [:espalier, :generate, :stop, :duration] in names
      for metric <- metrics(), do: assert(List.starts_with?(metric.name, metric.event_name))
    end

    test "each definition is there, for each of its events, as reporters call its kind" do
      kinds = %{counter: Counter, sum: Sum, gauge: LastValue, histogram: Distribution}

      expected =
        for definition <- Metrics.all(), event <- definition.events do
          {kinds[definition.kind], event, Metrics.unit(definition), definition.description}
        end

      assert Enum.map(metrics(), &{&1.__struct__, &1.event_name, &1.unit, &1.description}) ==
               expected
    end

    test "what reporters are told of an event is what the aggregator counts" do
      for %{name: name} = documented <- Events.all() do
        # What others do at the same time is not told to this one.
        record = __MODULE__ |> Table.new(100) |> Recorder.new()
        told = {keys(documented.measurements, 3_000_000), metadata(documented)}
        record.(name, elem(told, 0), elem(told, 1))
        counted = Aggregator.read(__MODULE__)
        for %{event_name: ^name} = metric <- metrics(), do: assert_same(metric, told, counted)
        :ets.delete(__MODULE__)
      end
    end

    defp metadata(documented) do
      odd = %{backend: __MODULE__, to: :open, cached?: true}
      documented.metadata |> keys(:other) |> Map.merge(odd)
    end

    defp keys(documented, value), do: Map.new(documented, fn {key, _about} -> {key, value} end)

    defp assert_same(metric, {measurements, metadata}, counted) do
      %{series: [%{labels: labels, value: value}]} =
        Enum.find(counted, &(&1.description == metric.description))

      tags = metadata |> metric.tag_values.() |> Map.take(metric.tags)
      assert Map.new(labels) == Map.new(tags, fn {tag, text} -> {Atom.to_string(tag), text} end)
      sum = if is_map(value), do: value.sum, else: value
      assert_in_delta sum, measured(metric.measurement, measurements, metadata), 1.0e-9
    end

    # As the documentation of the package tells reporters to.
    defp measured(measurement, measurements, metadata) do
      case measurement do
        function when is_function(function, 2) -> function.(measurements, metadata)
        function when is_function(function, 1) -> function.(measurements)
        key -> Map.fetch!(measurements, key)
      end
    end

    if Code.ensure_loaded?(:telemetry) do
      test "the package's own reporter takes them, and misses nothing" do
        {:ok, device} = StringIO.open("")
        options = [metrics: metrics(), device: device]
        start_supervised!({Telemetry.Metrics.ConsoleReporter, options})

        for %{name: event} = documented <- Events.all(),
            do: :telemetry.execute(event, keys(documented.measurements, 1), metadata(documented))

        {_input, output} = StringIO.contents(device)
        assert output =~ "espalier.generate.stop"
        refute output =~ ~r/Errored|WARNING|missing/
      end
    end
  end
else
  defmodule Espalier.Telemetry.ReporterMetricsTest do
    use ExUnit.Case, async: true

    test "without the package it says what to add" do
      assert_raise RuntimeError, ~r/\{:telemetry_metrics, "~> 1.0"\}/, fn ->
        Espalier.Telemetry.metrics()
      end
    end
  end
end
