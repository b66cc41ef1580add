defmodule Espalier.Soak do
  @moduledoc """
  Many callers of one model of whom some go away at random, models that come and go, and what is there before and after
  them: for `Espalier.SoakTest`, `bench/soak.exs` and `bench/loads.exs`.

  What a request is follows from its number alone: whole or streamed, constrained or free, read to its end, left by its
  reader, with hardly any time, with a caller that is killed, or wrong.
  """

  alias Espalier.Constraint
  alias Espalier.ConstraintCache
  alias Espalier.Deadline
  alias Espalier.Generation
  alias Espalier.GenerationError
  alias Espalier.JSON
  alias Espalier.Model
  alias Espalier.Native
  alias Espalier.Packed
  alias Espalier.Result

  @schemas [
    %{type: :object, properties: %{name: %{type: :string, maxLength: 20}}, required: [:name]},
    %{enum: ["billing", "technical", "shipping", 1, nil]},
    %{type: :array, items: %{type: :number, minimum: 0, maximum: 100}, minItems: 2, maxItems: 6},
    %{type: :object, properties: %{on: %{type: :string, format: :date}}, required: [:on]}
  ]

  @words ~w(Please add Omar Reed of Sallow Energy in Lisbon: the invoice is wrong! Zoë)

  # What is found out about constraints grows with new texts up to this. With the default that takes longer than a soak, and
  # would be taken for a loss.
  @table_bytes 2_000_000

  # In a hundred.
  @endings [right: 60, halted: 12, timeout: 10, killed: 14, wrong: 4]

  @typedoc """
  What became of a request. `:finished` are those that came to their end before they were left or killed.
  """
  @type outcome :: :finished | :halted | :timeout | :killed | :wrong

  @typedoc "A model, and the schemas of the requests with their constraints."
  @opaque t :: {Model.t(), [{map, Constraint.t()}]}

  @doc "What `run/3` asks, and of which model."
  @spec new(Model.t()) :: t
  def new(%Model{vocabulary: vocabulary} = model) do
    options = [vocabulary: vocabulary, limits: [table_bytes: @table_bytes]]
    {model, for(schema <- @schemas, do: {schema, Constraint.json_schema!(schema, options)})}
  end

  @doc "Runs requests, so many at once, and counts what became of them. A result that is not right raises."
  @spec run(t, Enumerable.t(pos_integer), pos_integer) :: %{outcome => pos_integer}
  def run({model, schemas}, numbers, at_once) do
    numbers
    |> Task.async_stream(&outcome(&1, model, schemas),
      max_concurrency: at_once,
      timeout: :infinity
    )
    |> Enum.frequencies_by(fn {:ok, outcome} -> outcome end)
  end

  defp outcome(number, model, schemas) do
    :rand.seed(:exsss, number)
    request = request(number, schemas)
    delay = if request.ending == :killed, do: :rand.uniform(30) - 1, else: :infinity

    {caller, monitor} =
      spawn_monitor(fn -> exit({:shutdown, {:outcome, call(request, model)}}) end)

    receive do
      {:DOWN, ^monitor, :process, ^caller, reason} -> outcome_of(reason, number)
    after
      delay ->
        Process.exit(caller, :kill)
        receive do: ({:DOWN, ^monitor, :process, ^caller, reason} -> outcome_of(reason, number))
    end
  end

  defp outcome_of({:shutdown, {:outcome, outcome}}, _number), do: outcome
  defp outcome_of(:killed, _number), do: :killed
  defp outcome_of(reason, number), do: raise("request #{number}: #{inspect(reason)}")

  defp request(number, schemas) do
    ending = ending(:rand.uniform(100), @endings)
    {json_schema, constraint} = Enum.random(schemas)

    %{
      ending: ending,
      json_schema: json_schema,
      schema: constraint,
      # What is wrong with a request is told of those with a schema.
      free?: ending != :wrong and :rand.uniform(4) == 1,
      streamed?: ending == :halted or :rand.uniform(2) == 1,
      prompt: 1..:rand.uniform(60) |> Enum.map_join(" ", fn _word -> Enum.random(@words) end),
      n_events: :rand.uniform(10),
      wrong: Enum.random([:unsatisfiable, :prompt_too_long, :invalid_request, :truncated]),
      options: [
        seed: number,
        temperature: :rand.uniform() * 2,
        frequency_penalty: :rand.uniform(),
        max_tokens: 30 + :rand.uniform(40),
        timeout: if(ending == :timeout, do: :rand.uniform(30) - 1, else: 60_000)
      ]
    }
  end

  defp ending(n, [{ending, share} | _more]) when n <= share, do: ending
  defp ending(n, [{_ending, share} | more]), do: ending(n - share, more)

  # In the process of the caller.
  defp call(request, model) do
    outcome = if request.free?, do: free(request, model), else: constrained(request, model)
    {:messages, []} = Process.info(self(), :messages)
    outcome
  end

  defp constrained(%{ending: :wrong} = request, model) do
    {schema, prompt, more} = wrong(request)
    options = [model: model] ++ Keyword.merge(request.options, more)
    {:error, %{kind: kind}} = Espalier.generate(schema, prompt, options)
    true = kind == request.wrong
    :wrong
  end

  defp constrained(%{streamed?: false} = request, model) do
    request.schema
    |> Espalier.generate_result(request.prompt, [model: model] ++ request.options)
    |> finished(request)
  end

  defp constrained(request, model) do
    events = Espalier.stream(request.schema, request.prompt, [model: model] ++ request.options)

    if request.ending == :halted do
      read = Enum.take(events, request.n_events)
      if match?({:done, _result}, List.last(read)), do: :finished, else: :halted
    else
      {:done, result} = Enum.reduce(events, nil, fn event, _last -> event end)
      finished({:ok, result}, request)
    end
  rescue
    error in GenerationError -> finished({:error, error}, request)
  end

  defp finished({:ok, %Result{text: text}}, %{json_schema: schema}) do
    {:ok, []} = schema |> JSON.encode!() |> Native.schema_validate(text, true, [])
    :finished
  end

  defp finished({:error, %GenerationError{kind: :timeout}}, %{ending: :timeout}), do: :timeout

  defp wrong(%{wrong: :unsatisfiable, prompt: prompt}),
    do: {%{type: :string, minLength: 2, maxLength: 1}, prompt, []}

  defp wrong(%{wrong: :prompt_too_long} = request),
    do: {request.schema, String.duplicate("word ", 2_000), []}

  defp wrong(%{wrong: :invalid_request} = request),
    do: {request.schema, request.prompt, logit_bias: %{0xFFFFFFFF => 1}}

  defp wrong(%{wrong: :truncated} = request),
    do: {{:regex, "[0-9]{50}"}, request.prompt, max_tokens: 10}

  # Without a schema there is no front door.
  defp free(request, model) do
    {:ok, tokens} = Model.encode(model, request.prompt)
    timeout = request.options[:timeout]
    native = native(request, tokens)
    {:ok, generation} = Generation.start(model, native, timeout, Deadline.new(timeout))
    n_events = if request.ending == :halted, do: request.n_events, else: :all
    {outcome, generation} = read(generation, n_events, request)
    Generation.stop(generation)
    outcome
  end

  defp native(request, tokens) do
    given = request.options |> Keyword.take(Keyword.keys(Espalier.Sampling.options()))

    given
    |> Espalier.Sampling.new()
    |> Map.from_struct()
    |> Map.merge(%{
      top_k: 0,
      logit_bias: [],
      prompt: Packed.pack(tokens),
      constraint: nil,
      streamed: request.streamed?,
      traced: false,
      priority: 0,
      reasoning: nil,
      caller: 0,
      max_tokens: request.options[:max_tokens]
    })
  end

  defp read(generation, 0, _request), do: {:halted, generation}

  defp read(generation, n_events, request) do
    case Generation.next(generation) do
      {{:tokens, _ids, _bytes, _forced?, _choice}, generation} ->
        read(generation, if(n_events == :all, do: :all, else: n_events - 1), request)

      {{:done, %{usage: usage}}, generation} ->
        true = usage.completion_tokens <= request.options[:max_tokens]
        {:finished, generation}

      {{:error, error}, generation} ->
        {finished({:error, error}, request), generation}
    end
  end

  @doc """
  Loads models, one after the other, lets each write, and stops it or kills its process.

  Constraints of models that are gone are dropped from the cache now and not within two minutes.
  """
  @spec load_and_stop(pos_integer) :: :ok
  def load_and_stop(times) do
    for n <- 1..times do
      options = [path: Model.tiny_path(), quantization: Enum.at([:none, :q8_0], rem(n, 2))]
      {:ok, pid} = Model.start_link(options)
      Process.unlink(pid)
      {:ok, _value} = Espalier.generate([name: {:string, max_length: 9}], "Ada.", model: pid)
      monitor = Process.monitor(pid)
      if rem(n, 3) == 0, do: Process.exit(pid, :kill), else: Model.stop(pid)
      receive do: ({:DOWN, ^monitor, :process, ^pid, _reason} -> :ok)
    end

    :erlang.garbage_collect()
    ConstraintCache.stats()
    :ok
  end

  @typedoc """
  What is there when nothing runs. `vm` and `resident` are bytes; `resident` is that of the process of the operating system,
  where that tells it.
  """
  @type level :: %{
          vm: non_neg_integer,
          resident: non_neg_integer | nil,
          counts: %{atom => non_neg_integer}
        }

  @doc "What is there, once the model has dropped what was left to it and processes have ended."
  @spec level(Model.t()) :: level
  def level(%Model{} = model) do
    settle(model, 500)
    Enum.each(Process.list(), &:erlang.garbage_collect/1)
    # The native library frees what is large in a thread of its own.
    Process.sleep(50)
    %{vm: :erlang.memory(:total), resident: resident(), counts: counts(model)}
  end

  # The model drops texts at its next step, and ends of processes are told by messages.
  defp settle(model, tries) do
    activity = Native.model_activity(model.ref)

    if tries > 0 and activity.running + activity.queue_length > 0 do
      Process.sleep(10)
      settle(model, tries - 1)
    else
      Process.sleep(50)
    end
  end

  defp counts(model) do
    activity = Native.model_activity(model.ref)

    activity
    |> Map.take([:running, :queue_length, :kv_cache_tokens])
    |> Map.merge(%{
      processes: length(Process.list()),
      ports: length(Port.list()),
      monitors: Process.list() |> Enum.map(&n_monitors/1) |> Enum.sum(),
      tables: length(:ets.all()),
      threads: status("Threads") || 0
    })
  end

  defp n_monitors(pid) do
    case Process.info(pid, [:monitors, :monitored_by]) do
      [monitors: monitors, monitored_by: monitored_by] -> length(monitors) + length(monitored_by)
      nil -> 0
    end
  end

  defp resident,
    do: with(kilobytes when kilobytes != nil <- status("VmRSS"), do: kilobytes * 1024)

  defp status(name) do
    with {:ok, text} <- File.read("/proc/self/status"),
         [_, number] <- Regex.run(~r/^#{name}:\s*(\d+)/m, text),
         do: String.to_integer(number),
         else: (_unknown -> nil)
  end

  @doc "Raises where something was left, or where resident memory grew since half of the levels by more than that factor."
  @spec check!(level, [level], float) :: :ok
  def check!(before, levels, growth) do
    half = Enum.at(levels, div(length(levels), 2) - 1)
    last = List.last(levels)

    if last.counts != before.counts,
      do: raise("left: expected #{inspect(before.counts)}, got: #{inspect(last.counts)}")

    if half.resident && last.resident > half.resident * growth,
      do: raise("resident memory grew from #{show(half.resident)} to #{show(last.resident)}")

    :ok
  end

  @doc "A level as a line."
  @spec describe(level) :: String.t()
  def describe(%{counts: counts} = level) do
    counts = Enum.map_join(counts, ", ", fn {what, n} -> "#{n} #{what}" end)
    "VM #{show(level.vm)}, resident #{show(level.resident)}; #{counts}"
  end

  defp show(nil), do: "unknown"
  defp show(bytes), do: "#{Float.round(bytes / 1.0e6, 1)} MB"
end
