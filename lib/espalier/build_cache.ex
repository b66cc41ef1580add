defmodule Espalier.BuildCache do
  @moduledoc false
  # A cache of what takes long to build: built once for all who ask, in memory and in files, with bounds. It doesn't
  # know what is built; `Espalier.ConstraintCache` and `Espalier.VocabularyCache` do.
  #
  # What is asked for is a *recipe*: a struct whose module has the callbacks below.

  alias Espalier.BuildCache.Server
  alias Espalier.BuildCache.Table

  @type recipe :: struct
  @type value :: term
  @type key :: <<_::256>>

  @typedoc "A reference to what the native library holds, that doesn't keep it alive."
  @type weak :: binary

  @type stats :: %{
          entries: non_neg_integer,
          bytes: non_neg_integer,
          hits: non_neg_integer,
          misses: non_neg_integer,
          builds: non_neg_integer,
          evictions: non_neg_integer
        }

  @doc "Tells telemetry of something that a cache did."
  @callback tell(:hit | :miss | :store | :eviction, (() -> {map, map})) :: :ok

  @doc "What telemetry calls a recipe."
  @callback metadata(recipe) :: map

  @doc "What a value is called: in the names of files, and where one can't be written."
  @callback noun() :: String.t()

  @doc "A hash of all that a value depends on."
  @callback key(recipe) :: key

  @doc "The same for files, where references mean nothing; `nil` for what a file can't have."
  @callback file_key(recipe) :: key | nil

  @doc "What takes long, and tells telemetry of it."
  @callback build(recipe) :: {:ok, value} | {:error, Exception.t()}

  @callback serialize(value) :: binary
  @callback deserialize(binary, recipe) :: {:ok, value} | {:error, Exception.t()}

  @doc "About the memory of a value, by the bytes of its serialised form."
  @callback bytes(recipe, non_neg_integer) :: pos_integer

  @doc "A value is dropped when nobody has its owner any more, if it has one."
  @callback owner(recipe) :: weak | nil

  @doc "By this a value is found again that was dropped and is still in use, if it may be."
  @callback weak(value) :: weak | nil

  @doc "What a reference is of, as long as somebody has it."
  @callback recall(weak) :: {:ok, term} | :none

  @doc "The value, built if it isn't there. A cache that doesn't run costs a build."
  @spec fetch(atom, recipe) :: {:ok, value} | {:error, Exception.t()}
  def fetch(cache, %module{} = recipe) do
    key = module.key(recipe)

    case Table.fetch(cache, key) do
      {:ok, value} ->
        tell(cache, :hit, recipe)
        {:ok, value}

      :none ->
        tell(cache, :miss, recipe)
        with :failed <- call(cache, {:fetch, key, recipe}), do: module.build(recipe)
    end
  end

  defp call(cache, message) do
    GenServer.call(cache, message, :infinity)
  catch
    :exit, _not_running -> :failed
  end

  defp tell(cache, event, %module{} = recipe) do
    Table.count(cache, event)

    module.tell(event, fn ->
      {%{system_time: System.system_time()}, Map.put(module.metadata(recipe), :cache, cache)}
    end)
  end

  @doc "How much is there, without asking any process; `nil` of a cache that doesn't run."
  @spec size(atom) :: %{entries: non_neg_integer, bytes: non_neg_integer} | nil
  defdelegate size(cache), to: Table, as: :held

  @spec stats(atom) :: stats
  def stats(cache), do: GenServer.call(cache, :stats)

  @spec clear(atom) :: :ok
  def clear(cache), do: GenServer.call(cache, :clear)

  @doc "Starts a cache for the recipes of a module, with options that have been validated."
  @spec start_link(module, keyword) :: GenServer.on_start()
  defdelegate start_link(module, options), to: Server
end
