defmodule Espalier.ConstraintCache.Server do
  @moduledoc false
  # Who compiles, and who waits for it. The table is written to by this process only.

  use GenServer

  alias Espalier.Constraint
  alias Espalier.ConstraintCache.Compilation
  alias Espalier.ConstraintCache.Key
  alias Espalier.ConstraintCache.Table
  alias Espalier.Options
  alias Espalier.Telemetry

  @options [
    name: [type: :atom, default: Espalier.ConstraintCache, doc: "The name of the cache."],
    max_bytes: [
      type: :non_neg_integer,
      default: 134_217_728,
      doc: "The most bytes of all constraints together, as they are counted here."
    ],
    max_entries: [type: :non_neg_integer, default: 1_000, doc: "The most constraints."],
    directory: [
      type: {:or, [:string, {:in, [nil]}]},
      doc: "Where constraints are stored, too. It is made if it isn't there."
    ]
  ]

  @sweep_milliseconds 60_000

  # How often a compilation is begun whose process is ended by others, or by a bug.
  @most_tries 3

  @spec options() :: Options.schema()
  def options, do: @options

  @spec start_link(keyword) :: GenServer.on_start() | {:error, Espalier.OptionsError.t()}
  def start_link(options) do
    with {:ok, options} <- Options.validate(options, @options),
         do: GenServer.start_link(__MODULE__, options, name: options[:name])
  end

  @doc "The constraint, when it is compiled; `name` is what telemetry calls the schema."
  @spec fetch(atom, Key.t(), Constraint.Source.t(), atom) ::
          {:ok, Constraint.t()} | {:error, Exception.t()}
  def fetch(cache, key, source, name) do
    with :failed <- call(cache, {:fetch, key, source, name}),
         do: Compilation.compile(source, name)
  end

  defp call(cache, message) do
    GenServer.call(cache, message, :infinity)
  catch
    :exit, _not_running -> :failed
  end

  # `jobs` has what is compiled by its key, with those who wait for it by their monitors; `keys` has the keys by the
  # processes that compile and by those monitors.
  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)
    schedule_sweep()
    table = Table.new(options[:name], options)
    {:ok, %{table: table, options: Map.new(options), jobs: %{}, keys: %{}}}
  end

  @impl true
  def handle_call({:fetch, key, source, name}, from, state) do
    # It may have been compiled while the question was under way.
    case Table.fetch(state.table.name, key, source.vocabulary) do
      {:ok, constraint} -> {:reply, {:ok, constraint}, state}
      :none -> {:noreply, state |> ensure_job(key, source, name) |> add_waiter(key, from)}
    end
  end

  def handle_call(:stats, _from, state) do
    state = sweep(state)
    there = %{entries: Table.size(state.table), bytes: state.table.bytes}
    {:reply, Map.merge(there, Table.counts(state.table)), state}
  end

  def handle_call(:clear, _from, state),
    do: {:reply, :ok, %{state | table: Table.clear(state.table)}}

  defp ensure_job(state, key, source, name) do
    if is_map_key(state.jobs, key) do
      state
    else
      start(state, key, %{source: source, name: name, waiters: %{}, tries: 0, pid: nil})
    end
  end

  defp start(state, key, job) do
    {server, options} = {self(), state.options}

    {:ok, pid} = Task.start_link(fn -> Compilation.run(server, job.source, job.name, options) end)

    job = %{job | pid: pid, tries: job.tries + 1}
    %{state | jobs: Map.put(state.jobs, key, job), keys: Map.put(state.keys, pid, key)}
  end

  defp add_waiter(state, key, {pid, _tag} = from) do
    monitor = Process.monitor(pid)
    state = put_in(state.keys[monitor], key)
    put_in(state.jobs[key].waiters[monitor], from)
  end

  @impl true
  def handle_info({:compiled, pid, result}, state) do
    case pop_in(state.keys[pid]) do
      {nil, state} -> {:noreply, state}
      {key, state} -> {:noreply, state |> keep(key, result) |> answer(key, reply(result))}
    end
  end

  def handle_info({:DOWN, monitor, :process, _pid, _reason}, state) do
    case pop_in(state.keys[monitor]) do
      {nil, state} -> {:noreply, state}
      {key, state} -> {:noreply, forget_waiter(state, key, monitor)}
    end
  end

  def handle_info({:EXIT, pid, _reason}, state) do
    case pop_in(state.keys[pid]) do
      # It has sent its result before.
      {nil, state} -> {:noreply, state}
      {key, state} -> {:noreply, try_again(state, key)}
    end
  end

  def handle_info(:sweep, state) do
    schedule_sweep()
    {:noreply, sweep(state)}
  end

  defp keep(state, key, {:ok, constraint, bytes}) do
    {table, dropped} = Table.put(state.table, key, constraint, bytes)
    state = tell_evictions(%{state | table: table}, dropped, :full)
    if Table.member?(table, key), do: tell(state, :store, bytes, %{schema: state.jobs[key].name})
    state
  end

  defp keep(state, _key, {:error, _error}), do: state

  defp reply({:ok, constraint, _bytes}), do: {:ok, constraint}
  defp reply(error), do: error

  defp answer(state, key, reply) do
    {job, state} = pop_in(state.jobs[key])

    for {monitor, from} <- job.waiters do
      Process.demonitor(monitor, [:flush])
      GenServer.reply(from, reply)
    end

    %{state | keys: Map.drop(state.keys, Map.keys(job.waiters))}
  end

  defp forget_waiter(state, key, monitor) do
    {_from, state} = pop_in(state.jobs[key].waiters[monitor])
    job = state.jobs[key]
    if job.waiters == %{}, do: cancel(state, key, job), else: state
  end

  # The native side gives up what is compiled for a process that ended.
  defp cancel(state, key, job) do
    Process.unlink(job.pid)
    Process.exit(job.pid, :kill)
    %{state | jobs: Map.delete(state.jobs, key), keys: Map.delete(state.keys, job.pid)}
  end

  # In the end those who wait compile themselves, so that they see what happens.
  defp try_again(state, key) do
    job = state.jobs[key]
    if job.tries < @most_tries, do: start(state, key, job), else: answer(state, key, :failed)
  end

  defp sweep(state) do
    {table, dropped} = Table.drop_unused(state.table)
    tell_evictions(%{state | table: table}, dropped, :unused)
  end

  defp tell_evictions(state, dropped, reason) do
    Table.count(state.table.name, :eviction, length(dropped))

    for bytes <- dropped, do: tell(state, :eviction, bytes, %{reason: reason})
    state
  end

  defp tell(%{table: table}, event, bytes, metadata) do
    Telemetry.event([:constraint_cache, event], fn ->
      {%{bytes: bytes, entries: Table.size(table), total_bytes: table.bytes}, metadata}
    end)
  end

  defp schedule_sweep, do: Process.send_after(self(), :sweep, @sweep_milliseconds)
end
