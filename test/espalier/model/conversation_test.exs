defmodule Espalier.Model.ConversationTest do
  use ExUnit.Case, async: true

  alias Espalier.GenerationError
  alias Espalier.JSON
  alias Espalier.Model
  alias Espalier.OptionsError

  # The shipped model with a template that shows all that it is given.
  @template """
  {%- for message in messages %}{{ message | tojson }}
  {% endfor %}tools: {{ tools | tojson }}
  {%- if enable_thinking is defined %} thinking: {{ enable_thinking }}{% endif %}
  {%- if documents %} documents: {{ documents | tojson }}{% endif %}
  {%- if dated %} {{ strftime_now("%-d %b %Y %H:%M") }}{% endif %}
  {%- if refused is defined %}{{ raise_exception("not " ~ refused) }}{% endif %}
  {%- if add_generation_prompt %} answer:{% endif %}
  """

  setup_all do
    directory = Path.join(System.tmp_dir!(), "espalier-#{System.unique_integer([:positive])}")
    File.cp_r!(Model.tiny_path(), directory)
    on_exit(fn -> File.rm_rf!(directory) end)
    File.write!(Path.join(directory, "chat_template.jinja"), @template)
    {:ok, pid} = Model.start_link(path: directory)
    {:ok, model: pid}
  end

  @hello [%{role: :user, content: "Hello"}]

  defp render!(model, messages, options \\ []) do
    {:ok, text} = Model.render(model, messages, options)
    text
  end

  # The messages and tools that a template saw.
  defp seen(model, messages, options \\ []) do
    lines = model |> render!(messages, options) |> String.split("\n")
    {messages, ["tools: " <> tools]} = Enum.split(lines, -1)
    tools = String.replace_suffix(tools, " answer:", "")
    {Enum.map(messages, &JSON.decode!/1), JSON.decode!(tools)}
  end

  test "messages keep the order of what they have", %{model: model} do
    messages = [
      %{role: "system", content: ["One", "two"]},
      %{role: :user, content: "<é> & \"x\"", name: "ada"}
    ]

    assert render!(model, messages) ==
             ~S({"role": "system", "content": "One\n\ntwo"}) <>
               "\n" <>
               ~S({"role": "user", "content": "<é> & \"x\"", "name": "ada"}) <>
               "\ntools: null answer:"
  end

  test "tuples are messages, too", %{model: model} do
    assert render!(model, [{"user", "Hello"}]) == render!(model, @hello)
  end

  test "calls of tools and their results are told", %{model: model} do
    calls = [
      %{id: "1", name: "clock", arguments: %{zone: "UTC"}},
      %{name: "stop", arguments: "{}"}
    ]

    messages =
      @hello ++
        [
          %{role: :assistant, tool_calls: calls, reasoning_content: "Hm."},
          %{role: :tool, content: "", tool_call_id: "1", name: "clock"}
        ]

    assert {[_hello, call, result], nil} = seen(model, messages)

    assert call == %{
             "role" => "assistant",
             "content" => nil,
             "reasoning_content" => "Hm.",
             "tool_calls" => [
               %{
                 "id" => "1",
                 "type" => "function",
                 "function" => %{"name" => "clock", "arguments" => %{"zone" => "UTC"}}
               },
               %{"type" => "function", "function" => %{"name" => "stop", "arguments" => "{}"}}
             ]
           }

    assert %{"role" => "tool", "content" => "", "tool_call_id" => "1", "name" => "clock"} = result
  end

  test "parameters of tools are any schema, in its order", %{model: model} do
    schema = ~S({"type": "object", "properties": {"z": {"maximum": 1.50}, "a": {}}})

    tools = [
      %{name: "typed", description: "D", parameters: [place: :string]},
      %{name: "written", parameters: schema},
      %{name: "none"}
    ]

    assert render!(model, @hello, tools: tools) =~
             ~S("parameters": {"type": "object", "properties": {"z": {"maximum": 1.5}, "a": {}}})

    assert {_messages, [typed, _written, none]} = seen(model, @hello, tools: tools)
    assert %{"type" => "function", "function" => %{"name" => "typed"} = typed} = typed
    assert %{"properties" => %{"place" => %{"type" => "string"}}} = typed["parameters"]
    assert none["function"]["parameters"] == %{"type" => "object", "properties" => %{}}
  end

  test "variables and the time are told", %{model: model} do
    variables = %{"dated" => true, enable_thinking: false, documents: [%{title: "T"}]}
    options = [template_variables: variables, now: ~N[2024-07-04 09:05:00]]

    assert render!(model, @hello, options) =~
             ~S(thinking: False documents: [{"title": "T"}] 4 Jul 2024 09:05 answer:)

    assert String.ends_with?(render!(model, @hello, add_generation_prompt: false), "tools: null")
  end

  test "a generation passes them on", %{model: model} do
    ask = fn options ->
      Espalier.generate({:choice, [:yes, :no]}, @hello, [model: model] ++ options)
    end

    assert {:ok, _answer} = ask.(tools: [%{name: "clock"}])
    refused = ask.(template_variables: %{refused: "today"})
    assert {:error, %GenerationError{kind: :invalid_chat_template, detail: detail}} = refused
    assert detail =~ "not today"

    assert {:error, %OptionsError{kind: :invalid, option: :tools}} =
             Espalier.generate({:choice, ["a"]}, "x", model: model, template: false, tools: [])
  end

  test "wrong tools and variables are told", %{model: model} do
    wrong = [
      {[tools: %{}], "a list of maps"},
      {[tools: [%{name: "a"}, %{name: 1}]], "tool 2"},
      {[tools: [%{name: "a", strict: true}]], "tool 1"},
      {[tools: [%{name: "a"}, %{name: <<255>>}]], "tool 2 to have a text in UTF-8 as its :name"},
      {[tools: [%{name: "a", description: <<255>>}]], "as its :description"},
      {[tools: [%{name: "a", description: false}]], "as its :description"},
      {[tools: [%{name: "a"}, %{name: "b"}, %{name: "a"}]], "different names"},
      {[tools: [%Espalier.JSON.Object{members: []}, %{name: "a"}]], "tool 1"},
      {[tools: [Map.put(~D[2024-07-04], :name, "a")]], "tool 1"},
      {[template_variables: [a: 1]], "a map"},
      {[template_variables: %{a: self()}], "values that JSON has"},
      {[template_variables: %{messages: []}], "messages"},
      {[now: 5], "NaiveDateTime"}
    ]

    for {options, expected} <- wrong do
      assert {:error, error} = Model.render(model, @hello, options)
      assert Exception.message(error) =~ expected
    end

    assert {:error, %Espalier.SchemaError{}} =
             Model.render(model, @hello, tools: [%{name: "a", parameters: [b: :strng]}])
  end

  test "wrong messages are told with their place", %{model: model} do
    call = fn call -> %{role: :assistant, tool_calls: [call]} end

    wrong = [
      {[%{role: :narrator, content: "x"}], "the role of message 1"},
      {@hello ++ [%{role: :user, content: ""}], "the content of message 2 is empty"},
      {[%{role: :user, content: "x", nane: "y"}], "expected message 1"},
      {[%{role: :user, content: "x", name: :y}],
       "message 1: expected :name to be a text, got: :y"},
      {[%{role: :user, content: "x", name: <<255>>}], "message 1: :name is not UTF-8"},
      {[%{role: :user, content: "x", name: false}], "expected :name to be a text, got: false"},
      {[%{role: :assistant, tool_calls: []}],
       "expected :tool_calls to be a list of at least one"},
      {[%{role: :assistant, content: "x", tool_calls: false}],
       "expected :tool_calls to be a list of at least one, got: false"},
      {[%{role: :assistant, tool_calls: [%{name: "a", arguments: %{}} | :b]}],
       "message 1: expected :tool_calls to be a list of at least one, got: ["},
      {@hello ++ [call.(%{id: false, name: "a", arguments: %{}})],
       "message 2: tool call 1: expected :id to be a text, got: false"},
      {[call.(%{id: {1, 2}, name: "a", arguments: %{}})], "expected :id to be a text"},
      {[call.(%{id: <<255>>, name: "a", arguments: %{}})], ":id is not UTF-8, got: <<255>>"},
      {[call.(%{name: <<255>>, arguments: %{}})], "tool call 1: :name is not UTF-8"},
      {[call.(Map.merge(~D[2024-07-04], %{name: "a", arguments: %{}}))],
       "expected tool call 1 to be"},
      {[call.(%{name: :a, arguments: %{}})], "expected :name to be a text, got: :a"},
      {[call.(%{name: "a", arguments: 1})], "expected :arguments to be a map or a text, got: 1"},
      {[call.(%{name: "a", arguments: <<255>>})], "arguments that JSON has"},
      {[call.(%{name: "a", arguments: %{"b" => <<255>>}})], ~S(at "/b")},
      {[call.(%{name: "a"})], "message 1: expected tool call 1"},
      {[call.(%{name: "a", arguments: %{}, di: 1})], "to have no :di"},
      {[call.(%{name: "a", arguments: %{b: self()}})], "arguments that JSON has"},
      {[], "the list of messages is empty"},
      {"text", "got"}
    ]

    for {messages, expected} <- wrong do
      assert {:error, %GenerationError{kind: :invalid_prompt} = error} =
               Model.render(model, messages)

      assert Exception.message(error) =~ expected
    end
  end

  test "hosted models don't take what they would not be told" do
    options = [backend: {Espalier.Backends.OpenAI, api_key: "key"}, model: "m"]
    ask = fn messages, more -> Espalier.generate([a: :string], messages, options ++ more) end

    assert {:error, %OptionsError{kind: :unsupported, option: :tools}} =
             ask.(@hello, tools: [%{name: "clock"}])

    assert {:error, %OptionsError{kind: :unsupported, option: :template_variables}} =
             ask.(@hello, template_variables: %{a: 1})

    for message <- [%{role: :tool, content: "x"}, %{role: :user, content: "x", name: "y"}] do
      assert {:error, %GenerationError{kind: :invalid_prompt} = error} =
               ask.(@hello ++ [message], [])

      assert Exception.message(error) =~ "message 2"
    end
  end
end
