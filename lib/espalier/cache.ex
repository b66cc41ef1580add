defmodule Espalier.Cache do
  @moduledoc """
  Remembers what models wrote, so that the same need not be asked twice.

  A cache is a child of your supervisor, and generations name it:

      children = [
        {Espalier.Cache, name: MyApp.Cache, max_bytes: 200_000_000, ttl: :timer.hours(24)}
      ]

      Espalier.generate(Ticket, text, model: "large", cache: MyApp.Cache)

      iex> {:ok, cache} = Espalier.Cache.start_link([])
      iex> Espalier.Testing.stub([%{name: "Ada"}])
      iex> options = [backend: Espalier.Testing, cache: cache]
      iex> {:ok, first} = Espalier.generate_result([name: :string], "Who?", options)
      iex> {:ok, second} = Espalier.generate_result([name: :string], "Who?", options)
      iex> {first.cached?, second.cached?, second.value}
      {false, true, %{name: "Ada"}}

  ## What is the same

  Whatever shapes the text: the schema, the prompt, the backends with their options and models, the middleware,
  `:max_tokens`, `:max_reasoning_tokens`, `:template`, and the options of sampling and of the text. An `:api_key` in a backend's options
  makes no difference, and is not kept; `:headers` make one, and only a hash of them is kept.

  Only texts of values are remembered, so neither errors nor what was refused. A text is read again each time:
  if the schema has come to refuse it, the model is asked.

  With a temperature above 0 each generation is meant to be another one, so nothing is remembered, unless a
  `:seed` was given or the option `cache_random: true`.
  """

  use GenServer

  alias Espalier.Backend
  alias Espalier.Deadline
  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Request
  alias Espalier.Schema.Form

  @options [
    name: [type: :any, doc: "A name, as for any `GenServer`."],
    max_entries: [
      type: :pos_integer,
      default: 10_000,
      doc: "The most texts that are kept. The oldest make room for new ones."
    ],
    max_bytes: [
      type: :pos_integer,
      default: 64_000_000,
      doc: "The most bytes of all texts together."
    ],
    ttl: [
      type: :timeout,
      default: 3_600_000,
      doc: "For so many milliseconds a text is kept."
    ]
  ]

  # Options of backends that say who asks, and not what.
  @secrets [:api_key]

  # What is shown nowhere and may shape the text.
  @shaping [:headers]

  @typedoc """
  What was written: the text, of which the first `n_begun` bytes were gone on with, the backend that wrote it, what it
  told at the end, and the seed of its random choices.
  """
  @type written :: %{
          text: String.t(),
          n_begun: non_neg_integer,
          backend: module,
          info: %{required(:finish_reason) => atom, optional(:text) => String.t()},
          seed: non_neg_integer
        }

  @doc """
  Starts an empty cache.

  ## Options

  #{Options.docs(@options)}
  """
  @spec start_link(keyword) :: GenServer.on_start() | {:error, OptionsError.t()}
  def start_link(options) do
    with {:ok, options} <- Options.validate(options, @options),
         do: GenServer.start_link(__MODULE__, options, Keyword.take(options, [:name]))
  end

  @doc false
  def child_spec(options) do
    id = if Keyword.keyword?(options), do: options[:name]
    %{id: id || __MODULE__, start: {__MODULE__, :start_link, [options]}}
  end

  @doc "How many texts there are, and how many bytes they have."
  @spec info(GenServer.server()) :: %{entries: non_neg_integer, bytes: non_neg_integer}
  def info(cache), do: GenServer.call(cache, :info)

  @doc "Forgets all texts."
  @spec clear(GenServer.server()) :: :ok
  def clear(cache), do: GenServer.call(cache, :clear)

  @doc false
  # What a request is remembered by; `nil` if it is not.
  @spec key(Request.t()) :: binary | nil
  def key(%Request{cache: nil}), do: nil

  def key(%Request{sampling: sampling} = request) do
    random? = sampling.temperature > 0 and not seed_given?(request)
    if not random? or request.cache_random, do: digest(request)
  end

  defp digest(%Request{sampling: sampling} = request) do
    seed = if seed_given?(request), do: sampling.seed

    meaning = [
      request.schema,
      said(request.schema),
      %{sampling | seed: seed},
      Enum.map([request | request.fallbacks], &backend/1),
      Map.take(request, [:prompt, :middleware, :max_tokens, :template, :text_options]),
      Map.take(request, [:tools, :template_variables, :max_reasoning_tokens])
    ]

    :crypto.hash(:sha256, meaning |> plain() |> :erlang.term_to_binary([:deterministic]))
  end

  # A schema module is known by its name, and by what it says at the moment.
  defp said(%{kind: :typed} = form), do: Form.to_json_schema(form)
  defp said(_form), do: nil

  # A function of the same code and values is another term in each process.
  defp plain(function) when is_function(function),
    do: {:function, function |> :erlang.fun_info() |> Keyword.delete(:pid) |> plain()}

  defp plain([first | rest]), do: [plain(first) | plain(rest)]
  defp plain(map) when is_map(map), do: :maps.map(fn _key, value -> plain(value) end, map)

  defp plain(tuple) when is_tuple(tuple),
    do: tuple |> Tuple.to_list() |> plain() |> List.to_tuple()

  defp plain(other), do: other

  defp seed_given?(request), do: Keyword.has_key?(request.sampling_options, :seed)

  defp backend(%{backend: backend} = target) do
    secrets = @secrets ++ (Backend.secrets(backend) -- @shaping)
    options = Keyword.drop(target.backend_options, secrets)
    {backend, target.model, options}
  end

  @doc false
  @spec fetch(GenServer.server(), binary) :: {:ok, written} | :none | {:error, OptionsError.t()}
  def fetch(cache, key) do
    GenServer.call(cache, {:fetch, key})
  rescue
    _no_name in [ArgumentError, FunctionClauseError] -> not_running(cache)
  catch
    :exit, _not_running -> not_running(cache)
  end

  defp not_running(cache) do
    expected = "a running Espalier.Cache"
    {:error, %OptionsError{kind: :invalid, option: :cache, expected: expected, got: cache}}
  end

  @doc false
  @spec put(GenServer.server(), binary, written) :: :ok
  def put(cache, key, written) do
    # A part of a larger binary would keep all of it.
    info = Map.new(written.info, &copied/1)
    text = :binary.copy(written.text)
    GenServer.cast(cache, {:put, key, %{written | text: text, info: info}})
  end

  defp copied({:text, text}), do: {:text, :binary.copy(text)}
  defp copied(other), do: other

  # `entries` has what was written by its key, with a number that grows; `ages` has the keys by those numbers.
  @impl true
  def init(options), do: {:ok, empty(Map.new(options))}

  defp empty(options), do: %{options: options, entries: %{}, ages: :gb_trees.empty(), bytes: 0}

  @impl true
  def handle_call({:fetch, key}, _from, state) do
    case state.entries do
      %{^key => entry} -> {:reply, living(entry), state}
      _none -> {:reply, :none, state}
    end
  end

  def handle_call(:info, _from, state),
    do: {:reply, %{entries: map_size(state.entries), bytes: state.bytes}, state}

  def handle_call(:clear, _from, state), do: {:reply, :ok, empty(state.options)}

  @impl true
  def handle_cast({:put, key, written}, state) do
    if size(written) > state.options.max_bytes,
      do: {:noreply, state},
      else: {:noreply, state |> delete(key) |> insert(key, written) |> shrink()}
  end

  defp living(entry),
    do: if(Deadline.left(entry.deadline) == 0, do: :none, else: {:ok, entry.written})

  defp insert(state, key, written) do
    age = System.unique_integer([:monotonic])
    entry = %{written: written, age: age, deadline: Deadline.new(state.options.ttl)}

    %{
      state
      | entries: Map.put(state.entries, key, entry),
        ages: :gb_trees.insert(age, key, state.ages),
        bytes: state.bytes + size(written)
    }
  end

  defp delete(state, key) do
    case Map.pop(state.entries, key) do
      {nil, _entries} ->
        state

      {entry, entries} ->
        bytes = state.bytes - size(entry.written)
        %{state | entries: entries, ages: :gb_trees.delete(entry.age, state.ages), bytes: bytes}
    end
  end

  defp size(%{text: text, info: info}), do: byte_size(text) + byte_size(info[:text] || "")

  # All are kept for the same time, so the oldest is the first that expires.
  defp shrink(%{entries: entries} = state) when entries == %{}, do: state

  defp shrink(state) do
    {_age, oldest} = :gb_trees.smallest(state.ages)

    if full?(state) or living(state.entries[oldest]) == :none,
      do: state |> delete(oldest) |> shrink(),
      else: state
  end

  defp full?(%{options: options} = state),
    do: map_size(state.entries) > options.max_entries or state.bytes > options.max_bytes
end
