defmodule Espalier.Backends.OpenAI.GrammarTest do
  use ExUnit.Case, async: true

  alias Espalier.Backends.OpenAI
  alias Espalier.Backends.OpenAIResponses
  alias Espalier.GenerationError
  alias Espalier.Loopback
  alias Espalier.OptionsError
  alias Espalier.ProviderError
  alias Espalier.RefusalError
  alias Espalier.Schema
  alias Espalier.SchemaError
  alias Espalier.ValidationError

  @apis [OpenAI, OpenAIResponses]
  @ticket {:regex, "[A-Z]{3}-[0-9]{4}"}

  # The call of the tool with a text, whole; what was said before is no part of it.
  defp whole(api, text, cut? \\ false)

  defp whole(OpenAI, text, cut?) do
    call = %{"id" => "call_1", "type" => "custom", "custom" => %{"name" => "r", "input" => text}}
    message = %{"content" => "I'll call it.", "tool_calls" => [call]}
    reason = if cut?, do: "length", else: "tool_calls"
    Loopback.json(200, %{"choices" => [%{"message" => message, "finish_reason" => reason}]})
  end

  defp whole(OpenAIResponses, text, cut?) do
    said = %{
      "type" => "message",
      "content" => [%{"type" => "output_text", "text" => "I'll call it."}]
    }

    Loopback.json(200, response([%{"type" => "reasoning"}, said, call(text)], cut?))
  end

  defp call(text), do: %{"type" => "custom_tool_call", "name" => "r", "input" => text}

  defp response(items, false), do: %{"status" => "completed", "output" => items}

  defp response(items, true) do
    details = %{"reason" => "max_output_tokens"}
    %{"status" => "incomplete", "incomplete_details" => details, "output" => items}
  end

  # The same in pieces.
  defp streamed(OpenAI, pieces) do
    call = &%{"index" => 0, "id" => &1, "type" => &2, "function" => nil, "custom" => &3}
    first = call.("call_1", "custom", %{"name" => "r", "input" => ""})
    others = for piece <- pieces, do: call.(nil, nil, %{"input" => piece})
    second = Map.put(call.(nil, nil, %{"input" => "!"}), "index", 1)
    deltas = for call <- [first, second | others], do: %{"tool_calls" => [call]}
    chunks = for delta <- [%{"content" => "I'll"} | deltas], do: chunk(delta, nil)
    Loopback.sse(chunks ++ [chunk(%{}, "tool_calls"), "[DONE]"])
  end

  defp streamed(OpenAIResponses, pieces) do
    event = &Map.merge(%{"type" => "response." <> &1, "output_index" => &2}, &3)
    delta = &event.("custom_tool_call_input.delta", &1, %{"delta" => &2})

    Loopback.sse(
      [
        event.("output_text.delta", 0, %{"delta" => "I'll"}),
        event.("output_item.added", 1, %{"item" => call("")}),
        event.("output_item.added", 2, %{"item" => call("")}),
        delta.(2, "!")
      ] ++
        Enum.map(pieces, &delta.(1, &1)) ++
        [
          event.("custom_tool_call_input.done", 1, %{"input" => Enum.join(pieces)}),
          event.("completed", nil, %{"response" => response([call(Enum.join(pieces))], false)})
        ]
    )
  end

  defp chunk(delta, reason), do: %{"choices" => [%{"delta" => delta, "finish_reason" => reason}]}

  defp options(api, answer, more \\ []) do
    server = if is_list(answer), do: Loopback.start_link([answer]), else: answer
    backend = Keyword.merge([mode: :grammar, base_url: server.url, api_key: "sk-key"], more)
    [backend: {api, backend}, model: "gpt-test", max_attempts: 1, max_retries: 0]
  end

  defp generate(api, schema, answer, more \\ []),
    do: Espalier.generate(schema, "Make one up.", options(api, answer, more))

  # What is sent: the tool without what the APIs spell differently, and which one is demanded.
  defp sent(api, schema) do
    server = Loopback.start_link([whole(api, "?")])
    generate(api, schema, server)
    assert [%{json: json}] = Loopback.requests(server)
    assert json["parallel_tool_calls"] == false
    refute Map.has_key?(json, "response_format") or Map.has_key?(json, "text")

    case json do
      %{"tools" => [%{"type" => "custom", "custom" => tool}]} ->
        assert %{"type" => "custom", "custom" => choice} = json["tool_choice"]
        assert %{"type" => "grammar", "grammar" => grammar} = tool["format"]
        assert [%{"role" => "user", "content" => "Make one up."}] = json["messages"]
        {tool, grammar, choice}

      %{"tools" => [%{"type" => "custom"} = tool]} ->
        assert %{"type" => "custom"} = choice = json["tool_choice"]
        assert %{"type" => "grammar"} = tool["format"]
        assert [%{"role" => "user", "content" => "Make one up."}] = json["input"]
        {tool, Map.delete(tool["format"], "type"), Map.delete(choice, "type")}
    end
  end

  defp definition(schema) do
    {_tool, grammar, _choice} = sent(OpenAIResponses, schema)
    grammar["definition"]
  end

  test "a tool with the expression is demanded, which is told in words" do
    for api <- @apis do
      {tool, grammar, choice} = sent(api, @ticket)
      assert grammar == %{"syntax" => "regex", "definition" => "^(?:[A-Z]{3}-[0-9]{4})$"}
      assert tool["description"] =~ "[A-Z]{3}-[0-9]{4}"
      assert choice == %{"name" => tool["name"]}
      assert tool["name"] =~ ~r/\A[A-Za-z0-9_-]{1,64}\z/
    end
  end

  test "the text of the call is the value" do
    for api <- @apis do
      assert {:ok, "ABC-1234"} = generate(api, @ticket, whole(api, "ABC-1234"))
      assert {:ok, :no} = generate(api, {:choice, [:yes, :no]}, whole(api, "no"))
      text = "é🌲\n\"\\"
      assert {:ok, ^text} = generate(api, {:regex, "(?s).*"}, whole(api, text))

      pieces = ["AB", "C-1", "234"]
      options = options(api, streamed(api, pieces))
      events = Enum.to_list(Espalier.stream(@ticket, "?", options))
      assert {:done, %{value: "ABC-1234", text: "ABC-1234"}} = List.last(events)
      assert for({:text, text} <- events, do: text) == pieces
    end
  end

  test "a text that is none, or none that is whole, is an error" do
    for api <- @apis do
      assert {:error, %ValidationError{}} = generate(api, @ticket, whole(api, "ABC-12345"))

      assert {:error, %GenerationError{kind: :truncated, text: "ABC-1"}} =
               generate(api, @ticket, whole(api, "ABC-1", true))
    end

    refusal = [%{"type" => "refusal", "refusal" => "No."}]
    answer = response([%{"type" => "message", "content" => refusal}], false)

    assert {:error, %RefusalError{kind: :refused, detail: "No."}} =
             generate(OpenAIResponses, @ticket, Loopback.json(200, answer))

    said = [%{"type" => "output_text", "text" => "ABC-1234"}]
    answer = response([%{"type" => "message", "content" => said}], false)

    assert {:error, %ValidationError{}} =
             generate(OpenAIResponses, @ticket, Loopback.json(200, answer))
  end

  test "an expression that the provider does not take is its error" do
    fault = %{"error" => %{"type" => "invalid_request_error", "message" => "Too complex."}}

    for api <- @apis do
      assert {:error, %ProviderError{kind: :invalid_request, detail: "Too complex."}} =
               generate(api, @ticket, Loopback.json(400, fault))
    end
  end

  test "a grammar in Lark is sent as it is" do
    text = ~S"""
    start: "size" INT unit
    unit: "cm" | "mm"
    %import common.INT
    %ignore " "
    """

    for api <- @apis do
      {tool, grammar, _choice} = sent(api, {:grammar, text})
      assert grammar == %{"syntax" => "lark", "definition" => text}
      assert tool["description"] =~ "Lark"
      assert {:ok, "size 3 cm"} = generate(api, {:grammar, text}, whole(api, "size 3 cm"))

      assert {:error, %ValidationError{}} =
               generate(api, {:grammar, text}, whole(api, "size 3 km"))

      server = Loopback.start_link([])

      for options <- [[syntax: :gbnf], [start: "unit"]] do
        assert {:error, %OptionsError{kind: :unsupported, option: :mode}} =
                 generate(api, {:grammar, text, options}, server)
      end

      assert {:error, %SchemaError{kind: :undefined_name}} =
               generate(api, {:grammar, "start: a"}, server)

      assert Loopback.requests(server) == []
    end
  end

  test "JSON has no grammar, and other dialects have no such tools" do
    server = Loopback.start_link([whole(OpenAI, "{}")])

    for api <- @apis,
        schema <- [[name: :string], %{"type" => "object"}, ~s({"type": "string"})] do
      assert {:error, %OptionsError{kind: :unsupported, option: :mode, got: :grammar}} =
               generate(api, schema, server)
    end

    for dialect <- [:groq, :mistral, :openrouter, :compatible] do
      assert {:error, %OptionsError{kind: :unsupported, option: :mode, provider: ^dialect}} =
               generate(OpenAI, @ticket, server, dialect: dialect)
    end

    assert Loopback.requests(server) == []
    assert {:ok, _text} = generate(OpenAI, {:regex, "\\{\\}"}, server, dialect: :azure)
  end

  test "an expression is sent on one line, without anchors and names of its own" do
    for {source, expected} <- [
          {"^a$", "^(?:a)$"},
          {"\\Aa\\z", "^(?:a)$"},
          {"^a$|^b$|c", "^(?:a|b|c)$"},
          {"(?i)^a$", "^(?:(?i)a)$"},
          {"^^$$", "^(?:)$"},
          {"a\nb\r[\n\\\n]", "^(?:a\\nb\\r[\\n\\n])$"},
          {"[]^$]\\^\\$[^]a]", "^(?:[]^$]\\^\\$[^]a])$"},
          {"\\\\\\$", "^(?:\\\\\\$)$"},
          {"\\x{41}?\\p{Lu}?", "^(?:\\x{41}?\\p{Lu}?)$"},
          {"[a*?[b]+?]x{ 2 }", "^(?:[a*?[b]+?]x{ 2 })$"},
          {"(?P<year>\\d{4})(?<x>é)", "^(?:(\\d{4})(é))$"},
          {"(?s-x:.)", "^(?:(?s-x:.))$"},
          {"a|", "^(?:a|)$"},
          {~r/ \d+? [[:alpha:]] \z /xu, "^(?:[\\p{Nd}]+[\\p{L}])$"}
        ] do
      assert definition({:regex, source}) == expected
    end

    for {source, expected} <- [
          {"[0-9]+(?:a|\\u00e9)", "^(?:[0-9]+(?:a|\\u00e9))$"},
          {"^[\\s\\S]\\.[.\\[]$", "^(?:[\\s\\S]\\.[.\\[])$"}
        ] do
      assert definition({:regex, source, syntax: :ecma}) == expected
    end
  end

  test "what means something else in ECMA 262 is an error, and is not sent" do
    server = Loopback.start_link([whole(OpenAI, "a")])

    for source <- ["\\d", "a.", "[^\\w-]", "\\S", "[a[]", "[a&&b]", "(?=a)a"], api <- @apis do
      schema = {:regex, source, syntax: :ecma}
      assert {:error, %SchemaError{kind: :unsupported_regex}} = generate(api, schema, server)
    end

    assert Loopback.requests(server) == []
  end

  test "an expression with what grammars can't have is an error, and is not sent" do
    server = Loopback.start_link([whole(OpenAI, "a")])

    for {source, detail} <- [
          {"a*?", "lazy"},
          {"[a]+?b", "lazy"},
          {"a{2}?", "lazy"},
          {"a??", "lazy"},
          {"\\]??", "lazy"},
          {"(?U)a*", "lazy"},
          {"(?s:(?iU:a))", "lazy"},
          {"(?x) a b", "verbose"},
          {"(?-u:\\b)a", "word boundaries"},
          {"a(?-u:\\B)a", "word boundaries"},
          {"(^a)", "anchors"},
          {"(?:a|b$)", "anchors"},
          {"(?m)a?^b?", "anchors"},
          {"b?$a?", "anchors"},
          {"^*a", "anchors"},
          {"a$?", "anchors"},
          {"a(?:\\z)", "anchors"},
          # These the engine does not take, either.
          {"\\bé", nil},
          {"(?=a)b", nil},
          {"(a)\\1", nil}
        ],
        api <- @apis do
      assert {:error, %SchemaError{kind: :unsupported_regex, pattern: ^source} = error} =
               generate(api, {:regex, source}, server)

      if detail, do: assert(error.detail =~ detail and Exception.message(error) =~ detail)
    end

    assert {:error, %SchemaError{kind: :invalid_regex}} = generate(OpenAI, {:regex, "("}, server)
    assert Loopback.requests(server) == []
  end

  # Another engine reads what is sent.
  test "what is sent matches what the schema does" do
    server = Loopback.start_link([whole(OpenAIResponses, "?")])
    :rand.seed(:exsss, 7)
    texts = ["", "\n", "é", "A", "-", "]", "^"] ++ for(n <- 1..15, do: text(rem(n, 5) + 1))
    schemas = for _n <- 1..90, do: {:regex, expression(3)}
    choices = for _n <- 1..10, do: {:choice, Enum.uniq(for(_n <- 1..4, do: text(3)))}
    for schema <- schemas ++ choices, do: generate(OpenAIResponses, schema, server)

    sent = for %{json: %{"tools" => [tool]}} <- Loopback.requests(server), do: tool["format"]
    taken = Enum.filter(schemas, &taken?/1) ++ choices
    assert length(sent) == length(taken) and length(taken) > 60

    for {%{"definition" => definition}, schema} <- Enum.zip(sent, taken), text <- texts do
      refute definition =~ ~r/[\r\n]/
      regex = Regex.compile!(definition, [:unicode, :dollar_endonly])
      assert {definition, Regex.match?(regex, text)} == {definition, matches?(schema, text)}
    end

    for {%{"definition" => definition}, {:choice, texts}} <- Enum.zip(sent, taken),
        text <- texts,
        do: assert(Regex.compile!(definition, [:unicode, :dollar_endonly]) |> Regex.match?(text))
  end

  defp taken?({:regex, source}), do: not (source =~ ~r/[*+?}]\?/) and satisfiable?(source)

  defp satisfiable?(source) do
    vocabulary = Espalier.Vocabulary.bytes()
    match?({:ok, _constraint}, Espalier.Constraint.regex(source, vocabulary: vocabulary))
  end

  defp matches?(schema, text), do: match?({:ok, _value}, Schema.read(schema, text))

  defp text(length),
    do: for(_n <- 1..length, into: "", do: Enum.random(~w(a b é A - ] ^ $ . | \\) ++ ["\n"]))

  # An expression of the syntax that both engines have.
  defp expression(0) do
    Enum.random(~w(a b é . \\. \\n [ab] [^a] []a^] [-é] \\p{L} \\x{41} \\$ \\^ \\\\) ++ ["\n"])
  end

  defp expression(depth) do
    part = fn -> expression(depth - 1) end

    case :rand.uniform(9) do
      1 -> "(" <> part.() <> ")"
      2 -> "(?:" <> part.() <> "|" <> part.() <> ")"
      3 -> "(?:" <> part.() <> ")" <> Enum.random(~w(* + ? {2} {1,2} *?))
      4 -> "(?i:" <> part.() <> ")"
      5 when depth == 3 -> "^" <> part.() <> "$"
      6 when depth == 3 -> part.() <> "$|^" <> part.()
      _other -> part.() <> part.()
    end
  end
end
