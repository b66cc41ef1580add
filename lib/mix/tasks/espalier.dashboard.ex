defmodule Mix.Tasks.Espalier.Dashboard do
  @shortdoc "Starts the application with the live dashboard"

  alias Espalier.CLI
  alias Espalier.CLI.Switches

  @switches [
    port: [
      type: :integer,
      value: "N",
      doc: "the port, 4001 by default; 0 takes one that is free"
    ],
    ip: [
      type: :string,
      value: "ADDRESS",
      doc: "the address that is listened on, 127.0.0.1 by default"
    ],
    demo: [
      type: :boolean,
      doc: "serve the tiny model that Espalier ships, and keep it busy"
    ]
  ]

  @moduledoc """
  Starts the application of this project with an `Espalier.Dashboard`, and runs until it is stopped.

      $ mix espalier.dashboard
      The dashboard is at http://127.0.0.1:4001

  Where the application starts an `Espalier.Dashboard` itself, that is the one, unless `--port` or `--ip` asks for another
  beside it. With `iex -S mix espalier.dashboard` there is a shell, too.

  The exit status is 1 for what went wrong, as a port that is in use, and 2 if the command line is wrong.

  ## Options

  #{Switches.docs(@switches)}
  """

  use Mix.Task

  alias Espalier.Dashboard
  alias Espalier.Dashboard.Demo

  @command %{name: "mix espalier.dashboard", help: @moduledoc, switches: @switches}

  @impl true
  def run(arguments), do: CLI.run(@command, arguments, &serve/1)

  defp serve(options) do
    CLI.start(:project)
    # What can't start is an error to tell, and not the end of this process.
    Process.flag(:trap_exit, true)

    with {:ok, name, dashboard} <- options |> Keyword.take([:port, :ip]) |> dashboard(),
         {:ok, demo} <- demo(options[:demo]) do
      CLI.puts("The dashboard is at #{Dashboard.url(name)}")
      wait(for {_name, pid} = one when pid != nil <- [dashboard: dashboard, demo: demo], do: one)
    else
      {:error, error} when is_exception(error) -> {:error, error}
      {:error, reason} -> {:error, inspect(reason)}
    end
  end

  defp dashboard([]),
    do: if(Process.whereis(Dashboard), do: {:ok, Dashboard, nil}, else: start([]))

  defp dashboard(options), do: start(options)

  # A name of its own, beside that of one that the application started.
  defp start(options) do
    with {:ok, pid} <- Dashboard.start_link([name: __MODULE__] ++ options),
         do: {:ok, __MODULE__, pid}
  end

  defp demo(true), do: Demo.start_link([])
  defp demo(_no), do: {:ok, nil}

  # The shell of `iex` begins when this process has ended.
  defp wait(started) do
    if Code.ensure_loaded?(IEx) and IEx.started?() do
      for {_name, pid} <- started, do: Process.unlink(pid)
      :ok
    else
      watch(Map.new(started, fn {name, pid} -> {pid, name} end))
    end
  end

  defp watch(names) do
    receive do
      # The VM is told to stop.
      {:EXIT, pid, :shutdown} when is_map_key(names, pid) ->
        :ok

      {:EXIT, pid, reason} when is_map_key(names, pid) ->
        {:error, "the #{names[pid]} ended: #{inspect(reason)}"}
    end
  end
end
