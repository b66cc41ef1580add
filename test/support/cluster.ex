defmodule Espalier.Cluster do
  @moduledoc """
  Other nodes on this machine, with the code of this one, for tests.

  They are connected by the loopback interface and end with the process that starts them.
  """

  @doc "Makes this VM a node, if that can be done here."
  @spec start() :: :ok | {:error, term}
  def start do
    if Node.alive?() do
      :ok
    else
      with {:ok, _pid} <- start_epmd() |> start_node() do
        Node.set_cookie(random("cookie"))
        :ok
      end
    end
  end

  # As a daemon it would outlive this VM. Where one runs already, this one ends at once.
  defp start_epmd do
    case System.find_executable("epmd") do
      nil ->
        {:error, :epmd}

      epmd ->
        script = ~s("$0" -address 127.0.0.1 & pid=$!; cat; kill $pid)
        spawn(fn -> hold({:spawn_executable, "/bin/sh"}, ["-c", script, epmd]) end)
        await_epmd(500)
    end
  end

  # The port, and so the script's input, is closed when this VM ends.
  defp hold(command, arguments) do
    Port.open(command, args: arguments)
    Process.sleep(:infinity)
  end

  defp await_epmd(tries) do
    case :erl_epmd.names('127.0.0.1') do
      {:ok, _names} -> :ok
      {:error, _not_yet} when tries > 0 -> Process.sleep(10) && await_epmd(tries - 1)
      {:error, _none} -> {:error, :epmd}
    end
  end

  defp start_node(:ok) do
    Application.put_env(:kernel, :inet_dist_use_interface, {127, 0, 0, 1})
    :net_kernel.start([:"#{random("espalier")}@127.0.0.1", :longnames])
  end

  defp start_node(error), do: error

  @doc "Starts a node, on which Espalier runs. `version` is the one that it says to have."
  @spec start_peer(version :: String.t() | nil) :: {:ok, pid, node}
  def start_peer(version \\ nil) do
    options = %{
      name: random("peer"),
      host: '127.0.0.1',
      longnames: true,
      # Which ends the node when this one ends, and not when they are disconnected.
      connection: :standard_io,
      args: ['-setcookie', Atom.to_charlist(Node.get_cookie()) | connections()]
    }

    {:ok, peer, node} = :peer.start_link(options)
    true = Node.connect(node)
    :ok = :erpc.call(node, :code, :add_pathsa, [:code.get_path()])
    if version, do: :ok = :erpc.call(node, :application, :load, [application(version)])
    # Where it is there.
    :erpc.call(node, Application, :ensure_all_started, [:telemetry])
    {:ok, _applications} = :erpc.call(node, Application, :ensure_all_started, [:espalier])
    {:ok, peer, node}
  end

  # Peers listen on this machine only. They know this node and not each other, so that the end of one is no reason for
  # `:global` to disconnect others.
  defp connections,
    do: ['-connect_all', 'false', '-kernel', 'inet_dist_use_interface', '{127,0,0,1}']

  defp application(version) do
    _loaded = Application.load(:espalier)
    {:ok, keys} = :application.get_all_key(:espalier)
    {:application, :espalier, Keyword.put(keys, :vsn, String.to_charlist(version))}
  end

  @doc "Serves the tiny model on a node, as long as that runs or until it is stopped."
  @spec serve(node, keyword) :: pid
  def serve(node, options) do
    options = [path: Espalier.Model.tiny_path()] ++ options

    {:ok, pid} = :erpc.call(node, Supervisor, :start_child, [Espalier.Supervisor, child(options)])

    pid
  end

  defp child(options) do
    spec = Espalier.Model.child_spec(options)
    Map.merge(spec, %{id: make_ref(), restart: :temporary})
  end

  defp random(prefix) do
    suffix = 8 |> :crypto.strong_rand_bytes() |> Base.encode16(case: :lower)
    :"#{prefix}_#{suffix}"
  end
end
