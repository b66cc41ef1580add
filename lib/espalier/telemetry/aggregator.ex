defmodule Espalier.Telemetry.Aggregator do
  @moduledoc false
  # Counts what `Espalier.Telemetry.Metrics` names, in an ETS table of its own. The processes that emit events write to
  # it themselves, with atomic counters; this process only owns the table.
  #
  # A row is one series: `{{metric, labels}, number}` or, for a histogram, `{{metric, labels}, sum, bucket, ...}`, where
  # `metric` is the place of its definition. Numbers are in the units of the events.

  use GenServer

  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Telemetry
  alias Espalier.Telemetry.Histogram
  alias Espalier.Telemetry.Metrics

  @options [
    name: [
      type: :atom,
      required: true,
      doc: "The name, by which what was counted is read."
    ],
    max_series: [
      type: :pos_integer,
      default: 2_000,
      doc:
        "The most series, which are metrics with different labels. Of further ones it is only counted " <>
          "that they were not."
    ]
  ]

  @empty_buckets List.duplicate(0, Histogram.n_buckets())

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
    rows = Enum.group_by(rows(name), fn row -> row |> elem(0) |> elem(0) end)

    Metrics.all()
    |> Enum.with_index()
    |> Enum.map(fn {definition, place} -> metric(definition, Map.get(rows, place, [])) end)
    |> Kernel.++([Map.put(@dropped, :series, dropped(rows))])
  end

  defdelegate quantile(histogram, q), to: Histogram
  defdelegate subtract(later, earlier), to: Histogram

  defp rows(name) do
    :ets.tab2list(name)
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

  defp dropped(rows) do
    [{_key, n}] = rows[:dropped]
    [%{labels: [], value: n}]
  end

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)
    {name, max_series} = {options[:name], options[:max_series]}
    settings = [write_concurrency: true, decentralized_counters: true]
    ^name = :ets.new(name, [:named_table, :public, :set] ++ settings)
    :ets.insert(name, [{{:series, []}, 0}, {{:dropped, []}, 0}])
    Telemetry.add_sink({__MODULE__, name}, sink(name, max_series))
    {:ok, name}
  end

  @impl true
  def terminate(_reason, name), do: Telemetry.remove_sink({__MODULE__, name})

  defp sink(name, max_series) do
    table = %{name: name, max_series: max_series, bounds: Histogram.native_bounds()}
    plans = plans()

    fn event, measurements, metadata ->
      case plans do
        %{^event => plan} -> record(table, plan, measurements, metadata)
        _not_counted -> :ok
      end
    end
  end

  # By event, all labels that are needed, and the metrics with the places of theirs among these.
  defp plans do
    definitions = Enum.with_index(Metrics.all())

    events =
      definitions |> Enum.flat_map(fn {definition, _} -> definition.events end) |> Enum.uniq()

    Map.new(events, &{&1, plan(&1, definitions)})
  end

  defp plan(event, definitions) do
    definitions =
      Enum.filter(definitions, fn {definition, _place} -> event in definition.events end)

    tags =
      definitions |> Enum.flat_map(fn {definition, _place} -> definition.tags end) |> Enum.uniq()

    metrics =
      for {definition, place} <- definitions do
        {definition, place,
         Enum.map(definition.tags, fn tag -> Enum.find_index(tags, &(&1 == tag)) end)}
      end

    {tags, metrics}
  end

  # When this process was killed the table is gone, until it is started again.
  defp record(table, {tags, metrics}, measurements, metadata) do
    texts = tags |> Enum.map(&Metrics.label(&1, metadata)) |> List.to_tuple()

    for {definition, place, labels} <- metrics,
        value = Metrics.value(definition, measurements, metadata) do
      key = {place, Enum.map(labels, &elem(texts, &1))}
      put(definition.kind, table, key, value)
    end

    :ok
  rescue
    ArgumentError -> :ok
  end

  defp put(:gauge, table, key, value) when is_number(value) do
    :ets.update_element(table.name, key, {2, value}) || create(table, {key, value})
  end

  defp put(:histogram, table, key, value) when is_integer(value) do
    bucket = 2 + Histogram.bucket(value, table.bounds)

    count(table, key, [{2, value}, {bucket, 1}], fn ->
      List.to_tuple([key, 0 | @empty_buckets])
    end)
  end

  defp put(kind, table, key, value) when kind in [:counter, :sum] and is_integer(value),
    do: count(table, key, {2, value}, fn -> {key, 0} end)

  defp put(_kind, _table, _key, _no_such_number), do: :ok

  defp count(table, key, changes, row) do
    :ets.update_counter(table.name, key, changes)
  rescue
    ArgumentError -> if create(table, row.()), do: count(table, key, changes, row)
  end

  # Whether there is such a row now.
  defp create(table, row) do
    cond do
      :ets.update_counter(table.name, {:series, []}, 1) > table.max_series ->
        :ets.update_counter(table.name, {:series, []}, -1)
        :ets.update_counter(table.name, {:dropped, []}, 1)
        false

      :ets.insert_new(table.name, row) ->
        true

      true ->
        :ets.update_counter(table.name, {:series, []}, -1)
        true
    end
  end
end
