defmodule Espalier.Model.Host do
  @moduledoc false
  # Does for readers on other nodes what has to be done where a model is served.
  #
  # Each request has a process of its own here, which ends when its reader does, or the reader's node.

  use GenServer

  alias Espalier.Model.Relay
  alias Espalier.Request

  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc """
  Starts a request at a node, and gives its process. What that sends goes to `reader`, an alias of the calling process.
  """
  @spec start(node, Relay.work(), Request.t(), reference, timeout) ::
          {:ok, pid} | {:error, :gone | :timeout}
  def start(node, work, request, reader, timeout) do
    GenServer.call({__MODULE__, node}, {:start, work, request, reader}, timeout)
  catch
    :exit, {:timeout, _call} -> {:error, :timeout}
    :exit, _not_there -> {:error, :gone}
  end

  @doc "Ends a request, if it hasn't ended."
  @spec stop(node, reference) :: :ok
  def stop(node, reader) do
    # Where the node is not connected any more, its host has seen that, too.
    Process.send({__MODULE__, node}, {:stop, reader}, [:noconnect])
    :ok
  end

  # `readers` has the monitor and the process for each, `by` the reader of each monitor and process.
  @impl true
  def init([]) do
    Process.flag(:trap_exit, true)
    {:ok, %{readers: %{}, by: %{}}}
  end

  @impl true
  def handle_call({:start, work, request, reader}, {pid, _tag}, state) do
    {:ok, relay} = Task.start_link(Relay, :run, [work, request, reader])
    monitor = Process.monitor(pid)
    state = put_in(state.readers[reader], {monitor, relay})

    {:reply, {:ok, relay},
     update_in(state.by, &Map.merge(&1, %{monitor => reader, relay => reader}))}
  end

  @impl true
  def handle_info({:stop, reader}, state), do: {:noreply, remove(state, reader)}

  def handle_info({:DOWN, monitor, :process, _reader, _reason}, state),
    do: {:noreply, remove(state, state.by[monitor])}

  def handle_info({:EXIT, relay, _reason}, state), do: {:noreply, remove(state, state.by[relay])}

  defp remove(state, reader) do
    case pop_in(state.readers[reader]) do
      {nil, state} ->
        state

      {{monitor, relay}, state} ->
        Process.demonitor(monitor, [:flush])
        Process.exit(relay, :kill)
        update_in(state.by, &Map.drop(&1, [monitor, relay]))
    end
  end
end
