defmodule Espalier.Middleware.Throttle.Gates do
  @moduledoc false
  # The gates of this VM, with those who wait before them in the order in which they came.

  use GenServer

  alias Espalier.Middleware.Throttle.Gate

  # Beyond so many, gates that are as good as new ones are looked for.
  @many_gates 1_000

  @opaque place :: reference

  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "Waits for room, at most so many milliseconds. The caller has its place until it leaves or ends."
  @spec enter(term, Gate.limits(), timeout) :: {:ok, place} | {:full, :at_once | :rate}
  def enter(key, limits, wait),
    do: GenServer.call(__MODULE__, {:enter, key, limits, wait}, :infinity)

  @doc "Makes room."
  @spec leave(place) :: :ok
  def leave(place), do: GenServer.cast(__MODULE__, {:leave, place})

  # A place is the monitor of its process. `places` has the key and what is known of each: that it is
  # `:running`, or how it waits. `timed` are the keys whose queue goes on by itself when there is room.
  @impl true
  def init([]), do: {:ok, %{gates: %{}, queues: %{}, places: %{}, timed: MapSet.new()}}

  @impl true
  def handle_call({:enter, key, limits, wait}, {pid, _tag} = from, state) do
    place = Process.monitor(pid)
    timer = if wait != :infinity, do: Process.send_after(self(), {:late, place}, wait)
    waiting = %{from: from, limits: limits, timer: timer}

    state = put_in(state.places[place], {key, waiting})
    queue = :queue.in(place, Map.get(state.queues, key, :queue.new()))
    {:noreply, advance(put_in(state.queues[key], queue), key)}
  end

  @impl true
  def handle_cast({:leave, place}, state), do: {:noreply, remove(state, place)}

  @impl true
  def handle_info({:DOWN, place, :process, _pid, _reason}, state),
    do: {:noreply, remove(state, place)}

  def handle_info({:late, place}, state) do
    case state.places do
      %{^place => {key, %{from: from, limits: limits}}} ->
        GenServer.reply(from, {:full, reason(gate(state, key), limits)})
        {:noreply, remove(state, place)}

      # It got its place while the message was under way.
      _running ->
        {:noreply, state}
    end
  end

  def handle_info({:advance, key}, state),
    do: {:noreply, advance(%{state | timed: MapSet.delete(state.timed, key)}, key)}

  # Lets those through who come first, as long as there is room.
  defp advance(state, key) do
    with {:ok, queue} <- Map.fetch(state.queues, key), {:value, place} <- :queue.peek(queue) do
      {^key, waiting} = state.places[place]
      admit(Gate.enter(gate(state, key), waiting.limits, now()), state, key, place)
    else
      :error -> state
      :empty -> %{state | queues: Map.delete(state.queues, key)}
    end
  end

  defp admit({:ok, gate}, state, key, place) do
    {^key, waiting} = state.places[place]
    if waiting.timer, do: Process.cancel_timer(waiting.timer)
    GenServer.reply(waiting.from, {:ok, place})

    state = put_in(state.places[place], {key, :running})
    state = update_in(state.queues[key], &:queue.drop/1)
    state |> put_gate(key, gate) |> advance(key)
  end

  defp admit({:full, :at_once}, state, _key, _place), do: state

  defp admit({:full, :rate, wait}, state, key, _place) do
    if key not in state.timed,
      do: Process.send_after(self(), {:advance, key}, div(wait, 1000) + 1)

    %{state | timed: MapSet.put(state.timed, key)}
  end

  defp remove(state, place) do
    Process.demonitor(place, [:flush])

    case pop_in(state.places[place]) do
      {{key, :running}, state} ->
        state |> put_gate(key, Gate.leave(gate(state, key))) |> advance(key)

      {{key, _waiting}, state} ->
        state |> update_in([:queues, key], &:queue.delete(place, &1)) |> advance(key)

      {nil, state} ->
        state
    end
  end

  # The next in the queue may have been full by its own limits only.
  defp reason(gate, limits) do
    case Gate.enter(gate, limits, now()) do
      {:full, :at_once} -> :at_once
      _rate_or_turn -> if limits.rate, do: :rate, else: :at_once
    end
  end

  defp gate(state, key), do: Map.get(state.gates, key, %Gate{})

  defp put_gate(state, key, gate) do
    if Gate.new?(gate, now()) do
      %{state | gates: Map.delete(state.gates, key)}
    else
      gates = if is_map_key(state.gates, key), do: state.gates, else: make_room(state.gates)
      %{state | gates: Map.put(gates, key, gate)}
    end
  end

  defp make_room(gates) when map_size(gates) < @many_gates, do: gates

  defp make_room(gates) do
    now = now()
    Map.reject(gates, fn {_key, gate} -> Gate.new?(gate, now) end)
  end

  defp now, do: System.monotonic_time(:microsecond)
end
