defmodule Espalier.DashboardTest do
  # All dashboards are told of all events.
  use ExUnit.Case, async: false

  alias Espalier.Dashboard
  alias Espalier.DashboardError
  alias Espalier.JSON
  alias Espalier.OptionsError

  doctest Espalier.Dashboard
  doctest Espalier.DashboardError

  setup context do
    name = Module.concat(__MODULE__, "#{context.line}")
    options = [name: name, port: 0] ++ Map.get(context, :options, [])
    unless context[:off], do: start_supervised!({Dashboard, options})
    if context[:off], do: :ok, else: %{name: name, port: Dashboard.port(name)}
  end

  describe "start_link/1" do
    @describetag :off

    setup do
      Process.flag(:trap_exit, true)
      :ok
    end

    test "refuses options that it does not take" do
      for {options, kind} <- [
            {[prot: 1], :unknown},
            {[port: -1], :invalid},
            {[port: 65_536], :invalid},
            {[port: 1.0], :invalid},
            {[ip: "localhost"], :invalid},
            {[ip: {1, 2, 3}], :invalid},
            {[ip: {1, 2, 3, 256}], :invalid},
            {[hosts: "example.org"], :invalid},
            {[max_connections: 0], :invalid},
            {[name: nil], :invalid},
            {:port, :not_keyword}
          ] do
        assert {:error, %OptionsError{kind: ^kind}} = Dashboard.start_link(options)
      end
    end

    test "says so where the port is in use" do
      {:ok, socket} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
      {:ok, port} = :inet.port(socket)
      assert {:error, error} = Dashboard.start_link(name: __MODULE__, port: port)
      assert error == %DashboardError{kind: :port_in_use, address: "127.0.0.1:#{port}"}
    end

    test "says so where the address is another machine's" do
      options = [name: __MODULE__, port: 0, ip: {192, 0, 2, 1}]
      assert {:error, %DashboardError{kind: :no_such_address}} = Dashboard.start_link(options)
    end

    test "listens on the address that was given" do
      {:ok, pid} = Dashboard.start_link(name: __MODULE__, port: 0, ip: "::1")
      assert "http://[::1]:" <> port = Dashboard.url(__MODULE__)

      {:ok, socket} =
        :gen_tcp.connect('::1', String.to_integer(port), [:inet6, :binary, active: false])

      assert {200, _headers, _body} = ask(socket, "GET / HTTP/1.1\r\nHost: [::1]:#{port}\r\n\r\n")
      Supervisor.stop(pid)
    end

    test "takes a name once, and others beside it" do
      {:ok, pid} = Dashboard.start_link(name: __MODULE__, port: 0)
      assert Dashboard.start_link(name: __MODULE__, port: 0) == {:error, {:already_started, pid}}
      {:ok, other} = Dashboard.start_link(name: __MODULE__.Other, port: 0)
      assert Dashboard.port(__MODULE__) != Dashboard.port(__MODULE__.Other)
      Enum.each([pid, other], &Supervisor.stop/1)
    end
  end

  describe "the page" do
    test "is one document that asks for nothing from elsewhere", context do
      assert {200, headers, html} = get(context, "/")
      assert headers["content-type"] == "text/html; charset=utf-8"
      assert headers["content-length"] == "#{byte_size(html)}"
      refute html =~ ~r/(src|href)="(https?:)?\/\//
      refute html =~ ~r/@import|url\(/
      refute html =~ ~r/innerHTML|insertAdjacentHTML|document\.write|eval\(/
    end

    test "may run its own script and style, and nothing else", context do
      assert {200, headers, html} = get(context, "/")

      assert [default, script, style | _others] =
               String.split(headers["content-security-policy"], "; ")

      assert default == "default-src 'self'"
      assert script == "script-src " <> hash(html, "script")
      assert style == "style-src " <> hash(html, "style")
      refute html =~ ~r/ (style|on[a-z]+)="/
    end

    defp hash(html, tag) do
      assert [[_all, text]] = Regex.scan(~r"<#{tag}>(.*?)</#{tag}>"s, html)
      "'sha256-#{Base.encode64(:crypto.hash(:sha256, text))}'"
    end

    test "is kept by nobody and embedded nowhere", context do
      for path <- ~w(/ /snapshot.json /metrics /no/such/path) do
        {_status, headers, _body} = get(context, path)
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] =~ "frame-ancestors 'none'"
        refute Enum.any?(Map.keys(headers), &String.starts_with?(&1, "access-control"))
      end
    end

    test "without its body is what HEAD asks for", context do
      for path <- ~w(/ /metrics /no/such/path) do
        {status, headers, _body} = get(context, path)
        assert {^status, ^headers, ""} = ask(context, head("HEAD", path))
      end
    end
  end

  describe "/snapshot.json" do
    test "has what was counted, and is quiet before", context do
      assert {200, %{"content-type" => "application/json"}, body} = get(context, "/snapshot.json")
      assert %{"quiet" => true, "traffic" => [], "errors" => []} = JSON.decode!(body)

      Espalier.Testing.stub([%{name: "Ada"}])
      Espalier.generate!([name: :string], "Who?", backend: Espalier.Testing, model: "large")

      snapshot = await(context, &(&1["traffic"] != []))
      assert [%{"model" => "large", "generations" => 1, "failed" => 0}] = snapshot["traffic"]
      assert %{"quiet" => false, "totals" => %{"generations" => 1, "failed" => 0}} = snapshot
      assert "MyApp.Model" in Enum.map(snapshot["models"], & &1["name"])
    end

    test "has errors without what was asked and written", context do
      Espalier.Testing.stub(fn _request -> %{name: "secret answer"} end)
      options = [backend: Espalier.Testing, model: "large"]

      assert {:error, _error} =
               Espalier.generate([name: {:string, max_length: 3}], "secret?", options)

      snapshot = await(context, &(&1["errors"] != []))
      assert %{"model" => "large", "schema" => "fields"} = error = hd(snapshot["errors"])
      assert error["reason"] == "Espalier.ValidationError"
      refute JSON.encode!(snapshot) =~ "secret"
    end
  end

  describe "/metrics" do
    test "is what Prometheus reads", context do
      Espalier.Testing.stub([%{name: "Ada"}])
      Espalier.generate!([name: :string], "Who?", backend: Espalier.Testing, model: "large")
      assert {200, headers, text} = get(context, "/metrics")
      assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
      assert text =~ "# TYPE espalier_generations_total counter"
      assert text =~ ~r/^espalier_generations_total\{.*model="large".*\} 1$/m
    end

    test "is there for Prometheus' own requests", context do
      agent =
        "User-Agent: Prometheus/2.42.0\r\nAccept: text/plain;version=0.0.4\r\nAccept-Encoding: gzip\r\n"

      request = "GET /metrics?a=b HTTP/1.1\r\nHost: localhost:#{context.port}\r\n#{agent}\r\n"
      assert {200, _headers, _text} = ask(context, request)
    end
  end

  describe "/events" do
    test "tells at once, and again and again", context do
      socket = connect(context)
      :ok = :gen_tcp.send(socket, head("GET", "/events"))
      {head, rest} = receive_until(socket, "\r\n\r\n")
      assert head =~ ~r"\AHTTP/1.1 200 OK\r\n"
      assert head =~ "Content-Type: text/event-stream"

      {retry, rest} = receive_until(socket, "\n\n", rest)
      assert retry == "retry: 2000"
      {first, rest} = receive_until(socket, "\n\n", rest)
      {second, _rest} = receive_until(socket, "\n\n", rest)
      assert ["data: " <> one, "data: " <> two] = [first, second]
      assert JSON.decode!(one)["time"] < JSON.decode!(two)["time"]
    end

    @tag options: [max_connections: 2]
    test "leaves its place when the browser is closed", context do
      readers = for _ <- 1..2, do: read_events(context)
      assert {503, _headers, "503 Service Unavailable\n"} = get(context, "/")
      :gen_tcp.close(hd(readers))
      assert :ok = until(fn -> match?({200, _, _}, get(context, "/")) end)
    end

    @tag options: [max_connections: 1]
    test "leaves its place when the reader says more", context do
      reader = read_events(context)
      :ok = :gen_tcp.send(reader, "and another thing")
      assert :ok = until(fn -> match?({200, _, _}, get(context, "/")) end)
    end
  end

  describe "who asks" do
    test "has to do so by a name of this machine", context do
      for host <- [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1",
            "127.0.0.1:4001",
            "127.8.9.1",
            "[::1]:4001"
          ] do
        assert {200, _headers, _body} = ask(context, head("GET", "/", host)), host
      end

      for host <- [
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "192.168.0.1",
            "0.0.0.0",
            "127.1",
            "2130706433",
            "[::ffff:127.0.0.1]",
            "[::1",
            "localhost:",
            "localhost:80:80",
            "localhost:999999",
            "local host",
            "user@localhost",
            "",
            "localhost/",
            "\xFF\xFE"
          ] do
        assert {403, _headers, "403 Forbidden\n"} = ask(context, head("GET", "/", host)), host
        assert {403, _headers, _body} = ask(context, head("GET", "/snapshot.json", host)), host
        assert {403, _headers, _body} = ask(context, head("GET", "/events", host)), host
      end
    end

    @tag options: [hosts: ["Espalier.internal"]]
    test "may use names that were given", context do
      assert {200, _headers, _body} = ask(context, head("GET", "/", "espalier.internal:4001"))
      assert {403, _headers, _body} = ask(context, head("GET", "/", "other.internal"))
    end

    @tag options: [ip: "0.0.0.0"]
    test "may use any address where all are listened on, and no name", context do
      assert Dashboard.url(context.name) == "http://127.0.0.1:#{context.port}"
      assert {200, _headers, _body} = ask(context, head("GET", "/", "192.168.0.1:4001"))
      assert {403, _headers, _body} = ask(context, head("GET", "/", "example.org"))
    end
  end

  describe "what is no request" do
    test "has a status that says why", context do
      long = String.duplicate("a", 9_000)

      for {bytes, status} <- [
            {head("GET", "/no/such/path"), 404},
            {head("GET", "//"), 404},
            {head("GET", "/../etc/passwd"), 404},
            {head("GET", "/%2e%2e/"), 404},
            {head("GET", "/snapshot.json/"), 404},
            {head("POST", "/"), 405},
            {head("DELETE", "/metrics"), 405},
            {head("OPTIONS", "/events"), 405},
            {head("BREW", "/"), 405},
            {head("get", "/"), 405},
            {head("POST", "/no/such/path"), 404},
            {"GET / HTTP/1.1\r\n\r\n", 400},
            {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400},
            {"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
            {"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
            {"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
            {"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505},
            {"GET /\r\n\r\n", 505},
            {"HTTP/1.1 200 OK\r\n\r\n", 400},
            {"\r\n\r\n", 400},
            {"\0\0\0\0\r\n\r\n", 400},
            {<<22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3>> <> "\r\n\r\n", 400},
            {"GET / HTTP/1.1\r\nHost\r\n\r\n", 400},
            {"GET /#{long} HTTP/1.1\r\nHost: localhost\r\n\r\n", 431},
            {"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: #{long}\r\n\r\n", 431},
            {"GET / HTTP/1.1\r\n" <> String.duplicate("A: b\r\n", 2_000), 431},
            {String.duplicate("\n", 20_000), 431}
          ] do
        assert {^status, headers, _body} = ask(context, bytes), inspect(bytes, limit: 80)
        assert status != 405 or headers["allow"] == "GET, HEAD"
      end

      assert {200, _headers, _body} = get(context, "/")
    end

    test "makes no atoms", context do
      for at <- [:method, :path, :name, :value, :host] do
        word = "Unheard#{at}#{System.unique_integer([:positive])}"

        words =
          Map.put(%{method: "GET", path: "", name: "A", value: "b", host: "localhost"}, at, word)

        ask(
          context,
          "#{words.method} /#{words.path} HTTP/1.1\r\nHost: #{words.host}\r\n#{words.name}: #{words.value}\r\n\r\n"
        )

        assert_raise ArgumentError, fn -> String.to_existing_atom(word) end
      end
    end

    test "costs others nothing, whatever the bytes are", context do
      :rand.seed(:exsss, {1, 2, 3})

      for _ <- 1..200 do
        socket = connect(context)
        _maybe_closed = :gen_tcp.send(socket, :rand.bytes(:rand.uniform(600)) <> "\r\n\r\n")

        if :rand.uniform(2) == 1,
          do: :gen_tcp.close(socket),
          else: :gen_tcp.shutdown(socket, :write)
      end

      assert :ok = until(fn -> match?({200, _, _}, get(context, "/")) end)
    end
  end

  describe "slow clients" do
    test "may take a request apart as they like", context do
      socket = connect(context)
      for <<byte <- head("GET", "/metrics")>>, do: :ok = :gen_tcp.send(socket, <<byte>>)
      assert {200, _headers, _body} = response(socket)
    end

    test "have to come to the point, and don't hold up others", context do
      silent = for _ <- 1..60, do: connect(context)
      dribbling = connect(context)
      drip = spawn_link(fn -> drip(dribbling) end)
      assert {200, _headers, _body} = get(context, "/")

      assert {408, _headers, _body} = response(dribbling)
      for socket <- silent, do: assert({408, _headers, _body} = response(socket))
      Process.unlink(drip)
      Process.exit(drip, :kill)
    end

    defp drip(socket) do
      Process.sleep(100)
      if :gen_tcp.send(socket, "a") == :ok, do: drip(socket)
    end
  end

  test "all connections end with the dashboard", context do
    sockets = [read_events(context), read_events(context), connect(context)]
    stop_supervised!(context.name)
    for socket <- sockets, do: assert(:closed = drain(socket))
    assert {:error, :econnrefused} = :gen_tcp.connect({127, 0, 0, 1}, context.port, [])
  end

  test "a part that is killed comes again, and so do its figures", context do
    for part <- ~w(Aggregator Trail Sampler) do
      pid = Process.whereis(Module.concat(context.name, part))
      monitor = Process.monitor(pid)
      Process.exit(pid, :kill)
      assert_receive {:DOWN, ^monitor, :process, _pid, :killed}
      assert :ok = until(fn -> running?(context, part, pid) end)
    end

    port = Dashboard.port(context.name)
    Espalier.Testing.stub([%{name: "Ada"}])
    Espalier.generate!([name: :string], "Who?", backend: Espalier.Testing, model: "large")
    assert [%{"generations" => 1}] = await(%{port: port}, &(&1["traffic"] != []))["traffic"]
  end

  defp running?(context, part, killed) do
    Process.whereis(Module.concat(context.name, part)) not in [nil, killed] and
      Process.whereis(Module.concat(context.name, "Server")) != nil
  end

  defp get(context, path), do: ask(context, head("GET", path))

  defp head(method, path, host \\ "localhost"),
    do: "#{method} #{path} HTTP/1.1\r\nHost: #{host}\r\n\r\n"

  # The other side may have had enough before all was sent.
  defp ask(socket, bytes) when is_port(socket) do
    _maybe_closed = :gen_tcp.send(socket, bytes)
    response(socket)
  end

  defp ask(context, bytes), do: context |> connect() |> ask(bytes)

  defp connect(%{port: port}) do
    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false])
    socket
  end

  defp response(socket) do
    {head, body} = receive_until(socket, "\r\n\r\n")
    [line | lines] = String.split(head, "\r\n")
    ["HTTP/1.1", status | _phrase] = String.split(line, " ")

    headers =
      for line <- lines, [name, value] = String.split(line, ": ", parts: 2), into: %{} do
        {String.downcase(name), value}
      end

    {String.to_integer(status), headers, body <> receive_rest(socket)}
  end

  defp receive_until(socket, mark, bytes \\ "") do
    case String.split(bytes, mark, parts: 2) do
      [before, rest] ->
        {before, rest}

      [_part] ->
        {:ok, more} = :gen_tcp.recv(socket, 0, 20_000)
        receive_until(socket, mark, bytes <> more)
    end
  end

  defp receive_rest(socket) do
    case :gen_tcp.recv(socket, 0, 20_000) do
      {:ok, bytes} -> bytes <> receive_rest(socket)
      {:error, _closed} -> ""
    end
  end

  defp read_events(context) do
    socket = connect(context)
    :ok = :gen_tcp.send(socket, head("GET", "/events"))
    {_head, _rest} = receive_until(socket, "data: ")
    socket
  end

  defp drain(socket) do
    case :gen_tcp.recv(socket, 0, 20_000) do
      {:ok, _bytes} -> drain(socket)
      {:error, reason} when reason in [:closed, :econnreset] -> :closed
    end
  end

  # The snapshot, as soon as it is so.
  defp await(context, so?) do
    {200, _headers, body} = get(context, "/snapshot.json")
    snapshot = JSON.decode!(body)

    if so?.(snapshot) do
      snapshot
    else
      Process.sleep(50)
      await(context, so?)
    end
  end

  defp until(true?) do
    if true?.() do
      :ok
    else
      Process.sleep(50)
      until(true?)
    end
  end
end
