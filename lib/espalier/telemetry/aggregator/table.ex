defmodule Espalier.Telemetry.Aggregator.Table do
  @moduledoc false
  # Series in an ETS table. Any process adds to them, with atomic counters; none is ever dropped.
  #
  # A row is `{{metric, labels}, number}` or, for a histogram, `{{metric, labels}, sum, bucket, ...}`, where `metric` is the
  # place of its definition. Numbers are in the units of the events.

  alias Espalier.Telemetry.Histogram

  @enforce_keys [:name, :max_series, :bounds]
  defstruct @enforce_keys

  @type t :: %__MODULE__{name: atom, max_series: pos_integer, bounds: tuple}

  @type key :: {metric :: non_neg_integer, labels :: [String.t()]}

  @series {:series, []}
  @dropped {:dropped, []}
  @empty_buckets List.duplicate(0, Histogram.n_buckets())

  @spec new(atom, pos_integer) :: t
  def new(name, max_series) do
    settings = [write_concurrency: true, decentralized_counters: true]
    ^name = :ets.new(name, [:named_table, :public, :set] ++ settings)
    :ets.insert(name, [{@series, 0}, {@dropped, 0}])
    %__MODULE__{name: name, max_series: max_series, bounds: Histogram.native_bounds()}
  end

  @doc "The rows of each metric, and how often something was not counted."
  @spec read(atom) :: {%{non_neg_integer => [tuple]}, dropped :: non_neg_integer}
  def read(name) do
    {[{@dropped, dropped}], rows} =
      name
      |> :ets.tab2list()
      |> Enum.reject(&match?({@series, _n}, &1))
      |> Enum.split_with(&match?({@dropped, _n}, &1))

    {Enum.group_by(rows, fn row -> row |> elem(0) |> elem(0) end), dropped}
  end

  @doc "Adds a value to a series, or says what it is now; what is no such number is left out."
  @spec put(t, :counter | :sum | :gauge | :histogram, key, term) :: term
  def put(table, :gauge, key, value) when is_number(value) do
    :ets.update_element(table.name, key, {2, value}) || create(table, {key, value})
  end

  def put(table, :histogram, key, value) when is_integer(value) do
    bucket = 2 + Histogram.bucket(value, table.bounds)
    empty = fn -> List.to_tuple([key, 0 | @empty_buckets]) end
    count(table, key, [{2, value}, {bucket, 1}], empty)
  end

  def put(table, kind, key, value) when kind in [:counter, :sum] and is_integer(value),
    do: count(table, key, {2, value}, fn -> {key, 0} end)

  def put(_table, _kind, _key, _no_such_number), do: :ok

  defp count(table, key, changes, empty) do
    :ets.update_counter(table.name, key, changes)
  rescue
    ArgumentError ->
      if create(table, empty.()), do: :ets.update_counter(table.name, key, changes)
  end

  # Whether there is such a row now.
  defp create(table, row) do
    cond do
      :ets.update_counter(table.name, @series, 1) > table.max_series ->
        :ets.update_counter(table.name, @series, -1)
        :ets.update_counter(table.name, @dropped, 1)
        false

      :ets.insert_new(table.name, with_own_texts(row)) ->
        true

      true ->
        :ets.update_counter(table.name, @series, -1)
        true
    end
  end

  # A part of a larger binary would keep all of it.
  defp with_own_texts(row) do
    {metric, texts} = elem(row, 0)
    put_elem(row, 0, {metric, Enum.map(texts, &:binary.copy/1)})
  end
end
