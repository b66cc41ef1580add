defmodule Espalier.Backends.LocalTest do
  use ExUnit.Case, async: true

  alias Espalier.GenerationError
  alias Espalier.ModelError
  alias Espalier.Result
  alias Espalier.SchemaError

  defmodule Contact do
    use Espalier.Schema

    schema do
      field :name, :string, max_length: 40
      field :email, :string, max_length: 40
      field :topic, {:enum, [:billing, :technical, :shipping]}
    end
  end

  @text "Hello, my name is Zoë Novak. The invoice is wrong. Write to zoe.novak@brightlamp.com."

  # Each digit is a token of its own, so that this takes 700 steps.
  @long {:regex, "[0-9]{700}"}

  setup_all do
    {:ok, model: start_supervised!({Espalier.Model, path: Espalier.Model.tiny_path()})}
  end

  defp result(schema, context, options \\ []) do
    assert {:ok, %Result{} = result} =
             Espalier.generate_result(schema, @text, [model: context.model] ++ options)

    result
  end

  defp error(schema, prompt, options) do
    assert {:error, error} = Espalier.generate(schema, prompt, options)
    error
  end

  defp assert_no_messages do
    assert {:messages, []} = Process.info(self(), :messages)
  end

  describe "a value" do
    test "is one of the schema", context do
      assert %Contact{name: name, topic: topic} = result(Contact, context).value
      assert is_binary(name) and topic in [:billing, :technical, :shipping]
      assert result({:choice, [:yes, :no, 3]}, context).value in [:yes, :no, 3]
      assert result({:regex, ~r/[A-Z]{3}-[0-9]{2}/}, context).value =~ ~r/\A[A-Z]{3}-[0-9]{2}\z/

      schema = ~S({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3})
      value = result(schema, context).value
      assert length(value) in 2..3 and Enum.all?(value, &is_boolean/1)
    end

    test "of a recursive schema ends within its tokens", context do
      schema =
        ~S({"$defs": {"tree": {"type": "object", "properties": {"children": ) <>
          ~S({"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["children"],) <>
          ~S( "additionalProperties": false}}, "$ref": "#/$defs/tree"})

      assert %{"children" => _} = result(schema, context, max_tokens: 40).value
    end

    test "comes with what was counted", context do
      assert %Result{usage: usage, finish_reason: :stop} = result(Contact, context)
      assert usage.prompt_tokens > 10
      assert usage.completion_tokens > usage.forced_tokens
      assert usage.forced_tokens > 0
      assert usage.steps in 1..usage.completion_tokens
    end

    test "may be valid under a compiled constraint", context do
      {:ok, model} = Espalier.Model.fetch(context.model)
      {:ok, constraint} = Espalier.Constraint.choice(["a", "b"], vocabulary: model.vocabulary)
      assert result(constraint, context).value in ["a", "b"]
    end
  end

  describe "the same seed" do
    @free [text: {:string, max_length: 60}]

    test "gives the same text, another one another", context do
      texts =
        for seed <- [1, 1, 2, 3, 4], do: result(@free, context, seed: seed, temperature: 2.0).text

      assert [same, same | others] = texts
      assert Enum.any?(others, &(&1 != same))
    end

    test "gives the same text beside other callers", context do
      alone = for seed <- 1..6, do: result(@free, context, seed: seed, temperature: 1.5).text

      together =
        1..6
        |> Task.async_stream(&result(@free, context, seed: &1, temperature: 1.5).text,
          max_concurrency: 6
        )
        |> Enum.map(fn {:ok, text} -> text end)

      assert together == alone
    end
  end

  test "without temperature the likeliest text comes, whatever the seed", context do
    assert result(Contact, context, seed: 1).text == result(Contact, context, seed: 2).text
  end

  test "white space is an option", context do
    assert result([a: :boolean], context).text in [~S({"a":true}), ~S({"a":false})]

    assert result([a: :boolean], context, whitespace: :spaced).text in [
             ~S({"a": true}),
             ~S({"a": false})
           ]
  end

  describe "a prompt" do
    test "goes through the model's template, unless it should not", context do
      wrapped = result({:choice, [:a]}, context).usage.prompt_tokens
      raw = result({:choice, [:a]}, context, template: false).usage.prompt_tokens
      assert raw < wrapped
    end

    test "may be messages", context do
      messages = [%{role: :system, content: "Read the text."}, %{role: :user, content: @text}]
      assert {:ok, %Contact{}} = Espalier.generate(Contact, messages, model: context.model)
    end

    test "that is too long is refused", context do
      long = String.duplicate("one two three ", 2000)

      assert %GenerationError{kind: :prompt_too_long, length: length, max_length: max_length} =
               error(Contact, long, model: context.model)

      assert length > max_length
      assert_no_messages()
    end
  end

  test "a text ends before what stops it, where it is a value", context do
    options = [model: context.model, max_tokens: 60, temperature: 1.0, seed: 5]
    {:ok, free} = Espalier.generate({:regex, "(?s).*"}, @text, options)
    stop = String.slice(free, 3, 2)
    [expected | _rest] = String.split(free, stop)

    assert {:ok, ^expected} =
             Espalier.generate({:regex, "(?s).*"}, @text, [stop: [stop]] ++ options)

    events = Espalier.stream({:regex, "(?s).*"}, @text, [stop: ["\0", stop]] ++ options)
    assert expected == for({:text, text} <- events, into: "", do: text)

    {:ok, value} = Espalier.generate([name: :string], @text, options)

    assert {:ok, ^value} =
             Espalier.generate([name: :string], @text, [stop: ["a", ~s("), "{"]] ++ options)

    for wrong <- ["a", [""], [1], [<<255>>], ["a" | "b"]] do
      assert {:error, %Espalier.OptionsError{option: :stop}} =
               Espalier.generate({:regex, "a"}, @text, [stop: wrong] ++ options)
    end
  end

  test "special tokens are part of what is stopped and traced", context do
    letters = {:capture, :letters, {:regex, "[a-z]{1,30}"}}
    schema = {:sequence, ["a", {:special_token, "<|user|>"}, letters]}

    for seed <- 1..5 do
      options = [model: context.model, seed: seed, temperature: 1.0]
      {:ok, whole} = Espalier.generate_result(schema, @text, options)
      "a<|user|>" <> letters = whole.text

      {:ok, traced} = Espalier.generate_result(schema, @text, [trace: true] ++ options)
      assert {traced.text, traced.captures} == {whole.text, whole.captures}
      assert Enum.map_join(traced.trace.tokens, & &1.text) == whole.text

      # There is no letter before the first of them, and nothing within a special token.
      {first, rest} = String.split_at(letters, 1)
      [before | _rest] = String.split(rest, "e")
      {:ok, stopped} = Espalier.generate_result(schema, @text, [stop: ["e"]] ++ options)
      assert stopped.text == "a<|user|>" <> first <> before
    end
  end

  test "a text that was brought to an end says so", context do
    schema = {:regex, "[a-z]{1,300};"}

    for seed <- 1..5 do
      options = [model: context.model, seed: seed, temperature: 1.0]
      {:ok, short} = Espalier.generate_result(schema, @text, [max_tokens: 4] ++ options)
      {:ok, long} = Espalier.generate_result(schema, @text, [max_tokens: 300] ++ options)
      same? = short.text == long.text
      assert short.finish_reason == if(same?, do: long.finish_reason, else: :max_tokens)
      assert short.usage.completion_tokens <= 4
    end
  end

  test "a constraint for other tokens is refused", context do
    {:ok, %{vocabulary: %{size: size}}} = Espalier.Model.fetch(context.model)
    tokens = List.duplicate("x", size - 1) ++ [""]
    vocabulary = Espalier.Vocabulary.from_tokens!(tokens, eos_ids: [size - 1])
    constraint = Espalier.Constraint.regex!("x+", vocabulary: vocabulary)

    assert %ModelError{kind: :vocabulary_mismatch, got: "end-of-sequence ids" <> _ids} =
             error(constraint, @text, model: context.model)
  end

  test "a bias moves what is written, as far as the schema lets it", context do
    {:ok, [yes | _rest]} = Espalier.Model.encode(context.model, "yes")
    options = [model: context.model]

    for {bias, answer} <- [{100, :yes}, {-100, :no}] do
      assert Espalier.generate(
               {:choice, [:yes, :no]},
               @text,
               [logit_bias: %{yes => bias}] ++ options
             ) ==
               {:ok, answer}
    end

    assert {:ok, "a"} =
             Espalier.generate({:regex, "a"}, @text, [logit_bias: %{yes => 100}] ++ options)

    assert {:error, %GenerationError{kind: :invalid_request}} =
             Espalier.generate({:regex, "a"}, @text, [logit_bias: %{0xFFFFFFFF => 1}] ++ options)

    for wrong <- [%{yes => 101}, %{"yes" => 1}, %{-1 => 1}, [1], %{yes => "1"}] do
      assert {:error, %Espalier.OptionsError{option: :logit_bias}} =
               Espalier.generate({:regex, "a"}, @text, [logit_bias: wrong] ++ options)
    end
  end

  test "typical_p leaves the same text for the same seed", context do
    draw = fn more -> result(Contact, context, [temperature: 2.0, seed: 5] ++ more).text end
    assert draw.(typical_p: 0.2) == draw.(typical_p: 0.2)
    assert draw.(typical_p: 1) == draw.([])
  end

  test "limits beyond every model make no difference", context do
    assert %Contact{} = result(Contact, context, max_tokens: Integer.pow(10, 30)).value
    options = [temperature: 1.0, seed: 1]
    limited = [top_k: Integer.pow(10, 30)] ++ options
    assert result(Contact, context, limited).text == result(Contact, context, options).text
  end

  test "too few tokens for any value is an error that tells", context do
    assert %GenerationError{kind: :truncated} =
             error(@long, @text, model: context.model, max_tokens: 10)

    assert_no_messages()
  end

  test "a schema that can't be enforced is refused", context do
    options = [model: context.model]

    assert %SchemaError{kind: :unsupported_keyword, keyword: "$ref"} =
             error(~S({"$ref": "other.json"}), @text, options)

    unsatisfiable = ~S({"type": "integer", "minimum": 3, "maximum": 2})
    assert %SchemaError{kind: :unsatisfiable} = error(unsatisfiable, @text, options)
  end

  test "a model that is not there is an error" do
    assert %ModelError{kind: :not_running} = error(Contact, @text, model: :no_such_model)
    {pid, monitor} = spawn_monitor(fn -> :ok end)
    assert_receive {:DOWN, ^monitor, :process, ^pid, _reason}
    assert %ModelError{kind: :not_running} = error(Contact, @text, model: pid)
  end

  describe "a timeout" do
    test "ends the generation, tells how far it got, and leaves no message", context do
      error = error(@long, @text, model: context.model, max_tokens: 800, timeout: 40)
      assert %GenerationError{kind: :timeout, text: text} = error
      assert text =~ ~r/\A[0-9]{0,699}\z/
      assert_no_messages()
      Process.sleep(20)
      assert_no_messages()
    end

    test "may be 0", context do
      assert %GenerationError{kind: :timeout} =
               error(@long, @text, model: context.model, timeout: 0, max_tokens: 800)

      assert_no_messages()
    end
  end

  describe "a stream" do
    test "yields the text of the result", context do
      events = Contact |> Espalier.stream(@text, model: context.model) |> Enum.to_list()
      assert {:done, %Result{text: text, usage: usage}} = List.last(events)
      assert Enum.join(for {:text, text} <- events, do: text) == text
      assert Enum.join(for {:tokens, tokens} <- events, do: tokens.text) == text
      assert Enum.any?(events, &match?({:tokens, %{forced?: true}}, &1))

      assert length(for {:tokens, tokens} <- events, id <- tokens.ids, do: id) >=
               usage.completion_tokens - 1

      assert_no_messages()
    end

    test "that the reader leaves is cancelled, and leaves no message", context do
      stream = Espalier.stream(@long, @text, model: context.model, max_tokens: 800)
      assert [_, _, _] = Enum.take(stream, 3)
      assert_no_messages()
      Process.sleep(20)
      assert_no_messages()
    end

    test "can be read beside another one", context do
      one = Espalier.stream(Contact, @text, model: context.model)
      two = Espalier.stream({:regex, "[0-9]{30}"}, @text, model: context.model)
      pairs = one |> Stream.zip(two) |> Enum.to_list()
      assert length(pairs) > 5
      assert_no_messages()
    end
  end

  test "a caller that dies does not hinder the others", context do
    parent = self()

    {pid, monitor} =
      spawn_monitor(fn ->
        stream = Espalier.stream(@long, @text, model: context.model, max_tokens: 800)
        Enum.each(stream, fn _event -> send(parent, :running) end)
      end)

    assert_receive :running
    Process.exit(pid, :kill)
    assert_receive {:DOWN, ^monitor, :process, ^pid, :killed}
    assert %Contact{} = result(Contact, context).value
  end

  test "messages of others stay in the mailbox", context do
    send(self(), {:espalier, make_ref(), :unrelated})
    assert %Contact{} = result(Contact, context).value
    assert_received {:espalier, _ref, :unrelated}
    assert_no_messages()
  end

  describe "a model that ends" do
    defp start_other_model(_context) do
      child = {Espalier.Model, path: Espalier.Model.tiny_path()}

      {:ok,
       other: start_supervised!(Supervisor.child_spec(child, id: :other, restart: :temporary))}
    end

    defp read_long(model) do
      test = self()

      task =
        Task.async(fn ->
          stream = Espalier.stream(@long, @text, model: model, max_tokens: 800)

          try do
            Enum.each(stream, fn _event -> send(test, :running) end)
          rescue
            error -> {error, Process.info(self(), :messages)}
          end
        end)

      assert_receive :running
      task
    end

    setup :start_other_model

    test "fails what it was doing", %{other: model} do
      task = read_long(model)
      stop_supervised!(:other)
      assert {%ModelError{kind: :stopped}, {:messages, []}} = Task.await(task)
    end

    test "by being stopped fails what it was doing", %{other: model} do
      task = read_long(model)
      assert Espalier.Model.stop(model) == :ok
      assert {%ModelError{kind: :stopped}, {:messages, []}} = Task.await(task)
    end

    test "by being killed fails what it was doing", %{other: model} do
      task = read_long(model)
      Process.exit(model, :kill)
      assert {%ModelError{kind: :stopped}, {:messages, []}} = Task.await(task)
    end
  end
end
