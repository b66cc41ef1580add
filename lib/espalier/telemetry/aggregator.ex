defmodule Espalier.Telemetry.Aggregator do
  @moduledoc false
  # Counts what `Espalier.Telemetry.Metrics` names. The processes that emit events write to the table themselves; this
  # process only owns it.

  use GenServer

  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Telemetry
  alias Espalier.Telemetry.Aggregator.Recorder
  alias Espalier.Telemetry.Aggregator.Table
  alias Espalier.Telemetry.Histogram
  alias Espalier.Telemetry.Metrics

  @options [
    name: [
      type: :name,
      required: true,
      doc: "The name, by which what was counted is read."
    ],
    max_series: [
      type: :pos_integer,
      default: 2_000,
      doc:
        "The most series, which are metrics with different labels. What would make a further one is not " <>
          "counted; `espalier_dropped_series_total` says how often."
    ]
  ]

  @dropped %{
    name: "espalier_dropped_series_total",
    kind: :counter,
    unit: :unit,
    description: "Measurements that were not counted, as there were too many different labels."
  }

  @type metric :: %{
          name: String.t(),
          kind: :counter | :sum | :gauge | :histogram,
          description: String.t(),
          unit: :unit | :byte | :second,
          series: [%{labels: [{String.t(), String.t()}], value: number | Histogram.t()}]
        }

  @spec options() :: Options.schema()
  def options, do: @options

  @spec start_link(keyword) :: GenServer.on_start() | {:error, OptionsError.t()}
  def start_link(options) do
    with {:ok, options} <- Options.validate(options, @options),
         do: GenServer.start_link(__MODULE__, options, name: options[:name])
  end

  @doc false
  def child_spec(options) do
    id = if Keyword.keyword?(options), do: options[:name]
    %{id: id || __MODULE__, start: {__MODULE__, :start_link, [options]}}
  end

  @doc """
  What was counted since the start, in the order of the definitions, the series of each sorted by their labels.
  """
  @spec read(atom) :: [metric]
  def read(name) do
    {rows, dropped} = table(name)

    metrics =
      for {definition, metric} <- Enum.with_index(Metrics.all()),
          do: metric(definition, Map.get(rows, metric, []))

    metrics ++ [Map.put(@dropped, :series, [%{labels: [], value: dropped}])]
  end

  defp table(name) do
    Table.read(name)
  rescue
    ArgumentError ->
      reraise ArgumentError,
              [message: "nothing counts events by the name #{inspect(name)}"],
              __STACKTRACE__
  end

  defp metric(definition, rows) do
    series =
      for row <- rows, do: %{labels: row_labels(definition, row), value: shown(definition, row)}

    %{
      name: definition.name,
      kind: definition.kind,
      description: definition.description,
      unit: Metrics.unit(definition),
      series: Enum.sort_by(series, & &1.labels)
    }
  end

  defp row_labels(%{tags: tags}, row) do
    {_place, texts} = elem(row, 0)

    Enum.zip_with(tags, texts, fn {label, _keys, _text}, text -> {Atom.to_string(label), text} end)
  end

  defp shown(%{kind: :histogram, unit: unit}, row) do
    [_key, sum | counts] = Tuple.to_list(row)
    Histogram.new(counts, Metrics.convert(sum, unit))
  end

  defp shown(%{unit: unit}, {_key, value}), do: Metrics.convert(value, unit)

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)
    table = Table.new(options[:name], options[:max_series])
    Telemetry.add_sink({__MODULE__, table.name}, Recorder.new(table))
    {:ok, table}
  end

  @impl true
  def terminate(_reason, table), do: Telemetry.remove_sink({__MODULE__, table.name})
end
