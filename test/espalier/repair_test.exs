defmodule Espalier.RepairTest do
  use ExUnit.Case, async: true

  alias Espalier.CastError
  alias Espalier.GenerationError
  alias Espalier.JSONError
  alias Espalier.Repair
  alias Espalier.StubBackend
  alias Espalier.Testing
  alias Espalier.ValidationError

  @schema [name: {:string, min_length: 1}, age: {:integer, min: 0}]
  @wrong ~s({"name":"","age":-5})
  @right ~s({"name":"Ada","age":36})

  defmodule Slow do
    @moduledoc "Takes its time to write what is refused."
    @behaviour Espalier.Backend

    @impl true
    def stream(request) do
      send(request.backend_options[:to], {:started, request})
      Process.sleep(if request.backend_options[:too_late], do: request.timeout + 10, else: 30)
      {:ok, [{:tokens, [1], "?", false}, StubBackend.done()]}
    end
  end

  # What a backend writes, one text each time, and tells the test when it is asked.
  defp replies(texts) do
    agent = start_supervised!({Agent, fn -> texts end}, id: make_ref())
    [backend: {StubBackend, pieces: agent, to: self()}]
  end

  defp requests do
    receive do
      {:started, request} -> [request | requests()]
    after
      0 -> []
    end
  end

  test "a value that was refused is asked for again, with what is wrong" do
    assert Espalier.generate(@schema, "Ada is 36.", replies([@wrong, @right])) ==
             {:ok, %{name: "Ada", age: 36}}

    assert [%{prompt: {:text, "Ada is 36."}}, %{prompt: {:text, prompt}}] = requests()

    assert prompt == """
           Ada is 36.

           #{@wrong}

           That is not valid:

           - at name: "" is shorter than 1 character
           - at age: -5 is less than the minimum of 0

           Write the whole value again, corrected, and nothing else.\
           """
  end

  test "of messages the text and the faults are two more" do
    messages = [%{role: :system, content: "You extract."}, %{role: :user, content: "Ada is 36."}]

    assert {:ok, _value} =
             Espalier.generate(@schema, messages, replies(["Sure!", @wrong, @right]))

    assert [_first, _second, %{prompt: {:messages, messages}}] = requests()

    assert [
             {"system", "You extract."},
             {"user", "Ada is 36."},
             {"assistant", "Sure!"},
             {"user", not_json},
             {"assistant", @wrong},
             {"user", wrong}
           ] = messages

    assert not_json =~ "not JSON"
    assert wrong =~ "age: -5 is less than the minimum of 0"
  end

  test "each attempt is in the result, and their usage together" do
    options = replies([@wrong, @right])
    assert {:ok, result} = Espalier.generate_result(@schema, "?", options)

    assert [%{text: @wrong, error: %ValidationError{}, usage: usage} = first, last] =
             result.attempts

    assert last == %{first | text: @right, error: nil}
    assert result.text == @right
    assert result.usage == Map.new(usage, fn {name, count} -> {name, 2 * count} end)
  end

  test "the last error is returned when all attempts were refused" do
    for n <- 1..4 do
      texts = List.duplicate("Sure!", n - 1) ++ [@wrong, @right]
      options = [max_attempts: n] ++ replies(texts)
      assert {:error, %ValidationError{}} = Espalier.generate(@schema, "?", options)
      assert length(requests()) == n
    end

    assert {:error, %JSONError{}} =
             Espalier.generate(@schema, "?", replies(["1 2", "", "Sure!", @right]))

    assert length(requests()) == 3
  end

  test "what was not quite JSON is read, and the result tells how" do
    text = "Sure:\n```json\n{name: 'Ada', age: \"36\",}\n```"
    assert {:ok, result} = Espalier.generate_result(@schema, "?", replies([text]))
    assert result.value == %{name: "Ada", age: 36}
    assert result.text == text
    assert [:surrounding_text, :code_fence | _more] = result.fixes
    assert [%{fixes: fixes}] = result.attempts
    assert fixes == result.fixes

    assert {:error, %JSONError{}} =
             Espalier.generate(@schema, "?", [strict: true, max_attempts: 1] ++ replies([text]))
  end

  test "formats and documents count when a text is read" do
    schema = %{"properties" => %{"day" => %{"$ref" => "https://example.org/day"}}}
    documents = %{"https://example.org/day" => %{"type" => "string", "format" => "date"}}
    options = [documents: documents, max_attempts: 1]
    wrong = "{'day': 'today'}"

    assert {:ok, %{"day" => "2026-11-27"}} =
             Espalier.generate(schema, "?", options ++ replies(["{'day': '2026-11-27'}"]))

    assert {:error, %ValidationError{}} =
             Espalier.generate(schema, "?", options ++ replies([wrong]))

    assert {:ok, %{"day" => "today"}} =
             Espalier.generate(schema, "?", [format: :ignore] ++ options ++ replies([wrong]))
  end

  test "what was cut off at the most tokens is no value, even where it could be closed" do
    schema = [tags: {:array, :string}]

    generate = fn text, finish_reason ->
      events = [{:tokens, [1], text, false}, StubBackend.done(finish_reason)]
      Espalier.generate(schema, "?", backend: {StubBackend, events: events, to: self()})
    end

    cut = ~s({"tags": ["a", "b)
    assert {:ok, %{tags: ["a", "b"]}} = generate.(cut, :stop)
    assert {:error, %GenerationError{kind: :truncated, text: ^cut}} = generate.(cut, :max_tokens)
    assert {:error, %GenerationError{kind: :truncated}} = generate.("Let me think", :max_tokens)
    assert {:ok, %{tags: ["a"]}} = generate.(~s({"tags": ["a"]}), :max_tokens)
    assert length(requests()) == 4
  end

  describe "what was cut off" do
    @cut ~s({"name": "Ada", "a)

    # Each reply is a text with its finish reason.
    defp cut_replies(replies) do
      agent = start_supervised!({Agent, fn -> replies end}, id: make_ref())
      test = self()

      Testing.stub(fn request ->
        send(test, {:started, request})
        {text, reason} = Agent.get_and_update(agent, fn [reply | others] -> {reply, others} end)
        [{:tokens, [], text, false}, StubBackend.done(reason)]
      end)

      [backend: Testing]
    end

    test "is asked for again with more tokens" do
      options = [max_tokens: 9, on_truncation: {:max_tokens, 50}]
      replies = cut_replies([{@cut, :max_tokens}, {@right, :stop}])
      assert {:ok, result} = Espalier.generate_result(@schema, "Ada is 36.", options ++ replies)

      assert [%{error: %GenerationError{kind: :truncated}, text: @cut}, %{text: @right}] =
               result.attempts

      assert [%{max_tokens: 9, prompt: prompt}, %{max_tokens: 50, prompt: prompt}] = requests()

      assert {:error, %GenerationError{kind: :truncated}} =
               Espalier.generate(
                 @schema,
                 "?",
                 options ++ cut_replies(List.duplicate({@cut, :max_tokens}, 3))
               )

      assert length(requests()) == 2
    end

    test "is gone on with" do
      for rest <- [~s(ge": 36}), @right] do
        options = [on_truncation: :continue] ++ cut_replies([{@cut, :max_tokens}, {rest, :stop}])
        messages = [%{role: :user, content: "Ada is 36."}]
        events = @schema |> Espalier.stream(messages, options) |> Enum.to_list()
        assert {:done, %{value: %{name: "Ada", age: 36}, text: @cut <> ^rest}} = List.last(events)

        assert [{:attempt, _}, {:text, @cut}, {:tokens, _}, {:text, ^rest}, _] =
                 Enum.drop(events, 2)

        assert [_first, %{prompt: {:messages, [_user, {"assistant", @cut}, {"user", _go_on}]}}] =
                 requests()
      end
    end

    test "and begun anew is not read as the rest" do
      schema = %{"type" => "array", "items" => %{"type" => "string"}}
      whole = ~s(["a","b","c"])
      options = [on_truncation: :continue]

      for {rest, fixes} <- [{whole, []}, {~s("," c"]), []}, {~s(",'c']), [:single_quotes]}] do
        replies = cut_replies([{~s(["a","b), :max_tokens}, {rest, :stop}])
        assert {:ok, result} = Espalier.generate_result(schema, "?", options ++ replies)
        assert length(result.value) == 3 and Enum.take(result.value, 2) == ["a", "b"]
        assert result.fixes == fixes
      end
    end

    test "and is then wrong is told as one text" do
      replies = cut_replies([{@cut, :max_tokens}, {~s(ge": -1}), :stop}, {@right, :stop}])
      messages = [%{role: :user, content: "Ada is 36."}]

      assert {:ok, _value} =
               Espalier.generate(@schema, messages, [on_truncation: :continue] ++ replies)

      text = @cut <> ~s(ge": -1})

      assert [_first, _second, %{prompt: {:messages, [_user, {"assistant", ^text}, {"user", _}]}}] =
               requests()
    end

    test "is written anew by another backend" do
      down = %Espalier.ProviderError{kind: :unauthorized, provider: :test}
      cut = [{:tokens, [], ~s({"name":"Ad), false}, StubBackend.done(:max_tokens)]
      Testing.stub([cut, down])
      backends = [Testing, {Espalier.Backends.Local, model: MyApp.Model}]
      options = [backend: backends, on_truncation: :continue]
      schema = [name: {:string, max_length: 4}]

      assert {:ok, %{attempts: [_cut, _down, last], value: %{name: name}}} =
               Espalier.generate_result(schema, "Ada", options)

      assert last.text == Espalier.JSON.encode!(%{name: name})
    end

    test "is gone on with once" do
      options = [on_truncation: :continue] ++ cut_replies(List.duplicate({@cut, :max_tokens}, 3))
      assert {:error, %GenerationError{text: text}} = Espalier.generate(@schema, "?", options)
      assert text == @cut <> @cut
      assert length(requests()) == 2
    end

    test "of a local model may get more tokens" do
      options = [model: MyApp.Model, max_tokens: 3]

      assert {:error, %GenerationError{kind: :truncated}} =
               Espalier.generate(@schema, "?", [on_truncation: :continue] ++ options)

      assert {:ok, _value} =
               Espalier.generate(@schema, "?", [on_truncation: {:max_tokens, 50}] ++ options)
    end
  end

  test "what asking again can't mend is not asked again" do
    error = %GenerationError{kind: :timeout, message: "too late"}
    stub = [backend: {StubBackend, events: [{:error, error}], to: self()}]
    assert {:error, %GenerationError{kind: :timeout}} = Espalier.generate(@schema, "?", stub)
    assert length(requests()) == 1
  end

  test "a backend that breaks off is an error" do
    stub = [backend: {StubBackend, events: [{:tokens, [1], "{\"na", false}]}]

    assert {:error, %GenerationError{kind: :incomplete, text: "{\"na"}} =
             Espalier.generate(@schema, "?", stub)

    stub = [backend: {StubBackend, events: []}]

    assert {:error, %GenerationError{kind: :incomplete, text: ""}} =
             Espalier.generate(@schema, "?", stub)
  end

  test "no generation asks more often than it may, and each is right or says why not" do
    for seed <- 1..300 do
      :rand.seed(:exsss, seed)
      n = Enum.random(1..5)
      texts = for _index <- 1..5, do: Enum.random([@right, @wrong, "Sure!", "{}", ""])
      asked = texts |> Enum.take(n) |> Enum.find_index(&(&1 == @right))
      options = [max_attempts: n] ++ replies(texts)

      case Espalier.generate_result(@schema, "?", options) do
        {:ok, result} ->
          assert result.text == @right
          assert length(result.attempts) == asked + 1
          assert length(requests()) == asked + 1

        {:error, _error} ->
          assert asked == nil
          assert length(requests()) == n
      end
    end
  end

  test "the time allowed is that of all attempts" do
    stub = [timeout: 2_000, backend: {Slow, to: self(), too_late: true}]
    assert {:error, %JSONError{}} = Espalier.generate(@schema, "?", stub)
    assert [%{timeout: only}] = requests()
    assert only in 1..2_000

    stub = [timeout: 60_000, backend: {Slow, to: self()}]
    assert {:error, %JSONError{}} = Espalier.generate(@schema, "?", stub)
    assert [%{timeout: first}, %{timeout: second}, %{timeout: third}] = requests()
    assert third < second and second < first and first <= 60_000
  end

  test "a stream says that what follows begins anew" do
    stream = Espalier.stream(@schema, "?", replies([@wrong, @right]))

    assert [
             {:tokens, _first},
             {:text, @wrong},
             {:attempt, %{number: 2, error: %ValidationError{}}},
             {:tokens, _second},
             {:text, @right},
             {:done, %{value: %{name: "Ada"}}}
           ] = Enum.to_list(stream)
  end

  test "a stream that is read no further asks no more" do
    stream = Espalier.stream(@schema, "?", replies([@wrong, @right]))
    assert [{:tokens, _tokens}, {:text, @wrong}] = Enum.take(stream, 2)
    assert length(requests()) == 1
  end

  def refuse(_value), do: {:error, "no value is right"}

  test "a local model is asked again where a function refuses its value" do
    schema = [late: {:boolean, validate: &__MODULE__.refuse/1}]
    options = [model: MyApp.Model, max_attempts: 2]

    assert {:error, %CastError{kind: :rejected}} =
             Espalier.generate(schema, "Is it late?", options)

    attempts =
      Espalier.stream(schema, "Is it late?", options) |> Stream.filter(&match?({:attempt, _}, &1))

    assert [{:attempt, %{number: 2}}] = Enum.take(attempts, 1)
  end

  test "of many faults the model is told some" do
    text = ~s([#{Enum.map_join(1..50, ",", fn _index -> "null" end)}])
    assert {:error, error} = Espalier.Schema.read(~s({"items": {"type": "integer"}}), text)
    message = Repair.message(error)
    assert message =~ "- at 19: null is not of type"
    refute message =~ "- at 20: null"
    assert message =~ "- and 30 more faults"
  end
end
