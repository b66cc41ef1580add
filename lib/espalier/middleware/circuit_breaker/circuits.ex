defmodule Espalier.Middleware.CircuitBreaker.Circuits do
  @moduledoc false
  # The circuits of this VM. Those that are as good as new ones are not kept.

  use GenServer

  alias Espalier.Middleware.CircuitBreaker.Circuit

  @max_circuits 10_000

  @typedoc "What a request that went through reports with. Only a probe has to report that nothing is known."
  @type pass :: %{key: term, ref: reference, probe?: boolean, options: Circuit.options()}

  @typedoc "From which state to which, where one changed."
  @type change :: {from :: atom, to :: atom} | :same

  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "Asks to go through. Otherwise it tells for how many milliseconds more the circuit is open."
  @spec enter(term, Circuit.options()) ::
          {:ok, pass, change} | {:open, left :: non_neg_integer | nil}
  def enter(key, options), do: GenServer.call(__MODULE__, {:enter, key, options})

  @doc "Tells what became of a request. What changes nothing is not sent."
  @spec report(pass, :answered | :failed | :unknown) :: change
  def report(%{probe?: false}, outcome) when outcome != :failed, do: :same
  def report(pass, outcome), do: GenServer.call(__MODULE__, {:report, pass, outcome})

  # `probes` has the keys of circuits by the monitors of the processes that probe.
  @impl true
  def init([]), do: {:ok, %{circuits: %{}, probes: %{}}}

  @impl true
  def handle_call({:enter, key, options}, {pid, _tag}, state) do
    circuit = Map.get(state.circuits, key, %Circuit{})
    ref = make_ref()

    case Circuit.enter(circuit, now(), ref) do
      {:pass, circuit} ->
        {:reply, {:ok, pass(key, ref, false, options), :same}, put(state, key, circuit)}

      {:probe, probed} ->
        state = put_in(state.probes[Process.monitor(pid)], {key, ref, options})
        reply = {:ok, pass(key, ref, true, options), change(circuit, probed)}
        {:reply, reply, put(state, key, probed)}

      {:refused, until} ->
        {:reply, {:open, until && max(until - now(), 0)}, state}
    end
  end

  def handle_call({:report, pass, outcome}, _from, state) do
    circuit = Map.get(state.circuits, pass.key, %Circuit{})
    reported = Circuit.report(circuit, pass.ref, outcome, now(), pass.options)
    {:reply, change(circuit, reported), state |> release(pass) |> put(pass.key, reported)}
  end

  @impl true
  def handle_info({:DOWN, monitor, :process, _pid, _reason}, state) do
    {{key, ref, options}, probes} = Map.pop!(state.probes, monitor)
    circuit = Map.get(state.circuits, key, %Circuit{})
    circuit = Circuit.report(circuit, ref, :unknown, now(), options)
    {:noreply, put(%{state | probes: probes}, key, circuit)}
  end

  defp pass(key, ref, probe?, options),
    do: %{key: key, ref: ref, probe?: probe?, options: options}

  defp release(state, %{probe?: false}), do: state

  defp release(state, pass) do
    case Enum.find(state.probes, fn {_monitor, {_key, ref, _options}} -> ref == pass.ref end) do
      {monitor, _probe} ->
        Process.demonitor(monitor, [:flush])
        %{state | probes: Map.delete(state.probes, monitor)}

      nil ->
        state
    end
  end

  defp change(one, other) do
    case {Circuit.name(one), Circuit.name(other)} do
      {name, name} -> :same
      change -> change
    end
  end

  defp put(state, key, %Circuit{state: :closed, failures: []}),
    do: %{state | circuits: Map.delete(state.circuits, key)}

  defp put(%{circuits: circuits} = state, key, circuit) do
    circuits = if is_map_key(circuits, key), do: circuits, else: make_room(circuits)
    %{state | circuits: Map.put(circuits, key, circuit)}
  end

  defp make_room(circuits) when map_size(circuits) < @max_circuits, do: circuits

  defp make_room(circuits) do
    now = now()
    kept = Map.reject(circuits, fn {_key, circuit} -> circuit.stale_at <= now end)

    if map_size(kept) < @max_circuits do
      kept
    else
      {oldest, _circuit} = Enum.min_by(kept, fn {_key, circuit} -> circuit.stale_at end)
      Map.delete(kept, oldest)
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
