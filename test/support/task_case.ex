defmodule Espalier.TaskCase do
  @moduledoc """
  Runs a Mix task: in this VM, or as a user's shell would.
  """
  use ExUnit.CaseTemplate

  import ExUnit.CaptureIO

  using do
    quote do
      import Espalier.TaskCase

      @moduletag :tmp_dir
    end
  end

  @doc "The exit status, and what was written to standard output and standard error."
  def run_task(task, arguments, input \\ "") do
    parent = self()

    output =
      capture_io([input: input, capture_prompt: false], fn ->
        errors = capture_io(:stderr, fn -> send(parent, {:status, status(task, arguments)}) end)
        send(parent, {:errors, errors})
      end)

    assert_received {:status, status}
    assert_received {:errors, errors}
    {status, output, errors}
  end

  defp status(task, arguments) do
    task.run(arguments)
    0
  catch
    :exit, {:shutdown, status} -> status
  end

  @doc "The exit status of a shell command, in which `mix` is there, and its output with standard error."
  def shell(command) do
    environment = [{"MIX_ENV", "test"}, {"MIX_QUIET", "1"}]
    bash = System.find_executable("bash")
    {output, status} = System.cmd(bash, ["-c", command], env: environment, stderr_to_stdout: true)
    {status, output}
  end

  @doc "A file in the test's folder."
  def file(%{tmp_dir: folder}, name \\ "schema.json", text) do
    file = Path.join(folder, name)
    File.write!(file, text)
    file
  end

  @doc "Sets options of the application for a test."
  def configure(options) do
    for {name, value} <- options do
      before = Application.fetch_env(:espalier, name)
      Application.put_env(:espalier, name, value)

      ExUnit.Callbacks.on_exit(fn ->
        case before do
          {:ok, before} -> Application.put_env(:espalier, name, before)
          :error -> Application.delete_env(:espalier, name)
        end
      end)
    end
  end

  @doc "The JSON of each line."
  def json_lines(output) do
    for line <- String.split(output, "\n", trim: true), do: Espalier.JSON.decode!(line)
  end
end
