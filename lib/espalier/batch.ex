defmodule Espalier.Batch do
  @moduledoc false
  # Many generations: items are read from an enumerable, each is generated in a process of its own, and the reader
  # gets one result for each.
  #
  # `Task.Supervisor.async_stream_nolink/4` does most of this and is not enough: in order, it goes on taking items while
  # a slow one holds up the results, without an end where the items have none; and its tasks outlive a reader that is
  # killed. Here the items are never further ahead of the reader than `:max_concurrency`, and a `Guard` ends what a
  # dead reader left.

  alias Espalier.Backend
  alias Espalier.Batch.Guard
  alias Espalier.Batch.Item
  alias Espalier.Batch.Progress
  alias Espalier.Cursor
  alias Espalier.Deadline
  alias Espalier.Error
  alias Espalier.GenerationError
  alias Espalier.Options
  alias Espalier.Request
  alias Espalier.Result
  alias Espalier.Schema.Form
  alias Espalier.Telemetry

  @supervisor Espalier.Batch.Supervisor

  @options [
    max_concurrency: [
      type: :pos_integer,
      doc: """
      How many items are generated at once, and how many are taken before their results are read. By default \
      as many as the served model advances together, see `Espalier.Model.start_link/1`; 8 with other backends.\
      """
    ],
    ordered: [
      type: :boolean,
      default: true,
      doc: """
      Whether a stream yields results in the order of the items, or each as soon as it is there. In order, a slow \
      item holds up those after it. A list is always in order.\
      """
    ],
    item_timeout: [
      type: :timeout,
      default: :infinity,
      doc: """
      The most milliseconds for one item, the function that makes its request included. Within that, `:timeout` \
      bounds each generation.\
      """
    ],
    progress: [
      type: {:or, [:boolean, {:custom, "function of a map", &Progress.function?/1}]},
      default: false,
      doc: """
      Whether standard error shows how far it is, by a bar in a terminal and by lines elsewhere. A function is \
      called instead, by the reading process: at the start and after each item, with a map of `:done` (items, failed \
      ones included), `:failed`, `:total` (`nil` where that can't be told) and `:elapsed` (milliseconds).\
      """
    ]
  ]

  # `running` are the tasks and deadlines of items by their references, `finished` the results that were not yielded,
  # by the places of their items.
  @enforce_keys [:ask, :settings, :span, :guard, :items, :progress]
  defstruct @enforce_keys ++
              [running: %{}, finished: %{}, taken: 0, yielded: 0, done: 0, failed: 0, raised: nil]

  @doc "The options of a batch, beside those of its generations."
  @spec options() :: Options.schema()
  def options, do: @options

  @typedoc """
  A schema for all items, or a function that makes of an item what `Espalier.generate_result/3` takes. It may come with
  the form that all have.
  """
  @type ask :: Espalier.Schema.t() | (term -> tuple) | {Form.t(), (term -> tuple)}

  @type result :: {:ok, Result.t()} | {:error, Exception.t()}

  @doc "The results of the items, as they are read. What is wrong with the options or the schema raises at once."
  @spec stream(Enumerable.t(), ask, keyword) :: Enumerable.t(result)
  def stream(items, ask, options) do
    items |> open(ask, options, @options) |> Stream.map(&elem(&1, 1))
  end

  @doc "All results in order."
  @spec list(Enumerable.t(), ask, keyword) :: [result]
  def list(items, ask, options) do
    # They are put in order at the end, so that no item holds up another.
    declared = Keyword.delete(@options, :ordered)
    places = items |> open(ask, options, declared) |> Enum.sort_by(&elem(&1, 0))
    Enum.map(places, &elem(&1, 1))
  end

  defp open(items, ask, options, declared) do
    # All names are checked together, so that the nearest is among all of them.
    checked = Options.validate!(options, declared ++ Request.options())
    {options, names} = {Keyword.drop(options, Keyword.keys(declared)), Keyword.keys(declared)}
    settings = checked |> Keyword.take(names) |> Map.new() |> Map.put_new(:ordered, false)
    ask = Item.ask(ask, options)
    target = options |> Request.validate() |> Error.bang!() |> Request.targets() |> hd()
    Stream.resource(fn -> start(items, ask, settings, target) end, &next/1, &close/1)
  end

  # A function of the caller that raises does so before there is anything to let go of.
  defp start(items, ask, settings, target) do
    settings =
      Map.put_new_lazy(settings, :max_concurrency, fn -> Backend.max_concurrency(target) end)

    total = total(items)
    progress = Progress.new(settings.progress, total)
    {:ok, guard} = Guard.start()

    %__MODULE__{
      ask: ask,
      settings: settings,
      span: Telemetry.start(:batch, fn -> metadata(ask, settings, target, total) end),
      guard: guard,
      items: Cursor.open(items),
      progress: progress
    }
  end

  defp metadata(ask, settings, target, total) do
    settings
    |> Map.take([:max_concurrency, :ordered])
    |> Map.merge(%{backend: target.backend, model: target.model, total: total})
    |> Map.put(:schema, if(ask.form, do: Form.name(ask.form)))
  end

  # To count other enumerables may mean to read them.
  defp total(items) when is_list(items), do: length(items)
  defp total(items) when is_map(items) and not is_struct(items), do: map_size(items)
  defp total(%struct{} = items) when struct in [Range, MapSet], do: Enum.count(items)
  defp total(_items), do: nil

  # Raised only when all results were yielded, and in a step of its own: nothing is left that could be let go of twice.
  defp next(%{raised: {kind, reason, stacktrace}, running: running, finished: finished})
       when running == %{} and finished == %{},
       do: :erlang.raise(kind, reason, stacktrace)

  defp next(run) do
    run = fill(run)

    case place(run) do
      nil when run.running != %{} -> {[], await(run)}
      nil when run.raised != nil -> {[], run}
      nil -> {:halt, run}
      place -> yield(place, run)
    end
  end

  defp fill(%{items: nil} = run), do: run

  defp fill(%{taken: taken, yielded: yielded, settings: %{max_concurrency: most}} = run)
       when taken - yielded >= most,
       do: run

  defp fill(run) do
    case Cursor.next(run.items) do
      {:element, item, items} ->
        fill(begin(%{run | items: items}, item))

      :ended ->
        %{run | items: nil}

      {:raised, kind, reason, stacktrace} ->
        %{run | items: nil, raised: {kind, reason, stacktrace}}
    end
  end

  defp begin(%{ask: ask, guard: guard} = run, item) do
    task =
      Task.Supervisor.async_nolink(@supervisor, fn ->
        Guard.link(guard)
        Item.run(ask, item)
      end)

    deadline = Deadline.new(run.settings.item_timeout)
    running = Map.put(run.running, task.ref, %{task: task, place: run.taken, deadline: deadline})
    %{run | running: running, taken: run.taken + 1}
  end

  # Where the next result to yield is, if it is there.
  defp place(%{settings: %{ordered: true}} = run),
    do: if(is_map_key(run.finished, run.yielded), do: run.yielded)

  defp place(run), do: run.finished |> Map.keys() |> List.first()

  defp yield(place, run) do
    {result, finished} = Map.pop!(run.finished, place)
    {[{place, result}], %{run | finished: finished, yielded: run.yielded + 1}}
  end

  defp await(%{running: running} = run) do
    receive do
      {ref, result} when is_map_key(running, ref) ->
        receive do
          {:DOWN, ^ref, :process, _pid, _reason} -> finish(run, ref, result)
        end

      {:DOWN, ref, :process, _pid, reason} when is_map_key(running, ref) ->
        finish(run, ref, {:error, GenerationError.crashed(:exit, reason)})
    after
      running |> Map.values() |> Enum.map(&Deadline.left(&1.deadline)) |> Enum.min() ->
        run |> late() |> Enum.reduce(run, &expire/2)
    end
  end

  defp late(run),
    do: for({ref, %{deadline: deadline}} <- run.running, Deadline.left(deadline) == 0, do: ref)

  # It may have got ready at the last moment.
  defp expire(ref, run) do
    case Task.shutdown(run.running[ref].task, :brutal_kill) do
      {:ok, result} -> finish(run, ref, result)
      _killed -> finish(run, ref, {:error, timeout(run.settings.item_timeout)})
    end
  end

  defp timeout(milliseconds) do
    message = "no result of the item within #{milliseconds} ms: it was ended"
    %GenerationError{kind: :timeout, message: message}
  end

  defp finish(run, ref, result) do
    {%{place: place}, running} = Map.pop!(run.running, ref)
    failed = if match?({:error, _error}, result), do: 1, else: 0

    tell(%{
      run
      | running: running,
        finished: Map.put(run.finished, place, result),
        done: run.done + 1,
        failed: run.failed + failed
    })
  end

  defp tell(run) do
    Progress.tell(run.progress, counts(run))
    running = map_size(run.running)
    Telemetry.within(run.span, :progress, fn -> Map.put(counts(run), :running, running) end)
    run
  catch
    kind, reason -> %{let_go(run) | raised: {kind, reason, __STACKTRACE__}}
  end

  defp counts(run), do: Map.take(run, [:done, :failed])

  defp let_go(run) do
    tasks = for {_ref, %{task: task}} <- run.running, do: task
    Enum.each(tasks, &Process.exit(&1.pid, :kill))
    Enum.each(tasks, &Task.shutdown(&1, :brutal_kill))
    if run.items, do: Cursor.close(run.items)
    %{run | running: %{}, finished: %{}, items: nil}
  end

  defp close(run) do
    let_go(run)
    Guard.stop(run.guard)
    Progress.close(run.progress)
    tell_end(run)
  end

  defp tell_end(%{raised: {_kind, reason, _stacktrace}} = run),
    do: Telemetry.exception(run.span, Exception.normalize(:error, reason), counts(run))

  defp tell_end(run) do
    ended? = run.items == nil and run.yielded == run.taken
    finish_reason = if ended?, do: :stop, else: :halted
    Telemetry.stop(run.span, counts(run), %{finish_reason: finish_reason})
  end
end
