defmodule Espalier.Backends.OpenAIResponsesTest do
  use Espalier.HostedCase,
    backend: Espalier.Backends.OpenAIResponses,
    name: :openai,
    path: "/v1",
    key: "sk-responses-key",
    model: "gpt-test"

  import ExUnit.CaptureLog

  alias Espalier.Backends.OpenAIResponses
  alias Espalier.Chunks
  alias Espalier.GenerationError
  alias Espalier.Image
  alias Espalier.JSON
  alias Espalier.OptionsError
  alias Espalier.ProviderError
  alias Espalier.RefusalError
  alias Espalier.TransportError

  @wait 30_000
  @key "sk-responses-key"
  @schema [name: :string, age: :integer]
  @text ~s({"name":"Ada","age":36})
  @value %{name: "Ada", age: 36}
  @usage %{
    "input_tokens" => 9,
    "input_tokens_details" => %{"cached_tokens" => 4},
    "output_tokens" => 15,
    "output_tokens_details" => %{"reasoning_tokens" => 10},
    "total_tokens" => 24
  }
  @reasoning %{"id" => "rs_1", "type" => "reasoning", "summary" => []}

  doctest OpenAIResponses

  # Items of an answer, and the answer.
  defp message(parts, more \\ %{})
  defp message(text, more) when is_binary(text), do: message([output_text(text)], more)

  defp message(parts, more),
    do: Map.merge(%{"type" => "message", "role" => "assistant", "content" => parts}, more)

  defp output_text(text), do: %{"type" => "output_text", "text" => text, "annotations" => []}
  defp refusal(text), do: %{"type" => "refusal", "refusal" => text}

  defp call(arguments) do
    call = %{"type" => "function_call", "call_id" => "call_1", "name" => "fields"}
    Map.put(call, "arguments", arguments)
  end

  defp response(items, more \\ %{}) do
    Map.merge(
      %{
        "id" => "resp_1",
        "object" => "response",
        "status" => "completed",
        "error" => nil,
        "incomplete_details" => nil,
        "output" => items,
        "usage" => @usage
      },
      more
    )
  end

  defp incomplete(reason),
    do: %{"status" => "incomplete", "incomplete_details" => %{"reason" => reason}}

  defp failed(error), do: %{"status" => "failed", "error" => error, "usage" => nil}

  defp reply(items, more \\ %{})
  defp reply(text, more) when is_binary(text), do: reply([@reasoning, message(text)], more)
  defp reply(items, more), do: Loopback.json(200, response(items, more))

  # The same as events: those of each item, whose text comes in pieces.
  defp streamed(items, more \\ %{}) do
    begun = response([], %{"status" => "in_progress", "usage" => nil})
    events = items |> Enum.with_index() |> Enum.flat_map(&item_events/1)
    ended = response(Enum.map(items, &elem(&1, 0)), more)
    last = %{"type" => "response." <> ended["status"], "response" => ended}

    sse([%{"type" => "response.created", "response" => begun}] ++ events ++ [last])
  end

  defp item_events({{item, pieces}, index}) do
    event = &Map.merge(%{"type" => "response." <> &1, "output_index" => index}, &2)
    deltas = for piece <- pieces, do: event.(delta_type(item) <> ".delta", %{"delta" => piece})
    done = event.(delta_type(item) <> ".done", %{"text" => Enum.join(pieces)})
    begun = Map.drop(item, ["content", "arguments", "input"])

    [event.("output_item.added", %{"item" => begun})] ++
      deltas ++ [done, event.("output_item.done", %{"item" => item})]
  end

  defp delta_type(%{"type" => "reasoning"}), do: "reasoning_summary_text"
  defp delta_type(%{"type" => "function_call"}), do: "function_call_arguments"
  defp delta_type(%{"content" => [%{"type" => "refusal"}]}), do: "refusal"
  defp delta_type(%{"type" => "message"}), do: "output_text"

  defp sse(events), do: events |> Enum.map(&typed/1) |> Loopback.chunked(event_stream())

  defp event_stream, do: [{"content-type", "text/event-stream"}]
  defp typed(%{"type" => type} = event), do: "event: #{type}\ndata: #{JSON.encode!(event)}\n\n"
  defp typed(text) when is_binary(text), do: "data: #{text}\n\n"
  defp typed(step), do: step

  # A message that comes in pieces, after some reasoning.
  defp in_pieces(pieces),
    do: [{@reasoning, ["Hm", "…"]}, {message(Enum.join(pieces)), pieces}]

  # The result or error that a stream ends with.
  defp last(schema, answer, more \\ []) do
    {:done, result} = schema |> stream(answer, more) |> Enum.at(-1)
    {:ok, result}
  rescue
    error -> {:error, error}
  end

  describe "a request" do
    test "has the model, the input, the limit and the strict schema, and is not stored" do
      request = sent(@schema, max_tokens: 77)
      assert request.method == "POST" and request.path == "/v1/responses"
      assert header(request, "authorization") == "Bearer " <> @key

      assert %{
               "model" => "gpt-test",
               "input" => [%{"role" => "user", "content" => "Ada is 36."}],
               "max_output_tokens" => 77,
               "store" => false,
               "text" => %{"format" => %{"type" => "json_schema"} = format}
             } = request.json

      assert map_size(request.json) == 5
      assert %{"strict" => true, "name" => name, "schema" => schema} = format
      assert name =~ ~r/\A[A-Za-z0-9_-]{1,64}\z/
      assert JSON.validate(JSON.encode!(schema), @text) == {:ok, []}
      # The order of the fields is that of the schema.
      assert request.body =~ ~r/"properties":\{"name":.*"age":/
    end

    test "has messages with their roles, texts and images" do
      image = Image.new!("BM", "image/bmp")
      url = "https://example.org/a.png"

      messages = [
        %{role: :system, content: "Be brief."},
        %{role: :user, content: ["Who?", image, Image.url!(url)]},
        %{role: :assistant, content: ["Ada."]},
        %{role: :user, content: "Sure?"}
      ]

      assert [
               %{"role" => "system", "content" => "Be brief."},
               %{
                 "role" => "user",
                 "content" => [
                   %{"type" => "input_text", "text" => "Who?"},
                   %{"type" => "input_image", "image_url" => "data:image/bmp;base64,Qk0="},
                   %{"type" => "input_image", "image_url" => ^url}
                 ]
               },
               %{
                 "role" => "assistant",
                 "content" => [%{"type" => "output_text", "text" => "Ada."}]
               },
               %{"role" => "user", "content" => "Sure?"}
             ] = sent(@schema, [], messages).json["input"]
    end

    test "has the options that were given" do
      more = [organization: "org-1", project: "proj-1", store: true, reasoning_effort: :xhigh]
      request = sent(@schema, openai: more, temperature: 0, top_p: 0.5)
      assert header(request, "openai-organization") == "org-1"
      assert header(request, "openai-project") == "proj-1"

      assert %{
               "store" => true,
               "reasoning" => %{"effort" => "xhigh"},
               "temperature" => 0,
               "top_p" => 0.5
             } = request.json
    end

    test "with what the API has nothing for is an error, and is not sent" do
      server = Loopback.start_link([reply(@text)])

      for {name, value} <- [
            seed: 7,
            presence_penalty: 1,
            frequency_penalty: -1,
            top_k: 5,
            min_p: 0.1,
            repetition_penalty: 1.5,
            whitespace: :compact,
            template: false
          ] do
        assert {:error, %OptionsError{kind: :unsupported, option: ^name, provider: :openai}} =
                 generate(@schema, server, [{name, value}])
      end

      for {more, option} <- [
            {[model: nil], :model},
            {[model: :served], :model},
            {[openai: [mode: :strict]], :mode},
            {[openai: [dialect: :mistral]], :dialect},
            {[openai: [api_version: "1"]], :api_version},
            {[openai: [reasoning_effort: "low"]], :reasoning_effort},
            {[openai: [store: nil]], :store},
            {[openai: [organization: "a\r\nb: c"]], :headers}
          ] do
        assert {:error, %OptionsError{option: ^option}} = generate(@schema, server, more)
      end

      assert Loopback.requests(server) == []
      assert {:ok, @value} = generate(@schema, server, presence_penalty: 0, min_p: 0)
    end

    test "goes to Azure and others as they want it" do
      request = sent(@schema, openai: [dialect: :azure])
      assert request.path == "/v1/responses"
      assert header(request, "api-key") == @key
      assert header(request, "authorization") == nil

      request = sent(@schema, openai: [dialect: :azure, api_version: "2025-04-01-preview"])
      assert request.path == "/v1/openai/responses?api-version=2025-04-01-preview"

      server = Loopback.start_link([reply(@text)])
      backend = {OpenAIResponses, dialect: :compatible, base_url: server.url}
      assert {:ok, @value} = Espalier.generate(@schema, "?", backend: backend, model: "m")
      assert [request] = Loopback.requests(server)
      assert header(request, "authorization") == nil

      for dialect <- [:azure, :compatible] do
        options = [backend: {OpenAIResponses, dialect: dialect, api_key: "k"}, model: "m"]

        assert {:error, %OptionsError{kind: :missing, option: :base_url}} =
                 Espalier.generate(@schema, "?", options)
      end
    end
  end

  describe "an answer" do
    test "is a value with what was counted" do
      pieces = ["{\"name\":\"Ada\",", "\"age\":36}"]
      server = Loopback.start_link([reply(@text), streamed(in_pieces(pieces))])
      assert {:ok, whole} = Espalier.generate_result(@schema, "?", options(server, []))
      assert {:ok, bit_by_bit} = last(@schema, server)

      for result <- [whole, bit_by_bit] do
        assert result.value == @value
        assert result.text == @text
        assert result.finish_reason == :stop

        assert %{
                 prompt_tokens: 9,
                 completion_tokens: 15,
                 cached_tokens: 4,
                 reasoning_tokens: 10
               } = result.usage
      end

      assert [whole, bit_by_bit] = Loopback.requests(server)
      refute Map.has_key?(whole.json, "stream")
      assert bit_by_bit.json["stream"] == true
    end

    test "comes as it is written, in whole characters, wherever the stream is cut" do
      text = ~s({"name":"é🌲ß","age":36})

      for seed <- 1..40 do
        :rand.seed(:exsss, seed)
        pieces = text |> String.graphemes() |> Enum.chunk_every(3) |> Enum.map(&Enum.join/1)
        [head | body] = streamed(in_pieces(pieces))
        bytes = body |> IO.iodata_to_binary() |> Chunks.cut()
        events = @schema |> stream([head | bytes]) |> Enum.to_list()
        assert {:done, %{value: %{name: "é🌲ß"}}} = List.last(events)
        assert for({:text, text} <- events, into: "", do: text) == text
      end
    end

    test "is read bit by bit, and ends where the response does" do
      delta = %{"type" => "response.output_text.delta", "output_index" => 0}

      events = [
        Map.put(delta, "delta", "{\"name\":\"Ada\","),
        {:gate, :half},
        Map.put(delta, "delta", "\"age\":36}"),
        %{"type" => "response.completed", "response" => response([])},
        :watch
      ]

      events = @schema |> stream(sse(events)) |> Stream.each(&open/1) |> Enum.to_list()
      assert {:done, %{value: @value}} = List.last(events)
      assert_receive :closed, @wait
    end

    test "may come whole to who asked for a stream" do
      assert {:ok, %{value: @value}} = last(@schema, reply(@text))
    end

    test "may be in several parts, and what is said on the way is no part of it" do
      commentary = message("I'll look.", %{"phase" => "commentary"})
      {first, second} = String.split_at(@text, 8)
      parts = message([output_text(first), output_text(second)], %{"phase" => "final_answer"})
      items = [commentary, @reasoning, parts]
      assert {:ok, @value} = generate(@schema, reply(items))

      events = Enum.zip(items, [["I'll ", "look."], ["Hm"], [first, second]])
      assert {:ok, %{text: @text, reasoning: "Hm"}} = last(@schema, streamed(events))
    end

    test "has what is told of the reasoning beside it" do
      summary = [%{"type" => "summary_text", "text" => "Ada, "}]
      content = [%{"type" => "reasoning_text", "text" => "then."}]
      thoughts = Map.merge(@reasoning, %{"summary" => summary, "content" => content})

      assert {:ok, %{value: @value, reasoning: "Ada, then."}} =
               last(@schema, reply([thoughts, message(@text)]))
    end

    test "that was cut off by the limit says so" do
      cut = incomplete("max_output_tokens")

      for more <- [[], [openai: [mode: :prompt]]] do
        assert {:error, %GenerationError{kind: :truncated, text: "{\"na"}} =
                 generate(@schema, reply("{\"na", cut), more)

        answer = streamed(in_pieces(["{\"na"]), cut)
        assert {:error, %GenerationError{kind: :truncated}} = last(@schema, answer, more)
      end

      assert {:error, %GenerationError{kind: :truncated, text: ""}} =
               generate(@schema, reply([@reasoning], cut))
    end

    test "that is a refusal is an error" do
      text = "I can't help."
      item = message([refusal(text)])

      for {:error, error} <- [
            generate(@schema, reply([@reasoning, item])),
            generate(@schema, reply([item]), openai: [mode: :tool]),
            last(@schema, streamed([{@reasoning, []}, {item, ["I can't", " help."]}]))
          ] do
        assert %RefusalError{kind: :refused, provider: :openai, detail: ^text} = error
      end
    end

    test "that was filtered is an error with the text so far" do
      filtered = incomplete("content_filter")

      assert {:error, %RefusalError{kind: :filtered, text: "{\"na"}} =
               generate(@schema, reply("{\"na", filtered))

      assert {:error, %RefusalError{kind: :filtered, text: "{\"na"}} =
               last(@schema, streamed(in_pieces(["{\"na"]), filtered))
    end

    test "that is none is an error" do
      for answer <- [
            Loopback.answer(200, [], "<html>"),
            Loopback.json(200, %{}),
            Loopback.json(200, [1]),
            Loopback.json(200, %{"output" => "none"})
          ] do
        assert {:error, %ProviderError{kind: :invalid_response, provider: :openai}} =
                 generate(@schema, answer)
      end

      assert {:error, %ProviderError{kind: :invalid_response}} = last(@schema, sse(["{not json"]))

      for status <- ["cancelled", "queued", nil, 7] do
        assert {:error, %ProviderError{kind: :unavailable, detail: detail}} =
                 generate(@schema, reply(@text, %{"status" => status}))

        assert detail =~ inspect(status)
      end
    end

    test "of odd parts does no harm" do
      for item <- [
            nil,
            "x",
            message([]),
            message([1]),
            message(%{}),
            message([%{"type" => "output_text", "text" => 1}]),
            message([%{"type" => "refusal", "refusal" => nil}]),
            call(nil)
          ],
          mode <- [:json_schema, :tool] do
        assert {:error, %Espalier.JSONError{}} =
                 generate(@schema, reply([item]), openai: [mode: mode])
      end

      odd = [[], 1, "x", %{}, %{"type" => 1}, %{"type" => "response.output_text.delta"}]

      odd =
        odd ++
          [
            %{"type" => "response.output_text.delta", "delta" => 1},
            %{"type" => "response.output_item.added", "item" => nil},
            %{"type" => "response.completed", "response" => nil},
            %{"type" => "response.refusal.delta"}
          ]

      [head | body] = streamed(in_pieces([@text]))
      odd = Enum.map(odd, &("data: " <> JSON.encode!(&1) <> "\n\n"))
      answer = [head | Enum.drop(Loopback.chunked(odd), 1) |> Enum.drop(-1)] ++ body
      assert {:ok, %{value: @value}} = last(@schema, answer)
    end
  end

  describe "modes" do
    test "a tool is called with the value, once" do
      request = sent(@schema, openai: [mode: :tool])

      assert %{
               "tools" => [%{"type" => "function", "strict" => true} = tool],
               "tool_choice" => %{"type" => "function", "name" => name},
               "parallel_tool_calls" => false
             } = request.json

      assert tool["name"] == name
      assert JSON.validate(JSON.encode!(tool["parameters"]), @text) == {:ok, []}
      refute Map.has_key?(request.json, "text")

      more = [openai: [mode: :tool]]
      items = [@reasoning, message("I'll call it."), call(@text), call("{}")]
      assert {:ok, @value} = generate(@schema, reply(items), more)

      {first, second} = String.split_at(@text, 8)
      pieces = [["Hm"], ["I'll", " call it."], [first, second], ["{}"]]
      assert {:ok, %{text: @text}} = last(@schema, streamed(Enum.zip(items, pieces)), more)
    end

    test "the schema is told in a system message where nothing else has it" do
      for {mode, text} <- [json_object: %{"format" => %{"type" => "json_object"}}, prompt: nil] do
        request = sent(@schema, openai: [mode: mode])

        assert [%{"role" => "system", "content" => told}, %{"role" => "user"}] =
                 request.json["input"]

        assert told =~ "JSON" and told =~ "age"
        assert request.json["text"] == text

        messages = [%{role: :system, content: "Be brief."}, %{role: :user, content: "Hi"}]

        assert [%{"content" => "Be brief.\n\n" <> ^told}, %{"content" => "Hi"}] =
                 sent(@schema, [openai: [mode: mode]], messages).json["input"]

        assert {:ok, @value} = generate(@schema, reply(@text), openai: [mode: mode])
      end
    end

    test "what is no object is asked for within one" do
      values = [
        {{:choice, [:yes, :no]}, ~s({"value":"yes"}), :yes},
        {{:regex, "[a-z]\"+"}, ~S({"value":"a\""}), "a\""},
        {%{"type" => "array", "items" => %{"type" => "integer"}}, ~s({"value": [1, 2] }), [1, 2]}
      ]

      for {schema, text, value} <- values, mode <- [:json_schema, :tool, :json_object] do
        more = [openai: [mode: mode]]
        item = if mode == :tool, do: call(text), else: message(text)
        assert {:ok, ^value} = generate(schema, reply([item]), more)
        pieces = text |> String.graphemes() |> Enum.chunk_every(2) |> Enum.map(&Enum.join/1)
        assert {:ok, %{value: ^value}} = last(schema, streamed([{item, pieces}]), more)

        case sent(schema, more).json do
          %{"text" => %{"format" => %{"schema" => sent}}} -> valid!(sent, text)
          %{"tools" => [%{"parameters" => sent}]} -> valid!(sent, text)
          %{"input" => [%{"content" => told} | _]} -> assert told =~ ~s("value")
        end
      end
    end

    test "a compiled constraint can't be sent" do
      constraint = Espalier.Constraint.regex!("a", vocabulary: Espalier.Vocabulary.bytes())
      server = Loopback.start_link([reply("a")])
      assert {:error, %Espalier.SchemaError{}} = generate(constraint, server)
      assert Loopback.requests(server) == []
    end
  end

  defp valid!(schema, text) do
    assert JSON.validate(JSON.encode!(schema), text) == {:ok, []}
    assert {:ok, [_ | _]} = JSON.validate(JSON.encode!(schema), ~s({"value":null}))
    assert %{"required" => ["value"], "additionalProperties" => false} = schema
  end

  describe "errors" do
    test "have the kind, the provider's words and the request" do
      body = fn code, type, message ->
        %{"error" => %{"code" => code, "type" => type, "message" => message}}
      end

      for {status, body, headers, expected} <- [
            {400, body.(nil, "invalid_request_error", "'oneOf' is not permitted"), [],
             {:invalid_request, "invalid_request_error", "'oneOf' is not permitted", nil}},
            {401, body.("invalid_api_key", "x", "Wrong key"), [],
             {:unauthorized, "invalid_api_key", "Wrong key", nil}},
            {404, body.("model_not_found", nil, "No model"), [],
             {:not_found, "model_not_found", "No model", nil}},
            {429, body.("rate_limit_exceeded", "tokens", "Slow"), [{"retry-after", "2"}],
             {:rate_limited, "rate_limit_exceeded", "Slow", 2000}},
            {429, body.("insufficient_quota", "insufficient_quota", "Pay"), [],
             {:quota_exceeded, "insufficient_quota", "Pay", nil}},
            {500, body.("server_error", "server_error", "Oops"), [],
             {:unavailable, "server_error", "Oops", nil}},
            {503, "later", [{"retry-after-ms", "70"}], {:overloaded, nil, "later", 70}},
            {529, "", [], {:overloaded, nil, nil, nil}}
          ] do
        headers = [{"x-request-id", "req-7"} | headers]
        body = if is_binary(body), do: body, else: JSON.encode!(body)
        answer = Loopback.answer(status, headers, body)
        assert {:error, error} = generate(@schema, answer)
        assert {:error, ^error} = last(@schema, answer)
        assert %ProviderError{provider: :openai, status: ^status, request_id: "req-7"} = error
        assert {error.kind, error.code, error.detail, error.retry_after} == expected
      end
    end

    test "of a response that failed are told apart by their codes" do
      for {code, kind} <- [
            {"server_error", :unavailable},
            {"vector_store_timeout", :unavailable},
            {"something_new", :unavailable},
            {"rate_limit_exceeded", :rate_limited},
            {"context_length_exceeded", :invalid_request},
            {"image_too_large", :invalid_request},
            {"invalid_prompt", :filtered},
            {"image_content_policy_violation", :filtered}
          ] do
        error = %{"code" => code, "message" => "No."}
        begun = in_pieces(["{"])
        nested = %{"type" => "error", "error" => error, "sequence_number" => 3}
        flat = Map.merge(error, %{"type" => "error", "param" => nil})
        [head | parts] = streamed(begun)

        for {:error, error} <- [
              generate(@schema, reply([], failed(error))),
              last(@schema, streamed(begun, failed(error))),
              last(@schema, [head | Enum.drop(parts, -2)] ++ tl(sse([nested]))),
              last(@schema, [head | Enum.drop(parts, -2)] ++ tl(sse([flat])))
            ] do
          assert %{kind: ^kind, provider: :openai, detail: "No."} = error
          if kind != :filtered, do: assert(%ProviderError{code: ^code, status: nil} = error)
        end
      end

      assert {:error, %ProviderError{kind: :unavailable}} =
               last(@schema, streamed(in_pieces(["{"]), failed(nil)))

      typed = %{"type" => "error", "error" => %{"type" => "invalid_request_error"}}

      assert {:error, %ProviderError{kind: :invalid_request, code: "invalid_request_error"}} =
               last(@schema, sse([typed]))
    end

    test "of the content filter of the prompt are refusals" do
      body = %{"error" => %{"code" => "content_filter", "message" => "Filtered."}}

      assert {:error, %RefusalError{kind: :filtered, detail: "Filtered."}} =
               generate(@schema, Loopback.json(400, body))
    end

    test "of the connection have where it was to lead" do
      [head | parts] = streamed(in_pieces(["{"]))
      begun = [head | Enum.drop(parts, -2)]

      for answer <- [
            begun ++ [:close],
            begun ++ ["0\r\n\r\n"],
            begun ++ ["7\r\ndata"] ++ [:reset]
          ] do
        assert {:error, %TransportError{kind: :closed, url: url}} = last(@schema, answer)
        assert url =~ "/v1/responses"
      end
    end

    test "of time are those of the request, or of silence" do
      [head | parts] = streamed(in_pieces(["{"]))
      slow = [head | Enum.drop(parts, -2)] ++ [:watch]

      assert {:error, %GenerationError{kind: :timeout}} =
               generate(@schema, [:watch], timeout: 200)

      assert {:error, %GenerationError{kind: :timeout, text: "{"}} =
               last(@schema, slow, timeout: 3_000)

      delta = %{"type" => "response.output_text.delta", "output_index" => 0, "delta" => " "}
      drip = Enum.flat_map(1..100, fn _n -> [delta, {:pause, 20}] end)
      assert {:error, %GenerationError{kind: :timeout}} = last(@schema, sse(drip), timeout: 200)

      more = [openai: [receive_timeout: 50]]
      assert {:error, %TransportError{kind: :timeout}} = generate(@schema, [:watch], more)
    end

    test "do not have the key, nor do the request and the log" do
      fault = %{"error" => %{"message" => "Incorrect API key provided: #{@key}."}}

      log =
        capture_log(fn ->
          for answer <- [Loopback.json(401, fault), sse([Map.put(fault, "type", "error")])] do
            assert {:error, error} = last(@schema, answer)
            refute inspect(error, limit: :infinity) <> Exception.message(error) =~ @key
          end

          show = fn request, next ->
            send(self(), {:shown, inspect(request, limit: :infinity)})
            next.(request)
          end

          assert {:ok, @value} = generate(@schema, reply(@text), middleware: [show])
        end)

      assert_receive {:shown, shown}
      refute shown =~ @key
      refute log =~ @key
    end
  end

  test "a reader that stops early ends the request" do
    [head | parts] = streamed(in_pieces(["{"]))
    answer = [head | Enum.drop(parts, -2)] ++ [:watch]
    assert {:text, "{"} = @schema |> stream(answer) |> Enum.find(&match?({:text, _}, &1))
    assert_receive :closed, @wait
  end

  test "a value that was refused is asked for again, within the input" do
    server = Loopback.start_link([reply(~s({"name":[],"age":36})), reply(@text)])
    assert {:ok, @value} = generate(@schema, server, max_attempts: 2)
    assert [_first, %{json: %{"input" => [%{"content" => prompt}]}}] = Loopback.requests(server)
    assert prompt =~ "not valid"
  end

  defp open({:text, "{\"name\"" <> _rest}) do
    assert_receive {:gate, :half, pid}, @wait
    Loopback.open(pid)
  end

  defp open(_event), do: :ok
end
