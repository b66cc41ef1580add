defmodule Espalier.HostedTest do
  # The environment is one for all processes.
  use ExUnit.Case, async: false

  import ExUnit.CaptureLog

  alias Espalier.Backends.OpenAI
  alias Espalier.Loopback
  alias Espalier.OptionsError
  alias Espalier.Request

  @key "sk-very-secret-0123456789"
  @reply Loopback.json(200, %{
           "choices" => [%{"message" => %{"content" => "{}"}, "finish_reason" => "stop"}]
         })

  defp request(options) do
    {:ok, options} = Request.validate(backend: {OpenAI, options}, model: "m")
    {:ok, request} = Request.new(%{}, "?", options)
    request
  end

  defp keys(server),
    do: for(r <- Loopback.requests(server), do: List.keyfind(r.headers, "authorization", 0))

  defp generate(options), do: Espalier.generate(%{}, "?", backend: {OpenAI, options}, model: "m")

  defp put_env(name, value) do
    Application.put_env(:espalier, name, value)
    on_exit(fn -> Application.delete_env(:espalier, name) end)
  end

  defp put_system_env(name, value) do
    before = System.get_env(name)
    System.put_env(name, value)
    on_exit(fn -> if before, do: System.put_env(name, before), else: System.delete_env(name) end)
  end

  test "the key is an option, or that of the application, or that of the environment" do
    server = Loopback.start_link([@reply])
    put_system_env("OPENAI_API_KEY", "sk-3")
    put_system_env("GROQ_API_KEY", "sk-groq")
    assert {:ok, %{}} = generate(base_url: server.url)
    put_env(:openai, api_key: "sk-2", base_url: server.url)
    assert {:ok, %{}} = generate([])
    assert {:ok, %{}} = generate(api_key: "sk-1")
    assert {:ok, %{}} = generate(api_key: fn -> "sk-0" end)
    assert {:ok, %{}} = generate(base_url: server.url, dialect: :groq)
    # That of OpenAI goes to nobody else.
    assert {:ok, %{}} = generate(base_url: server.url, dialect: :vllm)

    assert keys(server) == [
             {"authorization", "Bearer sk-3"},
             {"authorization", "Bearer sk-2"},
             {"authorization", "Bearer sk-1"},
             {"authorization", "Bearer sk-0"},
             {"authorization", "Bearer sk-groq"},
             nil
           ]
  end

  test "without a key, or with one that is none, nothing is sent, and what was given is not told" do
    server = Loopback.start_link([@reply])
    put_system_env("OPENAI_API_KEY", "")

    assert {:error, %OptionsError{kind: :missing, option: :api_key}} =
             generate(base_url: server.url)

    for key <- ["", ~c"sk-charlist", @key <> "\r\nx: y", fn -> nil end, {@key, 1}, nil] do
      assert {:error, %OptionsError{kind: kind, option: :api_key} = error} =
               generate(base_url: server.url, api_key: key)

      assert kind in [:invalid, :missing]
      refute inspect(error) <> Exception.message(error) =~ "sk-"
    end

    for headers <- [
          [{"x", @key <> "\n"}],
          [{"Content-Length", @key}],
          [{"x y", @key}],
          %{"x" => @key},
          [@key],
          @key
        ] do
      assert {:error, %OptionsError{kind: :invalid, option: :headers} = error} =
               generate(base_url: server.url, api_key: "k", headers: headers)

      refute inspect(error) <> Exception.message(error) =~ @key
    end

    for backend <- [{OpenAI, @key}, {OpenAI, @key, 1}, {OpenAI, [{"api_key", @key}]}] do
      assert {:error, %OptionsError{option: :backend} = error} =
               Espalier.generate(%{}, "?", backend: backend)

      refute inspect(error) <> Exception.message(error) =~ @key
    end

    assert Loopback.requests(server) == []
  end

  test "an address without such a port is an option that is wrong" do
    for url <- ["http://127.0.0.1:0", "http://127.0.0.1:65536", "https://127.0.0.1:99999/v1"] do
      assert {:error, %OptionsError{kind: :invalid, option: :base_url}} =
               generate(base_url: url, api_key: "k")
    end
  end

  test "a middleware adds headers to those that were given" do
    server = Loopback.start_link([@reply])

    add = fn request, next ->
      given = request.backend_options[:headers] || fn -> [] end
      headers = fn -> [{"x-team", "search"} | given.()] end
      next.(%{request | backend_options: Keyword.put(request.backend_options, :headers, headers)})
    end

    options = [api_key: "k", base_url: server.url, headers: [{"x-given", "1"}]]
    backend = {OpenAI, options}

    assert {:ok, %{}} =
             Espalier.generate(%{}, "?", backend: backend, model: "m", middleware: [add])

    assert [%{headers: headers}] = Loopback.requests(server)
    assert {"x-team", "search"} in headers
    assert {"x-given", "1"} in headers
  end

  test "a stream that never ends is given up" do
    comment = ":" <> String.duplicate("x", 0x400000) <> "\n"
    chunks = List.duplicate(comment, 65)

    server =
      Loopback.start_link([Loopback.chunked(chunks, [{"content-type", "text/event-stream"}])])

    options = [api_key: "k", base_url: server.url]

    error =
      assert_raise Espalier.ProviderError, fn ->
        %{} |> Espalier.stream("?", backend: {OpenAI, options}, model: "m") |> Stream.run()
      end

    assert error.kind == :invalid_response
    assert error.detail =~ "256 MiB"
  end

  test "no request, error or log shows a key" do
    options = [api_key: @key, headers: [{"x-key", @key}]]

    shown =
      inspect(request(options), limit: :infinity, printable_limit: :infinity, structs: false)

    refute shown =~ @key
    refute :io_lib.format("~p", [request(options)]) |> IO.iodata_to_binary() =~ @key

    {:ok, events} = OpenAI.stream(request([base_url: "http://127.0.0.1:1"] ++ options))
    refute inspect(events, limit: :infinity, printable_limit: :infinity) =~ @key
    assert [{:error, error}] = Enum.to_list(events)
    refute inspect(error) =~ @key

    log =
      capture_log(fn ->
        {:ok, pid} = Task.start(fn -> OpenAI.stream({:no_request, request(options)}) end)
        monitor = Process.monitor(pid)
        assert_receive {:DOWN, ^monitor, :process, ^pid, _reason}
        Logger.flush()
      end)

    assert log =~ "FunctionClauseError"
    refute log =~ @key
  end

  test "a provider that tells what it was sent does not tell the caller" do
    body = %{"error" => %{"message" => "Wrong key: #{@key}", "code" => @key}}
    server = Loopback.start_link([Loopback.json(401, body)])
    assert {:error, error} = generate(base_url: server.url, api_key: @key)
    assert error.detail == "Wrong key: [hidden]"
    refute inspect(error) =~ @key
  end

  test "options of the environment are checked like those that are given" do
    put_env(:openai, api_key: "k", mode: :strict)
    assert {:error, %OptionsError{option: :mode}} = generate([])

    put_env(:openai, %{api_key: @key})
    assert {:error, %OptionsError{kind: :not_keyword} = error} = generate([])
    refute inspect(error) =~ @key
  end

  test "a connection is used again after an answer that ended as it should, an error too" do
    done = %{"choices" => [%{"delta" => %{"content" => "{}"}, "finish_reason" => "stop"}]}
    part = %{"choices" => [%{"delta" => %{"content" => "{"}}]}
    fault = %{"error" => %{"message" => "no memory is left"}}

    for {answer, connections} <- [
          # In one piece: what comes later than the last part isn't waited for.
          {[Enum.join(Loopback.sse([done, "[DONE]"]))], 1},
          {Loopback.json(400, fault), 1},
          {Loopback.json(503, fault), 3},
          {Loopback.sse([]), 3},
          {Loopback.sse([part]), 3},
          {Loopback.sse([part, "[DONE]"]), 3},
          {Loopback.sse([part, fault]), 3},
          {Loopback.json(200, fault), 3}
        ] do
      server = Loopback.start_link([answer])
      request = %{request(base_url: server.url, api_key: "k") | streamed: true}

      for _request <- 1..3 do
        {:ok, events} = OpenAI.stream(request)
        Enum.to_list(events)
      end

      assert {answer, Loopback.connections(server)} == {answer, connections}
    end
  end
end
