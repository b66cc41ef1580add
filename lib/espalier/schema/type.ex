defmodule Espalier.Schema.Type do
  @moduledoc false
  # A type as written by a user (`{:array, {:string, max_length: 10}}`), checked and made uniform.
  #
  # `argument` depends on the kind: the values of an enum, the value of a const, the type of an
  # array's items, the types of a union, the module of another schema, the fields of an object.
  # `rules` are the options that narrow the kind, as they were given.

  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Schema.Field
  alias Espalier.SchemaError

  @enforce_keys [:kind]
  defstruct [:kind, :argument, :description, nullable: false, rules: []]

  @type kind ::
          :string
          | :integer
          | :number
          | :float
          | :boolean
          | :null
          | :any
          | :enum
          | :const
          | :array
          | :union
          | :module
          | :object

  @type t :: %__MODULE__{
          kind: kind,
          argument: term,
          description: String.t() | nil,
          nullable: boolean,
          rules: keyword
        }

  @simple [:string, :integer, :number, :float, :boolean, :null, :any]
  @tagged [:enum, :const, :array, :union]

  @options [
    description: [type: :string, doc: "What the value means. It goes into the JSON Schema."],
    nullable: [type: :boolean, default: false, doc: "Whether the value may be `null` too."]
  ]

  @string_options [
    min_length: [type: :non_neg_integer, doc: "The fewest characters."],
    max_length: [type: :non_neg_integer, doc: "The most characters."],
    pattern: [
      type: {:custom, "a regular expression with no flag but u", &__MODULE__.pattern?/1},
      doc: "A regular expression that must match somewhere in the text: a text or a `Regex`."
    ]
  ]

  @array_options [
    min_items: [type: :non_neg_integer, doc: "The fewest items."],
    max_items: [type: :non_neg_integer, doc: "The most items."]
  ]

  @bounds [:min, :max, :greater_than, :less_than]
  @bound_docs %{
    min: "The least value.",
    max: "The greatest value.",
    greater_than: "A value that all are above.",
    less_than: "A value that all are below."
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
    rules = rules |> plain_pattern() |> check_rules!()
    {struct!(%{type | rules: rules}, common), extra}
  end

  @doc "The options of every type, for the documentation."
  @spec options() :: Options.schema()
  def options, do: @options

  @doc "The options that narrow a kind of type."
  @spec rule_options(kind) :: Options.schema()
  def rule_options(:string), do: @string_options
  def rule_options(:array), do: @array_options
  def rule_options(:integer), do: bound_options(:integer)
  def rule_options(kind) when kind in [:number, :float], do: bound_options(:number)
  def rule_options(_kind), do: []

  @doc "Whether a regular expression has a source that says all about it."
  @spec pattern?(term) :: boolean
  def pattern?(%Regex{} = regex) do
    case Regex.opts(regex) do
      flags when is_binary(flags) -> flags in ["", "u"]
      flags -> flags -- [:unicode, :ucp] == []
    end
  end

  def pattern?(source), do: is_binary(source) and String.valid?(source)

  @doc "The types, for a message."
  @spec known() :: String.t()
  def known do
    Enum.map_join(@simple, ", ", &inspect/1) <>
      ", {:enum, values}, {:const, value}, {:array, type}, {:union, types}, " <>
      "a schema module, a keyword list of fields, or {type, options}"
  end

  defp parse!(kind) when kind in @simple, do: {%__MODULE__{kind: kind}, []}
  defp parse!({:enum, values}), do: {%__MODULE__{kind: :enum, argument: enum!(values)}, []}
  defp parse!({:const, value}), do: {%__MODULE__{kind: :const, argument: const!(value)}, []}
  defp parse!({:array, item}), do: {%__MODULE__{kind: :array, argument: new!(item)}, []}
  defp parse!({:union, types}), do: {%__MODULE__{kind: :union, argument: union!(types)}, []}

  defp parse!({spec, options}) when is_list(options) do
    {type, inner} = parse!(spec)
    {type, options ++ inner}
  end

  defp parse!([_ | _] = fields),
    do: {%__MODULE__{kind: :object, argument: Field.list!(fields)}, []}

  defp parse!(module) when is_atom(module) and module not in @tagged do
    case Atom.to_string(module) do
      "Elixir." <> _name -> {%__MODULE__{kind: :module, argument: module}, []}
      _name -> unknown!(module)
    end
  end

  defp parse!(spec), do: unknown!(spec)

  defp unknown!(spec) do
    suggestion = if is_atom(spec), do: Options.nearest(spec, @simple ++ @tagged)

    hint =
      cond do
        spec in @tagged -> " Did you mean {#{inspect(spec)}, ...}?"
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

  defp union!([_ | _] = types), do: Enum.map(types, &new!/1)

  defp union!(types),
    do: error!("expected {:union, types} with a list of types, got: #{inspect(types)}")

  @doc "How JSON spells an enum's or const's value: an atom is a text."
  @spec to_json(term) :: term
  def to_json(value) when is_atom(value) and value not in [nil, true, false],
    do: Atom.to_string(value)

  def to_json(value), do: value

  defp bound_options(type),
    do: for(name <- @bounds, do: {name, [type: type, doc: @bound_docs[name]]})

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

  defp plain_pattern(rules) do
    case rules[:pattern] do
      %Regex{} = regex -> Keyword.put(rules, :pattern, Regex.source(regex))
      _source -> rules
    end
  end

  defp check_rules!(rules) do
    for {low, high} <- [min_length: :max_length, min_items: :max_items, min: :max],
        rules[low] && rules[high] && rules[low] > rules[high] do
      error!("#{inspect(low)} is above #{inspect(high)}: #{rules[low]} and #{rules[high]}")
    end

    rules
  end

  defp error!(detail) do
    raise SchemaError, kind: :invalid_schema, detail: detail, message: detail
  end
end
