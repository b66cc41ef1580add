defmodule Espalier.Backends.OpenAITest do
  use Espalier.HostedCase,
    backend: Espalier.Backends.OpenAI,
    name: :openai,
    path: "/v1",
    key: "sk-test-key",
    model: "gpt-test"

  alias Espalier.Backends.OpenAI
  alias Espalier.Chunks
  alias Espalier.GenerationError
  alias Espalier.JSON
  alias Espalier.OptionsError
  alias Espalier.ProviderError
  alias Espalier.RefusalError
  alias Espalier.TransportError

  @wait 30_000
  @schema [name: :string, age: :integer]
  @text ~s({"name":"Ada","age":36})
  @value %{name: "Ada", age: 36}
  @usage %{
    "prompt_tokens" => 9,
    "completion_tokens" => 5,
    "prompt_tokens_details" => %{"cached_tokens" => 4},
    "completion_tokens_details" => %{"reasoning_tokens" => 2}
  }

  doctest OpenAI

  # A whole answer, by its message.
  defp reply(message, reason \\ "stop")
  defp reply(text, reason) when is_binary(text), do: reply(%{"content" => text}, reason)

  defp reply(message, reason) do
    choice = %{"index" => 0, "message" => message, "finish_reason" => reason}
    Loopback.json(200, %{"choices" => [choice], "usage" => @usage})
  end

  defp delta(delta, reason \\ nil),
    do: %{"choices" => [%{"index" => 0, "delta" => delta, "finish_reason" => reason}]}

  defp call(arguments, index \\ 0),
    do: %{"tool_calls" => [%{"index" => index, "function" => %{"arguments" => arguments}}]}

  defp streamed(deltas, reason \\ "stop") do
    usage = %{"choices" => [], "usage" => @usage}
    Loopback.sse(Enum.map(deltas, &delta/1) ++ [delta(%{}, reason), usage, "[DONE]"])
  end

  defp texts(pieces), do: for(piece <- pieces, do: %{"content" => piece})

  describe "a request" do
    test "has the model, the messages, the limit and the strict schema, and no sampling" do
      request = sent(@schema, max_tokens: 77)
      assert request.path == "/v1/chat/completions"
      assert header(request, "authorization") == "Bearer sk-test-key"
      assert header(request, "content-type") == "application/json"

      assert %{
               "model" => "gpt-test",
               "messages" => [%{"role" => "user", "content" => "Ada is 36."}],
               "max_completion_tokens" => 77,
               "response_format" => %{"type" => "json_schema", "json_schema" => format}
             } = request.json

      assert map_size(request.json) == 4
      assert %{"strict" => true, "name" => name, "schema" => schema} = format
      assert name =~ ~r/\A[A-Za-z0-9_-]{1,64}\z/
      assert {:ok, []} = JSON.validate(JSON.encode!(schema), @text)
      # The order of the fields is that of the schema.
      assert request.body =~ ~r/"properties":\{"name":.*"age":/
    end

    test "has the roles of messages" do
      messages = [%{role: :system, content: "Be brief."}, %{role: :user, content: "Hi"}]

      assert sent(@schema, [], messages).json["messages"] == [
               %{"role" => "system", "content" => "Be brief."},
               %{"role" => "user", "content" => "Hi"}
             ]
    end

    test "has headers for the organization, the project and whatever else" do
      more = [organization: "org-1", project: "proj-1", headers: [{"X-Trace", "7"}]]
      request = sent(@schema, openai: more)
      assert header(request, "openai-organization") == "org-1"
      assert header(request, "openai-project") == "proj-1"
      assert header(request, "x-trace") == "7"

      own = [headers: fn -> [{"Authorization", "Basic abc"}, {"User-Agent", "mine"}] end]
      request = sent(@schema, openai: own)

      for {name, value} <- [{"authorization", "Basic abc"}, {"user-agent", "mine"}] do
        assert for({^name, value} <- request.headers, do: value) == [value]
      end
    end

    test "has the sampling that was given" do
      given = [
        temperature: 0,
        top_p: 0.5,
        seed: 7,
        presence_penalty: 1,
        frequency_penalty: -1
      ]

      assert given
             |> Map.new(fn {name, value} -> {to_string(name), value} end)
             |> Enum.all?(&(&1 in sent(@schema, given).json))
    end

    test "has what stops a text, but not where that would cut JSON" do
      for more <- [[openai: [mode: :prompt]], [openai: [dialect: :vllm]]],
          schema <- [{:regex, "[a-z.]*"}, {:choice, ["a.", "b"]}] do
        assert sent(schema, [stop: ["."]] ++ more).json["stop"] == ["."]
      end

      for {schema, mode} <- [
            {@schema, :json_schema},
            {@schema, :prompt},
            {%{type: "string"}, :prompt},
            {{:regex, "[a-z.]*"}, :json_schema},
            {{:choice, ["a.", "b"]}, :tool},
            {{:choice, ["a.", "b"]}, :json_object}
          ] do
        server = Loopback.start_link([reply("?")])

        assert {:error, %OptionsError{kind: :invalid, option: :stop, got: ["."]} = error} =
                 generate(schema, server, stop: ["."], openai: [mode: mode])

        assert Exception.message(error) =~ "JSON"
        assert Loopback.requests(server) == []
      end
    end

    test "has biases by the texts of their ids, where the provider takes any" do
      json = sent(@schema, logit_bias: %{50_256 => -100, 7 => 1.5}).json
      assert json["logit_bias"] == %{"50256" => -100, "7" => 1.5}
      server = Loopback.start_link([])
      options = [logit_bias: %{7 => 1}, openai: [dialect: :mistral, api_key: "a-key-of-tests"]]

      assert {:error, %OptionsError{kind: :unsupported, option: :logit_bias}} =
               generate(@schema, server, options)
    end

    test "has the sampling that changes nothing, too, where there is a field" do
      options = Espalier.Sampling.options()
      neutral = for {option, entry} <- options, entry[:default], do: {option, entry[:default]}

      fields = %{
        "temperature" => 0.0,
        "top_p" => 1.0,
        "presence_penalty" => 0.0,
        "frequency_penalty" => 0.0,
        "logit_bias" => %{},
        "stop" => []
      }

      served = Map.merge(fields, %{"min_p" => 0.0, "repetition_penalty" => 1.0})
      groq = Map.take(fields, ["temperature", "top_p", "stop"])

      for {dialect, fields} <- [openai: fields, vllm: served, groq: groq] do
        json = sent(@schema, neutral ++ [openai: [dialect: dialect]]).json
        bare = sent(@schema, openai: [dialect: dialect]).json
        assert Map.drop(json, Map.keys(bare)) == fields
      end
    end

    test "with what the provider has nothing for is an error, and is not sent" do
      server = Loopback.start_link([reply(@text)])

      for {name, value} <- [
            top_k: 5,
            min_p: 0.1,
            typical_p: 0.5,
            repetition_penalty: 1.5,
            whitespace: :compact,
            template: false,
            priority: 1
          ] do
        assert {:error, %OptionsError{kind: :unsupported, option: ^name, got: ^value} = error} =
                 generate(@schema, server, [{name, value}])

        assert Exception.message(error) =~ "openai does not take the option #{inspect(name)}"
      end

      assert Loopback.requests(server) == []
      assert {:ok, @value} = generate(@schema, server, min_p: 0, repetition_penalty: 1, top_p: 1)
      assert {:ok, @value} = generate(@schema, server, whitespace: :any, format: :ignore)
    end

    test "needs a model and options that are right" do
      server = Loopback.start_link([reply(@text)])

      for {more, option} <- [
            {[model: nil], :model},
            {[model: :served], :model},
            {[openai: [mode: :strict]], :mode},
            {[openai: [dialect: :cohere]], :dialect},
            {[openai: [base_url: "ftp://x"]], :base_url},
            {[openai: [api_version: "1"]], :api_version},
            {[openai: [organization: "a\r\nb: c"]], :headers},
            {[openai: [dialect: :azure, base_url: nil]], :base_url},
            {[openai: [api_kee: "x"]], :api_kee}
          ] do
        assert {:error, %OptionsError{option: ^option}} = generate(@schema, server, more)
      end

      assert Loopback.requests(server) == []

      for dialect <- [:azure, :compatible] do
        options = [backend: {OpenAI, dialect: dialect, api_key: "k"}, model: "m"]

        assert {:error, %OptionsError{kind: :missing, option: :base_url}} =
                 Espalier.generate(@schema, "?", options)
      end
    end
  end

  describe "an answer" do
    test "is a value with what was counted" do
      server =
        Loopback.start_link([reply(@text), streamed(texts(["{\"name\":\"Ada\",", "\"age\":36}"]))])

      assert {:ok, whole} = Espalier.generate_result(@schema, "?", options(server))
      assert {:done, bit_by_bit} = @schema |> Espalier.stream("?", options(server)) |> Enum.at(-1)

      for result <- [whole, bit_by_bit] do
        assert result.value == @value
        assert result.text == @text
        assert result.finish_reason == :stop

        assert result.usage == %{
                 prompt_tokens: 9,
                 completion_tokens: 5,
                 cached_tokens: 4,
                 reasoning_tokens: 2
               }
      end

      assert [whole, bit_by_bit] = Loopback.requests(server)
      refute Map.has_key?(whole.json, "stream")
      assert %{"stream" => true, "stream_options" => %{"include_usage" => true}} = bit_by_bit.json
      assert Loopback.connections(server) == 1
    end

    test "comes as it is written, in whole characters, wherever the stream is cut" do
      text = ~s({"name":"é🌲ß","age":36})

      for seed <- 1..40 do
        :rand.seed(:exsss, seed)
        pieces = for piece <- Enum.chunk_every(String.graphemes(text), 3), do: Enum.join(piece)
        [head | body] = streamed(texts(pieces))
        bytes = body |> IO.iodata_to_binary() |> Chunks.cut()
        events = @schema |> stream([head | bytes]) |> Enum.to_list()
        assert {:done, %{value: %{name: "é🌲ß"}}} = List.last(events)
        assert for({:text, text} <- events, into: "", do: text) == text
      end
    end

    test "is read bit by bit" do
      gate = {:gate, :half}
      deltas = Enum.map(texts(["{\"name\":\"Ada\",", "\"age\":36}"]), &delta/1)
      events = Enum.intersperse(deltas, gate) ++ [delta(%{}, "stop"), "[DONE]"]
      server = Loopback.start_link([Loopback.sse(events)])

      @schema
      |> stream(server)
      |> Enum.each(fn event ->
        if event == {:text, "{\"name\":\"Ada\","} do
          assert_receive {:gate, :half, pid}, @wait
          Loopback.open(pid)
        end
      end)
    end

    test "may come whole to who asked for a stream, and without usage or its end mark" do
      assert {:done, %{value: @value}} = @schema |> stream(reply(@text)) |> Enum.at(-1)

      events = Enum.map(texts([@text]), &delta/1) ++ [delta(%{}, "stop")]
      assert {:done, result} = @schema |> stream(Loopback.sse(events)) |> Enum.at(-1)
      assert result.usage == %{prompt_tokens: 0, completion_tokens: 0}
    end

    test "ends its stream, even where the server goes on" do
      events = [delta(%{"content" => @text}), delta(%{}, "stop"), "[DONE]", :watch]
      assert {:done, %{value: @value}} = @schema |> stream(Loopback.sse(events)) |> Enum.at(-1)
      assert_receive :closed, @wait
    end

    test "that was cut off by the limit says so" do
      assert {:ok, %{finish_reason: :max_tokens}} =
               Espalier.generate_result(
                 {:regex, ".*"},
                 "?",
                 options(Loopback.start_link([reply("abc", "length")]), openai: [mode: :prompt])
               )

      assert {:error, %GenerationError{kind: :truncated}} =
               generate(@schema, reply("{\"na", "length"))
    end

    test "that was cut off by the limit within a call says so, whatever reason the server gives" do
      more = [openai: [mode: :tool], max_tokens: 5, max_attempts: 2]

      for cut <- ["", "{\"na"], reason <- ["tool_calls", "stop"] do
        message = Map.merge(%{"content" => nil}, call(cut))
        server = Loopback.start_link([reply(message, reason)])
        result = generate(@schema, server, more)
        truncated? = match?({:error, %GenerationError{kind: :truncated}}, result)
        assert {cut, truncated?} == {cut, cut != ""}
        assert length(Loopback.requests(server)) == if(truncated?, do: 1, else: 2)

        refute match?(
                 {:error, %GenerationError{}},
                 generate(@schema, server, openai: [mode: :tool])
               )
      end

      whole = reply(Map.merge(%{"content" => nil}, call(@text)), "tool_calls")

      assert {:ok, %{finish_reason: :stop, value: @value}} =
               Espalier.generate_result(@schema, "?", options(Loopback.start_link([whole]), more))

      assert {:error, %GenerationError{kind: :truncated}} =
               last_error(streamed([call(""), call("{\"na")], "tool_calls"), more)
    end

    test "has what a server tells of the reasoning beside it" do
      for name <- ["reasoning_content", "reasoning"] do
        pieces = [%{name => "Hm, "}, %{name => "{}"}, %{"content" => @text, name => nil}]

        for answer <- [reply(%{"content" => @text, name => "Hm, {}"}), streamed(pieces)] do
          {:done, result} = @schema |> stream(answer) |> Enum.at(-1)
          assert {result.value, result.reasoning} == {@value, "Hm, {}"}
        end
      end
    end

    test "that is a refusal is an error" do
      refusal = %{"content" => nil, "refusal" => "I can't help."}
      pieces = [%{"refusal" => "I can't"}, %{"refusal" => " help."}]

      for {:error, error} <- [
            generate(@schema, reply(refusal)),
            last_error(streamed(pieces))
          ] do
        assert %RefusalError{kind: :refused, provider: :openai, detail: "I can't help."} = error
      end
    end

    test "that was filtered is an error with the text so far" do
      assert {:error, %RefusalError{kind: :filtered, text: "{\"na"}} =
               generate(@schema, reply("{\"na", "content_filter"))

      assert {:error, %RefusalError{kind: :filtered, text: "{\"na"}} =
               last_error(streamed(texts(["{\"na"]), "content_filter"))
    end

    test "that is none is an error" do
      for answer <- [
            Loopback.answer(200, [], "<html>"),
            Loopback.json(200, %{}),
            Loopback.json(200, [1]),
            Loopback.json(200, %{"choices" => []}),
            Loopback.json(200, %{"choices" => "none"})
          ] do
        assert {:error, %ProviderError{kind: :invalid_response, provider: :openai}} =
                 generate(@schema, answer)
      end

      assert {:error, %ProviderError{kind: :invalid_response}} =
               last_error(Loopback.sse([delta(%{"content" => "{"}), "{not json"]))
    end

    test "of odd parts does no harm" do
      for message <- [%{"content" => 1}, %{"content" => []}, nil, "x", %{"tool_calls" => [1]}] do
        assert {:error, _error} = generate(@schema, reply(message))
      end

      odd = [[], 1, "x", %{"choices" => 1}, %{"choices" => [1]}, delta(nil), delta([])]
      events = Enum.map(odd, &JSON.encode!/1) ++ [delta(%{"content" => @text}, "stop"), "[DONE]"]
      assert {:done, %{value: @value}} = @schema |> stream(Loopback.sse(events)) |> Enum.at(-1)
    end
  end

  # The error that a stream ends with.
  defp last_error(answer, more \\ []) do
    {:ok, @schema |> stream(answer, more) |> Enum.to_list()}
  rescue
    error -> {:error, error}
  end

  describe "modes" do
    test "a tool is called with the value" do
      request = sent(@schema, openai: [mode: :tool])

      assert %{
               "tools" => [%{"type" => "function", "function" => function}],
               "tool_choice" => %{"type" => "function", "function" => %{"name" => name}}
             } = request.json

      assert %{"name" => ^name, "strict" => true, "parameters" => schema} = function
      assert {:ok, []} = JSON.validate(JSON.encode!(schema), @text)
      refute Map.has_key?(request.json, "response_format")

      more = [openai: [mode: :tool]]
      message = Map.merge(%{"content" => nil}, call(@text))
      assert {:ok, @value} = generate(@schema, reply(message, "tool_calls"), more)

      {first, second} = String.split_at(@text, 8)
      deltas = [call(""), call(first), call("{}", 1), call(second)]
      answer = streamed(deltas, "tool_calls")
      assert {:done, %{value: @value}} = @schema |> stream(answer, more) |> Enum.at(-1)
    end

    test "the schema is told in a system message where nothing else has it" do
      for {mode, format} <- [json_object: %{"type" => "json_object"}, prompt: nil] do
        request = sent(@schema, openai: [mode: mode])

        assert [%{"role" => "system", "content" => told}, %{"role" => "user"}] =
                 request.json["messages"]

        assert told =~ "JSON" and told =~ "age"
        assert request.json["response_format"] == format

        messages = [%{role: :system, content: "Be brief."}, %{role: :user, content: "Hi"}]
        request = sent(@schema, [openai: [mode: mode]], messages)

        assert [%{"content" => "Be brief.\n\n" <> ^told}, %{"content" => "Hi"}] =
                 request.json["messages"]

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
        {message, call} = {%{"content" => text}, call(text)}
        answer = if mode == :tool, do: call, else: message
        assert {:ok, ^value} = generate(schema, reply(answer), more)

        assert {:done, %{value: ^value}} =
                 schema |> stream(streamed([answer]), more) |> Enum.at(-1)

        case sent(schema, more).json do
          %{"response_format" => %{"json_schema" => %{"schema" => sent}}} -> valid!(sent, text)
          %{"tools" => [%{"function" => %{"parameters" => sent}}]} -> valid!(sent, text)
          %{"messages" => [%{"content" => told} | _]} -> assert told =~ ~s("value")
        end
      end
    end

    test "a choice and a regular expression need no object where they are only told" do
      more = [openai: [mode: :prompt]]
      assert {:ok, :no} = generate({:choice, [:yes, :no]}, reply("no"), more)
      assert [%{"content" => told}, _user] = sent({:choice, [:yes, :no]}, more).json["messages"]
      assert told =~ "yes, no"
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

    assert %{"type" => "object", "required" => ["value"], "additionalProperties" => false} =
             schema
  end

  describe "dialects" do
    defp dialect(schema, dialect, more \\ []),
      do: sent(schema, openai: [dialect: dialect] ++ more)

    test "choices and regular expressions go by the server's own fields" do
      choice = {:choice, ["a.b", "c\"d"]}
      regex = {:regex, "[0-9]{4}"}
      gbnf = "root ::= [0-9]+"
      grammar = {:grammar, gbnf, syntax: :gbnf}

      for {dialect, schema, fields} <- [
            {:vllm, regex, %{"structured_outputs" => %{"regex" => "[0-9]{4}"}}},
            {:vllm, choice, %{"structured_outputs" => %{"choice" => ["a.b", "c\"d"]}}},
            {:vllm_guided, regex, %{"guided_regex" => "[0-9]{4}"}},
            {:vllm_guided, choice, %{"guided_choice" => ["a.b", "c\"d"]}},
            {:sglang, regex, %{"regex" => "[0-9]{4}"}},
            {:sglang, choice, %{"regex" => ~S/(a\.b|c"d)/}},
            {:llama_cpp, choice, %{"grammar" => ~S(root ::= "a.b" | "c\"d")}},
            {:llama_cpp_python, choice, %{"grammar" => ~S(root ::= "a.b" | "c\"d")}},
            {:vllm, grammar, %{"structured_outputs" => %{"grammar" => gbnf}}},
            {:vllm_guided, grammar, %{"guided_grammar" => gbnf}},
            {:sglang, grammar, %{"ebnf" => gbnf}},
            {:llama_cpp, grammar, %{"grammar" => gbnf}},
            {:llama_cpp_python, grammar, %{"grammar" => gbnf}}
          ] do
        json = dialect(schema, dialect).json
        assert Map.take(json, Map.keys(fields)) == fields
        refute Map.has_key?(json, "response_format")
      end

      server = Loopback.start_link([reply("2024")])
      assert {:ok, "2024"} = generate(regex, server, openai: [dialect: :vllm])

      wrapped = dialect(regex, :llama_cpp).json["response_format"]["json_schema"]["schema"]
      valid!(wrapped, ~s({"value":"2024"}))
    end

    test "a grammar that a server has no field for is an error, or told in words" do
      lark = {:grammar, "start: /[0-9]+/"}
      server = Loopback.start_link([reply("2024")])

      for {dialect, schema} <- [
            {:openai, {:grammar, "root ::= [0-9]+", syntax: :gbnf}},
            {:llama_cpp, lark},
            {:llama_cpp, {:grammar, "main ::= [0-9]+", syntax: :gbnf, start: "main"}}
          ],
          mode <- [:json_schema, :tool, :json_object] do
        options = [openai: [dialect: dialect, mode: mode]]

        assert {:error, %Espalier.SchemaError{kind: :unsupported_by_provider}} =
                 generate(schema, server, options)
      end

      assert Loopback.requests(server) == []
      assert {:ok, "2024"} = generate(lark, server, openai: [mode: :prompt])
      assert [%{json: %{"messages" => [%{"content" => told} | _]}}] = Loopback.requests(server)
      assert told =~ "start: /[0-9]+/"
    end

    test "a schema is a grammar of the server in the mode for grammars" do
      schema = %{
        "type" => "object",
        "properties" => %{"n" => %{"type" => "integer", "multipleOf" => 7, "minimum" => 100}},
        "required" => ["n"],
        "additionalProperties" => false
      }

      for {dialect, path} <- [
            vllm: ["structured_outputs", "grammar"],
            vllm_guided: ["guided_grammar"],
            sglang: ["ebnf"],
            llama_cpp: ["grammar"],
            llama_cpp_python: ["grammar"]
          ],
          {schema, right, wrong} <- [
            {schema, ~s({"n":105}), ~s({"n":106})},
            {[at: :date], ~s({"at":"2026-11-28"}), ~s({"at":"2026-11-31"})},
            {{:regex, "(?!00)[0-9]{2}", syntax: :ecma}, "01", "00"},
            {{:choice, [:a, :b]}, "a", "c"},
            {{:grammar, "start: start \"x\" | \"y\""}, "yxx", "yy"},
            {{:sequence, ["<", {:text, until: ">"}]}, "<a>", "<a>b"}
          ] do
        json = dialect(schema, dialect, mode: :grammar).json
        gbnf = get_in(json, path)
        options = [syntax: :gbnf, vocabulary: Espalier.Vocabulary.bytes()]
        constraint = Espalier.Constraint.grammar!(gbnf, options)

        takes? = fn text ->
          matcher = Espalier.Matcher.new(constraint)

          Espalier.Matcher.accept_text(matcher, text) == :ok and
            Espalier.Matcher.accepting?(matcher)
        end

        assert {takes?.(right), takes?.(wrong)} == {true, false}
        assert [%{"content" => "Answer with nothing but" <> _} | _] = json["messages"]
        refute Map.has_key?(json, "response_format")
      end

      server = Loopback.start_link([reply(~s({"n":105}))])
      options = [openai: [dialect: :llama_cpp, mode: :grammar]]
      assert {:ok, %{"n" => 105}} = generate(schema, server, options)

      endless = %{"type" => "array", "items" => %{"type" => "string"}, "uniqueItems" => true}
      assert {:error, error} = generate(endless, server, options)
      assert {error.kind, error.keyword} == {:not_exportable, "uniqueItems"}

      # As with a local model.
      documents = [documents: %{"https://example.com/a" => true}]
      grammar = {:grammar, "start: \"a\""}
      assert {:error, error} = generate(grammar, server, options ++ documents)
      assert {error.kind, error.option} == {:unknown, :documents}
      assert length(Loopback.requests(server)) == 1
    end

    test "all rules of a schema that is a grammar are told to be the provider's" do
      backend = {Espalier.Backends.OpenAI, dialect: :llama_cpp, mode: :grammar}
      schema = [n: {:integer, min: 3}, tags: {{:array, :string}, max_items: 2}]
      rules = Espalier.explain(schema, backend)
      assert rules != [] and Enum.all?(rules, &(&1.by == :provider))
    end

    test "have names of their own for some fields" do
      more = [seed: 7, top_k: 5, repetition_penalty: 1.5]
      given = fn dialect, more -> sent(@schema, more ++ [openai: [dialect: dialect]]).json end
      assert %{"seed" => 7, "top_k" => 5, "repetition_penalty" => 1.5} = given.(:vllm, more)
      assert %{"seed" => 7, "top_k" => 5, "repeat_penalty" => 1.5} = given.(:llama_cpp, more)
      assert %{"random_seed" => 7, "max_tokens" => 512} = given.(:mistral, seed: 7)
      assert %{"max_completion_tokens" => 512} = given.(:groq, [])
      assert %{"provider" => %{"require_parameters" => true}} = given.(:openrouter, [])
      assert given.(:llama_cpp, openai: [mode: :json_schema])["tool_choice"] == nil
      assert dialect(@schema, :llama_cpp, mode: :tool).json["tool_choice"] == "required"

      json = given.(:llama_cpp_python, more)
      assert %{"repeat_penalty" => 1.5, "top_k" => 5, "max_tokens" => 512} = json
      assert %{"type" => "json_object", "schema" => schema} = json["response_format"]
      assert map_size(json["response_format"]) == 2
      assert {:ok, []} = JSON.validate(JSON.encode!(schema), @text)

      assert %{"function" => %{"name" => _}} =
               dialect(@schema, :llama_cpp_python, mode: :tool).json["tool_choice"]

      assert {:error, %OptionsError{provider: :groq, option: :presence_penalty}} =
               generate(@schema, reply("?"), presence_penalty: 1, openai: [dialect: :groq])
    end

    test "Azure has deployments and a header of its own" do
      request = dialect(@schema, :azure)
      assert request.path == "/v1/chat/completions"
      assert header(request, "api-key") == "sk-test-key"
      assert header(request, "authorization") == nil

      request = dialect(@schema, :azure, api_version: "2024-10-21")

      assert request.path ==
               "/v1/openai/deployments/gpt-test/chat/completions?api-version=2024-10-21"
    end

    test "of Mistral are not asked for usage, and that of Groq is found" do
      server = Loopback.start_link([streamed(texts([@text]))])

      assert {:done, %{value: @value}} =
               @schema |> stream(server, openai: [dialect: :mistral]) |> Enum.at(-1)

      assert [%{json: %{"stream" => true} = json}] = Loopback.requests(server)
      refute Map.has_key?(json, "stream_options")

      usage = %{"x_groq" => %{"usage" => @usage}}
      events = [delta(%{"content" => @text}), Map.merge(delta(%{}, "stop"), usage), "[DONE]"]
      stream = stream(@schema, Loopback.sse(events), openai: [dialect: :groq])
      assert {:done, %{usage: %{prompt_tokens: 9}}} = Enum.at(stream, -1)
    end

    test "of servers of one's own need no key" do
      server = Loopback.start_link([reply(@text)])
      options = [base_url: server.url, dialect: :vllm]

      assert {:ok, @value} =
               Espalier.generate(@schema, "?", backend: {OpenAI, options}, model: "m")

      assert [request] = Loopback.requests(server)
      assert header(request, "authorization") == nil
    end
  end

  describe "errors" do
    defp fails(status, body, headers \\ []) do
      answer =
        if is_binary(body),
          do: Loopback.answer(status, headers, body),
          else: Loopback.json(status, body, headers)

      assert {:error, error} = generate(@schema, answer)
      assert {:error, streamed} = last_error(answer)
      assert streamed == error or error.retry_after != nil
      error
    end

    test "have the kind, the provider's words and the request" do
      body = fn code, type, message ->
        %{"error" => %{"code" => code, "type" => type, "message" => message}}
      end

      for {status, body, expected} <- [
            {400, body.(nil, "invalid_request_error", "'oneOf' is not permitted"),
             {:invalid_request, "invalid_request_error", "'oneOf' is not permitted"}},
            {401, body.("invalid_api_key", "x", "Wrong key"),
             {:unauthorized, "invalid_api_key", "Wrong key"}},
            {403, "no", {:unauthorized, nil, "no"}},
            {404, body.("model_not_found", nil, "No model"),
             {:not_found, "model_not_found", "No model"}},
            {429, body.("insufficient_quota", "insufficient_quota", "Pay"),
             {:quota_exceeded, "insufficient_quota", "Pay"}},
            {429, body.("rate_limit_exceeded", "tokens", "Slow"),
             {:rate_limited, "rate_limit_exceeded", "Slow"}},
            {422, %{"detail" => [%{"msg" => "Bad"}]}, {:invalid_request, nil, "Bad"}},
            {400, %{"object" => "error", "message" => "Bad", "code" => 400},
             {:invalid_request, "400", "Bad"}},
            {500, "<html>", {:unavailable, nil, "<html>"}},
            {502, "", {:unavailable, nil, nil}},
            {503, body.(nil, "overloaded", "Later"), {:overloaded, "overloaded", "Later"}},
            {529, "", {:overloaded, nil, nil}},
            {408, "", {:unavailable, nil, nil}},
            {418, [1, 2], {:invalid_request, nil, "[1,2]"}}
          ] do
        error = fails(status, body, [{"x-request-id", "req-7"}])
        assert %ProviderError{provider: :openai, status: ^status, request_id: "req-7"} = error
        assert {error.kind, error.code, error.detail} == expected
      end
    end

    test "say how long to wait" do
      future = DateTime.add(DateTime.utc_now(), 90, :second)
      past = DateTime.add(DateTime.utc_now(), -90, :second)
      date = &Calendar.strftime(&1, "%a, %d %b %Y %H:%M:%S GMT")

      for {headers, expected} <- [
            {[{"Retry-After", "2"}], 2000},
            {[{"Retry-After", "0.5"}], 500},
            {[{"Retry-After", "2"}, {"retry-after-ms", "1234"}], 1234},
            {[{"Retry-After", date.(past)}], 0},
            {[{"Retry-After", "soon"}], nil},
            {[{"Retry-After", "-1"}], nil},
            {[{"Retry-After", "Xyz, 99 Foo 2024 99:99:99 GMT"}], nil},
            {[], nil}
          ],
          status <- [429, 503] do
        assert fails(status, "", headers).retry_after == expected
      end

      assert fails(503, "", [{"Retry-After", date.(future)}]).retry_after in 60_000..90_000
    end

    test "of the content filter are refusals" do
      body = %{"error" => %{"code" => "content_filter", "message" => "Filtered."}}
      assert %RefusalError{kind: :filtered, detail: "Filtered."} = fails(400, body)
    end

    test "come once a request" do
      server = Loopback.start_link([Loopback.answer(503, [{"retry-after", "0"}], "")])
      assert {:error, %ProviderError{kind: :overloaded}} = generate(@schema, server)
      assert length(Loopback.requests(server)) == 1
    end

    test "may come in the midst of a stream, or with the status of a success" do
      fault = %{"error" => %{"code" => 429, "message" => "Slow"}}
      answer = Loopback.sse([delta(%{"content" => "{"}), fault, delta(%{"content" => "}"})])

      assert {:error, %ProviderError{kind: :rate_limited, status: nil, code: "429"}} =
               last_error(answer)

      plain = %{"error" => %{"message" => "Oops"}}
      assert {:error, %ProviderError{kind: :unavailable}} = last_error(Loopback.sse([plain]))

      assert {:error, %ProviderError{kind: :rate_limited}} =
               generate(@schema, Loopback.json(200, fault))

      broken = Loopback.sse([delta(%{"content" => "{"}, "error"), "[DONE]"])
      assert {:error, %ProviderError{kind: :unavailable}} = last_error(broken)
    end

    test "have bodies and details of bounded size" do
      endless = [Loopback.head(500, []) | List.duplicate(String.duplicate("x", 10_000), 20)]
      assert {:error, error} = generate(@schema, endless ++ [:watch])
      assert String.length(error.detail) <= 501
      assert_receive :closed, @wait
    end

    test "keep their status where their bodies break off" do
      cut = [Loopback.head(500, [{"content-length", "99"}]), "Oops", :close]
      assert {:error, %ProviderError{status: 500, detail: "Oops"}} = generate(@schema, cut)
    end

    test "tell of redirects, which are not followed" do
      error = fails(302, "", [{"location", "https://user:pass@example.com/a?b=c"}])
      assert %ProviderError{kind: :invalid_request, status: 302} = error
      assert error.detail =~ "https://example.com/a"
      refute error.detail =~ "pass"
    end

    test "of the connection have where it was to lead" do
      half = Loopback.sse([delta(%{"content" => "{"}), :close])
      whole = Loopback.sse([delta(%{"content" => "{"})])
      no_end = [Loopback.head(200, [{"content-length", "99"}]), "{", :close]

      for answer <- [half, whole],
          do: assert({:error, %TransportError{kind: :closed}} = last_error(answer))

      assert {:error, %TransportError{kind: :closed, url: url}} = generate(@schema, no_end)
      assert url =~ "/v1/chat/completions"
      more = [openai: [base_url: "http://127.0.0.1:1"]]
      assert {:error, %TransportError{kind: :connect}} = generate(@schema, no_end, more)
    end

    test "of time are those of the request, or of silence" do
      head = Loopback.head(200, [{"content-length", "99"}])
      slow = Loopback.sse([delta(%{"content" => "{"}), :watch])

      assert {:error, %GenerationError{kind: :timeout}} =
               generate(@schema, [:watch], timeout: 200)

      assert {:error, %GenerationError{kind: :timeout}} =
               generate(@schema, [head, :watch], timeout: 200)

      assert {:error, %GenerationError{kind: :timeout, text: "{"}} =
               last_error(slow, timeout: 3_000)

      for _request <- 1..3, do: assert_receive(:closed, @wait)

      drip = Enum.flat_map(1..100, fn _n -> [delta(%{"content" => " "}), {:pause, 20}] end)

      assert {:error, %GenerationError{kind: :timeout}} =
               last_error(Loopback.sse(drip), timeout: 200)

      more = [openai: [receive_timeout: 50]]
      assert {:error, %TransportError{kind: :timeout}} = generate(@schema, [head, :watch], more)
    end
  end

  describe "a reader" do
    test "that stops early ends the request" do
      answer = Loopback.sse([delta(%{"content" => "{"}), :watch])

      assert [{:text, "{"}] =
               @schema |> stream(answer) |> Stream.filter(&match?({:text, _}, &1)) |> Enum.take(1)

      assert_receive :closed, @wait
      refute_receive _anything, 20
    end

    test "that is killed ends the request" do
      for answer <- [[:watch], Loopback.sse([delta(%{"content" => "{"}), :watch])] do
        gated = [{:gate, :there} | answer]
        server = Loopback.start_link([gated])
        pid = spawn(fn -> @schema |> stream(server) |> Stream.run() end)
        assert_receive {:gate, :there, handler}, @wait
        Loopback.open(handler)
        Process.exit(pid, :kill)
        assert_receive :closed, @wait
      end
    end

    test "of many asks at once" do
      server = Loopback.start_link([streamed(texts([@text]))])

      1..40
      |> Task.async_stream(fn _n -> @schema |> stream(server) |> Enum.at(-1) end,
        max_concurrency: 40
      )
      |> Enum.each(fn {:ok, event} -> assert {:done, %{value: @value}} = event end)

      assert length(Loopback.requests(server)) == 40
    end
  end

  describe "a schema" do
    @optional [name: {:string, min_length: 2}, nick: {:string, required: false}]

    test "is sent as strict mode takes it, and the value is that of the schema" do
      answer = ~s({"name":"Ada","nick":null})
      server = Loopback.start_link([reply(answer)])

      assert {:ok, result} =
               Espalier.generate_result(@optional, "?", options(server, strict: true))

      assert result.value == %{name: "Ada", nick: nil}
      assert result.text == answer

      assert [%{json: %{"response_format" => %{"json_schema" => format}}}] =
               Loopback.requests(server)

      assert %{"strict" => true, "schema" => schema} = format
      assert %{"required" => ["name", "nick"], "additionalProperties" => false} = schema
      assert schema["properties"]["name"]["description"] =~ "2 characters"
    end

    test "within another value loses no more than its nulls" do
      schema = [people: {:array, @optional}]
      answer = ~s({"people":[{"name":"Ada","nick":null},{"name":"Bo","nick":"B"}]})

      assert {:ok, %{people: [%{nick: nil}, %{nick: "B"}]}} =
               generate(schema, reply(answer), strict: true)

      list = ~s({"type":"array","items":{"type":"object","properties":{"a":{"type":"integer"}}}})
      answer = ~s({"value":[{"a":null},{"a":1}]})
      assert {:ok, [%{}, %{"a" => 1}]} = generate(list, reply(answer), strict: true)
    end

    test "has what the mode would reject in words" do
      server = Loopback.start_link([reply("{}")])
      schema = %{"type" => "object", "not" => %{"required" => ["a"]}}
      assert {:ok, %{}} = generate(schema, server)

      assert [%{json: %{"response_format" => %{"json_schema" => format}}}] =
               Loopback.requests(server)

      assert Map.keys(format["schema"]) -- ["description"] == [
               "additionalProperties",
               "properties",
               "required",
               "type"
             ]

      assert {:error, %Espalier.ValidationError{}} = generate(schema, reply(~s({"a":1})))
    end

    test "is explained as the dialect and the mode keep it" do
      by = fn backend ->
        for rule <- Espalier.explain(@optional, backend),
            rule.path == ["name"],
            into: %{},
            do: {rule.keyword, rule.by}
      end

      assert by.(OpenAI) == %{"type" => :provider, "minLength" => :description}
      assert by.({OpenAI, dialect: :vllm}) == %{"type" => :provider, "minLength" => :provider}
      assert by.({OpenAI, mode: :prompt})["type"] != :provider
    end
  end

  test "a value that was refused is asked for again, within the messages" do
    server = Loopback.start_link([reply(~s({"name":"Ada"})), reply(@text)])
    assert {:ok, @value} = generate(@schema, server, max_attempts: 2)

    assert [_first, %{json: %{"messages" => [%{"content" => prompt}]}}] =
             Loopback.requests(server)

    assert prompt =~ "not valid"
  end
end
