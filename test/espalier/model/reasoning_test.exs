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
end
