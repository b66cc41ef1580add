defmodule Espalier.HTTP.Pool do
  @moduledoc false
  # Connections that wait for the next request to their server. Those in use belong to their callers, and how
  # many these are is not limited here.

  use GenServer

  alias Espalier.HTTP.Connection
  alias Espalier.HTTP.Socket

  # Servers close what is idle after a minute or so.
  @most_idle_milliseconds 30_000
  @most_connections 100

  @spec start_link(term) :: GenServer.on_start()
  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "An open connection to the address, which belongs to the calling process from now on."
  @spec take(Socket.address()) :: {:ok, Connection.t()} | :none
  def take(address) do
    case GenServer.call(__MODULE__, {:take, address}, :infinity) do
      {:ok, socket} -> {:ok, %Connection{address: address, socket: socket}}
      :none -> :none
    end
  end

  @doc "Keeps a connection that the calling process doesn't need any more."
  @spec keep(Connection.t()) :: :ok
  def keep(%Connection{address: address, socket: socket}) do
    with pid when is_pid(pid) <- Process.whereis(__MODULE__),
         :ok <- Socket.give(socket, pid) do
      GenServer.cast(pid, {:keep, address, socket})
    else
      _closed -> Socket.close(socket)
    end
  end

  @impl true
  # The last one that came is the first.
  def init([]), do: {:ok, []}

  @impl true
  def handle_call({:take, address}, {caller, _tag}, idle) do
    case List.keytake(idle, address, 0) do
      {{_address, socket, timer}, idle} ->
        Process.cancel_timer(timer)
        take(socket, caller, address, idle)

      nil ->
        {:reply, :none, idle}
    end
  end

  defp take(socket, caller, address, idle) do
    with :ok <- Socket.setopts(socket, active: false),
         # Nothing came, and the end didn't either.
         {:error, {:timeout, _detail}} <- Socket.read(socket, 0),
         :ok <- Socket.give(socket, caller) do
      {:reply, {:ok, socket}, idle}
    else
      _closed ->
        Socket.close(socket)
        handle_call({:take, address}, {caller, nil}, idle)
    end
  end

  @impl true
  def handle_cast({:keep, address, socket}, idle) do
    # A message says when the server closes it.
    case Socket.setopts(socket, active: :once) do
      :ok ->
        timer = Process.send_after(self(), {:expired, socket}, @most_idle_milliseconds)
        {kept, dropped} = Enum.split([{address, socket, timer} | idle], @most_connections)
        Enum.each(dropped, &drop/1)
        {:noreply, kept}

      _closed ->
        Socket.close(socket)
        {:noreply, idle}
    end
  end

  defp drop({_address, socket, timer}) do
    Process.cancel_timer(timer)
    Socket.close(socket)
  end

  @impl true
  def handle_info({:expired, socket}, idle), do: {:noreply, forget(socket, idle)}
  # The server closed it, or sent what nobody asked for.
  def handle_info({:ssl_closed, socket}, idle), do: {:noreply, forget({:ssl, socket}, idle)}
  def handle_info({:tcp_closed, socket}, idle), do: {:noreply, forget({:gen_tcp, socket}, idle)}
  def handle_info({:ssl, socket, _bytes}, idle), do: {:noreply, forget({:ssl, socket}, idle)}
  def handle_info({:tcp, socket, _bytes}, idle), do: {:noreply, forget({:gen_tcp, socket}, idle)}
  def handle_info({:ssl_error, socket, _}, idle), do: {:noreply, forget({:ssl, socket}, idle)}
  def handle_info({:tcp_error, socket, _}, idle), do: {:noreply, forget({:gen_tcp, socket}, idle)}

  defp forget(socket, idle) do
    case List.keytake(idle, socket, 1) do
      {entry, idle} ->
        drop(entry)
        idle

      # It was taken at that moment.
      nil ->
        idle
    end
  end
end
