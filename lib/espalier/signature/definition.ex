defmodule Espalier.Signature.Definition do
  @moduledoc false
  # What a signature module declares: an instruction, inputs, outputs and examples.

  alias Espalier.InputError
  alias Espalier.Inputs
  alias Espalier.Options
  alias Espalier.Schema
  alias Espalier.Schema.Describe
  alias Espalier.Schema.Field
  alias Espalier.Schema.Form
  alias Espalier.Schema.Membership
  alias Espalier.Schema.Type
  alias Espalier.Schema.Typespec
  alias Espalier.SchemaError

  @enforce_keys [:instruction, :inputs, :outputs, :reasoning, :schema]
  defstruct @enforce_keys ++ [examples: []]

  @typedoc """
  `outputs` are those that were declared, `schema` is what the module is a schema of: with the field for
  the reasoning if the signature asks for it. An example is the inputs and the outputs.
  """
  @type t :: %__MODULE__{
          instruction: String.t(),
          inputs: [Field.t()],
          outputs: [Field.t()],
          reasoning: boolean,
          schema: Schema.Definition.t(),
          examples: [{map, map}]
        }

  @options [
             reasoning: [
               type: :boolean,
               default: false,
               doc: "Whether the model writes first how it comes to the outputs."
             ]
           ] ++ Keyword.take(Schema.Definition.options(), [:validate])

  @call_options [
    reasoning: [
      type: :boolean,
      doc:
        "Whether the model writes first how it comes to the outputs. By default the signature decides."
    ],
    on_call: [
      type: {:custom, "a function of one argument", &__MODULE__.unary?/1},
      doc: """
      Is called after each generation, whether it went well or not, in the process that asked, with \
      `%{signature: module, inputs: map, messages: messages, result: {:ok, result} | {:error, error}}`, \
      where `result` is an `Espalier.Result`.\
      """
    ]
  ]

  @doc "The options of `signature`."
  @spec options() :: Options.schema()
  def options, do: @options

  @doc "The options of a call beside those of `Espalier.generate/3`."
  @spec call_options() :: Options.schema()
  def call_options, do: @call_options

  @doc "Whether a term is a function of one argument."
  @spec unary?(term) :: boolean
  def unary?(term), do: is_function(term, 1)

  @doc "The definition of a module, as the `signature` macro makes it, without its examples."
  @spec new!(module, String.t(), [Field.t()], [Field.t()], keyword) :: t
  def new!(module, instruction, inputs, outputs, options) do
    options = Options.validate!(options, @options)
    {reasoning, options} = Keyword.pop!(options, :reasoning)
    check_instruction!(instruction)
    check_some!(inputs, :input)
    check_some!(outputs, :output)
    check_reasoning!(outputs)
    Field.check_unique!(inputs ++ outputs)

    %__MODULE__{
      instruction: instruction,
      inputs: inputs,
      outputs: outputs,
      reasoning: reasoning,
      schema: Schema.Definition.new!(module, fields(outputs, reasoning), options)
    }
  end

  @doc "An example, checked against the signature."
  @spec example!(t, term, term) :: {map, map}
  def example!(definition, inputs, outputs) do
    with {:ok, inputs} <- inputs(definition, inputs),
         {:ok, outputs} <- outputs(definition, outputs) do
      {inputs, outputs}
    else
      {:error, error} -> raise error
    end
  end

  @doc "The definition of a signature module."
  @spec fetch(module) :: {:ok, t} | {:error, SchemaError.t()}
  def fetch(module) do
    if is_atom(module) and Code.ensure_loaded?(module) and
         function_exported?(module, :__espalier_signature__, 0) do
      {:ok, module.__espalier_signature__()}
    else
      {:error,
       error("expected a module with `use Espalier.Signature`, got: #{inspect(module, limit: 5)}")}
    end
  end

  @doc "The inputs by name, checked and with their defaults."
  @spec inputs(t, term) :: {:ok, map} | {:error, InputError.t()}
  def inputs(%__MODULE__{inputs: fields}, given) do
    defaults =
      for %{default: default, name: name} <- fields,
          default != nil,
          into: %{},
          do: {name, default}

    required = for field <- fields, field.required, field.default == nil, do: field

    with {:ok, inputs} <- check(given, :input, fields, required),
         do: {:ok, Map.merge(defaults, inputs)}
  end

  # The reasoning may be left out of an example, unless the signature asks for it.
  defp outputs(definition, given) do
    required = Enum.filter(definition.schema.fields, & &1.required)
    check(given, :output, members(definition), required)
  end

  defp check(given, noun, fields, required) do
    with {:ok, terms} <- Inputs.new(given, noun, names(fields), names(required)) do
      Enum.find_value(fields, {:ok, terms}, &wrong(&1, terms, noun))
    end
  end

  defp names(fields), do: Enum.map(fields, & &1.name)

  defp wrong(%{name: name, type: type} = field, terms, noun) do
    case terms do
      %{^name => term} ->
        unless Membership.member?(type, term) do
          expected = Enum.join([typespec(field) | Describe.rules(type)], ", ")

          {:error,
           %InputError{kind: :invalid, noun: noun, name: name, expected: expected, got: term}}
        end

      %{} ->
        nil
    end
  end

  defp typespec(field), do: %{field | required: true} |> Typespec.field() |> Macro.to_string()

  @doc "The fields of the module's struct. One for the reasoning is always there, as a call may ask for it."
  @spec members(t) :: [Field.t()]
  def members(%__MODULE__{outputs: outputs}), do: [%{reasoning() | required: false} | outputs]

  @doc "The schema of the outputs, with or without the reasoning."
  @spec schema(t, boolean) :: module | Form.t()
  def schema(%__MODULE__{reasoning: reasoning?} = definition, reasoning?),
    do: definition.schema.module

  def schema(%__MODULE__{} = definition, reasoning?) do
    type = %Type{
      kind: :object,
      argument: fields(definition.outputs, reasoning?),
      validate: validate(definition)
    }

    %Form{kind: :typed, content: type}
  end

  # The function of the module's schema takes the struct.
  defp validate(%{schema: %{validate: nil}}), do: nil
  defp validate(definition), do: &definition.schema.validate.(to_struct(definition, &1))

  @doc "The module's struct for a value of `schema/2`."
  @spec to_struct(t, map) :: struct
  def to_struct(_definition, value) when is_struct(value), do: value
  def to_struct(definition, value), do: struct!(definition.schema.module, value)

  defp fields(outputs, true), do: [reasoning() | outputs]
  defp fields(outputs, false), do: outputs

  defp reasoning,
    do: Field.new!(:reasoning, :string, description: "the steps that lead to the other values")

  defp check_instruction!(instruction) do
    unless is_binary(instruction) and String.valid?(instruction) and
             String.trim(instruction) != "" do
      raise error("expected a text that says what to do, got: #{inspect(instruction, limit: 5)}")
    end
  end

  defp check_some!([], noun),
    do: raise(error("a signature needs at least one #{noun}: #{noun} :name, :string"))

  defp check_some!(_fields, _noun), do: :ok

  defp check_reasoning!(outputs) do
    if Enum.any?(outputs, &(&1.name == :reasoning)) do
      raise error(
              "the output :reasoning is made by the option `reasoning: true` of the signature or of a call"
            )
    end
  end

  defp error(detail), do: SchemaError.invalid(detail)
end
