defmodule Espalier.Loopback do
  @moduledoc """
  A server on this machine whose answers a test writes byte by byte.

      server = Loopback.start_link([Loopback.json(200, %{"ok" => true})])
      server.url
      #=> "http://127.0.0.1:40123"

  Each request takes the next answer of the list; the last one is there for all that follow. With a function in place
  of the list, that gives the answer to a request. An answer is a list of steps:

    * a binary - is sent
    * `{:pause, milliseconds}`
    * `:close` - the server closes the connection
    * `:reset` - it does so without a word
    * `{:gate, name}` - the server tells the test `{:gate, name, pid}` and waits for `open/1`
    * `:watch` - it waits until the other side closes, and tells the test `:closed`

  After them the connection is open for the next request. With `tls: options` of `:ssl.listen/2` it speaks TLS.
  It ends with the process that started it.
  """
  use GenServer

  alias Espalier.JSON

  defstruct [:pid, :port, :url]

  def start_link(answers, options \\ []) do
    {:ok, pid} = GenServer.start_link(__MODULE__, {answers, options[:tls], self()})
    port = GenServer.call(pid, :port)
    scheme = if options[:tls], do: "https", else: "http"
    %__MODULE__{pid: pid, port: port, url: "#{scheme}://127.0.0.1:#{port}"}
  end

  @doc "The requests so far: maps with `:method`, `:path`, `:headers`, `:body`, `:json` and `:connection`, a number from 1."
  def requests(server), do: GenServer.call(server.pid, :requests)

  @doc "How many connections there were."
  def connections(server), do: GenServer.call(server.pid, :connections)

  @doc "Lets a server go on that waits at a gate."
  def open(pid), do: send(pid, :open)

  @doc "An answer in one piece, with its length."
  def answer(status, headers, body) do
    [head(status, [{"content-length", byte_size(body)} | headers]) <> body]
  end

  @doc "An answer with a term as JSON."
  def json(status, term, headers \\ []),
    do: answer(status, [{"content-type", "application/json"} | headers], JSON.encode!(term))

  @doc "An answer in chunks; steps among them stay."
  def chunked(chunks, headers \\ [], status \\ 200) do
    [head(status, [{"transfer-encoding", "chunked"} | headers])] ++
      Enum.map(chunks, &chunk/1) ++ ["0\r\n\r\n"]
  end

  @doc "Server-sent events, each with a term as JSON or a text, one a chunk; steps among them stay."
  def sse(events, status \\ 200) do
    events
    |> Enum.map(fn
      event when is_map(event) -> "data: " <> JSON.encode!(event) <> "\n\n"
      text when is_binary(text) -> "data: " <> text <> "\n\n"
      step -> step
    end)
    |> chunked([{"content-type", "text/event-stream"}], status)
  end

  @doc "The head of an answer."
  def head(status, headers) do
    lines = for {name, value} <- headers, do: "#{name}: #{value}\r\n"
    "HTTP/1.1 #{status} Whatever\r\n#{lines}\r\n"
  end

  defp chunk(bytes) when is_binary(bytes),
    do: Integer.to_string(byte_size(bytes), 16) <> "\r\n" <> bytes <> "\r\n"

  defp chunk(step), do: step

  @impl true
  def init({answers, tls, owner}) do
    options = [:binary, active: false, ip: {127, 0, 0, 1}, backlog: 200, reuseaddr: true]

    {:ok, listener} =
      if tls, do: :ssl.listen(0, options ++ tls), else: :gen_tcp.listen(0, options)

    {:ok, {_ip, port}} = if tls, do: :ssl.sockname(listener), else: :inet.sockname(listener)
    server = self()
    transport = if tls, do: :ssl, else: :gen_tcp
    spawn_link(fn -> accept({transport, listener}, server, owner) end)
    {:ok, %{port: port, answers: answers, requests: [], connections: 0}}
  end

  @impl true
  def handle_call(:port, _from, state), do: {:reply, state.port, state}
  def handle_call(:requests, _from, state), do: {:reply, Enum.reverse(state.requests), state}
  def handle_call(:connections, _from, state), do: {:reply, state.connections, state}

  def handle_call(:connected, _from, state) do
    n = state.connections + 1
    {:reply, n, %{state | connections: n}}
  end

  def handle_call({:request, request}, _from, state) do
    {answer, answers} = next(state.answers, request)
    {:reply, answer, %{state | answers: answers, requests: [request | state.requests]}}
  end

  defp next(function, request) when is_function(function), do: {function.(request), function}
  defp next([answer], _request), do: {answer, [answer]}
  defp next([answer | answers], _request), do: {answer, answers}

  defp accept(listener, server, owner) do
    # The listener is closed when the server ends.
    with {:ok, {transport, plain} = socket} <- accepted(listener) do
      pid = spawn_link(fn -> receive(do: (:go -> connected(socket, server, owner))) end)
      transport.controlling_process(plain, pid)
      send(pid, :go)
      accept(listener, server, owner)
    end
  end

  defp accepted({:gen_tcp, listener}) do
    with {:ok, socket} <- :gen_tcp.accept(listener), do: {:ok, {:gen_tcp, socket}}
  end

  defp accepted({:ssl, listener}) do
    with {:ok, socket} <- :ssl.transport_accept(listener) do
      case :ssl.handshake(socket) do
        {:ok, socket} -> {:ok, {:ssl, socket}}
        {:error, _reason} -> accepted({:ssl, listener})
      end
    end
  end

  defp connected(socket, server, owner) do
    serve(%{socket: socket, server: server, owner: owner, n: GenServer.call(server, :connected)})
  end

  defp serve(connection) do
    with {:ok, request} <- read(connection, ""),
         answer = GenServer.call(connection.server, {:request, request}),
         :ok <- play(answer, connection) do
      serve(connection)
    end
  end

  defp read(%{socket: {transport, socket}} = connection, bytes) do
    with {:ok, request, missing} when missing > 0 <- parse(bytes),
         {:ok, more} <- transport.recv(socket, missing) do
      finished(%{request | body: request.body <> more}, connection)
    else
      {:ok, request, 0} -> finished(request, connection)
      :more -> read_more(connection, bytes)
      {:error, _closed} = error -> error
    end
  end

  defp read_more(%{socket: {transport, socket}} = connection, bytes) do
    with {:ok, more} <- transport.recv(socket, 0), do: read(connection, bytes <> more)
  end

  defp parse(bytes) do
    case String.split(bytes, "\r\n\r\n", parts: 2) do
      [head, body] ->
        [line | lines] = String.split(head, "\r\n")
        [method, path, "HTTP/1.1"] = String.split(line, " ")

        headers =
          for line <- lines, [name, value] = String.split(line, ": ", parts: 2), do: {name, value}

        {_name, length} = List.keyfind(headers, "content-length", 0, {nil, "0"})
        request = %{method: method, path: path, headers: headers, body: body}
        {:ok, request, String.to_integer(length) - byte_size(body)}

      [_part] ->
        :more
    end
  end

  defp finished(request, connection) do
    json = with {:ok, json} <- JSON.decode(request.body), do: json
    {:ok, Map.merge(request, %{json: json, connection: connection.n})}
  end

  defp play([], _connection), do: :ok

  # The other side may have closed before all was sent.
  defp play([step | steps], connection) do
    case step(step, connection) do
      :ok -> play(steps, connection)
      {:error, _reason} -> if :watch in steps, do: step(:watch, connection), else: :closed
      :closed -> :closed
    end
  end

  defp step(bytes, %{socket: {transport, socket}}) when is_binary(bytes),
    do: transport.send(socket, bytes)

  defp step({:pause, milliseconds}, _connection), do: Process.sleep(milliseconds)

  defp step(:close, %{socket: {transport, socket}}) do
    transport.close(socket)
    :closed
  end

  defp step(:reset, %{socket: {:gen_tcp, socket}} = connection) do
    :inet.setopts(socket, linger: {true, 0})
    step(:close, connection)
  end

  defp step({:gate, name}, %{owner: owner}) do
    send(owner, {:gate, name, self()})
    receive(do: (:open -> :ok))
  end

  defp step(:watch, %{socket: {transport, socket}, owner: owner}) do
    {:error, _reason} = transport.recv(socket, 0)
    send(owner, :closed)
    :closed
  end
end
