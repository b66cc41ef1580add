defmodule Espalier.Trace.RecorderTest do
  use ExUnit.Case, async: true

  alias Espalier.Model
  alias Espalier.Testing
  alias Espalier.Trace
  alias Espalier.Vocabulary

  @schema [name: {:string, max_length: 12}, urgent: :boolean]
  @prompt "Hello, Ada Novak here from Ghent."

  defp generate(options),
    do: Espalier.generate_result(@schema, @prompt, [model: MyApp.Model] ++ options)

  test "a trace has each token of a local model, and how it was chosen" do
    {:ok, %{trace: %Trace{} = trace} = result} = generate(trace: true, temperature: 1, seed: 3)
    {:ok, model} = Model.fetch(MyApp.Model)
    assert Enum.map_join(trace.tokens, & &1.text) == result.text
    assert %{text: text, usage: usage, size: size, error: nil, finish_reason: :stop} = trace
    assert {text, usage, size} == {result.text, result.usage, model.vocabulary.size}
    assert [%{trace: ^trace}] = result.attempts
    assert length(trace.tokens) == usage.completion_tokens
    assert Enum.count(trace.tokens, & &1.forced?) == usage.forced_tokens
    for token <- trace.tokens, do: check(token, model.vocabulary)
  end

  defp check(%{forced?: true} = token, vocabulary) do
    assert Vocabulary.token_bytes(vocabulary, token.id) == token.text
    assert %{allowed: nil, probability: nil, allowed_probability: nil, alternatives: []} = token
  end

  defp check(token, vocabulary) do
    assert Vocabulary.token_bytes(vocabulary, token.id) == token.text
    assert token.allowed in 2..vocabulary.size
    assert token.probability > 0 and token.probability <= token.allowed_probability + 1.0e-9
    assert token.allowed_probability <= 1 + 1.0e-9
    probabilities = Enum.map(token.alternatives, & &1.probability)
    assert length(probabilities) == 5
    assert probabilities == Enum.sort(probabilities, :desc)
    assert Enum.sum(probabilities) <= 1 + 1.0e-9

    for alternative <- token.alternatives do
      assert alternative.text == Vocabulary.token_bytes(vocabulary, alternative.id)
      if alternative.id == token.id, do: assert(alternative.allowed?)
      if alternative.id == token.id, do: assert(alternative.probability == token.probability)
    end
  end

  test "a greedy choice is the likeliest token that is allowed" do
    {:ok, %{trace: trace}} = generate(trace: true, temperature: 0)

    for %{forced?: false} = token <- trace.tokens,
        likeliest = Enum.find(token.alternatives, & &1.allowed?),
        do: assert(likeliest.id == token.id)
  end

  test "the text is the same without a trace, and the result has none" do
    for options <- [[temperature: 0], [temperature: 1, seed: 7]] do
      {:ok, traced} = generate([trace: true] ++ options)
      {:ok, plain} = generate(options)
      assert {plain.text, plain.trace} == {traced.text, nil}
    end
  end

  test "a stream has the tokens of a trace one by one" do
    events = Espalier.stream(@schema, @prompt, model: MyApp.Model, trace: true)
    {streamed, [done: result]} = events |> Enum.to_list() |> Enum.split(-1)
    tokens = for {:tokens, tokens} <- streamed, do: {tokens.ids, tokens.text, tokens.forced?}

    assert tokens ==
             for(token <- result.trace.tokens, do: {[token.id], token.text, token.forced?})
  end

  test "what another backend wrote is there in pieces, each attempt's by itself" do
    wrong = [{:tokens, [], ~s({"name":), false}, {:tokens, [], ~s("Ada"}), false}]
    usage = %{prompt_tokens: 1, completion_tokens: 2}
    Testing.stub([wrong ++ [{:done, %{finish_reason: :stop, usage: usage}}], ~s({"name":""})])
    options = [backend: Testing, model: "small", trace: true]
    {:ok, result} = Espalier.generate_result([name: {:string, max_length: 2}], "?", options)
    assert [%{trace: first, error: error}, %{trace: second}] = result.attempts
    assert %{text: ~s({"name":"Ada"}), error: ^error, size: nil, usage: ^usage} = first
    assert [~s({"name":), ~s("Ada"})] == Enum.map(first.tokens, & &1.text)
    assert [%{id: nil, forced?: false, probability: nil, allowed: nil} | _rest] = first.tokens
    assert result.trace == second
    assert %{text: ~s({"name":""}), error: nil, model: "small", schema: :fields} = second
  end
end
