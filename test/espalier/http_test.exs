defmodule Espalier.HTTPTest do
  use ExUnit.Case, async: true

  alias Espalier.Chunks
  alias Espalier.HTTP
  alias Espalier.Loopback
  alias Espalier.TransportError

  @wait 30_000
  @body String.duplicate("é🌲\r\n", 50)

  defp stream(server, options \\ [], body \\ "{}") do
    url = if is_binary(server), do: server, else: server.url <> "/path?key=secret"
    request = %{method: "POST", url: url, headers: [{"x-more", "1"}], body: body}
    defaults = [connect_timeout: 60_000, receive_timeout: 60_000, deadline: :infinity]
    options = Keyword.merge(defaults, options)

    Stream.resource(
      fn -> HTTP.new(request, options) end,
      fn
        {:over, http} ->
          {:halt, http}

        http ->
          case HTTP.next(http) do
            {:done, http} -> {:halt, http}
            {{:error, _error} = event, http} -> {[event], {:over, http}}
            {event, http} -> {[event], http}
          end
      end,
      fn
        {:over, http} -> HTTP.close(http)
        http -> HTTP.close(http)
      end
    )
  end

  defp get(server, options \\ []), do: server |> stream(options) |> Enum.to_list()

  # The status and the body, or the error.
  defp answer(server, options \\ []) do
    case get(server, options) do
      [{:status, status, _headers} | events] ->
        case List.last(events) do
          {:error, error} -> {:error, error}
          _data -> {status, for({:data, data} <- events, into: "", do: data)}
        end

      [{:error, error}] ->
        {:error, error}
    end
  end

  defp closed_port do
    {:ok, listener} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
    {:ok, port} = :inet.port(listener)
    :gen_tcp.close(listener)
    port
  end

  describe "an answer" do
    test "is its status, its headers in lower case, and its body" do
      server = Loopback.start_link([Loopback.answer(201, [{"X-Thing", "a"}], "body")])
      assert [{:status, 201, headers}, {:data, "body"}] = get(server)
      assert {"x-thing", "a"} in headers

      assert [%{method: "POST", path: "/path?key=secret", body: "{}"} = request] =
               Loopback.requests(server)

      assert {"host", "127.0.0.1:#{server.port}"} in request.headers
      assert {"x-more", "1"} in request.headers
    end

    test "is whole in each framing, wherever it is cut" do
      for seed <- 1..60 do
        :rand.seed(:exsss, seed)

        whole =
          Enum.random([
            Loopback.answer(200, [], @body),
            Loopback.chunked(Chunks.cut(@body)),
            [Loopback.head(200, []), @body]
          ])

        bytes = whole |> IO.iodata_to_binary() |> Chunks.cut()
        early = Enum.random([[], [Loopback.head(100, []), Loopback.head(103, [{"link", "x"}])]])
        server = Loopback.start_link([early ++ bytes ++ [:close]])
        assert answer(server) == {200, @body}
      end
    end

    test "has no body where its status has none" do
      server = Loopback.start_link([[Loopback.head(204, [])]])
      assert answer(server) == {204, ""}
    end

    test "is told as it is, redirects too" do
      server = Loopback.start_link([Loopback.answer(307, [{"location", "/other"}], "moved")])
      assert answer(server) == {307, "moved"}
      assert length(Loopback.requests(server)) == 1
    end

    test "that is not HTTP is an error" do
      chunked = Loopback.head(200, [{"transfer-encoding", "chunked"}])

      for steps <- [
            ["SSH-2.0-OpenSSH\r\n\r\n"],
            ["HTTP/1.1 200 OK\r\nno colon\r\n\r\n"],
            [Loopback.head(200, [{"content-length", "-1"}])],
            [Loopback.head(200, [{"content-length", "1"}, {"content-length", "2"}]), "ab"],
            [Loopback.head(200, [{"transfer-encoding", "gzip"}])],
            ["HTTP/1.1 200 OK\r\ntransfer-encoding: " <> <<0xFF>> <> "\r\n\r\n"],
            [chunked, "x\r\n"],
            [chunked, "1\r\nab\r\n"],
            [chunked, String.duplicate("1", 20_000)],
            [String.duplicate("x-long: 1\r\n", 10_000) |> then(&("HTTP/1.1 200 OK\r\n" <> &1))],
            [String.duplicate(Loopback.head(100, []), 4000)]
          ] do
        server = Loopback.start_link([steps ++ [:close]])
        assert {:error, %TransportError{kind: :protocol, detail: detail}} = answer(server)
        assert String.valid?(detail)
      end
    end

    test "that breaks off is an error" do
      for steps <- [
            [],
            ["HTTP/1.1 200"],
            [Loopback.head(200, [{"content-length", "10"}]), "abc"],
            [Loopback.head(200, [{"transfer-encoding", "chunked"}]), "3\r\nabc\r\n"]
          ],
          ending <- [:close, :reset] do
        server = Loopback.start_link([steps ++ [ending]])
        assert {:error, %TransportError{kind: :closed} = error} = answer(server)
        assert error.url == "http://127.0.0.1:#{server.port}/path"
        assert length(Loopback.requests(server)) == 1
      end
    end
  end

  test "a timeout may be longer than the runtime can wait" do
    server = Loopback.start_link([[{:pause, 20} | Loopback.answer(200, [], "ok")]])
    weeks = 0x100000000
    deadline = System.monotonic_time(:millisecond) + weeks

    for deadline <- [deadline, :infinity] do
      options = [connect_timeout: weeks, receive_timeout: weeks, deadline: deadline]
      assert answer(server, options) == {200, "ok"}
    end
  end

  describe "a request for a head alone" do
    test "has an answer without a body, whatever length that would have" do
      answers = [
        [Loopback.head(200, [{"content-length", 1000}])],
        Loopback.answer(200, [], "body")
      ]

      server = Loopback.start_link(answers)
      options = [connect_timeout: 2000, receive_timeout: 2000, deadline: :infinity]
      request = %{method: "HEAD", url: server.url, headers: [], body: ""}
      assert {{:status, 200, headers}, http} = request |> HTTP.new(options) |> HTTP.next()
      assert {"content-length", "1000"} in headers
      assert {:done, http} = HTTP.next(http)
      HTTP.close(http)

      assert answer(server) == {200, "body"}
      assert Loopback.connections(server) == 1
    end
  end

  describe "connections" do
    test "are used again when an answer was read to its end" do
      server =
        Loopback.start_link([
          Loopback.answer(200, [], "a"),
          Loopback.chunked(["b"]),
          Loopback.answer(429, [], "c")
        ])

      for _request <- 1..5, do: answer(server)
      assert length(Loopback.requests(server)) == 5
      assert Loopback.connections(server) == 1
    end

    test "are not used again when the server wants none, or sent more than asked for" do
      for answer <- [
            Loopback.answer(200, [{"connection", "Close"}], "a"),
            [Loopback.head(200, []), "a", :close],
            [Loopback.answer(200, [], "a") |> IO.iodata_to_binary() |> Kernel.<>("more")]
          ] do
        server = Loopback.start_link([answer])
        for _request <- 1..3, do: assert({200, "a"} = answer(server))
        assert length(Loopback.requests(server)) == 3
        assert Loopback.connections(server) == 3
      end
    end

    test "are not used again when the server failed" do
      server = Loopback.start_link([Loopback.answer(503, [], "a")])
      for _request <- 1..3, do: assert({503, "a"} = answer(server))
      assert Loopback.connections(server) == 3
    end

    test "that the server closed while they waited cost no request" do
      server = Loopback.start_link([Loopback.answer(200, [], "a") ++ [{:gate, :close}, :close]])

      for n <- 1..3 do
        assert {200, "a"} = answer(server)
        assert_receive {:gate, :close, pid}, @wait
        monitor = Process.monitor(pid)
        Loopback.open(pid)
        assert_receive {:DOWN, ^monitor, :process, _pid, _reason}, @wait
        assert length(Loopback.requests(server)) == n
      end
    end

    test "are one for each of many callers" do
      server = Loopback.start_link([Loopback.chunked(["a", {:pause, 20}, "b"])])

      results =
        1..50
        |> Task.async_stream(fn _n -> answer(server) end, max_concurrency: 50, timeout: :infinity)
        |> Enum.map(fn {:ok, result} -> result end)

      assert Enum.uniq(results) == [{200, "ab"}]
      assert length(Loopback.requests(server)) == 50
    end

    test "that can't be are an error without the query" do
      url = "http://127.0.0.1:#{closed_port()}/path?key=secret"
      assert {:error, %TransportError{kind: :connect} = error} = answer(url)
      assert Exception.message(error) =~ "connection refused"
      refute Exception.message(error) =~ "secret"

      assert {:error, %TransportError{kind: :connect}} = answer("http://no-such-host.invalid/")
    end
  end

  describe "time" do
    test "runs out between two parts" do
      for steps <- [[], [Loopback.head(200, [{"content-length", "2"}]), "a"]] do
        server = Loopback.start_link([steps ++ [:watch]])
        assert {:error, %TransportError{kind: :timeout}} = answer(server, receive_timeout: 30)
        assert_receive :closed, @wait
      end
    end

    test "runs out for all, however the parts drip" do
      drip = List.duplicate(["1\r\na\r\n", {:pause, 20}], 200) |> List.flatten()
      head = Loopback.head(200, [{"transfer-encoding", "chunked"}])
      server = Loopback.start_link([[head | drip] ++ ["0\r\n\r\n"]])
      deadline = System.monotonic_time(:millisecond) + 100
      assert {:error, :deadline} = answer(server, deadline: deadline)
    end

    test "runs out while the server reads nothing" do
      {:ok, listener} = :gen_tcp.listen(0, ip: {127, 0, 0, 1}, active: false, recbuf: 1024)
      {:ok, port} = :inet.port(listener)
      deadline = System.monotonic_time(:millisecond) + 100
      body = :binary.copy("a", 50_000_000)
      events = stream("http://127.0.0.1:#{port}/", [deadline: deadline], body)
      assert [{:error, :deadline}] = Enum.to_list(events)
    end

    test "that is over already sends nothing" do
      server = Loopback.start_link([Loopback.answer(200, [], "a")])
      deadline = System.monotonic_time(:millisecond)
      assert {:error, :deadline} = answer(server, deadline: deadline)
      assert Loopback.requests(server) == []
    end
  end

  describe "a reader" do
    test "that stops early closes the connection and finds nothing in its mailbox" do
      server = Loopback.start_link([Loopback.chunked(["a", :watch])])
      assert [{:status, 200, _headers}, {:data, "a"}] = server |> stream() |> Enum.take(2)
      assert_receive :closed, @wait
      refute_receive _anything, 20
    end

    test "that dies closes the connection" do
      server = Loopback.start_link([Loopback.chunked(["a", {:gate, :sent}, :watch])])
      pid = spawn(fn -> get(server) end)
      assert_receive {:gate, :sent, handler}, @wait
      Loopback.open(handler)
      Process.exit(pid, :kill)
      assert_receive :closed, @wait
    end

    test "that is slow slows the server down" do
      piece = :binary.copy("a", 1_000_000)
      pieces = Enum.intersperse(List.duplicate(piece, 60), {:pause, 0})
      server = Loopback.start_link([Loopback.chunked(pieces ++ [{:gate, :sent}])])
      stream = stream(server)

      sizes =
        Enum.reduce(stream, 0, fn
          {:data, data}, 0 ->
            refute_receive {:gate, :sent, _handler}, 100
            assert Process.info(self(), :message_queue_len) == {:message_queue_len, 0}
            byte_size(data)

          {:data, data}, size ->
            if size + byte_size(data) == 60_000_000 do
              assert_receive {:gate, :sent, handler}, @wait
              Loopback.open(handler)
            end

            size + byte_size(data)

          _event, size ->
            size
        end)

      assert sizes == 60_000_000
    end
  end

  describe "TLS" do
    @describetag :tmp_dir

    # A server with a certificate for a name, and the file with who signed it.
    defp tls(name, folder) do
      names = {:Extension, {2, 5, 29, 17}, false, [dNSName: String.to_charlist(name)]}
      chain = %{root: [key: {:namedCurve, :secp256r1}], intermediates: []}
      peer = [key: {:namedCurve, :secp256r1}, extensions: [names]]

      %{server_config: server, client_config: client} =
        :public_key.pkix_test_data(%{
          server_chain: Map.put(chain, :peer, peer),
          client_chain: Map.put(chain, :peer, key: {:namedCurve, :secp256r1})
        })

      entries = for der <- client[:cacerts], do: {:Certificate, der, :not_encrypted}
      file = Path.join(folder, "#{System.unique_integer([:positive])}.pem")
      File.write!(file, :public_key.pem_encode(entries))

      server =
        Loopback.start_link([Loopback.answer(200, [], "ok")], tls: server ++ [log_level: :none])

      {%{server | url: "https://localhost:#{server.port}"}, file}
    end

    test "is for a server whose certificate is signed by whom the file names", %{tmp_dir: folder} do
      {server, file} = tls("localhost", folder)
      for _request <- 1..3, do: assert(answer(server, cacertfile: file) == {200, "ok"})
      assert Loopback.connections(server) == 1
    end

    test "is refused to others", %{tmp_dir: folder} do
      {server, file} = tls("localhost", folder)
      {_other, other_file} = tls("localhost", folder)
      {elsewhere, elsewhere_file} = tls("elsewhere.example", folder)
      assert {200, "ok"} = answer(server, cacertfile: file)

      for {server, options} <- [
            {server, []},
            {server, [cacertfile: other_file]},
            {server, [cacertfile: file <> ".missing"]},
            {elsewhere, [cacertfile: elsewhere_file]},
            {%{server | url: "https://127.0.0.1:#{server.port}"}, [cacertfile: file]}
          ] do
        assert {:error, %TransportError{kind: :tls, detail: detail}} = answer(server, options)
        assert is_binary(detail)
      end

      assert length(Loopback.requests(server)) == 1
      assert Loopback.requests(elsewhere) == []
    end

    test "knows certificates for all names of a domain" do
      match = :public_key.pkix_verify_hostname_match_fun(:https)
      assert match.({:dns_id, ~c"api.example.com"}, {:dNSName, ~c"*.example.com"})
    end

    test "says that it was closed" do
      {:ok, listener} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
      {:ok, port} = :inet.port(listener)

      start_supervised!(
        {Task,
         fn ->
           {:ok, socket} = :gen_tcp.accept(listener)
           :gen_tcp.close(socket)
         end}
      )

      assert {:error, %TransportError{} = error} = answer("https://127.0.0.1:#{port}")
      refute Exception.message(error) =~ "unknown"
    end

    test "is not spoken with who does not speak it" do
      server = Loopback.start_link([["HTTP/1.1 400 Bad Request\r\n\r\n", :close]])
      url = String.replace(server.url, "http:", "https:")
      assert {:error, %TransportError{kind: kind}} = answer(url, connect_timeout: 200)
      assert kind in [:tls, :connect]
    end
  end
end
