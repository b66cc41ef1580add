defmodule Espalier.Dashboard.Sampler do
  @moduledoc false
  # Reads what was counted once a second, and tells those who subscribed.

  use GenServer

  alias Espalier.Dashboard.Loaded
  alias Espalier.Dashboard.Reading
  alias Espalier.Dashboard.Snapshot
  alias Espalier.Dashboard.Trail
  alias Espalier.Dashboard.Window
  alias Espalier.JSON
  alias Espalier.Telemetry.Aggregator

  @interval 1_000

  @spec start_link(map) :: GenServer.on_start()
  def start_link(settings),
    do: GenServer.start_link(__MODULE__, settings, name: settings.sampler)

  @doc "What there is now, as JSON."
  @spec snapshot(GenServer.server()) :: String.t()
  def snapshot(sampler), do: GenServer.call(sampler, :snapshot)

  @doc "Sends the calling process `{:snapshot, json}` at once and every second."
  @spec subscribe(GenServer.server()) :: :ok
  def subscribe(sampler), do: GenServer.call(sampler, :subscribe)

  # `json` is made when somebody asks for it, once for all of that second.
  @impl true
  def init(settings) do
    state = %{settings: settings, window: nil, json: nil, readers: %{}, next: milliseconds()}
    window = settings |> reading() |> Window.new(seconds())
    {:ok, schedule(%{state | window: window})}
  end

  @impl true
  def handle_call(:snapshot, _from, state) do
    state = ensure_json(state)
    {:reply, state.json, state}
  end

  def handle_call(:subscribe, {pid, _tag}, state) do
    state = ensure_json(state)
    send(pid, {:snapshot, state.json})
    {:reply, :ok, put_in(state.readers[Process.monitor(pid)], pid)}
  end

  @impl true
  def handle_info(:tick, state) do
    window = Window.add(state.window, reading(state.settings), seconds())
    {:noreply, %{state | window: window, json: nil} |> tell() |> schedule()}
  end

  def handle_info({:DOWN, monitor, :process, _pid, _reason}, state),
    do: {:noreply, %{state | readers: Map.delete(state.readers, monitor)}}

  def handle_info(_other, state), do: {:noreply, state}

  defp reading(%{aggregator: aggregator, trail: trail}),
    do: Reading.new(Aggregator.read(aggregator), Trail.read(trail), Loaded.read())

  defp tell(%{readers: readers} = state) when readers == %{}, do: state

  defp tell(state) do
    state = ensure_json(state)
    for {_monitor, pid} <- state.readers, do: send(pid, {:snapshot, state.json})
    state
  end

  defp ensure_json(%{json: nil} = state) do
    json = state.window |> Snapshot.new() |> JSON.encode!()
    %{state | json: json}
  end

  defp ensure_json(state), do: state

  # By the clock and not after the last one, so that a minute has sixty of them. What was missed is left out, and none
  # comes so soon that its rates would be chance.
  defp schedule(%{next: next} = state) do
    next = max(next + @interval, milliseconds() + div(@interval, 2))
    Process.send_after(self(), :tick, next, abs: true)
    %{state | next: next}
  end

  defp milliseconds, do: System.monotonic_time(:millisecond)
  defp seconds, do: System.monotonic_time() / System.convert_time_unit(1, :second, :native)
end
