defmodule Espalier.Ecto do
  @moduledoc """
  Ecto schemas as Espalier schemas: the value is a struct that passed its changeset function.

      defmodule Order do
        use Ecto.Schema
        import Ecto.Changeset

        embedded_schema do
          field :customer, :string
          field :status, Ecto.Enum, values: [:new, :paid], default: :new
          embeds_many :items, Order.Item
        end

        def changeset(order, params) do
          order
          |> cast(params, [:customer, :status])
          |> validate_required([:customer])
          |> validate_length(:customer, max: 80)
          |> cast_embed(:items, required: true)
        end
      end

      iex> order = Espalier.generate!(Order, "Two lamps for Ada, please.", model: MyApp.Model)
      iex> {order.__struct__, order.status in [:new, :paid], length(order.items) > 0}
      {Order, true, true}

  An Ecto schema module is taken wherever a schema is, also as the type of a field of an
  `Espalier.Schema`; `schema/2` takes one with options. `explain/2` tells which rules hold of every text that
  is generated, which are checked afterwards, and which can't be seen.

  ## Fields

  They are written in the order of the struct. Left out are primary keys, fields that Ecto fills in (such as
  timestamps), associations and their foreign keys, and virtual and redacted fields; `:include` takes them in.
  So are embeds that the changeset function does not cast.

  A field is required if the changeset says so. Another may be absent, and may be `null` if its default is
  `nil`. A module without a changeset function gets one that casts every field and requires those without a
  default.

  A type of your own is written as what it is in the database, or as what its function `espalier_type/0`
  returns, one of the types of `Espalier.Schema`.

  ## Rules

  The changeset function is called with an empty struct and empty params, and then asked what it requires and
  validates. So it must not rely on what is in the params; where it raises, no rule is known. Embeds are asked
  in the same way, each with the function that `cast_embed` is given.

  Espalier then keeps tokens from breaking these rules. A rule that tokens can't keep is checked by the
  changeset function alone, and so are all of them once more. `{:error, error}` with an
  `Espalier.ChangesetError` holds the changeset and what it refused.
  """

  alias Espalier.Ecto.Fields
  alias Espalier.Ecto.Rule
  alias Espalier.Options
  alias Espalier.Schema.Definition
  alias Espalier.Schema.JSONSchema
  alias Espalier.Schema.Type

  @enforce_keys [:module]
  defstruct [:module, :changeset, :only, except: [], include: []]

  @typedoc "An Ecto schema with options; a schema for Espalier."
  @type t :: %__MODULE__{
          module: module,
          changeset: nil | function | {module, atom, [term]},
          only: [atom] | nil,
          except: [atom],
          include: [atom]
        }

  @options [
    only: [type: {:list, :atom}, doc: "The fields that are written, and no other."],
    include: [
      type: {:list, :atom},
      doc: "Fields that are written, too, though they are left out by default."
    ],
    except: [type: {:list, :atom}, doc: "Fields that are not written."],
    changeset: [
      type: {:custom, "function of a struct and params", &__MODULE__.changeset?/1},
      doc: """
      The function that turns params into a changeset. The default is `changeset/2` of the module, where \
      there is one.\
      """
    ]
  ]

  @doc """
  An Ecto schema module with options.

  ## Options

  #{Options.docs(@options)}
  """
  @spec schema(module, keyword) :: t
  def schema(module, options \\ []) when is_atom(module) do
    struct!(__MODULE__, [module: module] ++ Options.validate!(options, @options))
  end

  @doc """
  What becomes of each rule: a list of `Espalier.Ecto.Rule`, those of embeds among them.

  `options` are those of `schema/2`. A module that is no Ecto schema, or one that no value can satisfy for a
  reason that can be seen, raises an `Espalier.SchemaError`.

      iex> for %{path: [:customer], by: :tokens} = rule <- Espalier.Ecto.explain(Order), do: rule.rule
      [:type, {:length, [max: 80]}, :required]
      iex> Enum.find(Espalier.Ecto.explain(Order), &(&1.rule == :required)).text
      "is there and not blank"
  """
  @spec explain(module, keyword) :: [Rule.t()]
  def explain(module, options \\ []), do: module |> schema(options) |> rules()

  @doc false
  @spec rules(t) :: [Rule.t()]
  def rules(%__MODULE__{} = schema) do
    type = Type.new!(schema)
    # It refuses embeds without end.
    JSONSchema.build(type)
    rules(type, [], [])
  end

  defp rules(%{kind: :array, argument: item}, path, above), do: rules(item, path, above)

  defp rules(%{kind: :module, argument: argument}, path, above) do
    ecto = Definition.fetch!(argument).ecto

    if ecto == nil or argument in above do
      []
    else
      {fields, general} = Fields.list(ecto)
      own = general ++ Enum.flat_map(fields, &elem(&1, 1))

      below =
        for {field, _rules} <- fields,
            do: rules(field.type, path ++ [field.name], [argument | above])

      Enum.map(own, &%{&1 | path: path ++ &1.path}) ++ Enum.concat(below)
    end
  end

  defp rules(_type, _path, _above), do: []

  @doc false
  def changeset?(function), do: is_function(function, 2)

  @doc false
  @spec definition(t) :: Definition.t()
  def definition(%__MODULE__{module: module} = schema) do
    {fields, _general} = Fields.list(schema)
    %Definition{module: module, fields: Enum.map(fields, &elem(&1, 0)), ecto: schema}
  end

  @doc false
  @spec module?(term) :: boolean
  def module?(module),
    do: Code.ensure_loaded?(module) and function_exported?(module, :__schema__, 1)

  @doc false
  # What stands for the schema within a type: the module, where that says all.
  @spec reference(t) :: t | module
  def reference(%__MODULE__{module: module} = schema),
    do: if(schema == %__MODULE__{module: module}, do: module, else: schema)

  @doc false
  # Several may have one module. The name stays the same when the code is compiled again.
  @spec name(t) :: String.t()
  def name(%__MODULE__{} = schema) do
    hash = :erlang.phash2(%{schema | changeset: place(schema.changeset)}, 2 ** 32)
    "#{inspect(schema.module)}.#{hash}"
  end

  defp place(function) when is_function(function),
    do: function |> Function.info() |> Keyword.take([:module, :name, :arity, :env])

  defp place(other), do: other
end
