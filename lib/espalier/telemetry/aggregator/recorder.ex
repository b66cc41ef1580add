defmodule Espalier.Telemetry.Aggregator.Recorder do
  @moduledoc false
  # From an event to the table: which metrics it counts for, and with which labels.

  alias Espalier.Telemetry
  alias Espalier.Telemetry.Aggregator.Table
  alias Espalier.Telemetry.Metrics

  @doc "A function that is told events."
  @spec new(Table.t()) :: Telemetry.sink()
  def new(table) do
    plans = plans()

    fn event, measurements, metadata ->
      case plans do
        %{^event => plan} -> record(table, plan, measurements, metadata)
        _not_counted -> :ok
      end
    end
  end

  # Metrics of an event share labels: each text is made once.
  defp plans do
    definitions = Enum.with_index(Metrics.all())
    events = for {definition, _metric} <- definitions, event <- definition.events, do: event

    Map.new(Enum.uniq(events), fn event ->
      {event, definitions |> Enum.filter(fn {one, _metric} -> event in one.events end) |> plan()}
    end)
  end

  defp plan(definitions) do
    tags = Enum.uniq(for {definition, _metric} <- definitions, tag <- definition.tags, do: tag)
    places = tags |> Enum.with_index() |> Map.new()

    {tags,
     for({definition, metric} <- definitions) do
       {definition, metric, Enum.map(definition.tags, &places[&1])}
     end}
  end

  # When the owner of the table was killed there is none, until it is started again.
  defp record(table, {tags, metrics}, measurements, metadata) do
    texts = tags |> Enum.map(&Metrics.label(&1, metadata)) |> List.to_tuple()

    for {definition, metric, places} <- metrics do
      value = Metrics.value(definition, measurements, metadata)
      Table.put(table, definition.kind, {metric, Enum.map(places, &elem(texts, &1))}, value)
    end

    :ok
  rescue
    ArgumentError -> :ok
  end
end
