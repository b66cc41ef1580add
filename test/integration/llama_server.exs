defmodule Espalier.LlamaServer do
  @moduledoc """
  A real OpenAI-compatible server, llama-cpp-python's, with the shipped model, for tests.

  It is a process of the operating system on a port of the loopback interface. `start_supervised!/1` starts
  it and returns when it answers. It ends with the process that started it, and with the VM.

  `ESPALIER_LLAMA_PYTHON` names a Python that has `llama-cpp-python[server]`.
  """
  use GenServer

  alias Espalier.Model

  for file <- ~w(format safetensors llama),
      do: Code.require_file("../../tools/gguf/#{file}.exs", __DIR__)

  @variable "ESPALIER_LLAMA_PYTHON"
  @ready ~r"running on http://127\.0\.0\.1:(\d+)"
  @patience 60_000

  # The input of the shell is a pipe from the VM. When it closes, for whatever reason, the server is killed.
  @script """
  exec 3<&0
  "$@" 3<&- &
  server=$!
  { cat <&3; kill -9 $server; } >/dev/null 2>&1 &
  wait $server
  """

  @doc "Starts a server. With `:api_key` it takes no other."
  def start_link(options), do: GenServer.start_link(__MODULE__, options)

  @doc "The address of a server, without a path."
  def url(server), do: GenServer.call(server, :url)

  @doc "Sends a JSON object to a path of the server and returns the status and the decoded answer."
  def post(server, path, body) do
    url = String.to_charlist(url(server) <> path)
    request = {url, [], ~c"application/json", Espalier.JSON.encode!(body)}
    {:ok, {{_, status, _}, _, answer}} = :httpc.request(:post, request, [], body_format: :binary)
    {status, Espalier.JSON.decode!(answer)}
  end

  @impl true
  def init(options) do
    {:ok, _applications} = Application.ensure_all_started(:inets)
    wait(%{port: open(model_file(), options), log: "", url: nil})
  end

  # Several servers may start at once, so the file is put in its place in one go.
  defp model_file do
    file = Path.join(Mix.Project.build_path(), "espalier-tiny.gguf")
    {metadata, tensors} = GGUF.Llama.read(Model.tiny_path())
    new = "#{file}.#{System.unique_integer([:positive])}"
    File.write!(new, GGUF.Format.encode(metadata, tensors))
    File.rename!(new, file)
    file
  end

  defp open(file, options) do
    key = if options[:api_key], do: ["--api_key", options[:api_key]], else: []

    # A request that comes would end a stream that runs.
    command =
      ~w(-u -m llama_cpp.server --host 127.0.0.1 --port 0 --n_ctx 1024 --n_threads 1) ++
        ~w(--interrupt_requests false --model_alias espalier-tiny --model #{file}) ++ key

    arguments = ["-c", @script, "sh", System.fetch_env!(@variable) | command]

    Port.open({:spawn_executable, "/bin/sh"}, [
      :binary,
      :exit_status,
      :stderr_to_stdout,
      args: arguments,
      # They would count for more than the arguments.
      env: [{'HOST', false}, {'PORT', false}]
    ])
  end

  defp wait(%{port: port} = state) do
    receive do
      {^port, {:data, text}} ->
        state = %{state | log: state.log <> text}

        case Regex.run(@ready, state.log) do
          [_, number] -> {:ok, %{state | url: "http://127.0.0.1:#{number}"}}
          nil -> wait(state)
        end

      {^port, {:exit_status, status}} ->
        {:stop, "the server ended with status #{status}:\n#{state.log}"}
    after
      @patience -> {:stop, "the server did not start:\n#{state.log}"}
    end
  end

  @impl true
  def handle_call(:url, _from, state), do: {:reply, state.url, state}

  @impl true
  def handle_info({port, {:data, text}}, %{port: port} = state) do
    {:noreply, %{state | log: state.log <> text}}
  end

  def handle_info({port, {:exit_status, status}}, %{port: port} = state) do
    {:stop, "the server ended with status #{status}:\n#{state.log}", state}
  end
end
