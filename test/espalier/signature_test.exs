defmodule MyApp.Answer do
  use Espalier.Signature

  signature "Answer the question from the context." do
    input :context, {:array, :string}
    input :question, :string, description: "what the user asks"
    output :answer, :string, max_length: 60
    output :confidence, {:enum, [:low, :high]}
  end
end

defmodule Espalier.SignatureTest do
  use ExUnit.Case, async: true

  alias Espalier.CastError
  alias Espalier.GenerationError
  alias Espalier.InputError
  alias Espalier.JSONError
  alias Espalier.OptionsError
  alias Espalier.Result
  alias Espalier.Schema
  alias Espalier.SchemaError
  alias Espalier.Signature
  alias Espalier.StubBackend
  alias Espalier.ValidationError
  alias MyApp.Answer

  doctest Espalier.Signature

  defmodule Place do
    use Espalier.Schema

    schema do
      field :city, :string
      field :zip, :string, required: false
    end
  end

  defmodule Triage do
    use Espalier.Signature

    signature "Sort the message.", validate: &__MODULE__.check/1 do
      input :message, :string
      input :day, :date, required: false
      input :place, Place, required: false
      input :language, {:enum, [:en, :de]}, default: :en
      output :topic, {:enum, [:billing, :shipping]}
      output :urgency, :integer, min: 1, max: 3
      output :note, :string, required: false
      example [message: "Where is it?"], topic: :shipping, urgency: 2

      example %{message: "Wrong sum", language: :de},
              %{topic: :billing, urgency: 1, note: "a sum", reasoning: "It is about money."}
    end

    def check(%__MODULE__{topic: :billing, urgency: 3}), do: {:error, "billing can wait"}
    def check(%__MODULE__{}), do: :ok
  end

  defmodule Reasoned do
    use Espalier.Signature

    signature "Add.", reasoning: true do
      input :numbers, {:array, {:integer, min: 0}}
      output :sum, :integer
      example [numbers: [1, 2]], reasoning: "1 + 2 = 3", sum: 3
    end
  end

  @inputs [context: ["Ada is 36."], question: "How old is Ada?"]
  @reply ~S({"answer":"36","confidence":"high"})
  @sorted ~S({"topic":"billing","urgency":2})

  defp stub(text), do: [backend: {StubBackend, pieces: [text], to: self()}]

  defp error(signature, inputs, options \\ []) do
    assert {:error, error} = Signature.run(signature, inputs, stub(@reply) ++ options)
    refute_received {:started, _request}
    error
  end

  test "the example of the documentation runs" do
    [example] = Regex.run(~r/\n\n((?:    .*\n|\n)+)/, moduledoc(), capture: :all_but_first)
    example = String.replace(example, "MyApp.Answer", "MyApp.Documented")
    {:__block__, _, [module, call]} = Code.string_to_quoted!(example)
    Code.eval_quoted(module)
    {_value, bindings} = Code.eval_quoted(call)
    assert bindings[:confidence] in [:low, :high]
  end

  describe "run/3" do
    test "gives the struct of the outputs" do
      assert Signature.run(Answer, @inputs, stub(@reply)) ==
               {:ok, %Answer{answer: "36", confidence: :high}}

      assert Signature.run!(Answer, Map.new(@inputs), stub(@reply)).answer == "36"

      assert {:ok, %Triage{topic: :billing, urgency: 2, note: nil}} =
               Signature.run(Triage, [message: "?"], stub(@sorted))
    end

    test "gives values of the types with a real model" do
      assert {:ok, %Answer{} = answer} = Signature.run(Answer, @inputs, model: MyApp.Model)
      assert String.length(answer.answer) <= 60
      assert answer.confidence in [:low, :high]

      inputs = [message: "Hello, my parcel is lost. Ada", place: %Place{city: "Oslo"}]
      options = [model: MyApp.Model, reasoning: true, max_tokens: 60]
      assert {:ok, %Triage{} = triage} = Signature.run(Triage, inputs, options)
      assert triage.topic in [:billing, :shipping] and triage.urgency in 1..3
      assert is_binary(triage.reasoning)
    end

    test "returns what goes wrong" do
      assert {:error, %ValidationError{}} = Signature.run(Answer, @inputs, stub("{}"))
      assert {:error, %JSONError{}} = Signature.run(Answer, @inputs, stub("Hm."))
      failing = [backend: {StubBackend, error: %GenerationError{kind: :timeout}}]

      assert {:error, %GenerationError{kind: :timeout}} = Signature.run(Answer, @inputs, failing)
      assert_raise ValidationError, fn -> Signature.run!(Answer, @inputs, stub("{}")) end
    end

    test "asks the function given as :validate, with and without reasoning" do
      wrong = ~S["topic":"billing","urgency":3}]

      assert {:error, %CastError{kind: :rejected, expected: "billing can wait"}} =
               Signature.run(Triage, [message: "?"], stub("{" <> wrong))

      assert {:error, %CastError{kind: :rejected}} =
               Signature.run(
                 Triage,
                 [message: "?"],
                 [reasoning: true] ++ stub(~S[{"reasoning":"a",] <> wrong)
               )
    end

    test "takes signature modules only" do
      assert %SchemaError{kind: :invalid_schema} = error(Place, city: "Oslo")
      assert Exception.message(error("Answer", [])) =~ "use Espalier.Signature"
    end

    test "passes options on, and knows the names of all of them" do
      assert {:ok, _answer} = Signature.run(Answer, @inputs, [max_tokens: 9] ++ stub(@reply))
      assert_received {:started, %{max_tokens: 9, schema: schema}}
      assert Schema.Form.name(schema) == Answer
      assert %OptionsError{suggestion: :on_call} = error(Answer, @inputs, on_cal: & &1)
      assert %OptionsError{suggestion: :max_tokens} = error(Answer, @inputs, max_token: 9)
      assert %OptionsError{option: :on_call} = error(Answer, @inputs, on_call: fn -> :ok end)
      assert {:error, %OptionsError{kind: :not_keyword}} = Signature.run(Answer, @inputs, %{})
    end
  end

  describe "run_result/3" do
    test "tells how the struct came about" do
      assert {:ok, %Result{value: %Answer{}, text: @reply, finish_reason: :stop}} =
               Signature.run_result(Answer, @inputs, stub(@reply))

      assert Signature.run_result!(Answer, @inputs, stub(@reply)).usage.completion_tokens == 2
      assert_raise InputError, fn -> Signature.run_result!(Answer, [], stub(@reply)) end
    end
  end

  describe "inputs" do
    test "that are missing are named, with the nearest that was given" do
      assert %InputError{kind: :missing, noun: :input, name: :context, suggestion: nil} =
               error(Answer, question: "?")

      assert %InputError{kind: :missing, name: :question, suggestion: :qestion} =
               error(Answer, context: [], qestion: "?")
    end

    test "that are unknown are named, with the nearest there is" do
      assert %InputError{kind: :unknown, name: :contexts, suggestion: :context} =
               error(Answer, @inputs ++ [contexts: []])

      assert %InputError{kind: :unknown, name: "place", suggestion: :place} =
               error(Triage, %{:message => "?", "place" => nil})
    end

    test "of another type are named, with what was expected and got" do
      assert %InputError{kind: :invalid, name: :context, expected: "[String.t()]", got: [1]} =
               error(Answer, context: [1], question: "?")

      for wrong <- ["a", nil, ["a" | "b"], [<<255>>]] do
        assert %InputError{kind: :invalid, got: ^wrong} =
                 error(Answer, context: wrong, question: "?")
      end

      assert Exception.message(error(Triage, message: "?", day: "2024-02-29")) ==
               ~s|invalid value for input :day: expected Date.t(), got: "2024-02-29"|

      assert Exception.message(error(Triage, message: "?", language: :fr)) ==
               "invalid value for input :language: expected :en | :de, got: :fr"

      assert Exception.message(error(Reasoned, numbers: [1, -1])) ==
               "invalid value for input :numbers: expected [integer()], at least 0, got: [1, -1]"

      assert %InputError{name: :place, expected: "Espalier.SignatureTest.Place.t()"} =
               error(Triage, message: "?", place: %Place{city: 5})
    end

    test "are named" do
      assert %InputError{kind: :not_named, got: ["?"]} = error(Answer, ["?"])
    end
  end

  # The one in the documentation.
  defp written_system_message do
    [text] = Regex.run(~r/```text\n(.*)\n```/s, moduledoc(), capture: :all_but_first)
    text
  end

  defp moduledoc do
    {:docs_v1, _, _, _, %{"en" => text}, _, _} = Code.fetch_docs(Signature)
    text
  end

  describe "prompt/3" do
    test "is the instruction with inputs and outputs, and the inputs" do
      assert [%{role: :system, content: system}, %{role: :user, content: user}] =
               Signature.prompt!(Answer, @inputs)

      assert system == written_system_message()
      assert user == "context: [\"Ada is 36.\"]\n\nquestion: How old is Ada?"
    end

    test "has the examples as messages" do
      assert [_system, user, assistant, user2, assistant2, _asked] =
               Signature.prompt!(Triage, message: "?")

      assert user == %{role: :user, content: "message: Where is it?\n\nlanguage: en"}
      assert assistant == %{role: :assistant, content: ~S({"topic":"shipping","urgency":2})}
      assert user2.content == "message: Wrong sum\n\nlanguage: de"
      assert assistant2.content == ~S({"topic":"billing","urgency":1,"note":"a sum"})
    end

    test "writes texts as they are and other inputs as JSON" do
      inputs = [
        place: %Place{city: "Oslo", zip: "0150"},
        day: ~D[2024-02-29],
        message: "a\n\"b\" <%= c %>"
      ]

      assert List.last(Signature.prompt!(Triage, inputs)).content == """
             message: a
             "b" <%= c %>

             day: 2024-02-29

             place: {"city":"Oslo","zip":"0150"}

             language: en\
             """
    end

    test "is what run/3 asks" do
      Signature.run!(Triage, [message: "?"], stub(@sorted))
      assert_received {:started, %{prompt: {:messages, messages}}}

      assert messages ==
               for(
                 %{role: role, content: content} <- Signature.prompt!(Triage, message: "?"),
                 do: {to_string(role), content}
               )
    end

    test "can be streamed" do
      stream = Espalier.stream(Answer, Signature.prompt!(Answer, @inputs), stub(@reply))
      assert {:done, %Result{value: %Answer{answer: "36"}}} = Enum.at(stream, -1)
    end

    test "needs inputs that have JSON" do
      defmodule Anything do
        use Espalier.Signature

        signature "Look." do
          input :thing, :any
          output :seen, :boolean
        end
      end

      assert {:error, %JSONError{kind: :json_term}} = Signature.prompt(Anything, thing: {1, 2})
      assert {:error, %InputError{}} = Signature.prompt(Anything, [])
      assert_raise InputError, fn -> Signature.prompt!(Anything, []) end
    end
  end

  describe "reasoning" do
    test "comes first, and is a field of the struct" do
      reply = ~S({"reasoning":"It says so.","answer":"36","confidence":"high"})

      assert Signature.run(Answer, @inputs, [reasoning: true] ++ stub(reply)) ==
               {:ok, %Answer{reasoning: "It says so.", answer: "36", confidence: :high}}

      assert_received {:started, request}
      assert {:ok, schema} = Schema.Form.to_json_schema(request.schema)
      assert Espalier.JSON.encode!(schema) =~ ~S("properties":{"reasoning":{"type":"string",)

      assert [%{content: system} | _] = Signature.prompt!(Answer, @inputs, reasoning: true)
      assert system =~ ~r/with\n- "reasoning": string .*\n- "answer"/
    end

    test "is asked for by the signature, and a call may say no" do
      reply = ~S({"reasoning":"1+1","sum":2})

      assert {:ok, %{reasoning: "1+1", sum: 2}} =
               Signature.run(Reasoned, [numbers: [1, 1]], stub(reply))

      assert {:ok, %Reasoned{reasoning: nil, sum: 2}} =
               Signature.run(
                 Reasoned,
                 [numbers: [1, 1]],
                 [reasoning: false] ++ stub(~S({"sum":2}))
               )

      assert {:ok, %{reasoning: "1+1"}} = Schema.read(Reasoned, reply)
    end

    test "is in the examples when it is asked for" do
      answers = fn options ->
        for %{role: :assistant, content: content} <-
              Signature.prompt!(Reasoned, [numbers: []], options),
            do: content
      end

      assert answers.([]) == [~S({"reasoning":"1 + 2 = 3","sum":3})]
      assert answers.(reasoning: false) == [~S({"sum":3})]
    end
  end

  describe "on_call" do
    test "gets each call with its result" do
      on_call = &send(self(), {:call, &1})
      result = Signature.run_result(Triage, [message: "?"], [on_call: on_call] ++ stub(@sorted))
      assert_received {:call, call}

      assert call == %{
               signature: Triage,
               inputs: %{message: "?", language: :en},
               messages: Signature.prompt!(Triage, message: "?"),
               result: result
             }

      assert {:ok, %Result{value: %Triage{}}} = result
    end

    test "gets a call that failed, and none that was not made" do
      on_call = &send(self(), {:call, &1})
      {:error, error} = Signature.run(Answer, @inputs, [on_call: on_call] ++ stub("{}"))
      assert_received {:call, %{result: {:error, ^error}}}
      {:error, _error} = Signature.run(Answer, [], [on_call: on_call] ++ stub("{}"))
      refute_received {:call, _call}
    end
  end

  test "a signature is a schema" do
    assert {:ok, %Espalier.JSON.Object{}} = Schema.to_json_schema(Answer)
    assert {:ok, %Answer{answer: "36"}} = Schema.read(Answer, @reply)
    assert Espalier.generate!([answer: Answer], "?", stub(~s({"answer":#{@reply}}))).answer.answer
  end

  describe "a declaration that can't be" do
    @input "input :a, :string"
    @output "output :b, :integer"

    defp compile_error(lines, head \\ ~s("Do it.")) do
      code = """
      defmodule Espalier.SignatureTest.Wrong do
        use Espalier.Signature
        signature #{head} do
          #{Enum.join(lines, "\n    ")}
        end
      end
      """

      error = assert_raise CompileError, fn -> Code.compile_string(code, "wrong.ex") end
      assert error.file =~ "wrong.ex"
      {error.line, error.description}
    end

    test "has no output or no input" do
      assert {3, "a signature needs at least one output: output :name, :string"} =
               compile_error([@input])

      assert {3, "a signature needs at least one input: input :name, :string"} =
               compile_error([@output])
    end

    test "has a name twice" do
      assert {3, "the field :a is there twice"} = compile_error([@input, "output :a, :string"])
      assert {3, "the field :b is there twice"} = compile_error([@input, @output, @output])
    end

    test "has an output with the name of the reasoning" do
      assert {3, message} = compile_error([@input, "output :reasoning, :string"])
      assert message =~ "the output :reasoning is made by the option `reasoning: true`"
    end

    test "has a field that can't be" do
      assert {4, "field :a: unknown type :strng. Did you mean :string?" <> _types} =
               compile_error(["input :a, :strng", @output])

      assert {5, "field :b: the default \"x\" is not a value of its type"} =
               compile_error([@input, "output :b, :integer, default: \"x\""])
    end

    test "has an example that does not fit" do
      for {example, message} <- [
            {"[a: \"x\"], []", "output :b not found"},
            {"[a: \"x\"], [c: 1]", "output :b not found"},
            {"[a: \"x\"], [b: 1, cd: 1]", "unknown output :cd"},
            {"[a: \"x\"], [b: \"1\"]",
             "invalid value for output :b: expected integer(), got: \"1\""},
            {"[], [b: 1]", "input :a not found"},
            {"[a: 1], [b: 1]", "invalid value for input :a: expected String.t(), got: 1"},
            {"\"x\", [b: 1]", "expected inputs as a keyword list or a map, got: \"x\""}
          ] do
        assert {6, ^message} = compile_error([@input, @output, "example #{example}"])
      end
    end

    test "has examples without the reasoning that it asks for" do
      lines = [@input, @output, "example [a: \"x\"], [b: 1]"]

      assert {6, "output :reasoning not found"} =
               compile_error(lines, ~s("Do it.", reasoning: true))
    end

    test "has a wrong option, or no instruction" do
      lines = [@input, @output]

      assert {3, "unknown option :reasonin. Did you mean :reasoning?"} =
               compile_error(lines, ~s("Do it.", reasonin: true))

      assert {3, "expected a text that says what to do, got: \" \""} =
               compile_error(lines, ~s(" "))
    end
  end
end
