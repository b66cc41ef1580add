defmodule Espalier.ToolsTest do
  use ExUnit.Case, async: true

  alias Espalier.Constraint
  alias Espalier.Matcher
  alias Espalier.Model
  alias Espalier.OptionsError
  alias Espalier.Schema
  alias Espalier.Tools
  alias Espalier.Vocabulary

  doctest Espalier.Tools

  @tools [
    %{name: "find", description: "Finds a person", parameters: [name: {:string, max_length: 6}]},
    %{
      name: "weather",
      parameters:
        ~s({"type":"object","properties":{"days":{"type":"integer"}},"required":["days"],"additionalProperties":false})
    }
  ]

  @find {"find", %{name: "Ada"}}
  @weather {"weather", %{"days" => 3}}

  # A text with one call, and one with two, as the families' templates write them.
  @texts %{
    hermes:
      {"<tool_call>\n{\"name\": \"find\", \"arguments\": {\"name\": \"Ada\"}}\n</tool_call>",
       "So:\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"days\": 3}}\n</tool_call>\n<tool_call>\n{\"name\": \"find\", \"arguments\": {\"name\": \"Ada\"}}\n</tool_call>"},
    llama3: {~s({"name": "find", "parameters": {"name": "Ada"}}), nil},
    mistral:
      {~s([TOOL_CALLS] [{"name": "find", "arguments": {"name": "Ada"}}]),
       ~s(So: [TOOL_CALLS] [{"name": "weather", "arguments": {"days": 3}}, {"name": "find", "arguments": {"name": "Ada"}}])},
    mistral_v11:
      {~s([TOOL_CALLS]find{"name": "Ada"}),
       ~s([TOOL_CALLS]weather{"days": 3}[TOOL_CALLS]find{"name": "Ada"})},
    mistral_v13:
      {~s([TOOL_CALLS]find[ARGS]{"name": "Ada"}),
       ~s([TOOL_CALLS]weather[ARGS]{"days": 3}[TOOL_CALLS]find[ARGS]{"name": "Ada"})},
    deepseek_v3:
      {"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>find\n```json\n{\"name\": \"Ada\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
       "So:<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"days\": 3}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>find\n```json\n{\"name\": \"Ada\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
    deepseek_v3_1:
      {"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>find<｜tool▁sep｜>{\"name\": \"Ada\"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
       "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{\"days\": 3}<｜tool▁call▁end｜><｜tool▁call▁begin｜>find<｜tool▁sep｜>{\"name\": \"Ada\"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
    harmony:
      {~s(<|channel|>analysis<|message|>Find her.<|end|><|start|>assistant<|channel|>commentary to=functions.find <|constrain|>json<|message|>{"name": "Ada"}),
       nil}
  }

  for {style, {one, two}} <- @texts do
    test "calls in the style #{style} are values" do
      schema = {:sequence, Tools.parts(@tools, style: unquote(style))}
      assert Schema.read(schema, unquote(one)) == {:ok, %{calls: [@find]}}

      if two = unquote(two),
        do: assert(Schema.read(schema, two) == {:ok, %{calls: [@weather, @find]}})

      for {right, wrong} <- [
            {"find", "fine"},
            {~s("name": "Ada"), ~s("name": 5)},
            {"Ada", "Ada Ada"}
          ],
          text = String.replace(unquote(one), right, wrong),
          text != unquote(one),
          do: assert({:error, _error} = Schema.read(schema, text))
    end

    test "in the style #{style} a model can call, and must if it is told to" do
      {:ok, model} = Model.start_link(path: Model.tiny_path())
      schema = {:sequence, Tools.parts(@tools, style: unquote(style), min: 1, max: 1)}

      for seed <- 1..4 do
        options = [model: model, seed: seed, temperature: 1.5, max_tokens: 160]
        assert {:ok, %{calls: [{tool, value}]}} = Espalier.generate(schema, "Find Ada!", options)
        assert tool in ["find", "weather"] and map_size(value) == 1
      end
    end
  end

  test "free text needs no call, unless there have to be some" do
    for {style, {_one, two}} <- @texts, two != nil do
      read = &Schema.read({:sequence, Tools.parts(@tools, [style: style] ++ &1)}, &2)
      assert read.([], "It is late.") == {:ok, %{calls: []}}
      assert {:error, _error} = read.([min: 1], "It is late.")
      assert {:ok, _calls} = read.([min: 2], two)
      assert {:error, _error} = read.([max: 1], two)
    end
  end

  test "tools that are none are errors" do
    for tools <- [
          [],
          nil,
          [%{name: "find"}],
          [%{name: "a\"b", parameters: [x: :integer]}],
          [%{name: :find, parameters: [x: :integer]}],
          [hd(@tools), hd(@tools)],
          [hd(@tools) | :x]
        ] do
      assert_raise OptionsError, fn -> Tools.parts(tools, style: :hermes) end
      assert_raise OptionsError, fn -> Tools.definitions(tools) end
    end

    # Arguments are JSON.
    for text <- [{:regex, "a"}, {:choice, [:a]}, {:grammar, "start: \"a\""}, {:sequence, ["a"]}] do
      tools = [%{name: "find", parameters: text}]
      assert_raise OptionsError, fn -> Tools.parts(tools, style: :hermes) end
      assert_raise OptionsError, fn -> Tools.definitions(tools) end
    end

    assert_raise OptionsError, fn -> Tools.parts(@tools, style: :gpt2) end
    assert_raise OptionsError, fn -> Tools.parts(@tools, []) end

    for style <- [:llama3, :harmony], limit <- [min: 2, max: 2] do
      assert_raise OptionsError, fn -> Tools.parts(@tools, [limit, {:style, style}]) end
    end

    error =
      assert_raise OptionsError, fn -> Tools.parts(@tools, style: :hermes, min: 3, max: 2) end

    assert {error.option, error.got} == {:max, 2}
  end

  test "a tool that is none is told with its place" do
    [find, weather] = @tools

    for {tool, told} <- [
          {Map.put(weather, :descripton, "Tells"), "no other keys than"},
          {Map.put(weather, :description, 3), "as its :description"},
          {Map.put(weather, :description, <<255>>), "as its :description"},
          {%{weather | name: "fête"}, "letters of ASCII"},
          {%{weather | name: "été"}, "letters of ASCII"},
          {%{weather | name: <<255>>}, "letters of ASCII"},
          {%{weather | name: "a.b"}, "letters of ASCII"},
          {%{weather | name: "a\n"}, "letters of ASCII"},
          {%{weather | name: ""}, "letters of ASCII"},
          {%{weather | name: String.duplicate("a", 65)}, "letters of ASCII"},
          {"weather", "a :name and :parameters"}
        ],
        make <- [&Tools.parts(&1, style: :llama3), &Tools.definitions/1] do
      error = assert_raise OptionsError, fn -> make.([find, tool]) end
      assert {error.option, error.got} == {:tools, tool}
      assert Exception.message(error) =~ "tool 2 to "
      assert Exception.message(error) =~ told
    end
  end

  test "wrong parameters are told with the name of their tool" do
    for parameters <- [
          nil,
          [],
          :integer,
          [x: :integr],
          %{"type" => "strng"},
          %{"properties" => %{"x" => %{"type" => "strng"}}},
          "{",
          %{type: self()}
        ],
        make <- [&Tools.parts(&1, style: :hermes), &Tools.definitions/1] do
      tools = [%{name: "find", parameters: parameters}]
      error = assert_raise Espalier.SchemaError, fn -> make.(tools) end
      assert Exception.message(error) =~ "(in the :parameters of the tool find)"
    end
  end

  test "parameters are objects and nothing else" do
    object = %{"type" => "object", "properties" => %{"x" => %{"type" => "integer"}}}

    for parameters <- [
          object,
          %{"$ref" => "#/$defs/a", "$defs" => %{"a" => object}},
          %{"allOf" => [object, %{"maxProperties" => 2}]},
          %{"anyOf" => [object, %{"type" => "object", "maxProperties" => 0}]},
          [x: :integer]
        ] do
      assert [_tool] = Tools.definitions([%{name: "find", parameters: parameters}])
    end

    for parameters <- [
          %{"type" => "integer"},
          %{"type" => ["object", "null"]},
          %{"properties" => %{"x" => %{}}},
          %{"anyOf" => [object, %{"type" => "string"}]},
          "true"
        ],
        make <- [&Tools.parts(&1, style: :hermes), &Tools.definitions/1] do
      tools = [%{name: "find", parameters: parameters}]
      error = assert_raise OptionsError, fn -> make.(tools) end
      assert {error.option, error.got} == {:tools, parameters}
      assert Exception.message(error) =~ "the :parameters of find"
    end

    for parameters <- [%{}, "{}"] do
      tools = [%{name: "find", parameters: parameters}]
      schema = {:sequence, Tools.parts(tools, style: :mistral_v11, min: 1)}

      assert Schema.read(schema, ~s([TOOL_CALLS]find{"x":1})) ==
               {:ok, %{calls: [{"find", %{"x" => 1}}]}}

      assert {:error, _error} = Schema.read(schema, "[TOOL_CALLS]find1")
      assert [%{parameters: %{"type" => "object"}}] = Tools.definitions(tools)
    end
  end

  test "what begins as a call is one of a tool of the list" do
    schema = {:sequence, Tools.parts(@tools, style: :hermes)}
    matcher = Matcher.new(Schema.to_constraint(schema, vocabulary: Vocabulary.bytes()) |> elem(1))
    :ok = Matcher.accept_text(matcher, "So: <tool_call>")
    assert Matcher.allowed_tokens(matcher) == {:ok, [?\n]}

    for text <- [
          ~s(<tool_call>{"name": "evil", "arguments": {}}</tool_call>),
          ~s(<tool_call>{"name": "find", "arguments": {"name": "Ada"}}\n</tool_call>),
          "Say <tool_call> for a call."
        ] do
      assert {:error, _error} = Schema.read(schema, text)
    end
  end

  test "a model's special tokens are the tags" do
    {:ok, pid} = Model.start_link(path: Model.tiny_path())
    {:ok, model} = Model.fetch(pid)
    {:ok, [user, assistant]} = Model.encode(model, "<|user|><|assistant|>")

    parts = [
      {:text,
       tags: [
         {{:special_token, "<|user|>"}, {:capture, :x, {:regex, "[0-9]"}},
          {:special_token, "<|assistant|>"}}
       ]}
    ]

    constraint = Constraint.sequence!(parts, vocabulary: model.vocabulary)
    matcher = Matcher.new(constraint)
    :ok = Matcher.accept_text(matcher, "ab")
    {:ok, allowed} = Matcher.allowed_tokens(matcher)
    assert user in allowed and assistant not in allowed
    :ok = Matcher.accept_token(matcher, user)
    :ok = Matcher.accept_text(matcher, "7")
    assert Matcher.allowed_tokens(matcher) == {:ok, [assistant]}
    assert Matcher.forced_tokens(matcher) == {:ok, [assistant]}
    :ok = Matcher.accept_token(matcher, assistant)
    assert Matcher.text!(matcher) == "ab<|user|>7<|assistant|>"

    forced = [
      {:special_token, "<|user|>"},
      {:capture, :x, {:regex, "[0-9]"}},
      {:special_token, "<|assistant|>"}
    ]

    {:ok, result} = Espalier.generate_result({:sequence, forced}, "?", model: pid)
    assert result.text == "<|user|>#{result.value.x}<|assistant|>"

    # Where there are none the names are texts.
    plain = Matcher.new(Constraint.sequence!(parts, vocabulary: Vocabulary.bytes()))
    assert Matcher.accept_text(plain, result.text) == :ok
  end
end
