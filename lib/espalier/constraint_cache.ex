defmodule Espalier.ConstraintCache do
  @options [
    name: [type: :name, default: Espalier.ConstraintCache, doc: "The name of the cache."],
    max_bytes: [
      type: :non_neg_integer,
      default: 134_217_728,
      doc: "The most bytes of all constraints together, as they are counted here."
    ],
    max_entries: [type: :non_neg_integer, default: 1_000, doc: "The most constraints."],
    directory: [
      type: {:or, [:string, {:in, [nil]}]},
      default: nil,
      doc: "Where constraints are stored, too. It is made if it isn't there."
    ]
  ]

  @moduledoc """
  Compiled constraints, so that a schema is compiled once for a vocabulary and not for each generation.

  Espalier starts it and its local backend uses it: there is nothing to do. Those who bring their own loop fetch
  their constraints from it:

      iex> vocabulary = Espalier.Vocabulary.bytes()
      iex> {:ok, constraint} = Espalier.ConstraintCache.fetch([age: :integer], vocabulary: vocabulary)
      iex> {:ok, again} = Espalier.ConstraintCache.fetch([age: :integer], vocabulary: vocabulary)
      iex> again == constraint
      true

  A constraint also remembers what its matchers find out about it, so the second text along it is written faster
  than the first. (`Espalier.Cache` is about something else: texts that models wrote.)

  ## What is the same

  Whatever shapes a constraint: what the schema says, the options of the text, the limits and the vocabulary. A
  schema module that was defined anew is another schema, and so is an Ecto schema whose changeset function has other
  rules. A vocabulary is the same as itself only, whatever others have the same tokens.

  ## Who waits for whom

  A constraint that is there is read without asking any process. One that isn't is compiled by a process of its own,
  once for all who ask for it meanwhile. When the last of them has ended, that process is stopped. An error goes to
  all who wait, and is not kept. A cache that does not run costs a compilation and nothing else.

  ## Bounds

      config :espalier, constraint_cache: [max_bytes: 50_000_000, directory: "/var/cache/my_app/constraints"]

  Those that were used least recently make room for new ones. Constraints of a vocabulary that nobody else refers
  to any more, as that of a model that was stopped, are dropped within two minutes.

  The bytes are an estimate: 64 KiB and sixteen times the size of `Espalier.Constraint.serialize/1`, about what
  constraints took after some texts when that was measured with a small vocabulary. What matchers find out later is not
  counted. It has a bound for each constraint, `:table_bytes` of `Espalier.Limits`, which is 64 MiB: where schemas come
  from anywhere, count with that, and choose `:max_entries` by it. `max_entries: 0` keeps nothing.

  ## The directory

  With a `:directory`, constraints are stored there, too, and found again after a restart. That saves time where
  schemas have patterns or formats that take long to compile. It has the same bounds, in bytes and in files. Files
  that are damaged, or were written by another version, are replaced. What is loaded accepts what its file says: let
  nobody else write there. Constraints with `:limits` of their own are not stored.

  ## Options

  #{Espalier.Options.docs(@options)}
  A cache of your own is a child of your supervisor, `{Espalier.ConstraintCache, name: MyApp.Constraints}`; the first
  argument of the functions below names it.
  """

  alias Espalier.BuildCache
  alias Espalier.Constraint
  alias Espalier.ConstraintCache.Compilation
  alias Espalier.Error
  alias Espalier.Options
  alias Espalier.Schema
  alias Espalier.Schema.Form

  @typedoc "The name of a cache."
  @type cache :: atom

  @doc """
  The constraint of a schema, compiled if it isn't there.

  The schema and the options are those of `Espalier.Schema.to_constraint/2`.

      iex> vocabulary = Espalier.Vocabulary.bytes()
      iex> {:error, error} = Espalier.ConstraintCache.fetch(%{type: :int}, vocabulary: vocabulary)
      iex> error.pointer
      "/type"
  """
  @spec fetch(cache, Schema.t(), keyword) :: {:ok, Constraint.t()} | {:error, Exception.t()}
  def fetch(cache \\ __MODULE__, schema, options) do
    with {:ok, form} <- Form.new(schema), do: fetch_form(cache, form, options)
  end

  defp fetch_form(_cache, %Form{kind: :constraint, content: constraint}, _options),
    do: {:ok, constraint}

  defp fetch_form(cache, form, options) do
    with {:ok, source} <- Form.to_source(form, options),
         compilation = %Compilation{source: source, schema: Form.name(form)},
         {:ok, constraint} <- BuildCache.fetch(cache, compilation),
         do: {:ok, %{constraint | vocabulary: source.vocabulary}}
  end

  @doc "Like `fetch/3`, but returns the constraint and raises the error."
  @spec fetch!(cache, Schema.t(), keyword) :: Constraint.t()
  def fetch!(cache \\ __MODULE__, schema, options),
    do: cache |> fetch(schema, options) |> Error.bang!()

  @doc """
  What is there, and what was done since the cache started.

  `hits` and `misses` are those of callers, `compilations` how often a process compiled, and `evictions` how many
  constraints were dropped.
  """
  @spec stats(cache) :: %{
          entries: non_neg_integer,
          bytes: non_neg_integer,
          hits: non_neg_integer,
          misses: non_neg_integer,
          compilations: non_neg_integer,
          evictions: non_neg_integer
        }
  def stats(cache \\ __MODULE__) do
    {compilations, stats} = cache |> BuildCache.stats() |> Map.pop!(:builds)
    Map.put(stats, :compilations, compilations)
  end

  @doc "Drops all constraints from memory. Those that are in use stay with their users, and files stay."
  @spec clear(cache) :: :ok
  def clear(cache \\ __MODULE__), do: BuildCache.clear(cache)

  @doc "Starts an empty cache, with the options above."
  @spec start_link(keyword) :: GenServer.on_start() | {:error, Espalier.OptionsError.t()}
  def start_link(options) do
    with {:ok, options} <- Options.validate(options, @options),
         do: BuildCache.start_link(Compilation, options)
  end

  @doc false
  @spec size() :: %{entries: non_neg_integer, bytes: non_neg_integer} | nil
  def size, do: BuildCache.size(__MODULE__)

  @doc false
  @spec options() :: Options.schema()
  def options, do: @options

  @doc false
  def child_spec(options) do
    id = if Keyword.keyword?(options), do: options[:name]
    %{id: id || __MODULE__, start: {__MODULE__, :start_link, [options]}}
  end
end
