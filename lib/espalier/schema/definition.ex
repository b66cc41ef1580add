defmodule Espalier.Schema.Definition do
  @moduledoc false
  # What a schema module declares: its fields in order, and a description. That of an Ecto schema has the
  # schema as `ecto`, whose changeset function makes the struct.

  alias Espalier.Options
  alias Espalier.Schema.Field
  alias Espalier.Schema.Type
  alias Espalier.SchemaError

  @enforce_keys [:module, :fields]
  defstruct [:module, :fields, :description, :validate, :ecto]

  @type t :: %__MODULE__{
          module: module,
          fields: [Field.t()],
          description: String.t() | nil,
          validate: (struct -> :ok | {:error, String.t()}) | nil,
          ecto: Espalier.Ecto.t() | nil
        }

  @typedoc "What stands for a definition in a type."
  @type source :: module | Espalier.Ecto.t() | t

  @options [
    description: [type: :string, doc: "What the whole value is. It goes into the JSON Schema."],
    validate: [
      type: {:custom, "a function of a module, like &__MODULE__.check/1", &Type.remote?/1},
      doc: """
      Checks the struct **after it was generated**, which no token can be kept from breaking: gets the struct \
      and returns `:ok` or `{:error, message}`.\
      """
    ]
  ]

  @doc "The definition of a module, as the `schema` macro makes it."
  @spec new!(module, [Field.t()], keyword) :: t
  def new!(module, fields, options) do
    options = Options.validate!(options, @options)
    struct!(__MODULE__, [module: module, fields: Field.check_unique!(fields)] ++ options)
  end

  @doc "The options of `schema`."
  @spec options() :: Options.schema()
  def options, do: @options

  @doc "The definition of a schema module; an error for a module that has none."
  @spec fetch!(source) :: t
  def fetch!(%__MODULE__{} = definition), do: definition

  def fetch!(%Espalier.Ecto{module: module} = schema) do
    if Espalier.Ecto.module?(module),
      do: Espalier.Ecto.definition(schema),
      else: no_schema!(module)
  end

  def fetch!(module) do
    if Code.ensure_loaded?(module) and function_exported?(module, :__espalier_schema__, 0),
      do: module.__espalier_schema__(),
      else: fetch!(%Espalier.Ecto{module: module})
  end

  defp no_schema!(module) do
    detail =
      "#{inspect(module)} is not a schema module: expected a module with `use Espalier.Schema`, " <>
        "or an Ecto schema"

    raise SchemaError.invalid(detail)
  end

  @doc "The module whose struct is the value."
  @spec module(source) :: module
  def module(%{module: module}), do: module
  def module(module), do: module
end
