defmodule Espalier.Telemetry.MetricsTest do
  use ExUnit.Case, async: true

  alias Espalier.Telemetry.Events
  alias Espalier.Telemetry.Metrics

  @events Map.new(Events.all(), &{&1.name, &1})

  test "each event, measurement and key of the metadata is one of the table" do
    for definition <- Metrics.all(), name <- definition.events do
      assert event = @events[name], "#{definition.name}: #{inspect(name)}"
      assert is_number(value(definition, event)), "#{definition.name} of #{inspect(name)}"
    end

    for definition <- Metrics.all(), {label, keys, _otherwise} <- definition.tags do
      known = for name <- definition.events, {key, _} <- @events[name].metadata, do: key

      assert (keys -- known) -- optional(label) == [],
             "#{definition.name}: #{label}"

      assert Enum.any?(keys, &(&1 in known)), "#{definition.name}: #{label}"
    end
  end

  # What an outcome is named by is not the same for all spans.
  defp optional(:outcome), do: [:finish_reason]
  defp optional(_label), do: []

  # As an event with the documented keys, and no others, would give it.
  defp value(definition, event) do
    measurements = Map.new(event.measurements, fn {key, _} -> {key, 7} end)
    metadata = Map.new(event.metadata, fn {key, _} -> {key, sample(key)} end)
    Metrics.value(definition, measurements, metadata)
  end

  defp sample(:to), do: :open
  defp sample(:cached?), do: true
  defp sample(_key), do: :anything

  test "names are those of Prometheus, and are not twice" do
    names = Enum.map(Metrics.all(), & &1.name)
    assert names == Enum.uniq(names)

    for definition <- Metrics.all() do
      assert definition.name =~ ~r/\Aespalier_[a-z]+(_[a-z]+)*\z/
      counted? = definition.kind in [:counter, :sum]
      assert String.ends_with?(definition.name, "_total") == counted?, definition.name

      unit =
        definition.name |> String.replace_suffix("_total", "") |> String.split("_") |> List.last()

      case Metrics.unit(definition) do
        :second -> assert unit == "seconds"
        :byte -> assert unit == "bytes"
        :unit -> assert unit == "second" or unit not in ["seconds", "bytes"]
      end
    end
  end

  test "each event that ends something is counted" do
    counted = Enum.flat_map(Metrics.all(), & &1.events)

    for %{name: name} <- Events.all(),
        List.last(name) != :start,
        do: assert(name in counted, inspect(name))
  end

  test "labels are the first that is known" do
    definition = Enum.find(Metrics.all(), &(&1.name == "espalier_generations_total"))
    asked = %{backend: Some.Backend, model: nil, schema: :fields}

    outcomes = [
      {%{finish_reason: :max_tokens}, "max_tokens"},
      {%{error_kind: :timeout, reason: Some.Error}, "timeout"},
      {%{error_kind: nil, reason: Some.Error}, "Some.Error"}
    ]

    for {metadata, outcome} <- outcomes do
      assert Metrics.labels(definition, Map.merge(asked, metadata)) == [
               backend: "Some.Backend",
               model: "none",
               schema: "fields",
               outcome: outcome
             ]
    end
  end
end
