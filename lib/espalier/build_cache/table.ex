defmodule Espalier.BuildCache.Table do
  @moduledoc false
  # The values in memory. Any process reads them, without writing to the table; the one that made it puts and drops
  # them.
  #
  # When a row was used last is in an `:atomics`. `ages` has these times as they were when they were looked at last.

  alias Espalier.BuildCache

  @enforce_keys [:name, :max_bytes, :max_entries]
  defstruct @enforce_keys ++ [bytes: 0, ages: :gb_sets.empty()]

  @type t :: %__MODULE__{
          name: atom,
          max_bytes: non_neg_integer,
          max_entries: non_neg_integer,
          bytes: non_neg_integer,
          ages: :gb_sets.set({integer, BuildCache.key()})
        }

  @counts %{hit: 1, miss: 2, build: 3, eviction: 4}

  @spec new(atom, non_neg_integer, non_neg_integer) :: t
  def new(name, max_bytes, max_entries) do
    ^name = :ets.new(name, [:named_table, read_concurrency: true])
    :ets.insert(name, {:counts, :counters.new(map_size(@counts), [:write_concurrency])})
    put_size(%__MODULE__{name: name, max_bytes: max_bytes, max_entries: max_entries})
  end

  # For who asks no process.
  defp put_size(table) do
    :ets.insert(table.name, {:size, size(table), table.bytes})
    table
  end

  @doc "The value, which is used now."
  @spec fetch(atom, BuildCache.key()) :: {:ok, BuildCache.value()} | :none
  def fetch(name, key) do
    case rows(name, key) do
      [{_key, value, used, _bytes, _owner}] ->
        :atomics.put(used, 1, now())
        {:ok, value}

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
  @spec count(atom, :hit | :miss | :build | :eviction, pos_integer) :: :ok
  def count(name, what, n \\ 1) do
    for {:counts, counts} <- rows(name, :counts), do: :counters.add(counts, @counts[what], n)
    :ok
  end

  @spec counts(t) :: %{hits: integer, misses: integer, builds: integer, evictions: integer}
  def counts(table) do
    [{:counts, counts}] = rows(table.name, :counts)
    count = &:counters.get(counts, @counts[&1])

    %{
      hits: count.(:hit),
      misses: count.(:miss),
      builds: count.(:build),
      evictions: count.(:eviction)
    }
  end

  @spec size(t) :: non_neg_integer
  def size(table), do: :gb_sets.size(table.ages)

  @doc "How much a cache has, if it runs."
  @spec held(atom) :: %{entries: non_neg_integer, bytes: non_neg_integer} | nil
  def held(name) do
    case rows(name, :size) do
      [{:size, entries, bytes}] -> %{entries: entries, bytes: bytes}
      [] -> nil
    end
  end

  @spec member?(t, BuildCache.key()) :: boolean
  def member?(table, key), do: :ets.member(table.name, key)

  @doc "Keeps a value that is not there, if it fits at all. It tells how many bytes each had that was dropped."
  @spec put(t, BuildCache.key(), BuildCache.value(), pos_integer, BuildCache.weak() | nil) ::
          {t, dropped :: [pos_integer]}
  def put(%{max_bytes: most} = table, _key, _value, bytes, _owner) when bytes > most,
    do: {table, []}

  def put(%{max_entries: 0} = table, _key, _value, _bytes, _owner), do: {table, []}

  def put(table, key, value, bytes, owner) do
    {table, dropped} = make_room(table, bytes, now(), [])
    now = now()
    used = :atomics.new(1, signed: true)
    :atomics.put(used, 1, now)
    :ets.insert(table.name, {key, value, used, bytes, owner})
    ages = :gb_sets.add({now, key}, table.ages)
    {put_size(%{table | bytes: table.bytes + bytes, ages: ages}), dropped}
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
    [{_key, _value, used, bytes, _owner}] = rows(table.name, key)

    case :atomics.get(used, 1) do
      last when last > age and age < now ->
        drop_oldest(%{table | ages: :gb_sets.add({last, key}, ages)}, now)

      _not_since ->
        :ets.delete(table.name, key)
        {%{table | ages: ages, bytes: table.bytes - bytes}, bytes}
    end
  end

  @doc "Drops the values whose owner nobody has any more; it tells how many bytes each had."
  @spec drop_unused(t, (BuildCache.weak() -> boolean)) :: {t, dropped :: [pos_integer]}
  def drop_unused(table, alive?) do
    owned = [{{:"$1", :_, :_, :"$2", :"$3"}, [{:is_binary, :"$3"}], [:"$$"]}]
    rows = :ets.select(table.name, owned)
    owners = rows |> Enum.map(&List.last/1) |> Enum.uniq()
    dead = Enum.reject(owners, alive?)
    dropped = for [key, bytes, owner] <- rows, owner in dead, do: {key, bytes}
    {remove(table, dropped), Enum.map(dropped, &elem(&1, 1))}
  end

  defp remove(table, []), do: table

  defp remove(table, rows) do
    for {key, _bytes} <- rows, do: :ets.delete(table.name, key)
    freed = rows |> Enum.map(&elem(&1, 1)) |> Enum.sum()
    ages = :gb_sets.filter(fn {_age, key} -> :ets.member(table.name, key) end, table.ages)
    put_size(%{table | bytes: table.bytes - freed, ages: ages})
  end

  @doc "Drops all values; it tells how many bytes each had."
  @spec clear(t) :: {t, dropped :: [pos_integer]}
  def clear(table) do
    dropped =
      for {_age, key} <- :gb_sets.to_list(table.ages) do
        [{_key, _value, _used, bytes, _owner}] = :ets.take(table.name, key)
        bytes
      end

    {put_size(%{table | bytes: 0, ages: :gb_sets.empty()}), dropped}
  end

  # Each is another one, and they grow.
  defp now, do: System.unique_integer([:monotonic])
end
