defmodule Espalier.ConstraintCache.Table do
  @moduledoc false
  # The constraints in memory. Any process reads them, without writing to the table; the one that made it puts and
  # drops them.
  #
  # A row has no vocabulary, only its reference as a binary, which doesn't keep it alive: a reference that is made of
  # it works as long as another one is there. When a row was used last is in an `:atomics`. `ages` has these times as
  # they were when they were looked at last.

  alias Espalier.Constraint
  alias Espalier.ConstraintCache.Key
  alias Espalier.Native
  alias Espalier.Vocabulary

  @enforce_keys [:name, :max_bytes, :max_entries]
  defstruct @enforce_keys ++ [bytes: 0, ages: :gb_sets.empty()]

  @type t :: %__MODULE__{
          name: atom,
          max_bytes: non_neg_integer,
          max_entries: non_neg_integer,
          bytes: non_neg_integer,
          ages: :gb_sets.set({integer, Key.t()})
        }

  @counts %{hit: 1, miss: 2, compilation: 3, eviction: 4}

  @spec new(atom, keyword) :: t
  def new(name, options) do
    ^name = :ets.new(name, [:named_table, read_concurrency: true])
    :ets.insert(name, {:counts, :counters.new(map_size(@counts), [:write_concurrency])})
    struct!(__MODULE__, [name: name] ++ Keyword.take(options, [:max_bytes, :max_entries]))
  end

  @doc "The constraint, which is used now."
  @spec fetch(atom, Key.t(), Vocabulary.t()) :: {:ok, Constraint.t()} | :none
  def fetch(name, key, vocabulary) do
    case rows(name, key) do
      [{_key, ref, kind, used, _bytes, _vocabulary}] ->
        :atomics.put(used, 1, now())
        {:ok, %Constraint{ref: ref, kind: kind, vocabulary: vocabulary}}

      [] ->
        :none
    end
  end

  # The cache may not run.
  defp rows(name, key) do
    :ets.lookup(name, key)
  rescue
    ArgumentError -> []
  end

  @doc "Counts what happened."
  @spec count(atom, :hit | :miss | :compilation | :eviction, pos_integer) :: :ok
  def count(name, what, n \\ 1) do
    for {:counts, counts} <- rows(name, :counts), do: :counters.add(counts, @counts[what], n)
    :ok
  end

  @spec counts(t) :: %{hits: integer, misses: integer, compilations: integer, evictions: integer}
  def counts(table) do
    [{:counts, counts}] = rows(table.name, :counts)
    count = &:counters.get(counts, @counts[&1])

    %{
      hits: count.(:hit),
      misses: count.(:miss),
      compilations: count.(:compilation),
      evictions: count.(:eviction)
    }
  end

  @spec size(t) :: non_neg_integer
  def size(table), do: :gb_sets.size(table.ages)

  @spec member?(t, Key.t()) :: boolean
  def member?(table, key), do: :ets.member(table.name, key)

  @doc "Keeps a constraint that is not there, if it fits at all. It tells how many bytes each had that was dropped."
  @spec put(t, Key.t(), Constraint.t(), pos_integer) :: {t, dropped :: [pos_integer]}
  def put(%{max_bytes: most} = table, _key, _constraint, bytes) when bytes > most, do: {table, []}
  def put(%{max_entries: 0} = table, _key, _constraint, _bytes), do: {table, []}

  def put(table, key, constraint, bytes) do
    {table, dropped} = make_room(table, bytes, now(), [])
    now = now()
    used = :atomics.new(1, signed: true)
    :atomics.put(used, 1, now)
    vocabulary = :erlang.term_to_binary(constraint.vocabulary.ref)
    :ets.insert(table.name, {key, constraint.ref, constraint.kind, used, bytes, vocabulary})
    ages = :gb_sets.add({now, key}, table.ages)
    {%{table | bytes: table.bytes + bytes, ages: ages}, dropped}
  end

  defp make_room(table, bytes, now, dropped) do
    if size(table) == table.max_entries or table.bytes + bytes > table.max_bytes do
      {table, freed} = drop_oldest(table, now)
      make_room(table, bytes, now, [freed | dropped])
    else
      {table, dropped}
    end
  end

  # What is used while this goes on is not looked at again, or it might go on for long.
  defp drop_oldest(table, now) do
    {{age, key}, ages} = :gb_sets.take_smallest(table.ages)
    [{_key, _ref, _kind, used, bytes, _vocabulary}] = rows(table.name, key)

    case :atomics.get(used, 1) do
      last when last > age and age < now ->
        drop_oldest(%{table | ages: :gb_sets.add({last, key}, ages)}, now)

      _not_since ->
        :ets.delete(table.name, key)
        {%{table | ages: ages, bytes: table.bytes - bytes}, bytes}
    end
  end

  @doc "Drops the constraints of vocabularies that nobody has any more; it tells how many bytes each had."
  @spec drop_unused(t) :: {t, dropped :: [pos_integer]}
  def drop_unused(table) do
    # Of those that were asked for, this process may still have the vocabulary.
    :erlang.garbage_collect()
    rows = :ets.select(table.name, [{{:"$1", :_, :_, :_, :"$2", :"$3"}, [], [:"$$"]}])
    vocabularies = rows |> Enum.map(&List.last/1) |> Enum.uniq()
    dead = Enum.reject(vocabularies, &alive?/1)
    dropped = for [key, bytes, vocabulary] <- rows, vocabulary in dead, do: {key, bytes}
    {remove(table, dropped), Enum.map(dropped, &elem(&1, 1))}
  end

  defp alive?(vocabulary) do
    Native.vocabulary_info(:erlang.binary_to_term(vocabulary))
    true
  rescue
    ArgumentError -> false
  end

  defp remove(table, []), do: table

  defp remove(table, rows) do
    for {key, _bytes} <- rows, do: :ets.delete(table.name, key)
    freed = rows |> Enum.map(&elem(&1, 1)) |> Enum.sum()
    ages = :gb_sets.filter(fn {_age, key} -> :ets.member(table.name, key) end, table.ages)
    %{table | bytes: table.bytes - freed, ages: ages}
  end

  @spec clear(t) :: t
  def clear(table) do
    for {_age, key} <- :gb_sets.to_list(table.ages), do: :ets.delete(table.name, key)
    %{table | bytes: 0, ages: :gb_sets.empty()}
  end

  # Each is another one, and they grow.
  defp now, do: System.unique_integer([:monotonic])
end
