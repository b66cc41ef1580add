defmodule Espalier.Signature do
  @moduledoc """
  A task for a model, with named and typed inputs and outputs.

      defmodule MyApp.Answer do
        use Espalier.Signature

        signature "Answer the question from the context." do
          input :context, {:array, :string}
          input :question, :string, description: "what the user asks"
          output :answer, :string, max_length: 60
          output :confidence, {:enum, [:low, :high]}
        end
      end

      {:ok, %MyApp.Answer{confidence: confidence}} =
        Espalier.Signature.run(
          MyApp.Answer,
          [context: ["Ada lives in Bergen."], question: "Where does Ada live?"],
          model: MyApp.Model
        )

  The prompt is written for you: the instruction, what goes in, and what is to come out. The outputs
  are one schema, so all of them come out of one generation, in the order written and of their types,
  whatever the backend.

  A signature module is the struct of its outputs and a schema module as with `Espalier.Schema`, from
  where the types and options of `input/3` and `output/3` come, too. Whatever takes a schema takes a
  signature:

      iex> {:ok, schema} = Espalier.Schema.to_json_schema(MyApp.Answer)
      iex> Espalier.JSON.encode!(schema)
      ~S({"type":"object","properties":{"answer":{"type":"string","maxLength":60},) <>
        ~S("confidence":{"enum":["low","high"]}},"required":["answer","confidence"],) <>
        ~S("additionalProperties":false})

  ## Inputs

  They are a keyword list or a map. Each must be given, unless it is declared with `required: false` or a
  `:default`. Nothing is asked of the model before they are checked:

      iex> {:error, error} = Espalier.Signature.run(MyApp.Answer, context: "Ada", question: "Who?")
      iex> Exception.message(error)
      ~s|invalid value for input :context: expected [String.t()], got: "Ada"|

  Inputs are terms as they come out of Espalier: a `Date` and no text for the type `:date`. In the prompt
  a text is as it is, and other terms are JSON.

  ## The prompt

  `prompt/3` shows the messages. They are data, to be read or changed, and given to `Espalier.stream/3` or
  another function along with the module:

      iex> [%{role: :system}, %{role: :user, content: text}] =
      ...>   Espalier.Signature.prompt!(MyApp.Answer, context: ["Ada is 36."], question: "How old?")
      iex> text
      ~s(context: ["Ada is 36."]\\n\\nquestion: How old?)

  The system's message is here

  ```text
  Answer the question from the context.

  You are given
  - context
  - question: what the user asks

  Answer with a JSON value: object (Answer) with
  - "answer": string, at most 60 characters
  - "confidence": one of "low", "high"
  ```

  ## Examples

  An `example/2` in a signature shows the model inputs and the outputs for them:

      example [context: ["Oslo is cold."], question: "How is Oslo?"],
              [answer: "Cold", confidence: :high]

  Each becomes a user's message and an assistant's, between the system's and the one to answer.

  ## Reasoning

  With `reasoning: true` the model writes down first how it comes to the outputs: a string before all of
  them, the field `:reasoning` of the struct. It is `nil` otherwise. The option is one of `signature/3`,
  and of a call, which decides. An example may have a `:reasoning` among its outputs.

  ## Options

  The options of `run/3`, `run_result/3` and `prompt/3` are these, and all of `Espalier.generate/3`:

  #{Espalier.Options.docs(Espalier.Signature.Definition.call_options())}
  `:on_call` can keep a history:

      {:ok, history} = Agent.start_link(fn -> [] end)
      on_call = fn call -> Agent.update(history, &[call | &1]) end
      Espalier.Signature.run(MyApp.Answer, inputs, model: MyApp.Model, on_call: on_call)
  """

  alias Espalier.Error
  alias Espalier.InputError
  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Request
  alias Espalier.Result
  alias Espalier.Schema
  alias Espalier.SchemaError
  alias Espalier.Signature.Definition
  alias Espalier.Signature.Messages

  @typedoc "Terms by the names of the inputs."
  @type inputs :: keyword | %{optional(atom) => term}

  @type message :: %{role: :system | :user | :assistant, content: String.t()}

  @doc """
  Asks the model for the outputs.

      iex> inputs = [context: ["Ada is 36."], question: "How old is Ada?"]
      iex> {:ok, answer} = Espalier.Signature.run(MyApp.Answer, inputs, model: MyApp.Model)
      iex> {answer.__struct__, answer.confidence in [:low, :high]}
      {MyApp.Answer, true}

  Wrong inputs are an `Espalier.InputError`; the other errors are those of `Espalier.generate/3`.
  """
  @spec run(module, inputs, keyword) :: {:ok, struct} | {:error, Exception.t()}
  def run(signature, inputs, options \\ []) do
    with {:ok, result} <- run_result(signature, inputs, options), do: {:ok, result.value}
  end

  @doc "Like `run/3`, but returns the struct and raises the error."
  @spec run!(module, inputs, keyword) :: struct
  def run!(signature, inputs, options \\ []),
    do: signature |> run(inputs, options) |> Error.bang!()

  @doc "Like `run/3`, but returns an `Espalier.Result`: the struct, and how it came about."
  @spec run_result(module, inputs, keyword) :: {:ok, Result.t()} | {:error, Exception.t()}
  def run_result(signature, inputs, options \\ []) do
    with {:ok, definition, inputs, own} <- prepare(signature, inputs, options),
         {:ok, messages} <- Messages.build(definition, inputs, own[:reasoning]) do
      result = generate(definition, own[:reasoning], messages, options)
      call = %{signature: signature, inputs: inputs, messages: messages, result: result}
      tell(own[:on_call], call)
      result
    end
  end

  @doc "Like `run_result/3`, but returns the result and raises the error."
  @spec run_result!(module, inputs, keyword) :: Result.t()
  def run_result!(signature, inputs, options \\ []),
    do: signature |> run_result(inputs, options) |> Error.bang!()

  @doc "The messages with which `run/3` asks, for the same arguments. No model is needed."
  @spec prompt(module, inputs, keyword) :: {:ok, [message]} | {:error, Exception.t()}
  def prompt(signature, inputs, options \\ []) do
    with {:ok, definition, inputs, own} <- prepare(signature, inputs, options) do
      Messages.build(definition, inputs, own[:reasoning])
    end
  end

  @doc "Like `prompt/3`, but returns the messages and raises the error."
  @spec prompt!(module, inputs, keyword) :: [message]
  def prompt!(signature, inputs, options \\ []),
    do: signature |> prompt(inputs, options) |> Error.bang!()

  defp tell(nil, _call), do: :ok
  defp tell(on_call, call), do: on_call.(call)

  defp prepare(signature, inputs, options) do
    with {:ok, definition} <- Definition.fetch(signature),
         {:ok, options} <- validate(options),
         {:ok, inputs} <- Definition.inputs(definition, inputs) do
      {:ok, definition, inputs, Keyword.put_new(options, :reasoning, definition.reasoning)}
    end
  end

  # All names are checked together, so that the nearest is among all of them. The values of the others
  # are filled in where they are used.
  defp validate(options) do
    with {:ok, options} <- Options.validate(options, own_options() ++ Request.options()) do
      {:ok, Keyword.take(options, Keyword.keys(own_options()))}
    end
  end

  defp own_options, do: Definition.call_options()

  defp generate(definition, reasoning?, messages, options) do
    schema = Definition.schema(definition, reasoning?)
    options = Keyword.drop(options, Keyword.keys(own_options()))

    with {:ok, result} <- Espalier.generate_result(schema, messages, options) do
      {:ok, %{result | value: Definition.to_struct(definition, result.value)}}
    end
  end

  @doc false
  defmacro __using__(_options) do
    quote do
      import Espalier.Signature, only: [signature: 2, signature: 3]
    end
  end

  @doc """
  Declares the task of the module: the instruction, and in the block its inputs, outputs and examples.

  ## Options

  #{Options.docs(Definition.options())}
  """
  defmacro signature(instruction, options \\ [], do: block) do
    [declare(block), define(instruction, options)]
  end

  # `try` keeps the imports inside.
  defp declare(block) do
    quote do
      for name <- [:espalier_inputs, :espalier_outputs, :espalier_examples] do
        Module.register_attribute(__MODULE__, name, accumulate: true)
      end

      try do
        import Espalier.Signature,
          only: [input: 2, input: 3, output: 2, output: 3, example: 2]

        unquote(block)
      after
        :ok
      end
    end
  end

  defp define(instruction, options) do
    quote do
      @espalier_signature Espalier.Signature.__define__(
                            __ENV__,
                            unquote(instruction),
                            Enum.reverse(@espalier_inputs),
                            Enum.reverse(@espalier_outputs),
                            Enum.reverse(@espalier_examples),
                            unquote(options)
                          )

      require Espalier.Schema
      Espalier.Schema.define_struct(Espalier.Signature.Definition.members(@espalier_signature))

      @doc false
      def __espalier_signature__, do: @espalier_signature

      @doc false
      def __espalier_schema__, do: @espalier_signature.schema
    end
  end

  @doc "Declares an input: its name, its type, and options as of `Espalier.Schema.field/3`."
  defmacro input(name, type, options \\ []) do
    Schema.__declare__(:espalier_inputs, [name, type, options], __CALLER__)
  end

  @doc "Declares an output: its name, its type, and options as of `Espalier.Schema.field/3`."
  defmacro output(name, type, options \\ []) do
    Schema.__declare__(:espalier_outputs, [name, type, options], __CALLER__)
  end

  @doc "Declares inputs and their outputs for the model to learn from."
  defmacro example(inputs, outputs) do
    place = [file: __CALLER__.file, line: __CALLER__.line]
    quote do: @espalier_examples({unquote(inputs), unquote(outputs), unquote(place)})
  end

  @doc false
  def __define__(env, instruction, inputs, outputs, examples, options) do
    place = [file: env.file, line: env.line]

    teach(place, fn ->
      definition = Definition.new!(env.module, instruction, inputs, outputs, options)
      %{definition | examples: Enum.map(examples, &example!(definition, &1))}
    end)
  end

  defp example!(definition, {inputs, outputs, place}) do
    teach(place, fn -> Definition.example!(definition, inputs, outputs) end)
  end

  # What is wrong in a declaration is told where it is written.
  defp teach(place, function) do
    function.()
  rescue
    error in [SchemaError, OptionsError, InputError] ->
      description = Exception.message(error)
      error = %CompileError{file: place[:file], line: place[:line], description: description}
      reraise error, __STACKTRACE__
  end
end
