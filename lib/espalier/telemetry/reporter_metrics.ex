defmodule Espalier.Telemetry.ReporterMetrics do
  @moduledoc false
  # The metrics as structs of the package telemetry_metrics, which reporters take. Each is of one event and named by
  # it, so there are two for what is counted of `:stop` and of `:exception`.

  alias Espalier.Telemetry.Histogram
  alias Espalier.Telemetry.Metrics

  @compile {:no_warn_undefined, Telemetry.Metrics}

  @spec all() :: [struct]
  def all do
    unless Code.ensure_loaded?(Telemetry.Metrics) do
      raise "the package telemetry_metrics is not there: " <>
              ~s(add {:telemetry_metrics, "~> 1.0"} to the dependencies of your project)
    end

    for definition <- Metrics.all(), event <- definition.events, do: metric(definition, event)
  end

  defp metric(definition, event) do
    name = event ++ [measurement_name(definition)]

    options = [
      event_name: event,
      measurement: measurement(definition),
      description: definition.description,
      unit: definition.unit,
      tags: for({label, _keys, _text} <- definition.tags, do: label),
      tag_values: &Map.new(Metrics.labels(definition, &1))
    ]

    build(definition.kind, name, options)
  end

  defp build(:counter, name, options), do: Telemetry.Metrics.counter(name, options)
  defp build(:sum, name, options), do: Telemetry.Metrics.sum(name, options)
  defp build(:gauge, name, options), do: Telemetry.Metrics.last_value(name, options)

  defp build(:histogram, name, options) do
    buckets = [reporter_options: [buckets: Histogram.coarse_bounds()]]
    Telemetry.Metrics.distribution(name, options ++ buckets)
  end

  # Reporters take an event as one without the metric where a measurement is not there.
  defp measurement(%{measurement: nil}), do: fn _measurements -> 1 end
  defp measurement(%{measurement: measurement}), do: measurement

  defp measurement_name(%{measurement: nil}), do: :count
  defp measurement_name(%{measurement: key}) when is_atom(key), do: key

  defp measurement_name(%{name: name}) do
    name
    |> String.replace_suffix("_total", "")
    |> String.replace_suffix("_seconds", "")
    |> String.split("_")
    |> List.last()
    |> String.to_atom()
  end
end
