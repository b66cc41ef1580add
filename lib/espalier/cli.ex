defmodule Espalier.CLI do
  @moduledoc false
  # What the Mix tasks have in common: reading the command line, telling what is wrong, and starting what they need.
  #
  #     @command %{name: "mix espalier.example", help: @moduledoc, switches: @switches}
  #
  #     @impl true
  #     def run(arguments), do: CLI.run(@command, arguments, &example/1)
  #
  # Standard output has what was asked for and nothing else; all else goes to standard error. The exit status is 0, 1
  # for what went wrong, and 2 for a command line that is wrong. It is 141 where nobody reads the output any more, as
  # with other programs that write to a pipe that was closed.

  alias Espalier.CLI.Switches
  alias Espalier.OptionsError

  @failure 1
  @misuse 2
  @nobody_reads 141

  @typedoc "`help` is what `--help` prints: the documentation of the task."
  @type command :: %{name: String.t(), help: String.t(), switches: Switches.t()}

  @typedoc "`:failed` is for what was told already."
  @type outcome :: :ok | :failed | {:error, Exception.t() | String.t()}

  @doc "Calls the function with the options of a command line, or tells what is wrong with these."
  @spec run(command, [String.t()], (keyword -> outcome)) :: :ok | no_return
  def run(command, arguments, function) do
    case Switches.parse(arguments, command.switches) do
      :help -> puts(command.help)
      {:ok, options} -> options |> function.() |> conclude(command)
      {:error, message} -> stop(command, message <> ", see --help", @misuse)
    end
  rescue
    error -> explain(error, command, __STACKTRACE__)
  catch
    {__MODULE__, status, message} -> stop(command, message, status)
  end

  @doc "Ends the task, as what it was asked for failed."
  @spec fail!(String.t()) :: no_return
  def fail!(message), do: throw({__MODULE__, @failure, message})

  @doc "Ends the task, as its command line is wrong."
  @spec misuse!(String.t()) :: no_return
  def misuse!(message), do: throw({__MODULE__, @misuse, message})

  @doc "Writes a line to standard output."
  @spec puts(iodata) :: :ok
  def puts(line), do: IO.puts(line)

  @doc "Writes a line to standard error."
  @spec note(iodata) :: :ok
  def note(line), do: IO.puts(:stderr, line)

  @doc "The columns of the terminal that shows standard output, `nil` if there is none."
  @spec columns() :: pos_integer | nil
  def columns, do: if(terminal?(), do: columns(:standard_io) || columns(:standard_error))

  # The width of the first is that of standard input, wherever standard output goes.
  defp columns(device) do
    case :io.columns(device) do
      {:ok, columns} -> columns
      {:error, :enotsup} -> nil
    end
  end

  # What Elixir finds out when it starts: whether standard output and standard error are both shown by a terminal.
  defp terminal?, do: IO.ANSI.enabled?()

  @doc "Whether standard output takes colours: a terminal shows it, and `NO_COLOR` is not set."
  @spec colors?() :: boolean
  def colors?, do: terminal?() and System.get_env("NO_COLOR", "") == ""

  @doc "Whether a terminal shows standard error and not standard output, so that nothing comes between its lines."
  @spec errors_alone_in_terminal?() :: boolean
  def errors_alone_in_terminal?, do: columns(:standard_error) != nil and not terminal?()

  @doc """
  Starts the project with all its applications (`:project`), no other application than Espalier (`:espalier`), or
  none (`:nothing`). In any case the configuration of the project is there, and its modules can be loaded.
  """
  @spec start(:project | :espalier | :nothing) :: :ok
  def start(what) do
    quietly(fn ->
      Mix.Task.run("app.config")
      log_to_standard_error()
      if what == :project, do: Mix.Task.run("app.start")
    end)

    if what == :nothing, do: :ok, else: start_espalier()
  end

  defp start_espalier do
    case Application.ensure_all_started(:espalier) do
      {:ok, _started} -> :ok
      {:error, {application, reason}} -> fail!("can't start #{application}: #{inspect(reason)}")
    end
  end

  # That the project is compiled is told on standard output.
  defp quietly(function) do
    shell = Mix.shell()
    Mix.shell(Mix.Shell.Quiet)

    try do
      function.()
    after
      Mix.shell(shell)
    end
  end

  # The first is what Elixir up to 1.14 reads when the logger starts, the second what later ones read.
  defp log_to_standard_error do
    put_default(:console, :device, :standard_error)
    put_default(:default_handler, :config, type: :standard_error)
  end

  defp put_default(name, option, value) do
    with options when is_list(options) <- Application.get_env(:logger, name, []),
         do: Application.put_env(:logger, name, Keyword.put_new(options, option, value))
  end

  defp conclude(:ok, _command), do: :ok
  defp conclude(:failed, _command), do: exit({:shutdown, @failure})

  defp conclude({:error, message}, command) when is_binary(message),
    do: stop(command, message, @failure)

  defp conclude({:error, error}, command), do: explain(error, command, [])

  defp explain(%ErlangError{original: :terminated}, _command, _stacktrace),
    do: exit({:shutdown, @nobody_reads})

  defp explain(%OptionsError{} = error, command, _stacktrace),
    do: stop(command, message(error, command), @misuse)

  # What others raise is a bug, and its place is worth knowing.
  defp explain(%module{} = error, command, stacktrace) do
    if match?(["Espalier" | _], Module.split(module)),
      do: stop(command, Exception.message(error), @failure),
      else: reraise(error, stacktrace)
  end

  defp message(%{kind: :missing, option: option} = error, command) do
    if Keyword.has_key?(command.switches, option),
      do: "#{Switches.spell(option)} is missing: expected #{error.expected}",
      else: Exception.message(error)
  end

  defp message(error, _command), do: Exception.message(error)

  @spec stop(command, String.t(), pos_integer) :: no_return
  defp stop(command, message, status) do
    note("#{command.name}: #{message}")
    exit({:shutdown, status})
  end
end
