defmodule Espalier.Backends.OllamaTest do
  use Espalier.HostedCase,
    backend: Espalier.Backends.Ollama,
    name: :ollama,
    path: "",
    model: "llama3.2"

  import ExUnit.CaptureLog

  alias Espalier.Backends.Ollama
  alias Espalier.GenerationError
  alias Espalier.Image
  alias Espalier.JSON
  alias Espalier.OptionsError
  alias Espalier.ProviderError
  alias Espalier.TransportError

  @wait 30_000
  @schema [name: :string, age: :integer]
  @text ~s({"name":"Ada","age":36})
  @value %{name: "Ada", age: 36}
  @counts %{"prompt_eval_count" => 9, "eval_count" => 5, "total_duration" => 10_706_818_083}

  doctest Ollama

  defp line(message, more \\ %{}) do
    message = if is_binary(message), do: %{"content" => message}, else: message
    message = Map.put(message, "role", "assistant")
    line = %{"model" => "m", "created_at" => "2026-11-27T10:00:00Z", "message" => message}
    line |> Map.put("done", false) |> Map.merge(more)
  end

  defp last(reason), do: Map.merge(@counts, %{"done" => true, "done_reason" => reason})

  defp reply(message, reason \\ "stop"), do: Loopback.json(200, line(message, last(reason)))

  defp ndjson(lines) do
    lines
    |> Enum.map(&if(is_map(&1), do: JSON.encode!(&1) <> "\n", else: &1))
    |> Loopback.chunked([{"content-type", "application/x-ndjson"}])
  end

  defp streamed(messages, reason \\ "stop"),
    do: ndjson(Enum.map(messages, &line/1) ++ [line("", last(reason))])

  defp events(schema, answer, more \\ []),
    do: schema |> Espalier.stream("Ada is 36.", options(server(answer), more)) |> Enum.to_list()

  defp stream_error(answer, more \\ []) do
    events = events(@schema, answer, more)
    flunk("no error, but #{inspect(events)}")
  rescue
    error in [ProviderError, TransportError, GenerationError] -> error
  end

  describe "a request" do
    test "has the schema, in the prompt as well, and the limit" do
      request = sent(@schema, max_tokens: 77)
      assert request.path == "/api/chat"
      refute List.keymember?(request.headers, "authorization", 0)

      assert %{
               "model" => "llama3.2",
               "stream" => false,
               "truncate" => false,
               "options" => %{"num_predict" => 77} = options,
               "format" => format,
               "messages" => [%{"role" => "user", "content" => "Ada is 36.\n\n" <> told}]
             } = request.json

      assert {map_size(request.json), map_size(options)} == {6, 1}
      assert {:ok, []} = JSON.validate(JSON.encode!(format), @text)
      assert told =~ "JSON" and told =~ "age"
      # The order of the fields is that of the schema.
      assert request.body =~ ~r/"properties":\{"name":.*"age":/
    end

    test "tells the schema after the system message, if there is one, and not if it shall not" do
      messages = [
        %{role: :user, content: "Hi"},
        %{role: :system, content: "Be brief."},
        %{role: :user, content: ["Who", "are you?"]},
        %{role: :assistant, content: "Ada"}
      ]

      contents = fn json -> Enum.map(json["messages"], &{&1["role"], &1["content"]}) end
      plain = sent(@schema, [ollama: [schema_in_prompt: false]], messages).json

      assert contents.(plain) == [
               {"user", "Hi"},
               {"system", "Be brief."},
               {"user", "Who\n\nare you?"},
               {"assistant", "Ada"}
             ]

      told = sent(@schema, [], messages).json
      assert plain["format"] == told["format"]
      assert [first, {"system", "Be brief.\n\n" <> words} | rest] = contents.(told)
      assert [first | rest] == List.delete_at(contents.(plain), 1)
      assert words =~ "age"

      only = [%{role: :assistant, content: "Ada"}]
      assert [{"assistant", "Ada"}, {"user", ^words}] = contents.(sent(@schema, [], only).json)
    end

    test "has the bytes of images, and is not sent with an address of one" do
      image = Image.new!("BM", "image/bmp")
      messages = [%{role: :user, content: ["What", image, "is it?", image]}]
      more = [ollama: [schema_in_prompt: false]]
      assert [message] = sent(@schema, more, messages).json["messages"]

      assert message == %{
               "role" => "user",
               "content" => "What\n\nis it?",
               "images" => [Base.encode64("BM"), Base.encode64("BM")]
             }

      only = [%{role: :user, content: [image]}]
      assert [%{"content" => told, "images" => [_]}] = sent(@schema, [], only).json["messages"]
      assert told =~ "age"

      server = Loopback.start_link([reply(@text)])
      url = [%{role: :system, content: "x"}, %{role: :user, content: [Image.url!("http://a/b")]}]

      assert {:error, %GenerationError{kind: :invalid_prompt} = error} =
               generate(@schema, server, [], url)

      assert error.detail =~ "message 2"
      assert Loopback.requests(server) == []
    end

    test "has the sampling and the options that were given, our defaults too" do
      given = [
        temperature: 0,
        top_k: 5,
        top_p: 1.0,
        min_p: 0.1,
        typical_p: 0.7,
        repetition_penalty: 1.0,
        presence_penalty: 1,
        frequency_penalty: -1,
        seed: 7
      ]

      own = [think: :low, keep_alive: -1, num_ctx: 8192, api_key: "ollama-test-key"]
      request = sent(@schema, given ++ [ollama: own])

      assert request.json["options"] == %{
               "num_predict" => 512,
               "num_ctx" => 8192,
               "temperature" => 0,
               "top_k" => 5,
               "top_p" => 1.0,
               "min_p" => 0.1,
               "typical_p" => 0.7,
               "repeat_penalty" => 1.0,
               "presence_penalty" => 1,
               "frequency_penalty" => -1,
               "seed" => 7
             }

      assert %{"think" => "low", "keep_alive" => -1} = request.json
      assert {"authorization", "Bearer ollama-test-key"} in request.headers

      request = sent({:regex, ".*"}, stop: ["\n"], ollama: [mode: :prompt])
      assert request.json["options"]["stop"] == ["\n"]
      more = [ollama: [think: false, keep_alive: "10m"]]
      assert %{"think" => false, "keep_alive" => "10m"} = sent(@schema, more).json
    end

    test "is not sent with options that are wrong" do
      server = Loopback.start_link([reply(@text)])

      for {more, option} <- [
            {[model: nil], :model},
            {[model: :served], :model},
            {[whitespace: :compact], :whitespace},
            {[template: false], :template},
            {[seed: 0xFFFFFFFF], :seed},
            {[ollama: [mode: :tool]], :mode},
            {[ollama: [think: "a lot"]], :think},
            {[ollama: [num_ctx: 0]], :num_ctx},
            {[ollama: [keep_alife: 1]], :keep_alife}
          ] do
        assert {:error, %OptionsError{option: ^option}} = generate(@schema, server, more)
      end

      assert Loopback.requests(server) == []
    end
  end

  describe "modes" do
    test "have a format or none" do
      assert sent(@schema, ollama: [mode: :json_object]).json["format"] == "json"
      refute Map.has_key?(sent(@schema, ollama: [mode: :prompt]).json, "format")

      for mode <- [:json_schema, :json_object, :prompt] do
        more = [ollama: [mode: mode]]
        assert [%{"content" => told}] = sent(@schema, more).json["messages"]
        assert told =~ "age"
        assert {:ok, @value} = generate(@schema, reply(@text), more)
      end
    end

    test "a text is asked for within an object, and JSON of any type is not" do
      values = [
        {{:choice, [:yes, :no]}, ~s({"value": "yes"}), :yes},
        {{:regex, "[a-z]\"+"}, ~S({"value":"a\""}), "a\""},
        {%{"type" => "array", "items" => %{"type" => "integer"}}, "[1, 2]", [1, 2]}
      ]

      for {schema, text, value} <- values, mode <- [:json_schema, :json_object] do
        more = [ollama: [mode: mode], strict: true]
        assert {:ok, ^value} = generate(schema, reply(text), more)
        pieces = text |> String.graphemes() |> Enum.chunk_every(2) |> Enum.map(&Enum.join/1)
        assert {:done, %{value: ^value}} = schema |> events(streamed(pieces), more) |> List.last()
      end

      for {schema, text, _value} <- values do
        sent = sent(schema, []).json
        assert {:ok, []} = JSON.validate(JSON.encode!(sent["format"]), text)
        if text =~ "value", do: assert(hd(sent["messages"])["content"] =~ ~s("value"))
      end

      more = [ollama: [mode: :prompt]]
      assert {:ok, :no} = generate({:choice, [:yes, :no]}, reply("no"), more)
    end

    test "a compiled constraint can't be sent" do
      constraint = Espalier.Constraint.regex!("a", vocabulary: Espalier.Vocabulary.bytes())
      server = Loopback.start_link([reply("a")])
      assert {:error, %Espalier.SchemaError{}} = generate(constraint, server)
      assert Loopback.requests(server) == []
    end
  end

  describe "an answer" do
    test "is a value with what was counted, whole or in a stream" do
      server =
        Loopback.start_link([reply(@text), streamed(["{\"name\":\"Ada\",", "\"age\":36}"])])

      assert {:ok, whole} = Espalier.generate_result(@schema, "?", options(server))
      assert {:done, bit_by_bit} = @schema |> events(server) |> List.last()

      for result <- [whole, bit_by_bit] do
        assert {result.value, result.text, result.finish_reason} == {@value, @text, :stop}
        assert %{prompt_tokens: 9, completion_tokens: 5} = result.usage
      end

      assert [%{json: %{"stream" => false}}, %{json: %{"stream" => true}}] =
               Loopback.requests(server)
    end

    test "has neither counts nor a reason from older servers" do
      answer = Loopback.json(200, line(@text, %{"done" => true}))
      assert {:ok, result} = Espalier.generate_result(@schema, "?", options(server(answer)))
      assert %{prompt_tokens: 0, completion_tokens: 0} = result.usage
    end

    test "is the same wherever the stream is cut" do
      text = ~s({"name":"é🌲ß","age":36})
      pieces = for piece <- Enum.chunk_every(String.graphemes(text), 4), do: Enum.join(piece)
      lines = Enum.map(pieces, &line/1) ++ [line("", last("stop"))]
      body = Enum.map_join(lines, &(JSON.encode!(&1) <> "\n"))

      for seed <- 1..30, ending <- ["\n", ""] do
        answer = body |> String.trim_trailing("\n") |> Kernel.<>(ending) |> cut(seed) |> ndjson()
        events = events(@schema, answer)
        assert {:done, %{value: %{name: "é🌲ß"}}} = List.last(events)
        assert for({:text, text} <- events, into: "", do: text) == text
      end
    end

    defp cut(bytes, seed) do
      :rand.seed(:exsss, seed)

      Enum.to_list(
        Stream.unfold(bytes, fn
          "" -> nil
          bytes -> :erlang.split_binary(bytes, min(:rand.uniform(40), byte_size(bytes)))
        end)
      )
    end

    test "is read line by line, and no more than to its end" do
      lines = [
        line("{\"name\":\"Ada\","),
        {:gate, :half},
        line("\"age\":36}", last("stop")),
        :watch
      ]

      server = Loopback.start_link([ndjson(lines)])

      @schema
      |> Espalier.stream("?", options(server))
      |> Enum.each(fn event ->
        if event == {:text, "{\"name\":\"Ada\","} do
          assert_receive {:gate, :half, pid}, @wait
          Loopback.open(pid)
        end
      end)

      assert_receive :closed, @wait
    end

    test "has no thoughts" do
      message = %{"content" => @text, "thinking" => "Hm, {}"}
      assert {:ok, @value} = generate(@schema, reply(message), strict: true)

      thought = %{"content" => "", "thinking" => "Hm, {}"}
      events = events(@schema, streamed([thought, @text]), strict: true)
      assert for({:text, text} <- events, do: text) == [@text]
      assert {:reasoning, "Hm, {}"} in events
      assert {:done, %{reasoning: "Hm, {}"}} = List.last(events)
    end

    test "that was cut off by the limit says so" do
      assert {:error, %GenerationError{kind: :truncated, text: "{\"na"}} =
               generate(@schema, reply("{\"na", "length"))

      assert %GenerationError{kind: :truncated} = stream_error(streamed(["{\"na"], "length"))
    end

    test "that is none is an error" do
      for answer <- [
            Loopback.answer(200, [], "<html>"),
            Loopback.json(200, %{}),
            Loopback.json(200, [1]),
            Loopback.json(200, %{"message" => "?", "done" => true})
          ] do
        assert {:error, %ProviderError{kind: :invalid_response, provider: :ollama}} =
                 generate(@schema, answer)
      end

      assert %ProviderError{kind: :invalid_response} =
               stream_error(ndjson([line("{"), "{not json\n"]))

      assert {:error, %ProviderError{kind: :unavailable}} = generate(@schema, reply("", "load"))
    end

    test "of odd parts does no harm" do
      odd = [[], 1, %{"message" => 1}, %{"message" => %{"content" => 1}}, %{"done" => 1}]
      lines = Enum.map(odd, &(JSON.encode!(&1) <> "\n")) ++ [line(@text, last("stop"))]
      assert {:done, %{value: @value}} = @schema |> events(ndjson(lines)) |> List.last()
      assert {:error, _error} = generate(@schema, reply(%{"content" => [1]}))
    end

    test "that ends before it is done was cut off" do
      assert {:error, %TransportError{kind: :closed}} =
               generate(@schema, Loopback.json(200, line(@text)))

      assert %TransportError{kind: :closed} = stream_error(ndjson([line(@text)]))
      half = JSON.encode!(line(@text)) |> binary_part(0, 20)
      broken = [line("{"), half] |> ndjson() |> Enum.drop(-1)
      assert %TransportError{kind: :closed} = stream_error(broken ++ [:close])
    end
  end

  describe "errors" do
    test "have the kind and the server's words" do
      for {status, kind} <- [
            {400, :invalid_request},
            {401, :unauthorized},
            {404, :not_found},
            {429, :rate_limited},
            {500, :unavailable},
            {502, :unavailable},
            {503, :overloaded}
          ] do
        words = "model 'llama3.2' not found"
        answer = Loopback.json(status, %{"error" => words}, [{"retry-after", "2"}])
        assert {:error, error} = generate(@schema, answer)
        assert %ProviderError{provider: :ollama, detail: ^words, retry_after: 2000} = error
        assert {error.kind, error.status} == {kind, status}
        assert stream_error(answer) == error
      end
    end

    test "come among the lines of a stream, too" do
      words = "an error was encountered while running the model"
      error = stream_error(ndjson([line("{"), %{"error" => words}]))
      assert %ProviderError{kind: :unavailable, status: nil, detail: ^words} = error
    end

    test "that pass are tried again" do
      busy = Loopback.json(503, %{"error" => "server busy, please try again"})
      server = Loopback.start_link([busy, reply(@text)])
      assert {:ok, @value} = generate(@schema, server, max_retries: 1, retry_delay: 0)
    end

    test "come when nothing does, and when the whole takes too long" do
      slow = [Loopback.head(200, [{"content-length", "9"}]), {:pause, 2000}]

      assert {:error, %TransportError{kind: :timeout}} =
               generate(@schema, slow, ollama: [receive_timeout: 50])

      drip = Enum.intersperse(List.duplicate(line("x"), 100), {:pause, 20})
      assert %GenerationError{kind: :timeout} = stream_error(ndjson(drip), timeout: 200)
    end

    test "have no key in them" do
      key = "ollama-test-key"

      log =
        capture_log(fn ->
          answer = Loopback.json(401, %{"error" => "wrong key: Bearer #{key}"})
          assert {:error, error} = generate(@schema, answer, ollama: [api_key: key])
          assert error.detail == "wrong key: Bearer [hidden]"

          closed = [base_url: "http://127.0.0.1:9", api_key: key]
          assert {:error, error} = generate(@schema, reply(@text), ollama: closed)
          assert %TransportError{kind: :connect} = error
          refute inspect(error) =~ key
        end)

      refute log =~ key
    end
  end
end
