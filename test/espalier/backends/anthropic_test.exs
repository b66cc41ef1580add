defmodule Espalier.Backends.AnthropicTest do
  use Espalier.HostedCase,
    backend: Espalier.Backends.Anthropic,
    name: :anthropic,
    path: "",
    key: "sk-ant-test-0123456789",
    model: "claude-test"

  import ExUnit.CaptureLog

  alias Espalier.Backends.Anthropic
  alias Espalier.GenerationError
  alias Espalier.Image
  alias Espalier.JSON
  alias Espalier.OptionsError
  alias Espalier.ProviderError
  alias Espalier.RefusalError
  alias Espalier.Request
  alias Espalier.TransportError

  @wait 30_000
  @key "sk-ant-test-0123456789"
  @schema [name: :string, age: :integer]
  @text ~s({"name":"Ada","age":36})
  @value %{name: "Ada", age: 36}
  @list %{"type" => "array", "items" => %{"type" => "integer"}}
  @usage %{
    "input_tokens" => 9,
    "cache_creation_input_tokens" => 100,
    "cache_read_input_tokens" => 1000,
    "output_tokens" => 5,
    "output_tokens_details" => %{"thinking_tokens" => 2},
    "service_tier" => "standard"
  }

  doctest Anthropic

  # A whole answer, by its text or its blocks.
  defp reply(content, reason \\ "end_turn", more \\ %{})

  defp reply(text, reason, more) when is_binary(text), do: reply([text(text)], reason, more)

  defp reply(blocks, reason, more) do
    message = %{"type" => "message", "role" => "assistant", "content" => blocks}
    message = Map.merge(message, %{"stop_reason" => reason, "usage" => @usage})
    Loopback.json(200, Map.merge(message, more))
  end

  defp text(text), do: %{"type" => "text", "text" => text}

  defp call(input),
    do: %{"type" => "tool_use", "id" => "t1", "name" => "answer", "input" => input}

  # A stream as it is documented, by the events between its first and its last ones.
  defp streamed(events, reason \\ "end_turn"),
    do: Loopback.sse(started(events) ++ stopped(reason))

  defp started(events) do
    usage = Map.merge(@usage, %{"output_tokens" => 1, "output_tokens_details" => nil})
    message = %{"type" => "message", "content" => [], "stop_reason" => nil, "usage" => usage}
    [%{"type" => "message_start", "message" => message}, %{"type" => "ping"} | events]
  end

  defp stopped(reason, more \\ %{}) do
    delta = Map.merge(%{"stop_reason" => reason, "stop_sequence" => nil}, more)
    usage = Map.take(@usage, ["output_tokens", "output_tokens_details"])

    [
      %{"type" => "message_delta", "delta" => delta, "usage" => usage},
      %{"type" => "message_stop"}
    ]
  end

  defp block(block, deltas, index \\ 0) do
    [%{"type" => "content_block_start", "index" => index, "content_block" => block}] ++
      for(delta <- deltas, do: delta(delta, index)) ++
      [%{"type" => "content_block_stop", "index" => index}]
  end

  defp delta(delta, index \\ 0),
    do: %{"type" => "content_block_delta", "index" => index, "delta" => delta}

  defp text_delta(text), do: %{"type" => "text_delta", "text" => text}
  defp json_delta(json), do: %{"type" => "input_json_delta", "partial_json" => json}
  defp texts(pieces), do: block(text(""), Enum.map(pieces, &text_delta/1))
  defp calls(pieces), do: block(call(%{}), Enum.map(pieces, &json_delta/1))

  defp thoughts do
    deltas = [
      %{"type" => "thinking_delta", "thinking" => "Who is 36? {"},
      %{"type" => "signature_delta", "signature" => "c2ln"}
    ]

    block(%{"type" => "thinking", "thinking" => "", "signature" => ""}, deltas)
  end

  # The result of a stream, or the error that it ends with.
  defp last(answer, more \\ [], schema \\ @schema) do
    {:done, result} = schema |> stream(answer, more) |> Enum.at(-1)
    {:ok, result}
  rescue
    error -> {:error, error}
  end

  describe "a request" do
    test "has the model, the messages, the limit and the schema, and no sampling" do
      request = sent(@schema, max_tokens: 77)
      assert {request.method, request.path} == {"POST", "/v1/messages"}
      assert header(request, "x-api-key") == @key
      assert header(request, "anthropic-version") == "2023-06-01"
      assert header(request, "anthropic-beta") == nil

      assert %{
               "model" => "claude-test",
               "messages" => [%{"role" => "user", "content" => "Ada is 36."}],
               "max_tokens" => 77,
               "output_config" => %{"format" => %{"type" => "json_schema", "schema" => schema}}
             } = request.json

      assert map_size(request.json) == 4
      assert map_size(request.json["output_config"]) == 1
      assert {:ok, []} = JSON.validate(JSON.encode!(schema), @text)
      # The order of the fields is that of the schema.
      assert request.body =~ ~r/"properties":\{"name":.*"age":/
    end

    test "has what the system says by itself, and one turn of a role after another" do
      messages = [
        %{role: :user, content: "Hi"},
        %{role: :system, content: "Be brief."},
        %{role: :user, content: ["Ada", "is 36."]},
        %{role: :assistant, content: "Well."},
        %{role: :system, content: ["Be kind.", "Always."]},
        %{role: :user, content: "Who?"}
      ]

      json = sent(@schema, [], messages).json
      assert json["system"] == "Be brief.\n\nBe kind.\n\nAlways."

      assert json["messages"] == [
               %{"role" => "user", "content" => [text("Hi"), text("Ada"), text("is 36.")]},
               %{"role" => "assistant", "content" => "Well."},
               %{"role" => "user", "content" => "Who?"}
             ]
    end

    test "has images by their address or as bytes" do
      png = <<0x89, "PNG", 0x0D, 0x0A, 0x1A, 0x0A>>
      url = "https://example.org/receipt.png"
      content = ["What is on these?", Image.new!(png), Image.url!(url)]

      assert [%{"content" => [asked, bytes, address]}] =
               sent(@schema, [], [%{role: :user, content: content}]).json["messages"]

      assert asked == text("What is on these?")

      assert %{"type" => "image", "source" => %{"type" => "base64", "data" => data} = source} =
               bytes

      assert source["media_type"] == "image/png" and Base.decode64!(data) == png

      assert address == %{"type" => "image", "source" => %{"type" => "url", "url" => url}}

      server = Loopback.start_link([reply(@text)])
      prompt = [%{role: :system, content: [Image.new!(png)]}, %{role: :user, content: "?"}]

      assert {:error, %GenerationError{kind: :invalid_prompt}} =
               Espalier.generate(@schema, prompt, options(server))

      assert Loopback.requests(server) == []
    end

    test "has headers for betas and whatever else" do
      more = [betas: ["a-2026-01-01", "b-2026-02-02"], headers: [{"X-Trace", "7"}]]
      request = sent(@schema, anthropic: more)
      assert header(request, "anthropic-beta") == "a-2026-01-01,b-2026-02-02"
      assert header(request, "x-trace") == "7"

      own = [headers: [{"Anthropic-Version", "2030-01-01"}]]
      assert header(sent(@schema, anthropic: own), "anthropic-version") == "2030-01-01"
    end

    test "has the sampling that was given" do
      given = [temperature: 0, top_p: 1, top_k: 5]
      json = sent(@schema, given).json
      assert Map.take(json, ["temperature", "top_p", "top_k"]) == json_of(given)
      stopped = sent({:regex, ".*"}, stop: ["\n"], anthropic: [mode: :prompt])
      assert stopped.json["stop_sequences"] == ["\n"]
    end

    test "tells how to think, and how much" do
      thinking = &sent(@schema, anthropic: [thinking: &1]).json["thinking"]
      assert thinking.(:adaptive) == %{"type" => "adaptive"}
      assert thinking.(:disabled) == %{"type" => "disabled"}
      assert thinking.({:budget, 2048}) == %{"type" => "enabled", "budget_tokens" => 2048}

      assert %{"effort" => "low", "format" => %{}} =
               sent(@schema, anthropic: [effort: :low]).json["output_config"]

      assert sent(@schema, anthropic: [effort: :max, mode: :tool]).json["output_config"] ==
               %{"effort" => "max"}
    end

    test "with what the provider has nothing for is an error, and is not sent" do
      server = Loopback.start_link([reply(@text)])

      for {name, value} <- [
            min_p: 0.1,
            repetition_penalty: 1.5,
            presence_penalty: 1,
            frequency_penalty: -1,
            seed: 7,
            whitespace: :compact,
            template: false
          ] do
        assert {:error, %OptionsError{kind: :unsupported, option: ^name, got: ^value} = error} =
                 generate(@schema, server, [{name, value}])

        assert Exception.message(error) =~ "anthropic does not take the option #{inspect(name)}"
      end

      assert {:error, %OptionsError{kind: :invalid, option: :temperature, got: 1.5} = error} =
               generate(@schema, server, temperature: 1.5)

      assert Exception.message(error) =~ "from 0 to 1"
      assert Loopback.requests(server) == []

      neutral = [min_p: 0, repetition_penalty: 1, presence_penalty: 0, frequency_penalty: 0]
      assert {:ok, @value} = generate(@schema, server, neutral)
      assert [request] = Loopback.requests(server)
      refute Enum.any?(neutral, fn {name, _value} -> request.json[to_string(name)] end)
    end

    test "needs a model and options that are right" do
      server = Loopback.start_link([reply(@text)])

      for {more, option} <- [
            {[model: nil], :model},
            {[model: :served], :model},
            {[model: ""], :model},
            {[anthropic: [mode: :json_object]], :mode},
            {[anthropic: [thinking: true]], :thinking},
            {[anthropic: [thinking: {:budget, 0}]], :thinking},
            {[anthropic: [effort: "low"]], :effort},
            {[anthropic: [betas: "a"]], :betas},
            {[anthropic: [betas: ["a\r\nb: c"]]], :headers},
            {[anthropic: [base_url: "ftp://x"]], :base_url},
            {[anthropic: [api_key: ""]], :api_key},
            {[anthropic: [mod: :tool]], :mod}
          ] do
        assert {:error, %OptionsError{option: ^option}} = generate(@schema, server, more)
      end

      assert Loopback.requests(server) == []
    end
  end

  defp json_of(options), do: options |> Map.new() |> JSON.encode!() |> JSON.decode!()

  describe "an answer" do
    test "is a value with what was counted" do
      pieces = texts(["{\"name\":\"Ada\",", "\"age\":36}"])
      server = Loopback.start_link([reply(@text), streamed(pieces)])
      assert {:ok, whole} = Espalier.generate_result(@schema, "?", options(server))
      assert {:ok, bit_by_bit} = last(server)

      for result <- [whole, bit_by_bit] do
        assert result.value == @value
        assert result.text == @text
        assert result.finish_reason == :stop

        # What was read from a cache or written into one is part of the prompt.
        assert %{prompt_tokens: 1109, completion_tokens: 5} = result.usage
        assert %{cached_tokens: 1000, reasoning_tokens: 2} = result.usage
      end

      assert [whole, bit_by_bit] = Loopback.requests(server)
      refute Map.has_key?(whole.json, "stream")
      assert bit_by_bit.json["stream"] == true
      assert header(bit_by_bit, "accept") == "text/event-stream"
    end

    test "comes as it is written, in whole characters, wherever the stream is cut" do
      text = ~s({"name":"é🌲ß","age":36})

      for seed <- 1..40 do
        :rand.seed(:exsss, seed)
        pieces = for piece <- Enum.chunk_every(String.graphemes(text), 3), do: Enum.join(piece)
        [head | body] = streamed(thoughts() ++ texts(pieces))
        events = @schema |> stream([head | cut(IO.iodata_to_binary(body))]) |> Enum.to_list()
        assert {:done, %{value: %{name: "é🌲ß"}}} = List.last(events)
        assert for({:text, text} <- events, into: "", do: text) == text
      end
    end

    test "is read bit by bit" do
      [first, second, third, last] = texts(["{\"name\":\"Ada\",", "\"age\":36}"])
      events = started([first, second, {:gate, :half}, third, last]) ++ stopped("end_turn")

      @schema
      |> stream(Loopback.sse(events))
      |> Enum.each(fn event ->
        if event == {:text, "{\"name\":\"Ada\","} do
          assert_receive {:gate, :half, pid}, @wait
          Loopback.open(pid)
        end
      end)
    end

    test "has no part of what was thought, nor of blocks and events that are not known" do
      whole = [
        %{"type" => "thinking", "thinking" => "{}", "signature" => "c2ln"},
        %{"type" => "redacted_thinking", "data" => "YWI="},
        %{"type" => "poem", "text" => "{"},
        text(@text)
      ]

      assert {:ok, @value} = generate(@schema, reply(whole))

      events =
        thoughts() ++
          block(%{"type" => "redacted_thinking", "data" => "YWI="}, []) ++
          [%{"type" => "verse", "text" => "{"}, %{"type" => "ping"}] ++
          block(%{"type" => "poem"}, [%{"type" => "poem_delta", "text" => "{"}, json_delta("{")]) ++
          texts([@text])

      assert {:ok, %{value: @value, reasoning: "Who is 36? {"}} = last(streamed(events))
    end

    test "may come whole to who asked for a stream, and without usage or its last event" do
      assert {:ok, %{value: @value}} = last(reply(@text))

      [delta, _stop] = stopped("end_turn")
      events = texts([@text]) ++ [Map.delete(delta, "usage")]
      assert {:ok, %{value: @value, usage: usage}} = last(Loopback.sse(events))
      assert %{prompt_tokens: 0, completion_tokens: 0} = usage
      refute Map.has_key?(usage, :cached_tokens)
    end

    test "ends its stream, even where the server goes on" do
      events = started(texts([@text])) ++ stopped("end_turn") ++ [:watch]
      assert {:ok, %{value: @value}} = last(Loopback.sse(events))
      assert_receive :closed, @wait
    end

    test "ends for a reason" do
      for {reason, expected} <- [
            {"end_turn", :stop},
            {"stop_sequence", :stop},
            {"tool_use", :stop},
            {"a_new_one", :stop},
            {"max_tokens", :max_tokens},
            {"model_context_window_exceeded", :max_tokens}
          ] do
        server = Loopback.start_link([reply(@text, reason), streamed(texts([@text]), reason)])
        assert {:ok, whole} = Espalier.generate_result(@schema, "?", options(server))
        assert {:ok, bit_by_bit} = last(server)
        assert {whole.finish_reason, bit_by_bit.finish_reason} == {expected, expected}
      end
    end

    test "that was cut off is no value" do
      for reason <- ["max_tokens", "model_context_window_exceeded"],
          {:error, error} <- [
            generate(@schema, reply("{\"na", reason)),
            last(streamed(texts(["{\"na"]), reason)),
            last(streamed(calls(["{\"na"]), reason), anthropic: [mode: :tool])
          ] do
        assert %GenerationError{kind: :truncated, text: "{\"na"} = error
      end

      # All of it went into thinking.
      assert {:error, %GenerationError{kind: :truncated, text: ""}} =
               last(streamed(thoughts(), "max_tokens"))
    end

    test "that is a refusal is an error with the text so far, and is not asked for again" do
      for {details, detail} <- [
            {nil, nil},
            {%{"type" => "refusal", "category" => "bio", "explanation" => nil}, "bio"},
            {%{"type" => "refusal", "category" => "bio", "explanation" => "Too risky."},
             "Too risky."}
          ] do
        details = %{"stop_details" => details}
        events = started(texts(["{\"na"])) ++ stopped("refusal", details)

        server = Loopback.start_link([reply("{\"na", "refusal", details), Loopback.sse(events)])

        again = [max_attempts: 3, max_retries: 3]

        for {:error, error} <- [generate(@schema, server, again), last(server, again)] do
          assert %RefusalError{kind: :refused, provider: :anthropic, text: "{\"na"} = error
          assert error.detail == detail
        end

        assert length(Loopback.requests(server)) == 2
      end
    end

    test "that is none is an error" do
      for answer <- [
            Loopback.answer(200, [], "<html>"),
            Loopback.json(200, %{}),
            Loopback.json(200, [1]),
            Loopback.json(200, %{"content" => "none"}),
            reply(@text, "pause_turn")
          ] do
        assert {:error, %ProviderError{kind: :invalid_response, provider: :anthropic}} =
                 generate(@schema, answer)
      end

      assert {:error, %ProviderError{kind: :invalid_response}} =
               last(streamed(texts([@text]), "pause_turn"))

      assert {:error, %ProviderError{kind: :invalid_response}} =
               last(Loopback.sse(started([delta(text_delta("{")), "{not json"])))
    end

    test "of odd parts does no harm" do
      blocks = [nil, 1, "x", [], %{}, %{"type" => "text"}, %{"type" => "text", "text" => 1}]
      odd_calls = [%{"type" => "tool_use"}, call(nil), call([1])]

      for block <- blocks, do: assert({:error, _error} = generate(@schema, reply([block])))

      for block <- blocks ++ odd_calls,
          do:
            assert({:error, _error} = generate(@schema, reply([block]), anthropic: [mode: :tool]))

      deltas = [nil, [], 1, %{}, text_delta(1), json_delta(1), json_delta("x")]

      odd =
        [[], 1, "x", %{"type" => 1}, %{"type" => "message_start"}] ++
          Enum.map(["content_block_start", "content_block_delta", "message_delta"], fn type ->
            %{"type" => type}
          end) ++
          Enum.map(deltas, &delta/1) ++ Enum.flat_map(blocks, &block(&1, []))

      events = Enum.map(odd, &JSON.encode!/1) ++ started(texts([@text])) ++ stopped("end_turn")
      assert {:ok, %{value: @value}} = last(Loopback.sse(events))
    end
  end

  # The bytes in pieces, by the process's random seed.
  defp cut(""), do: []

  defp cut(bytes) do
    size = :rand.uniform(min(byte_size(bytes), Enum.random([1, 2, 5, 40])))
    <<piece::binary-size(size), rest::binary>> = bytes
    [piece | cut(rest)]
  end

  describe "the mode :tool" do
    @tool [anthropic: [mode: :tool]]

    test "demands one call of a tool whose input is the value" do
      request = sent(@schema, @tool)

      assert %{
               "tools" => [%{"name" => name, "input_schema" => schema} = tool],
               "tool_choice" => choice
             } = request.json

      assert choice == %{"type" => "tool", "name" => name, "disable_parallel_tool_use" => true}
      assert name =~ ~r/\A[a-zA-Z0-9_-]{1,64}\z/
      assert {:ok, []} = JSON.validate(JSON.encode!(schema), @text)
      refute Map.has_key?(tool, "strict")
      refute Map.has_key?(request.json, "output_config")

      strict = sent(@schema, anthropic: [mode: :strict_tool]).json
      assert strict["tools"] == [Map.put(tool, "strict", true)]
      assert strict["tool_choice"] == choice
    end

    test "reads the input, whole or in pieces" do
      assert {:ok, @value} =
               generate(
                 @schema,
                 reply([call(%{"name" => "Ada", "age" => 36})], "tool_use"),
                 @tool
               )

      {first, second} = String.split_at(@text, 8)
      events = thoughts() ++ calls(["", first, second])
      assert {:ok, %{value: @value, text: @text}} = last(streamed(events, "tool_use"), @tool)
      assert {:ok, @value} = generate(@schema, streamed(events, "tool_use"), @tool)

      strict = [anthropic: [mode: :strict_tool]]
      assert {:ok, @value} = generate(@schema, streamed(events, "tool_use"), strict)
    end

    test "keeps numbers as they are written" do
      number = "12345678901234567890.10"
      schema = %{"type" => "object", "properties" => %{"n" => %{"type" => "number"}}}
      server = Loopback.start_link([streamed(calls([~s({"n":#{number}})]), "tool_use")])
      assert {:ok, result} = Espalier.generate_result(schema, "?", options(server, @tool))
      assert result.text == ~s({"n":#{number}})
      assert [%{json: %{"stream" => true}}] = Loopback.requests(server)
    end

    test "takes an input without members, and one that comes at once" do
      schema = %{"type" => "object", "properties" => %{"a" => %{"type" => "integer"}}}
      assert {:ok, %{}} = generate(schema, streamed(calls([]), "tool_use"), @tool)
      assert {:ok, %{}} = generate(schema, streamed(calls([""]), "tool_use"), @tool)
      at_once = block(call(%{"a" => 1}), [])
      assert {:ok, %{"a" => 1}} = generate(schema, streamed(at_once, "tool_use"), @tool)
    end

    test "takes the first of several calls, and leaves out what is said beside them" do
      other = block(call(%{}), [json_delta("{}")])
      events = texts(["Let me {call}."]) ++ calls([@text]) ++ other ++ texts(["Done."])
      assert {:ok, %{value: @value, text: @text}} = last(streamed(events, "tool_use"), @tool)

      blocks = [text("Let me."), call(%{"name" => "Ada", "age" => 36}), call(%{})]
      assert {:ok, @value} = generate(@schema, reply(blocks, "tool_use"), @tool)
    end

    test "reads what is said where nothing is called" do
      assert {:ok, %{text: @text}} = last(streamed(texts([@text])), @tool)
      assert {:ok, @value} = generate(@schema, reply(@text), @tool)
      assert {:ok, [1]} = generate(@list, reply(~s({"value":[1]})), @tool)

      assert {:error, error} = generate(@schema, reply("I have no tool."), @tool)
      assert error.__struct__ in [Espalier.JSONError, Espalier.ValidationError]
    end
  end

  describe "modes" do
    test "tell the schema where nothing else has it" do
      more = [anthropic: [mode: :prompt]]
      json = sent(@schema, more).json
      assert json["system"] =~ "JSON" and json["system"] =~ "age"
      refute Map.has_key?(json, "output_config") or Map.has_key?(json, "tools")

      messages = [%{role: :system, content: "Be brief."}, %{role: :user, content: "Hi"}]
      assert sent(@schema, more, messages).json["system"] == "Be brief.\n\n" <> json["system"]
      assert {:ok, @value} = generate(@schema, reply(@text), more)

      assert {:ok, :no} = generate({:choice, [:yes, :no]}, reply("no"), more)
      assert sent({:choice, [:yes, :no]}, more).json["system"] =~ "yes, no"
    end

    test "ask for what is no object within one" do
      any_of = %{
        "type" => "object",
        "properties" => %{"a" => %{}, "b" => %{}},
        "anyOf" => [%{"required" => ["a"]}, %{"required" => ["b"]}]
      }

      values = [
        {{:choice, [:yes, :no]}, ~s({"value":"yes"}), :yes},
        {{:regex, "[a-z]\"+"}, ~S({"value":"a\""}), "a\""},
        {@list, ~s({"value": [1, 2] }), [1, 2]},
        {any_of, ~s({"value":{"a":"}"}}), %{"a" => "}"}}
      ]

      for {schema, text, value} <- values, mode <- [:json_schema, :tool, :strict_tool] do
        more = [anthropic: [mode: mode]]
        input = JSON.decode!(text)
        pieces = String.graphemes(text)

        {whole, pieces} =
          if mode == :json_schema,
            do: {reply(text), texts(pieces)},
            else: {reply([call(input)], "tool_use"), calls(pieces)}

        assert {:ok, ^value} = generate(schema, whole, more)
        assert {:ok, %{value: ^value}} = last(streamed(pieces), more, schema)

        wrapped =
          case sent(schema, more).json do
            %{"output_config" => %{"format" => %{"schema" => wrapped}}} -> wrapped
            %{"tools" => [%{"input_schema" => wrapped}]} -> wrapped
          end

        assert %{"type" => "object", "required" => ["value"], "additionalProperties" => false} =
                 wrapped

        assert JSON.validate(JSON.encode!(wrapped), text) == {:ok, []}
        assert {:ok, [_ | _]} = JSON.validate(JSON.encode!(wrapped), ~s({"value":null}))
      end
    end

    test "have nothing for a compiled constraint" do
      constraint = Espalier.Constraint.regex!("a", vocabulary: Espalier.Vocabulary.bytes())
      server = Loopback.start_link([reply("a")])

      for mode <- [:json_schema, :tool, :strict_tool, :prompt] do
        assert {:error, %Espalier.SchemaError{}} =
                 generate(constraint, server, anthropic: [mode: mode])
      end

      assert Loopback.requests(server) == []
    end
  end

  describe "errors" do
    defp error(type, message),
      do: %{"type" => "error", "error" => %{"type" => type, "message" => message}}

    defp fails(status, body, headers \\ []) do
      answer =
        if is_binary(body),
          do: Loopback.answer(status, headers, body),
          else: Loopback.json(status, body, headers)

      assert {:error, error} = generate(@schema, answer)
      assert {:error, ^error} = last(answer)
      error
    end

    @kinds [
      {400, "invalid_request_error", :invalid_request},
      {401, "authentication_error", :unauthorized},
      {402, "billing_error", :quota_exceeded},
      {403, "permission_error", :unauthorized},
      {404, "not_found_error", :not_found},
      {409, "conflict_error", :unavailable},
      {413, "request_too_large", :invalid_request},
      {429, "rate_limit_error", :rate_limited},
      {500, "api_error", :unavailable},
      {504, "timeout_error", :unavailable},
      {529, "overloaded_error", :overloaded}
    ]

    test "have the kind, the provider's words and the request" do
      for {status, type, kind} <- @kinds do
        error = fails(status, error(type, "About #{type}."), [{"request-id", "req_7"}])

        assert %ProviderError{provider: :anthropic, kind: ^kind, status: ^status, code: ^type} =
                 error

        assert error.detail == "About #{type}."
        assert error.request_id == "req_7"
      end

      unsupported = error("invalid_request_error", "output_config.format.schema: no 'not'")
      assert Exception.message(fails(400, unsupported)) =~ "no 'not'"

      for {status, body, kind, detail} <- [
            {500, "<html>", :unavailable, "<html>"},
            {502, "", :unavailable, nil},
            {503, error("a_new_one", "Later."), :overloaded, "Later."},
            {404, %{"error" => "No such path"}, :not_found, "No such path"},
            {418, [1, 2], :invalid_request, "[1,2]"},
            {400, %{"error" => %{"type" => 1, "message" => [2]}}, :invalid_request, nil}
          ] do
        error = fails(status, body)
        assert {error.kind, error.detail} == {kind, detail}
      end
    end

    test "may come in the midst of a stream, or with the status of a success" do
      for {_status, type, kind} <- @kinds do
        answer = Loopback.sse(started([delta(text_delta("{")), error(type, "Sorry.")]))
        assert {:error, error} = last(answer)
        assert %ProviderError{kind: ^kind, status: nil, code: ^type, detail: "Sorry."} = error
        whole = Loopback.json(200, error(type, "Sorry."))
        assert {:error, %ProviderError{kind: ^kind}} = generate(@schema, whole)
      end
    end

    test "say what is a matter of filters or of credit" do
      filtered = error("invalid_request_error", "Output blocked by content filtering policy")
      assert %RefusalError{kind: :filtered, provider: :anthropic} = fails(400, filtered)

      assert {:error, %RefusalError{kind: :filtered, text: "{"}} =
               last(Loopback.sse(started([delta(text_delta("{")), filtered])))

      credit = error("invalid_request_error", "Your credit balance is too low to do that.")
      assert %ProviderError{kind: :quota_exceeded} = fails(400, credit)
    end

    test "that pass are tried again, after the wait that was asked for" do
      busy = Loopback.json(529, error("overloaded_error", "Busy."))
      slow = Loopback.json(429, error("rate_limit_error", "Slow."), [{"retry-after", "0.01"}])
      half = Loopback.sse(started([delta(text_delta("{")), error("overloaded_error", "Busy.")]))
      server = Loopback.start_link([busy, slow, half, streamed(texts([@text]))])
      assert {:ok, %{value: @value}} = last(server, max_retries: 3, retry_delay: 1)
      assert length(Loopback.requests(server)) == 4

      assert {:error, %ProviderError{kind: :rate_limited, retry_after: 2500}} =
               generate(@schema, Loopback.json(429, %{}, [{"retry-after", "2.5"}]))

      wrong = Loopback.start_link([Loopback.json(400, error("invalid_request_error", "No."))])
      assert {:error, %ProviderError{}} = generate(@schema, wrong, max_retries: 3)
      assert length(Loopback.requests(wrong)) == 1
    end

    test "of the connection are told" do
      begun = started([delta(text_delta("{"))])

      for answer <- [
            Loopback.sse(begun ++ [:close]),
            Loopback.sse(begun ++ [:reset]),
            Loopback.sse(begun),
            Loopback.sse([])
          ] do
        assert {:error, %TransportError{kind: :closed, url: url}} = last(answer)
        assert url =~ "/v1/messages"
      end

      no_end = [Loopback.head(200, [{"content-length", "99"}]), "{", :close]
      assert {:error, %TransportError{kind: :closed}} = generate(@schema, no_end)
    end

    test "of time are those of the request" do
      drip = Enum.flat_map(1..100, fn _n -> [%{"type" => "ping"}, {:pause, 20}] end)
      slow = Loopback.sse(started([delta(text_delta("{")), :watch]))
      within = [timeout: 200]
      assert {:error, %GenerationError{kind: :timeout}} = generate(@schema, [:watch], within)
      assert {:error, %GenerationError{kind: :timeout, text: "{"}} = last(slow, timeout: 3_000)

      assert {:error, %GenerationError{kind: :timeout}} =
               last(Loopback.sse(started(drip)), within)
    end

    test "requests and logs show no key" do
      {:ok, given} = Request.validate(backend: {Anthropic, api_key: @key}, model: "m")
      {:ok, request} = Request.new(%{}, "?", given)
      refute inspect(request, limit: :infinity, structs: false) =~ "0123456789"

      echo = Loopback.json(401, error("authentication_error", "Wrong: #{@key}"))

      log =
        capture_log(fn ->
          for {:error, error} <- [generate(@schema, echo), last(echo)] do
            assert error.detail == "Wrong: [hidden]"
            refute inspect(error) <> Exception.message(error) =~ "0123456789"
          end

          {:ok, pid} = Task.start(fn -> Anthropic.stream({:no_request, request}) end)
          monitor = Process.monitor(pid)
          assert_receive {:DOWN, ^monitor, :process, ^pid, _reason}, @wait
          Logger.flush()
        end)

      assert log =~ "FunctionClauseError"
      refute log =~ "0123456789"
    end
  end

  describe "a conversation" do
    test "goes on where a value was refused" do
      server = Loopback.start_link([reply(~s({"name":1,"age":"x"})), reply(@text)])
      messages = [%{role: :system, content: "Be brief."}, %{role: :user, content: "Ada is 36."}]

      assert {:ok, @value} =
               Espalier.generate(@schema, messages, options(server, max_attempts: 2))

      assert [_first, %{json: json}] = Loopback.requests(server)
      assert json["system"] == "Be brief."

      assert [
               %{"role" => "user", "content" => "Ada is 36."},
               %{"role" => "assistant", "content" => ~s({"name":1,"age":"x"})},
               %{"role" => "user", "content" => wrong}
             ] = json["messages"]

      assert wrong =~ "not valid"
    end

    test "ends for a reader that stops early" do
      events = started([delta(text_delta("{")), :watch])

      assert [{:text, "{"}] =
               @schema
               |> stream(Loopback.sse(events))
               |> Stream.filter(&match?({:text, _}, &1))
               |> Enum.take(1)

      assert_receive :closed, @wait
      refute_receive _anything, 20
    end
  end

  test "a schema that the mode would reject is an error before anything is asked" do
    server = Loopback.start_link([[:close]])
    schema = ~s({"type":"object","properties":{"next":{"type":"array","items":{"$ref":"#"}}}})

    assert {:error, %Espalier.SchemaError{kind: :unsupported_by_provider, keyword: "$ref"}} =
             generate(schema, server)

    assert Loopback.requests(server) == []
  end
end
