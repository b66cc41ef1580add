defmodule Espalier.Dashboard.Server do
  @moduledoc false
  # Owns the socket that is listened on. Connections are tasks of a supervisor that has room for so many and no more, so
  # all of them end with the dashboard.

  use GenServer

  alias Espalier.Dashboard.Address
  alias Espalier.Dashboard.Connection
  alias Espalier.DashboardError

  # How long a client may take to read what is sent.
  @send_milliseconds 5_000

  # How long to wait where no socket can be had.
  @pause_milliseconds 100

  @spec start_link(map) :: GenServer.on_start()
  def start_link(settings), do: GenServer.start_link(__MODULE__, settings, name: settings.server)

  @doc "The port that it listens on."
  @spec port(GenServer.server()) :: :inet.port_number()
  def port(server), do: GenServer.call(server, :port)

  @doc "Where it is found by a browser on this machine."
  @spec url(GenServer.server()) :: String.t()
  def url(server), do: GenServer.call(server, :url)

  @impl true
  def init(settings) do
    case :gen_tcp.listen(settings.port, socket_options(settings.ip)) do
      {:ok, listener} ->
        {:ok, port} = :inet.port(listener)
        spawn_link(fn -> accept(listener, settings) end)
        {:ok, %{listener: listener, port: port, ip: settings.ip}}

      {:error, reason} ->
        {:stop, error(reason, Address.listened(settings.ip, settings.port))}
    end
  end

  defp socket_options(ip) do
    family = if tuple_size(ip) == 4, do: :inet, else: :inet6

    [family, :binary, ip: ip, active: false, reuseaddr: true, nodelay: true, backlog: 128] ++
      [send_timeout: @send_milliseconds, send_timeout_close: true]
  end

  defp error(:eaddrinuse, address), do: %DashboardError{kind: :port_in_use, address: address}
  defp error(:eacces, address), do: %DashboardError{kind: :not_permitted, address: address}

  defp error(:eaddrnotavail, address),
    do: %DashboardError{kind: :no_such_address, address: address}

  defp error(reason, address) do
    detail = reason |> :inet.format_error() |> to_string()
    %DashboardError{kind: :listen, address: address, detail: detail}
  end

  @impl true
  def handle_call(:port, _from, state), do: {:reply, state.port, state}

  def handle_call(:url, _from, state),
    do: {:reply, "http://" <> Address.authority(state.ip, state.port), state}

  defp accept(listener, settings) do
    case :gen_tcp.accept(listener) do
      {:ok, socket} ->
        connect(socket, settings)
        accept(listener, settings)

      {:error, :closed} ->
        :ok

      {:error, _reason} ->
        Process.sleep(@pause_milliseconds)
        accept(listener, settings)
    end
  end

  defp connect(socket, settings) do
    serve = fn -> receive(do: (:go -> Connection.serve(socket, settings))) end

    case Task.Supervisor.start_child(settings.connections, serve) do
      {:ok, pid} ->
        # It may have closed already, which the process finds out.
        :gen_tcp.controlling_process(socket, pid)
        send(pid, :go)

      {:error, :max_children} ->
        Connection.refuse(socket)
    end
  end
end
