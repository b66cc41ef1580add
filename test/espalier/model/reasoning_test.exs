defmodule Espalier.Model.ReasoningTest do
  use ExUnit.Case, async: true

  alias Espalier.Model

  @template """
  {{- messages[-1].content.split("</think>")[-1] }}
  {%- if enable_thinking is defined %}[{{ enable_thinking }}]{% endif %}
  """

  # The shipped model, two of whose tokens are renamed.
  defp start(template) do
    directory = Path.join(System.tmp_dir!(), "espalier-#{System.unique_integer([:positive])}")
    File.cp_r!(Model.tiny_path(), directory)
    on_exit(fn -> File.rm_rf!(directory) end)
    File.write!(Path.join(directory, "chat_template.jinja"), template)
    tokenizer = Path.join(directory, "tokenizer.json")

    text =
      tokenizer
      |> File.read!()
      |> String.replace("<|user|>", "<think>")
      |> String.replace("<|assistant|>", "</think>")

    File.write!(tokenizer, text)
    start_supervised!({Model, path: directory}, id: make_ref())
  end

  defp assert_prompt(model, expected, options \\ []) do
    {:ok, tokens} = Model.encode(model, expected)
    options = [model: model, max_tokens: 8] ++ options
    {:ok, result} = Espalier.generate_result({:choice, [:yes, :no]}, "Hello", options)
    assert result.usage.prompt_tokens == length(tokens)
  end

  test "a model tells its tags" do
    assert {:ok, %{info: %{reasoning: {"<think>", "</think>"}}}} = Model.fetch(start(@template))
    assert {:ok, %{info: %{reasoning: nil}}} = Model.fetch(start("{{ messages[0].content }}"))
    {:ok, tiny} = Model.start_link(path: Model.tiny_path())
    assert {:ok, %{info: %{reasoning: nil}}} = Model.fetch(tiny)
  end

  test "a generation asks the model not to think, unless told otherwise" do
    model = start(@template)
    assert_prompt(model, "Hello[False]")
    assert_prompt(model, "Hello[True]", template_variables: %{enable_thinking: true})
    assert_prompt(model, "Hello[None]", template_variables: %{"enable_thinking" => nil})
    assert {:ok, "Hello"} = Model.render(model, [{"user", "Hello"}])
  end

  test "a section that the template begins is closed" do
    model = start(@template <> "<think>\n\n")
    assert_prompt(model, "Hello[False]<think>\n\n</think>\n\n")
  end

  test "a model that doesn't think is asked nothing" do
    model =
      start("{{ messages[0].content }}{% if enable_thinking is defined %}{{ 1 / 0 }}{% endif %}")

    assert_prompt(model, "Hello")
  end

  describe "a section before the text" do
    @thinking [max_reasoning_tokens: 20, temperature: 1, seed: 3]

    test "is as long as it may be, and not a part of the text" do
      model = start(@template)
      schema = [name: {:string, max_length: 10}, urgent: :boolean]
      options = [model: model] ++ @thinking
      {:ok, result} = Espalier.generate_result(schema, "Please call Ada!", options)
      assert %{name: _name, urgent: _urgent} = result.value
      assert result.text =~ inspect(result.value.name)
      refute result.reasoning =~ "think>"
      assert result.usage.reasoning_tokens in 3..24
      assert result.usage.completion_tokens > result.usage.reasoning_tokens
      assert {:ok, again} = Espalier.generate_result(schema, "Please call Ada!", options)
      assert {again.text, again.reasoning} == {result.text, result.reasoning}
      for count <- [1, 2, 40, 5_000], do: assert_valid(model, count)
    end

    defp assert_valid(model, count) do
      options = [model: model, max_reasoning_tokens: count, max_tokens: 30]
      schema = {:array, {:enum, [:red, :blue]}}
      assert {:ok, result} = Espalier.generate_result([colors: schema], "Which?", options)
      assert result.usage.reasoning_tokens <= count + 4
      assert Enum.all?(result.value.colors, &(&1 in [:red, :blue]))
    end

    test "is told while it is written" do
      options = [model: start(@template)] ++ @thinking
      events = Enum.to_list(Espalier.stream({:choice, [:yes, :no]}, "Is it late?", options))
      {:done, result} = List.last(events)
      kinds = for {kind, _} <- events, kind != :tokens, do: kind
      assert Enum.dedup(kinds) == [:reasoning, :text, :done]
      assert Enum.count(kinds, &(&1 == :reasoning)) > 3
      told = for {:reasoning, text} <- events, into: "", do: text
      assert String.trim(told) == result.reasoning
      assert for({:text, text} <- events, into: "", do: text) == result.text
    end

    test "is begun by the prompt, unless the template does so" do
      for {template, expected} <- [
            {@template, "Hello[True]<think>\n"},
            {@template <> "<think>\n\n", "Hello[True]<think>\n"}
          ],
          do: assert_prompt(start(template), expected, @thinking)

      {:ok, tokens} = Model.encode(start(@template), "Hello<think>\n")
      options = [model: start(@template), template: false] ++ @thinking
      {:ok, result} = Espalier.generate_result({:choice, [:yes]}, "Hello", options)
      assert result.usage.prompt_tokens == length(tokens)
    end

    test "is no part of a trace, and no stop text ends it" do
      options = [model: start(@template), trace: true, stop: ["e", "a", " "]] ++ @thinking
      {:ok, result} = Espalier.generate_result({:choice, [:yes, :no]}, "Is it late?", options)
      assert Enum.map_join(result.trace.tokens, & &1.text) == result.text
      assert result.text in ["yes", "no"]
      assert String.length(result.reasoning) > 5
    end

    test "is remembered with the text" do
      cache = start_supervised!({Espalier.Cache, max_bytes: 100_000})
      options = [model: start(@template), cache: cache, max_reasoning_tokens: 9]
      {:ok, result} = Espalier.generate_result({:choice, [:yes, :no]}, "Is it late?", options)
      {:ok, again} = Espalier.generate_result({:choice, [:yes, :no]}, "Is it late?", options)
      assert again.cached? and again.reasoning == result.reasoning
      other = Keyword.put(options, :max_reasoning_tokens, 8)
      {:ok, other} = Espalier.generate_result({:choice, [:yes, :no]}, "Is it late?", other)
      refute other.cached?
    end

    test "is an error where the model knows no tags, or the number is none" do
      model = start("{{ messages[0].content }}")

      for {count, model} <- [{5, model}, {-1, start(@template)}, {true, model}] do
        options = [model: model, max_reasoning_tokens: count]

        assert {:error, %Espalier.OptionsError{option: :max_reasoning_tokens, got: ^count}} =
                 Espalier.generate({:choice, [:yes]}, "Hello", options)
      end

      options = [backend: {Espalier.Backends.OpenAI, api_key: "k"}, model: "m"]
      options = options ++ [max_reasoning_tokens: 5]

      assert {:error, %Espalier.OptionsError{kind: :unsupported, option: :max_reasoning_tokens}} =
               Espalier.generate({:choice, [:yes]}, "Hello", options)
    end
  end
end
