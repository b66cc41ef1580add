defmodule Espalier.Backends.GeminiTest do
  use Espalier.HostedCase,
    backend: Espalier.Backends.Gemini,
    name: :gemini,
    path: "/v1beta",
    key: "AIza-test-key",
    model: "gemini-test"

  import ExUnit.CaptureLog

  alias Espalier.Backends.Gemini
  alias Espalier.GenerationError
  alias Espalier.Image
  alias Espalier.JSON
  alias Espalier.OptionsError
  alias Espalier.ProviderError
  alias Espalier.RefusalError
  alias Espalier.TransportError

  @key "AIza-test-key"
  @schema [name: :string, age: :integer]
  @text ~s({"name":"Ada","age":36})
  @value %{name: "Ada", age: 36}
  @usage %{
    "promptTokenCount" => 9,
    "candidatesTokenCount" => 5,
    "thoughtsTokenCount" => 3,
    "cachedContentTokenCount" => 4,
    "totalTokenCount" => 17
  }

  doctest Gemini

  defp chunk(text, reason \\ nil) do
    parts = if is_binary(text), do: [%{"text" => text}], else: text
    candidate = %{"content" => %{"role" => "model", "parts" => parts}, "index" => 0}
    candidate = if reason, do: Map.put(candidate, "finishReason", reason), else: candidate
    %{"candidates" => [candidate], "modelVersion" => "gemini-test", "responseId" => "r1"}
  end

  defp reply(text, reason \\ "STOP"),
    do: Loopback.json(200, text |> chunk(reason) |> Map.put("usageMetadata", @usage))

  # Each chunk counts all so far.
  defp streamed(texts, reason \\ "STOP") do
    {texts, [last]} = Enum.split(texts, -1)
    first = Enum.map(texts, &Map.put(chunk(&1), "usageMetadata", %{"promptTokenCount" => 9}))
    Loopback.sse(first ++ [last |> chunk(reason) |> Map.put("usageMetadata", @usage)])
  end

  defp events(schema, answer, more \\ []),
    do: schema |> Espalier.stream("Ada is 36.", options(server(answer), more)) |> Enum.to_list()

  defp stream_error(answer, more \\ []) do
    events = events(@schema, answer, more)
    flunk("no error, but #{inspect(events)}")
  rescue
    error in [ProviderError, RefusalError, TransportError, GenerationError] -> error
  end

  defp config(schema, more), do: sent(schema, more).json["generationConfig"]

  describe "a request" do
    test "has the turns, the limit and the schema, and the key in a header only" do
      request = sent(@schema, max_tokens: 77)
      assert request.path == "/v1beta/models/gemini-test:generateContent"
      assert {"x-goog-api-key", @key} in request.headers

      assert %{
               "contents" => [%{"role" => "user", "parts" => [%{"text" => "Ada is 36."}]}],
               "generationConfig" => config
             } = request.json

      assert map_size(request.json) == 2
      assert config["maxOutputTokens"] == 77
      assert config["responseMimeType"] == "application/json"
      assert {:ok, []} = JSON.validate(JSON.encode!(config["responseJsonSchema"]), @text)
      assert map_size(config) == 3
      # The order of the fields is that of the schema.
      assert request.body =~ ~r/"properties":\{"name":.*"age":/
    end

    test "for a stream asks for events, and a tuned model has its own path" do
      server = Loopback.start_link([streamed([@text])])
      events(@schema, server, model: "tunedModels/mine?")
      assert [request] = Loopback.requests(server)
      assert request.path == "/v1beta/tunedModels/mine%3F:streamGenerateContent?alt=sse"
      refute request.path =~ @key
    end

    test "has system messages apart, and joins those of one role" do
      messages = [
        %{role: :system, content: "Be brief."},
        %{role: :user, content: "Hi"},
        %{role: :user, content: ["Who", "are you?"]},
        %{role: :assistant, content: "Ada"},
        %{role: :system, content: "Be kind."},
        %{role: :user, content: "How old?"}
      ]

      json = sent(@schema, [], messages).json
      texts = fn turn -> Enum.map(turn["parts"], & &1["text"]) end
      assert texts.(json["systemInstruction"]) == ["Be brief.", "Be kind."]

      assert Enum.map(json["contents"], &{&1["role"], texts.(&1)}) == [
               {"user", ["Hi", "Who", "are you?"]},
               {"model", ["Ada"]},
               {"user", ["How old?"]}
             ]
    end

    test "has images as data or by address" do
      image = Image.new!("BM", "image/bmp")
      url = Image.url!("https://example.org/a/cat.PNG?size=2")
      plain = Image.url!("https://example.org/cat")
      messages = [%{role: :user, content: ["What is it?", image, url, plain]}]
      assert [%{"parts" => parts}] = sent(@schema, [], messages).json["contents"]

      assert parts == [
               %{"text" => "What is it?"},
               %{"inlineData" => %{"mimeType" => "image/bmp", "data" => Base.encode64("BM")}},
               %{"fileData" => %{"mimeType" => "image/png", "fileUri" => url.url}},
               %{"fileData" => %{"fileUri" => plain.url}}
             ]
    end

    test "has the sampling that was given, our defaults too, and how much to think" do
      given = [
        temperature: 0,
        top_p: 1.0,
        top_k: 5,
        seed: 7,
        presence_penalty: 1,
        frequency_penalty: -1,
        min_p: 0,
        repetition_penalty: 1.0
      ]

      config = config(@schema, given ++ [gemini: [thinking: 0]])

      assert Map.drop(config, ~w(maxOutputTokens responseMimeType responseJsonSchema)) == %{
               "temperature" => 0,
               "topP" => 1.0,
               "topK" => 5,
               "seed" => 7,
               "presencePenalty" => 1,
               "frequencyPenalty" => -1,
               "thinkingConfig" => %{"thinkingBudget" => 0}
             }

      assert config(@schema, gemini: [thinking: :low])["thinkingConfig"] ==
               %{"thinkingLevel" => "LOW"}

      more = [stop: ["\n"], gemini: [mode: :prompt]]
      assert config({:regex, ".*"}, more)["stopSequences"] == ["\n"]
    end

    test "is not sent with what Gemini has nothing for, or options that are wrong" do
      server = Loopback.start_link([reply(@text)])

      for option <- [
            min_p: 0.1,
            repetition_penalty: 1.5,
            seed: 0x80000000,
            whitespace: :compact,
            template: false
          ] do
        {name, value} = option

        assert {:error, %OptionsError{kind: :unsupported, provider: :gemini} = error} =
                 generate(@schema, server, [option])

        assert {error.option, error.got} == {name, value}
      end

      for {more, option} <- [
            {[model: nil], :model},
            {[model: :served], :model},
            {[gemini: [mode: :tool]], :mode},
            {[gemini: [thinking: -1]], :thinking},
            {[gemini: [api_kee: "x"]], :api_kee}
          ] do
        assert {:error, %OptionsError{option: ^option}} = generate(@schema, server, more)
      end

      assert Loopback.requests(server) == []
    end
  end

  describe "modes" do
    test "an older model gets a schema of OpenAPI" do
      config = config(@schema, gemini: [mode: :schema])
      refute Map.has_key?(config, "responseJsonSchema")

      assert config["responseSchema"] == %{
               "type" => "OBJECT",
               "properties" => %{
                 "name" => %{"type" => "STRING"},
                 "age" => %{"type" => "INTEGER"}
               },
               "required" => ["name", "age"],
               "propertyOrdering" => ["name", "age"],
               "description" => "There are no other properties."
             }

      assert {:ok, @value} = generate(@schema, reply(@text), gemini: [mode: :schema])
    end

    test "the schema is told where nothing else has it" do
      messages = [%{role: :system, content: "Be brief."}, %{role: :user, content: "Hi"}]

      for {mode, type} <- [json_object: "application/json", prompt: nil] do
        json = sent(@schema, [gemini: [mode: mode]], messages).json

        assert [%{"text" => "Be brief."}, %{"text" => told}] = json["systemInstruction"]["parts"]
        assert told =~ "JSON" and told =~ "age"
        assert json["generationConfig"]["responseMimeType"] == type
        assert {:ok, @value} = generate(@schema, reply(@text), gemini: [mode: mode])
      end
    end

    test "a text is asked for within an object, and JSON of any type is not" do
      values = [
        {{:choice, [:yes, :no]}, ~s({"value":"yes"}), :yes},
        {{:regex, "[a-z]\"+"}, ~S({"value":"a\""}), "a\""},
        {%{"type" => "array", "items" => %{"type" => "integer"}}, "[1, 2]", [1, 2]}
      ]

      for {schema, text, value} <- values, mode <- [:json_schema, :schema, :json_object] do
        more = [gemini: [mode: mode], strict: true]
        assert {:ok, ^value} = generate(schema, reply(text), more)
        pieces = text |> String.graphemes() |> Enum.chunk_every(2) |> Enum.map(&Enum.join/1)
        assert {:done, %{value: ^value}} = schema |> events(streamed(pieces), more) |> List.last()
      end

      for {schema, text, _value} <- values do
        sent = config(schema, [])["responseJsonSchema"]
        assert {:ok, []} = JSON.validate(JSON.encode!(sent), text)
      end

      assert {:ok, :no} = generate({:choice, [:yes, :no]}, reply("no"), gemini: [mode: :prompt])
    end

    test "a compiled constraint can't be sent" do
      constraint = Espalier.Constraint.regex!("a", vocabulary: Espalier.Vocabulary.bytes())
      server = Loopback.start_link([reply("a")])
      assert {:error, %Espalier.SchemaError{}} = generate(constraint, server)
      assert Loopback.requests(server) == []
    end
  end

  describe "a schema of OpenAPI" do
    test "spells types and enumerations as Gemini does" do
      fields = [
        size: {:enum, [:small, :large]},
        on: {:date, nullable: true},
        tags: {:array, {:string, max_length: 3}},
        either: {:union, [:boolean, :integer]}
      ]

      sent = config(fields, gemini: [mode: :schema])["responseSchema"]

      assert sent["properties"] == %{
               "size" => %{"type" => "STRING", "format" => "enum", "enum" => ["small", "large"]},
               "on" => %{"type" => "STRING", "format" => "date", "nullable" => true},
               "tags" => %{"type" => "ARRAY", "items" => %{"type" => "STRING", "maxLength" => 3}},
               "either" => %{"anyOf" => [%{"type" => "BOOLEAN"}, %{"type" => "INTEGER"}]}
             }
    end

    test "has no keyword that the subset has not" do
      known =
        ~w(type format title description nullable enum maxItems minItems properties required minProperties
           maxProperties minLength maxLength pattern anyOf propertyOrdering items minimum maximum)

      schema = [
        tags: {{:array, {:enum, [:a, :b]}}, unique: true},
        at: :utc_datetime,
        point: {:tuple, [:float, :float]},
        score: {:integer, min: 0, greater_than: 1, nullable: true},
        either: {:union, [:boolean, :string]}
      ]

      sent = config(schema, gemini: [mode: :schema])["responseSchema"]
      assert sent["propertyOrdering"] == ~w(tags at point score either)
      assert keywords(sent) -- known == []
    end

    defp keywords(%{} = schema) do
      {properties, rest} = Map.pop(schema, "properties", %{})
      below = Map.values(properties) ++ List.wrap(rest["items"]) ++ List.wrap(rest["anyOf"])
      Enum.uniq(Map.keys(rest) ++ Enum.flat_map(below, &keywords/1))
    end

    test "is an error with the place where nothing can be said" do
      server = Loopback.start_link([reply("{}")])

      for {schema, keyword} <- [
            {~s({"type":"object","properties":{"next":{"$ref":"#"}}}), "$ref"},
            {~s({"type":"object","properties":{"a":{"type":"object"}}}), "properties"},
            {~s({"anyOf":[{"type":"object","additionalProperties":{"type":"string"}}]}),
             "properties"}
          ] do
        assert {:error, %Espalier.SchemaError{kind: :unsupported_by_provider} = error} =
                 generate(schema, server, gemini: [mode: :schema])

        assert error.keyword == keyword
      end

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
        assert result.value == @value
        assert result.text == @text
        assert result.finish_reason == :stop

        assert %{
                 prompt_tokens: 9,
                 completion_tokens: 8,
                 cached_tokens: 4,
                 reasoning_tokens: 3
               } = result.usage
      end
    end

    test "is the same wherever the stream is cut" do
      text = ~s({"name":"é🌲ß","age":36})
      pieces = for piece <- Enum.chunk_every(String.graphemes(text), 4), do: Enum.join(piece)

      body =
        for chunk <- Enum.map(pieces, &chunk/1) ++ [chunk("", "STOP")],
            into: "",
            do: "data: " <> JSON.encode!(chunk) <> "\r\n\r\n"

      for seed <- 1..30 do
        answer = body |> cut(seed) |> Loopback.chunked([{"content-type", "text/event-stream"}])
        events = events(@schema, answer)
        assert {:done, %{value: %{name: "é🌲ß"}}} = List.last(events)
        assert for({:text, text} <- events, into: "", do: text) == text
      end
    end

    defp cut(bytes, seed) do
      :rand.seed(:exsss, seed)

      Stream.unfold(bytes, fn
        "" ->
          nil

        bytes ->
          bytes |> :erlang.split_binary(min(:rand.uniform(40), byte_size(bytes)))
      end)
    end

    test "has no thoughts, and may begin with them" do
      thought = %{"text" => "Hm, {}", "thought" => true}
      parts = [thought, %{"text" => @text}, %{"inlineData" => %{}}]
      assert {:ok, @value} = generate(@schema, reply(parts), strict: true)

      events = events(@schema, streamed([[thought], @text]), strict: true)
      assert for({:text, text} <- events, do: text) == [@text]
      assert {:done, %{reasoning: "Hm, {}"}} = List.last(events)
    end

    test "that was cut off by the limit says so" do
      assert {:error, %GenerationError{kind: :truncated, text: "{\"na"}} =
               generate(@schema, reply("{\"na", "MAX_TOKENS"))

      # All went into thoughts.
      answer = Loopback.json(200, %{"candidates" => [%{"finishReason" => "MAX_TOKENS"}]})
      assert {:error, %GenerationError{kind: :truncated}} = generate(@schema, answer)

      assert %GenerationError{kind: :truncated} = stream_error(streamed(["{\"na"], "MAX_TOKENS"))
    end

    test "that was filtered is an error with the category and the text so far" do
      for reason <- ~w(SAFETY RECITATION PROHIBITED_CONTENT BLOCKLIST SPII LANGUAGE) do
        assert {:error, error} = generate(@schema, reply("{\"na", reason))
        assert %RefusalError{kind: :filtered, provider: :gemini, text: "{\"na"} = error
        assert error.detail == reason
        assert stream_error(streamed(["{\"na"], reason)) == error
      end

      empty = Loopback.json(200, %{"candidates" => [%{"finishReason" => "SAFETY"}]})
      assert {:error, %RefusalError{detail: "SAFETY"}} = generate(@schema, empty)
    end

    test "to a prompt that was blocked is an error, and asked for once" do
      blocked = %{
        "promptFeedback" => %{"blockReason" => "PROHIBITED_CONTENT"},
        "usageMetadata" => %{"promptTokenCount" => 4}
      }

      server = Loopback.start_link([Loopback.json(200, blocked)])

      assert {:error, %RefusalError{kind: :filtered, detail: "PROHIBITED_CONTENT"}} =
               generate(@schema, server, max_attempts: 3, max_retries: 3)

      assert [_once] = Loopback.requests(server)
      assert %RefusalError{detail: "PROHIBITED_CONTENT"} = stream_error(Loopback.sse([blocked]))
    end

    test "that the model broke off is asked for again" do
      for reason <- ~w(MALFORMED_FUNCTION_CALL OTHER) do
        server = Loopback.start_link([reply("", reason), reply(@text)])
        assert {:ok, @value} = generate(@schema, server, max_retries: 1, retry_delay: 0)

        assert {:error, %ProviderError{kind: :unavailable} = error} =
                 generate(@schema, reply("", reason))

        assert error.detail =~ reason
      end
    end

    test "that is none is an error" do
      for answer <- [
            Loopback.answer(200, [], "<html>"),
            Loopback.json(200, %{}),
            Loopback.json(200, [1]),
            Loopback.json(200, %{"candidates" => []}),
            Loopback.json(200, %{"candidates" => [1]})
          ] do
        assert {:error, %ProviderError{kind: :invalid_response, provider: :gemini}} =
                 generate(@schema, answer)
      end

      broken = Loopback.sse([chunk("{"), "{not json"])
      assert %ProviderError{kind: :invalid_response} = stream_error(broken)
    end

    test "of odd parts does no harm" do
      odd = [
        [],
        1,
        %{"candidates" => 1},
        %{"candidates" => [%{"content" => 1, "finishReason" => 1}]},
        %{"usageMetadata" => [], "promptFeedback" => 1},
        %{"usageMetadata" => %{"candidatesTokenCount" => "5", "thoughtsTokenCount" => 3}},
        chunk([1, %{"text" => 1}])
      ]

      events = Enum.map(odd, &JSON.encode!/1) ++ [chunk(@text, "STOP")]
      assert {:done, %{value: @value}} = @schema |> events(Loopback.sse(events)) |> List.last()
    end

    test "that ends without a reason was cut off" do
      assert %TransportError{kind: :closed} = stream_error(Loopback.sse([chunk(@text)]))
      broken = streamed([@text, ""]) |> Enum.take(2)
      assert %TransportError{kind: :closed} = stream_error(broken ++ [:close])
    end
  end

  describe "errors" do
    defp error(code, status, message, details \\ []),
      do: %{
        "error" => %{
          "code" => code,
          "status" => status,
          "message" => message,
          "details" => details
        }
      }

    defp detail(type, fields),
      do: Map.put(fields, "@type", "type.googleapis.com/google.rpc." <> type)

    test "have the kind, the status's name and Google's words" do
      wrong_key =
        detail("ErrorInfo", %{"reason" => "API_KEY_INVALID", "domain" => "googleapis.com"})

      for {code, status, details, kind} <- [
            {400, "INVALID_ARGUMENT", [], :invalid_request},
            {400, "INVALID_ARGUMENT", [wrong_key], :unauthorized},
            {400, "FAILED_PRECONDITION", [], :invalid_request},
            {401, "UNAUTHENTICATED", [], :unauthorized},
            {403, "PERMISSION_DENIED", [], :unauthorized},
            {404, "NOT_FOUND", [], :not_found},
            {429, "RESOURCE_EXHAUSTED", [], :rate_limited},
            {500, "INTERNAL", [], :unavailable},
            {503, "UNAVAILABLE", [], :overloaded},
            {504, "DEADLINE_EXCEEDED", [], :unavailable}
          ] do
        body = error(code, status, "Unknown name \"oneOf\"", details)

        for answer <- [body, [body]] do
          assert {:error, %ProviderError{} = error} =
                   generate(@schema, Loopback.json(code, answer))

          assert {error.kind, error.status, error.code, error.provider} ==
                   {kind, code, status, :gemini}

          assert error.detail == "Unknown name \"oneOf\""
        end

        # In the midst of a stream there is no status but the one in the error.
        error = stream_error(Loopback.sse([chunk("{"), body]))
        assert {error.kind, error.status, error.code} == {kind, nil, status}
      end
    end

    test "tell how long to wait, in a header or in the body" do
      info = detail("RetryInfo", %{"retryDelay" => "13.5s"})
      body = error(429, "RESOURCE_EXHAUSTED", "Slow down.", [info])

      assert {:error, %ProviderError{kind: :rate_limited, retry_after: 13_500}} =
               generate(@schema, Loopback.json(429, body))

      assert {:error, %ProviderError{retry_after: 2000}} =
               generate(@schema, Loopback.json(429, body, [{"retry-after", "2"}]))

      for odd <- ["soon", 7, "-1s", nil] do
        details = [detail("RetryInfo", %{"retryDelay" => odd}), 1]
        body = error(429, "RESOURCE_EXHAUSTED", "Slow down.", details)

        assert {:error, %ProviderError{retry_after: nil}} =
                 generate(@schema, Loopback.json(429, body))
      end
    end

    test "of a quota for the day are not tried again" do
      quota = %{"quotaId" => "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}
      details = [detail("QuotaFailure", %{"violations" => [quota]})]
      body = error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", details)
      server = Loopback.start_link([Loopback.json(429, body), reply(@text)])

      assert {:error, %ProviderError{kind: :quota_exceeded}} =
               generate(@schema, server, max_retries: 2, retry_delay: 0)

      assert [_once] = Loopback.requests(server)
    end

    test "without a body have what there is" do
      assert {:error, %ProviderError{kind: :unavailable, status: 502, detail: "Bad gateway"}} =
               generate(@schema, Loopback.answer(502, [], "Bad gateway"))
    end

    test "come when nothing does, and when the whole takes too long" do
      slow = [Loopback.head(200, [{"content-length", "9"}]), {:pause, 2000}]

      assert {:error, %TransportError{kind: :timeout}} =
               generate(@schema, slow, gemini: [receive_timeout: 50])

      drip = Enum.intersperse(List.duplicate(chunk("x"), 100), {:pause, 20})
      assert %GenerationError{kind: :timeout} = stream_error(Loopback.sse(drip), timeout: 200)
    end

    test "have no key in them" do
      log =
        capture_log(fn ->
          server = Loopback.start_link([Loopback.json(400, error(400, "INVALID_ARGUMENT", @key))])
          assert {:error, error} = generate(@schema, server)
          refute inspect(error) <> Exception.message(error) =~ @key
          assert error.detail == "[hidden]"

          closed = %{server | url: "http://127.0.0.1:9"}
          assert {:error, %TransportError{} = error} = generate(@schema, closed)
          refute inspect(error) =~ @key
        end)

      refute log =~ @key

      assert {:error, error} = generate(@schema, reply(@text), gemini: [api_key: @key <> "\r\n"])
      refute inspect(error) =~ @key

      {:ok, request} =
        Espalier.Request.new(
          @schema,
          "?",
          validated(backend: {Gemini, api_key: @key}, model: "m")
        )

      refute inspect(request, limit: :infinity) =~ @key
    end

    defp validated(options) do
      {:ok, options} = Espalier.Request.validate(options)
      options
    end
  end
end
