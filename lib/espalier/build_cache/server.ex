defmodule Espalier.BuildCache.Server do
  @moduledoc false
  # Who builds, and who waits for it. The table is written to by this process only.

  use GenServer

  alias Espalier.BuildCache.Build
  alias Espalier.BuildCache.Table

  @sweep_milliseconds 60_000

  # How often a build is begun whose process is ended by others, or by a bug.
  @most_tries 3

  @spec start_link(module, keyword) :: GenServer.on_start()
  def start_link(module, options),
    do: GenServer.start_link(__MODULE__, {module, options}, name: options[:name])

  # `jobs` has what is built by its key, with those who wait for it by their monitors; `keys` has the keys by the
  # processes that build and by those monitors. `weak` has what may be found again after it was dropped, by its key.
  @impl true
  def init({module, options}) do
    Process.flag(:trap_exit, true)
    schedule_sweep()
    table = Table.new(options[:name], options[:max_bytes], options[:max_entries])
    state = %{module: module, table: table, options: Map.new(options)}
    {:ok, Map.merge(state, %{jobs: %{}, keys: %{}, weak: %{}})}
  end

  @impl true
  def handle_call({:fetch, key, recipe}, from, state) do
    # It may have been built while the question was under way.
    with :none <- Table.fetch(state.table.name, key),
         :none <- recall(state, key) do
      {:noreply, state |> ensure_job(key, recipe) |> add_waiter(key, from)}
    else
      {:ok, value} -> {:reply, {:ok, value}, state}
      {:ok, value, bytes} -> {:reply, {:ok, value}, put(state, key, recipe, value, bytes)}
    end
  end

  def handle_call(:stats, _from, state) do
    state = sweep(state)
    there = %{entries: Table.size(state.table), bytes: state.table.bytes}
    {:reply, Map.merge(there, Table.counts(state.table)), state}
  end

  def handle_call(:clear, _from, state) do
    {table, dropped} = Table.clear(state.table)
    {:reply, :ok, tell_evictions(%{state | table: table}, dropped, :cleared)}
  end

  defp recall(state, key) do
    with %{^key => {weak, bytes}} <- state.weak,
         {:ok, value} <- state.module.recall(weak) do
      {:ok, value, bytes}
    else
      _gone -> :none
    end
  end

  defp ensure_job(state, key, recipe) do
    if is_map_key(state.jobs, key),
      do: state,
      else: start(state, key, %{recipe: recipe, waiters: %{}, tries: 0, pid: nil})
  end

  defp start(state, key, job) do
    {server, options} = {self(), state.options}
    {:ok, pid} = Task.start_link(fn -> Build.run(server, job.recipe, options) end)
    job = %{job | pid: pid, tries: job.tries + 1}
    %{state | jobs: Map.put(state.jobs, key, job), keys: Map.put(state.keys, pid, key)}
  end

  defp add_waiter(state, key, {pid, _tag} = from) do
    monitor = Process.monitor(pid)
    state = put_in(state.keys[monitor], key)
    put_in(state.jobs[key].waiters[monitor], from)
  end

  @impl true
  def handle_info({:built, pid, result}, state) do
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

  defp keep(state, key, {:ok, value, bytes}) do
    state = put(state, key, state.jobs[key].recipe, value, bytes)
    weak = state.module.weak(value)
    if weak, do: put_in(state.weak[key], {weak, bytes}), else: state
  end

  defp keep(state, _key, {:error, _error}), do: state

  defp put(%{module: module} = state, key, recipe, value, bytes) do
    {table, dropped} = Table.put(state.table, key, value, bytes, module.owner(recipe))
    state = tell_evictions(%{state | table: table}, dropped, :full)
    if Table.member?(table, key), do: tell(state, :store, bytes, module.metadata(recipe))
    state
  end

  defp reply({:ok, value, _bytes}), do: {:ok, value}
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

  # The native side gives up a constraint that is compiled for a process that ended.
  defp cancel(state, key, job) do
    Process.unlink(job.pid)
    Process.exit(job.pid, :kill)
    %{state | jobs: Map.delete(state.jobs, key), keys: Map.delete(state.keys, job.pid)}
  end

  # In the end those who wait build it themselves, so that they see what happens.
  defp try_again(state, key) do
    job = state.jobs[key]
    if job.tries < @most_tries, do: start(state, key, job), else: answer(state, key, :failed)
  end

  defp sweep(state) do
    # Of what was asked for, this process may still have something that nobody else has.
    :erlang.garbage_collect()
    {table, dropped} = Table.drop_unused(state.table, &alive?(state, &1))
    weak = Map.filter(state.weak, fn {_key, {weak, _bytes}} -> alive?(state, weak) end)
    tell_evictions(%{state | table: table, weak: weak}, dropped, :unused)
  end

  defp alive?(state, weak), do: match?({:ok, _value}, state.module.recall(weak))

  defp tell_evictions(state, dropped, reason) do
    Table.count(state.table.name, :eviction, length(dropped))

    for bytes <- dropped, do: tell(state, :eviction, bytes, %{reason: reason})
    state
  end

  defp tell(%{table: table, module: module}, event, bytes, metadata) do
    module.tell(event, fn ->
      {%{bytes: bytes, entries: Table.size(table), total_bytes: table.bytes},
       Map.put(metadata, :cache, table.name)}
    end)
  end

  defp schedule_sweep, do: Process.send_after(self(), :sweep, @sweep_milliseconds)
end
