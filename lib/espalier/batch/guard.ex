defmodule Espalier.Batch.Guard do
  @moduledoc false
  # Ends the items of a batch when its reader dies, however that happens.
  #
  # Each item links itself to the guard, which outlives the items but not the reader. So there is no moment at which
  # an item runs that nobody would end.

  use GenServer

  @doc "Starts the guard of this process."
  @spec start() :: {:ok, pid}
  def start, do: GenServer.start(__MODULE__, self())

  @doc "Binds this process to a guard; without one it ends."
  @spec link(pid) :: true
  def link(guard), do: Process.link(guard)

  @doc "Lets go of what is linked."
  @spec stop(pid) :: :ok
  def stop(guard), do: GenServer.stop(guard)

  @impl true
  def init(reader) do
    Process.flag(:trap_exit, true)
    {:ok, Process.monitor(reader)}
  end

  @impl true
  def handle_info({:DOWN, monitor, :process, _reader, _reason}, monitor),
    do: {:stop, :shutdown, monitor}

  def handle_info({:EXIT, _item, _reason}, monitor), do: {:noreply, monitor}
end
