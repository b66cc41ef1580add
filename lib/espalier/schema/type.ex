defmodule Espalier.Schema.Type do
  @moduledoc false
  # A type as written by a user (`{:array, {:string, max_length: 10}}`), checked and made uniform.
  #
  # `argument` depends on the kind: the values of an enum, the value of a const, the type of an
  # array's items or of a map's values, the types of a union or tuple, the tags and types of a tagged
  # union, the module of another schema, the fields of an object.
  # `rules` are the options that narrow the kind, as they were given.

  @compile {:no_warn_undefined, Decimal}

  alias Espalier.Error
  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Schema.ElixirRegex
  alias Espalier.Schema.Field
  alias Espalier.Schema.Membership
  alias Espalier.Schema.Text
  alias Espalier.Schema.Whole
  alias Espalier.SchemaError

  @enforce_keys [:kind]
  defstruct [:kind, :argument, :description, :validate, nullable: false, examples: [], rules: []]

  @type kind ::
          :string
          | :integer
          | :number
          | :float
          | :boolean
          | :decimal
          | :null
          | :any
          | :enum
          | :const
          | :array
          | :tuple
          | :map
          | :union
          | :tagged
          | :module
          | :object
          | Text.kind()

  @type t :: %__MODULE__{
          kind: kind,
          argument: term,
          description: String.t() | nil,
          validate: (term -> :ok | {:error, String.t()}) | nil,
          nullable: boolean,
          examples: [term],
          rules: keyword
        }

  @simple [:string, :integer, :number, :float, :decimal, :boolean, :null, :any, :map] ++
            Text.kinds()
  @with_argument [:enum, :const, :array, :tuple, :map, :union, :regex]

  @options [
    description: [type: :string, doc: "What the value means. It goes into the JSON Schema."],
    nullable: [type: :boolean, default: false, doc: "Whether the value may be `null` too."],
    examples: [type: {:list, :any}, doc: "Some values. They go into the JSON Schema."],
    validate: [
      type:
        {:custom, "a function of a module, like &Accounts.check_name/1", &__MODULE__.remote?/1},
      doc: """
      Checks the value **after it was generated**, which no token can be kept from breaking: gets the value \
      and returns `:ok` or `{:error, message}`. It is not asked of `nil`.\
      """
    ]
  ]

  @string_options [
    min_length: [type: :non_neg_integer, doc: "The fewest characters."],
    max_length: [type: :non_neg_integer, doc: "The most characters."],
    format: [
      type: {:custom, "a text or a Regex", &__MODULE__.regex?/1},
      doc: """
      A regular expression that must match somewhere in the text: a text in the syntax of ECMA 262, or a \
      `Regex`. A `$` at its end is the end of the text.\
      """
    ],
    one_of: [type: {:list, :string}, doc: "The texts of which it is one."]
  ]

  @array_options [
    min_items: [type: :non_neg_integer, doc: "The fewest items."],
    max_items: [type: :non_neg_integer, doc: "The most items."],
    unique: [type: :boolean, doc: "Whether no two items may be equal."]
  ]

  @map_options [
    key_format: [
      type: {:custom, "a text or a Regex", &__MODULE__.regex?/1},
      doc: "A regular expression that must match somewhere in each key."
    ],
    min_keys: [type: :non_neg_integer, doc: "The fewest keys."],
    max_keys: [type: :non_neg_integer, doc: "The most keys."]
  ]

  @tagged_options [
    discriminator: [
      type: :atom,
      default: :type,
      doc: "The key that tells which of the types it is; it comes first."
    ]
  ]

  @bounds [:min, :max, :greater_than, :less_than]
  @bound_docs %{
    min: "The least value.",
    max: "The greatest value.",
    greater_than:
      "A value that all are above, as they are written: the nearest float may be equal.",
    less_than: "A value that all are below, as they are written: the nearest float may be equal."
  }

  @doc "The type that a user's term stands for."
  @spec new!(term) :: t
  def new!(spec), do: spec |> new!([], []) |> elem(0)

  @doc """
  The same with options beside the term.

  `extra` are further options that have a meaning here; they are given back.
  """
  @spec new!(term, keyword, Options.schema()) :: {t, keyword}
  def new!(spec, options, extra) do
    {type, inner} = parse!(spec)
    schema = extra ++ @options ++ rule_options(type.kind)
    options = check_options!(options ++ inner, schema, spec)
    {extra, options} = Keyword.split(options, Keyword.keys(extra))
    {common, rules} = Keyword.split(options, Keyword.keys(@options))
    rules = rules |> Enum.map(&plain_rule/1) |> check_rules!()
    {check_examples!(struct!(%{type | rules: rules}, common)), extra}
  end

  @doc "The options of every type, for the documentation."
  @spec options() :: Options.schema()
  def options, do: @options

  @doc "The options that narrow a kind of type."
  @spec rule_options(kind) :: Options.schema()
  def rule_options(:string), do: @string_options
  def rule_options(:array), do: @array_options
  def rule_options(:map), do: @map_options
  def rule_options(:tagged), do: @tagged_options
  def rule_options(:integer), do: number_options(:integer)
  def rule_options(kind) when kind in [:number, :float], do: number_options(:number)
  def rule_options(:decimal), do: number_options({:or, [:number, decimal()]})
  def rule_options(_kind), do: []

  @doc "Whether a function can be called in another process and release: one of a module."
  @spec remote?(term) :: boolean
  def remote?(function),
    do: is_function(function, 1) and Function.info(function, :type) == {:type, :external}

  @doc "Whether the term is a regular expression, in whichever syntax."
  @spec regex?(term) :: boolean
  def regex?(%Regex{}), do: true
  def regex?(source), do: is_binary(source) and String.valid?(source)

  @doc "The types, for a message."
  @spec known() :: String.t()
  def known do
    Enum.map_join(@simple, ", ", &inspect/1) <>
      ", {:enum, values}, {:const, value}, {:array, type}, {:tuple, types}, {:map, type}, " <>
      "{:union, types}, {:union, [tag: type]}, {:regex, source}, " <>
      "a schema module, a keyword list of fields, or {type, options}"
  end

  defp parse!(:map), do: parse!({:map, :any})
  defp parse!(kind) when kind in @simple, do: {%__MODULE__{kind: available!(kind)}, []}
  defp parse!({:enum, values}), do: {%__MODULE__{kind: :enum, argument: enum!(values)}, []}
  defp parse!({:const, value}), do: {%__MODULE__{kind: :const, argument: const!(value)}, []}
  defp parse!({:array, item}), do: {%__MODULE__{kind: :array, argument: new!(item)}, []}
  defp parse!({:map, value}), do: {%__MODULE__{kind: :map, argument: new!(value)}, []}

  defp parse!({:map, key_format, value}) do
    {type, options} = parse!({:map, value})
    {type, [key_format: key_format] ++ options}
  end

  defp parse!({:tuple, types}),
    do: {%__MODULE__{kind: :tuple, argument: types!(:tuple, types)}, []}

  defp parse!({:union, types}) do
    if tagged?(types),
      do: {%__MODULE__{kind: :tagged, argument: tagged!(types)}, []},
      else: {%__MODULE__{kind: :union, argument: types!(:union, types)}, []}
  end

  defp parse!({:regex, regex}), do: {%__MODULE__{kind: :string}, [format: whole!(regex)]}

  defp parse!({spec, options}) when is_list(options) do
    {type, inner} = parse!(spec)
    {type, options ++ inner}
  end

  defp parse!(%Espalier.Ecto{} = schema),
    do: {%__MODULE__{kind: :module, argument: Espalier.Ecto.reference(schema)}, []}

  defp parse!([_ | _] = fields),
    do: {%__MODULE__{kind: :object, argument: Field.list!(fields)}, []}

  defp parse!(spec) do
    if module?(spec), do: {%__MODULE__{kind: :module, argument: spec}, []}, else: unknown!(spec)
  end

  defp module?(term), do: is_atom(term) and match?("Elixir." <> _name, Atom.to_string(term))

  defp unknown!(spec) do
    suggestion = if is_atom(spec), do: Options.nearest(spec, @simple ++ @with_argument)

    hint =
      cond do
        spec in @with_argument -> " Did you mean {#{inspect(spec)}, ...}?"
        suggestion -> " Did you mean #{inspect(suggestion)}?"
        true -> ""
      end

    error!("unknown type #{inspect(spec)}.#{hint} The types are #{known()}")
  end

  defp enum!([_ | _] = values) do
    if bad = Enum.find(values, &(not (is_atom(&1) or is_binary(&1) or is_integer(&1)))) do
      error!(
        "invalid value in {:enum, values}: expected atom, text or integer, got: #{inspect(bad)}"
      )
    end

    spelled = Enum.map(values, &to_json/1)

    case values -- Enum.uniq_by(values, &to_json/1) do
      [] -> values
      [twice | _] -> error!("#{inspect(to_json(twice))} is twice in {:enum, #{inspect(spelled)}}")
    end
  end

  defp enum!(values),
    do: error!("expected {:enum, values} with a list of values, got: #{inspect(values)}")

  defp const!(value) when is_atom(value) or is_binary(value) or is_number(value), do: value

  defp const!(value) do
    error!("expected {:const, value} with an atom, text or number, got: #{inspect(value)}")
  end

  defp types!(_name, [_ | _] = types), do: Enum.map(types, &new!/1)

  defp types!(name, types) do
    error!("expected {#{inspect(name)}, types} with a list of types, got: #{inspect(types)}")
  end

  # Types with an argument or options are pairs, too.
  defp tagged?([_ | _] = types), do: Keyword.keyword?(types) and not Enum.any?(types, &type?/1)
  defp tagged?(_types), do: false

  defp type?({name, argument}) do
    name in @with_argument or (name in @simple and is_list(argument)) or module?(name)
  end

  defp tagged!(types) do
    case Keyword.keys(types) -- Enum.uniq(Keyword.keys(types)) do
      [] -> Enum.map(types, fn {tag, spec} -> {tag, object!(tag, new!(spec))} end)
      [twice | _] -> error!("the tag #{inspect(twice)} is there twice")
    end
  end

  defp object!(_tag, %{kind: kind, nullable: false} = type) when kind in [:module, :object],
    do: type

  defp object!(tag, _type) do
    error!("expected a schema module or a keyword list of fields for the tag #{inspect(tag)}")
  end

  defp whole!(regex) do
    unless regex?(regex), do: error!("expected a text or a Regex, got: #{inspect(regex)}")
    regex |> source(:whole) |> Whole.pattern()
  end

  defp available!(:decimal) do
    if Code.ensure_loaded?(Decimal),
      do: :decimal,
      else: error!("the type :decimal needs the package :decimal among the dependencies")
  end

  defp available!(kind) do
    if reason = kind in Text.kinds() and Text.unavailable(kind), do: error!(reason), else: kind
  end

  @doc "The types directly within a type."
  @spec children(t) :: [t]
  def children(%{kind: kind, argument: type}) when kind in [:array, :map], do: [type]
  def children(%{kind: kind, argument: types}) when kind in [:tuple, :union], do: types
  def children(%{kind: :tagged, argument: types}), do: Keyword.values(types)
  def children(%{kind: :object, argument: fields}), do: Enum.map(fields, & &1.type)
  def children(%{}), do: []

  @doc "How JSON spells an enum's or const's value: an atom is a text."
  @spec to_json(term) :: term
  def to_json(value) when is_atom(value) and value not in [nil, true, false],
    do: Atom.to_string(value)

  def to_json(value), do: value

  defp number_options(type) do
    bounds = for name <- @bounds, do: {name, [type: type, doc: @bound_docs[name]]}

    bounds ++
      [
        multiple_of: [
          type: {:custom, "number above 0", &positive?/1},
          doc: "A number that it is a multiple of."
        ],
        one_of: [type: {:list, type}, doc: "The numbers of which it is one."]
      ]
  end

  defp positive?(%{__struct__: Decimal} = decimal), do: Decimal.positive?(decimal)
  defp positive?(number), do: is_number(number) and number > 0

  defp decimal,
    do: {:custom, "decimal", &match?(%{__struct__: Decimal, coef: n} when is_integer(n), &1)}

  defp check_options!(options, schema, spec) do
    case Options.validate(options, schema) do
      {:ok, options} -> options
      {:error, %OptionsError{} = error} -> error!(options_message(error, schema, spec))
    end
  end

  defp options_message(%{kind: :unknown, suggestion: nil} = error, schema, spec) do
    known = schema |> Keyword.keys() |> Enum.map_join(", ", &inspect/1)
    "#{Exception.message(error)} for the type #{inspect(spec)}, which takes #{known}"
  end

  defp options_message(error, _schema, _spec), do: Exception.message(error)

  defp plain_rule({rule, regex}) when rule in [:format, :key_format],
    do: {rule, source(regex, :anywhere)}

  defp plain_rule(rule), do: rule

  defp source(%Regex{} = regex, scope), do: regex |> ElixirRegex.translate(scope) |> Error.bang!()
  defp source(source, _scope), do: source

  defp check_examples!(type) do
    if wrong = Enum.find(type.examples, &(not Membership.member?(type, &1))) do
      error!("the example #{inspect(wrong)} is not a value of its type")
    end

    type
  end

  defp check_rules!(rules) do
    for {low, high} <- [
          min_length: :max_length,
          min_items: :max_items,
          min_keys: :max_keys,
          min: :max
        ],
        rules[low] && rules[high] && Membership.compare(rules[low], rules[high]) == :gt do
      error!("#{inspect(low)} is above #{inspect(high)}: #{rules[low]} and #{rules[high]}")
    end

    rules
  end

  defp error!(detail) do
    raise SchemaError.invalid(detail)
  end
end
