defmodule Mix.Tasks.Espalier.Dashboard do
  @shortdoc "Starts the application with the live dashboard"

  @moduledoc """
  Starts the application of this project with an `Espalier.Dashboard`, and runs until it is stopped.

      $ mix espalier.dashboard
      The dashboard is at http://127.0.0.1:4001 (stop with Ctrl+C twice)

  A dashboard that the application starts itself is left as it is, on its own port.

  What goes wrong is told on standard error, and the exit status is 1.

  ## Options

    * `--port N` - the port, 4001 by default; 0 takes one that is free
    * `--ip ADDRESS` - the address that is listened on, 127.0.0.1 by default
    * `--demo` - serves the tiny model that Espalier ships, and keeps it busy
    * `--help` - print this
  """

  use Mix.Task

  alias Espalier.Dashboard
  alias Espalier.Dashboard.Demo

  @switches [port: :integer, ip: :string, demo: :boolean, help: :boolean]

  @impl true
  def run(arguments) do
    case OptionParser.parse(arguments, strict: @switches) do
      {options, [], []} -> if options[:help], do: help(), else: serve(options)
      {_options, [argument | _], []} -> fail("unexpected argument #{argument}, see --help")
      {_options, _arguments, [{switch, nil} | _]} -> fail(wrong_switch(switch))
      {_options, _arguments, [{switch, value} | _]} -> fail("wrong value for #{switch}: #{value}")
    end
  end

  defp help, do: IO.puts(@moduledoc)

  defp wrong_switch(switch) do
    known = for {name, _type} <- @switches, do: "--#{name}"

    cond do
      switch in known ->
        "#{switch} needs a value"

      near = Espalier.Options.nearest(switch, known) ->
        "unknown option #{switch}. Did you mean #{near}?"

      true ->
        "unknown option #{switch}, see --help"
    end
  end

  defp serve(options) do
    Mix.Task.run("app.start")
    # What can't start is an error to tell, and not the end of this process.
    Process.flag(:trap_exit, true)

    # A name of its own, beside that of one that the application started.
    settings = [name: __MODULE__] ++ Keyword.take(options, [:port, :ip])

    with {:ok, dashboard} <- Dashboard.start_link(settings),
         {:ok, demo} <- demo(options[:demo]) do
      IO.puts("The dashboard is at #{Dashboard.url(__MODULE__)} (stop with Ctrl+C twice)")
      wait(dashboard, demo)
    else
      {:error, error} when is_exception(error) -> fail(Exception.message(error))
      {:error, reason} -> fail(inspect(reason))
    end
  end

  defp demo(true), do: Demo.start_link([])
  defp demo(_no), do: {:ok, nil}

  # Where `mix` runs within `iex`, the shell goes on.
  defp wait(dashboard, demo) do
    unless iex?() do
      receive do
        {:EXIT, ^dashboard, reason} -> fail("the dashboard ended: #{inspect(reason)}")
        {:EXIT, ^demo, reason} -> fail("the demo ended: #{inspect(reason)}")
      end
    end
  end

  defp iex?, do: Code.ensure_loaded?(IEx) and IEx.started?()

  @spec fail(String.t()) :: no_return
  defp fail(message) do
    IO.puts(:stderr, "mix espalier.dashboard: " <> message)
    exit({:shutdown, 1})
  end
end
