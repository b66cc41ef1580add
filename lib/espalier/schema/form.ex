defmodule Espalier.Schema.Form do
  @moduledoc false
  # Whatever a caller may pass as a schema, made uniform: one place that knows how each form
  # becomes a constraint, a JSON Schema, and a value.

  alias Espalier.CastError
  alias Espalier.Constraint
  alias Espalier.Error
  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.Options
  alias Espalier.Schema.Cast
  alias Espalier.Schema.Definition
  alias Espalier.Schema.Describe
  alias Espalier.Schema.ElixirRegex
  alias Espalier.Schema.JSONSchema
  alias Espalier.Schema.Parts
  alias Espalier.Schema.RustRegex
  alias Espalier.Schema.Type
  alias Espalier.Schema.Validation
  alias Espalier.Schema.Whole
  alias Espalier.SchemaError

  @enforce_keys [:kind, :content]
  defstruct [:kind, :content, syntax: :rust]

  @typedoc """
  `content` is the type of a `:typed` form, the text of a `:json_schema`, the source of a `:regex`,
  the text of a `:grammar` with its syntax and start, the parts of a `:sequence`, the texts and
  terms of a `:choice`, and a constraint. The `syntax` is that of a `:regex`.
  """
  @type t :: %__MODULE__{
          kind: :typed | :json_schema | :regex | :grammar | :sequence | :choice | :constraint,
          content: term,
          syntax: :rust | :ecma
        }

  @doc "The form of a caller's schema."
  @spec new(term) :: {:ok, t} | {:error, Exception.t()}
  def new(schema) do
    {:ok, new!(schema)}
  rescue
    error in SchemaError -> {:error, error}
    error in Espalier.JSONError -> {:error, error}
    error in Espalier.OptionsError -> {:error, error}
  end

  defp new!(%__MODULE__{} = form), do: form
  defp new!(%Constraint{} = constraint), do: %__MODULE__{kind: :constraint, content: constraint}
  defp new!(%Object{} = schema), do: json_schema(JSON.encode!(schema))

  defp new!(schema) when is_map(schema) and not is_struct(schema),
    do: json_schema(JSON.encode!(schema))

  defp new!(schema) when is_binary(schema) do
    if String.valid?(schema),
      do: json_schema(schema),
      else: raise(SchemaError.not_utf8("a schema"))
  end

  defp new!({:choice, choices}), do: %__MODULE__{kind: :choice, content: choices!(choices)}
  defp new!({:grammar, text}), do: grammar!(text, [])
  defp new!({:grammar, text, options}), do: grammar!(text, options)
  defp new!({:sequence, parts}), do: %__MODULE__{kind: :sequence, content: Parts.new!(parts)}

  defp new!({:regex, %Regex{} = regex}) do
    source = regex |> ElixirRegex.translate(:whole) |> Error.bang!()
    %__MODULE__{kind: :regex, content: source, syntax: :ecma}
  end

  defp new!({:regex, source}), do: %__MODULE__{kind: :regex, content: source!(source)}
  defp new!({:regex, source, options}), do: regex!(source, options)
  defp new!([_ | _] = fields), do: typed(fields)

  defp new!(%Espalier.Ecto{} = schema) do
    Definition.fetch!(schema)
    typed(schema)
  end

  defp new!(module) when is_atom(module) and module not in [nil, true, false] do
    Definition.fetch!(module)
    typed(module)
  end

  defp new!(schema) do
    error!(
      "expected a schema module, a JSON Schema as a map or text, a keyword list of fields, " <>
        "{:choice, list}, {:regex, source}, {:grammar, text}, {:sequence, parts} or a constraint, " <>
        "got: #{inspect(schema, limit: 5)}"
    )
  end

  defp json_schema(text), do: %__MODULE__{kind: :json_schema, content: text}
  defp typed(spec), do: %__MODULE__{kind: :typed, content: Type.new!(spec)}

  defp choices!([_ | _] = choices) do
    if List.improper?(choices), do: no_choices!(choices)
    pairs = Enum.map(choices, &{choice_text!(&1), &1})

    case pairs -- Enum.uniq_by(pairs, &elem(&1, 0)) do
      [] -> pairs
      [{text, _term} | _] -> error!("the choice #{inspect(text)} is there twice")
    end
  end

  defp choices!([]) do
    message = "a choice needs at least one text"
    raise SchemaError, kind: :empty_choice, message: message
  end

  defp choices!(choices), do: no_choices!(choices)

  defp no_choices!(choices) do
    error!("expected {:choice, list} with a list, got: #{inspect(choices, limit: 5)}")
  end

  defp choice_text!(choice) when is_atom(choice), do: Atom.to_string(choice)
  defp choice_text!(choice) when is_integer(choice), do: Integer.to_string(choice)

  defp choice_text!(choice) do
    if is_binary(choice) and String.valid?(choice) do
      choice
    else
      error!("expected texts, atoms and integers in {:choice, list}, got: #{inspect(choice)}")
    end
  end

  defp source!(source) do
    if is_binary(source) and String.valid?(source),
      do: source,
      else: error!("expected {:regex, source} with a text or a Regex, got: #{inspect(source)}")
  end

  @regex [syntax: [type: {:in, [:rust, :ecma]}, default: :rust]]

  defp regex!(%Regex{} = regex, options) do
    options |> Options.validate([]) |> Error.bang!()
    new!({:regex, regex})
  end

  defp regex!(source, options) do
    options = options |> Options.validate(@regex) |> Error.bang!()
    %__MODULE__{kind: :regex, content: source!(source), syntax: options[:syntax]}
  end

  @grammar [
    syntax: [type: {:in, [:lark, :gbnf]}, default: :lark],
    start: [type: :string]
  ]

  defp grammar!(text, options) do
    unless is_binary(text) and String.valid?(text),
      do: error!("expected the text of a grammar, got: #{inspect(text, limit: 5)}")

    options = options |> Options.validate(@grammar) |> Error.bang!()
    start = options[:start] || Constraint.default_start(options[:syntax])
    %__MODULE__{kind: :grammar, content: {text, options[:syntax], start}}
  end

  @doc """
  The constraint for a vocabulary.

  `options` are those of `Espalier.Constraint.json_schema/2`; texts that are not JSON have no other
  than the vocabulary and the limits.
  """
  @spec to_constraint(t, keyword) :: {:ok, Constraint.t()} | {:error, Exception.t()}
  def to_constraint(%__MODULE__{kind: :constraint, content: constraint}, _options) do
    {:ok, constraint}
  end

  def to_constraint(form, options) do
    with {:ok, source} <- to_source(form, options), do: Constraint.compile(source)
  end

  @doc "All that the constraint of a form depends on, for a form that is no constraint; with the same options."
  @spec to_source(t, keyword) :: {:ok, Constraint.Source.t()} | {:error, Exception.t()}
  def to_source(%__MODULE__{kind: :regex, content: source, syntax: syntax}, options) do
    options = [syntax: syntax] ++ Keyword.take(options, [:vocabulary, :limits])
    Constraint.source(:regex, source, options)
  end

  def to_source(%__MODULE__{kind: :grammar, content: {text, syntax, start}}, options) do
    Constraint.source(:grammar, text, options ++ [syntax: syntax, start: start])
  end

  def to_source(%__MODULE__{kind: :choice, content: pairs}, options) do
    texts = Enum.map(pairs, &elem(&1, 0))
    Constraint.source(:choice, texts, Keyword.take(options, [:vocabulary, :limits]))
  end

  def to_source(%__MODULE__{kind: :sequence, content: parts}, options) do
    Constraint.source(:sequence, parts.native, options)
  end

  def to_source(%__MODULE__{kind: :json_schema, content: text}, options) do
    Constraint.source(:json_schema, text, options)
  end

  def to_source(%__MODULE__{kind: :typed} = form, options) do
    with {:ok, schema} <- to_json_schema(form),
         do: Constraint.source(:json_schema, schema, options)
  end

  @doc "The JSON Schema of a form; what is no JSON is described as a JSON string."
  @spec to_json_schema(t) :: {:ok, Object.t() | term} | {:error, Exception.t()}
  def to_json_schema(%__MODULE__{kind: :typed, content: type}) do
    {:ok, JSONSchema.build(type)}
  rescue
    error in SchemaError -> {:error, error}
  end

  def to_json_schema(%__MODULE__{kind: :json_schema, content: text}) do
    JSON.decode(text, objects: :ordered)
  end

  def to_json_schema(%__MODULE__{kind: :regex} = form) do
    with {:ok, source} <- ecma(form),
         do: {:ok, %Object{members: [{"type", "string"}, {"pattern", Whole.pattern(source)}]}}
  end

  def to_json_schema(%__MODULE__{kind: :choice, content: pairs}) do
    {:ok, %Object{members: [{"enum", Enum.map(pairs, &elem(&1, 0))}]}}
  end

  def to_json_schema(%__MODULE__{kind: :grammar}) do
    {:error, SchemaError.invalid("a grammar has no JSON Schema")}
  end

  def to_json_schema(%__MODULE__{kind: :sequence}),
    do: {:ok, %Object{members: [{"type", "string"}]}}

  def to_json_schema(%__MODULE__{kind: :constraint}) do
    message = "a compiled constraint has no JSON Schema"
    {:error, SchemaError.invalid(message)}
  end

  defp ecma(%{content: source, syntax: :ecma}), do: {:ok, source}
  defp ecma(%{content: source, syntax: :rust}), do: RustRegex.to_ecma(source)

  @doc "A form in words, for a prompt."
  @spec describe(t) :: {:ok, String.t()} | {:error, Exception.t()}
  def describe(%__MODULE__{kind: :typed, content: type}) do
    {:ok, Describe.describe(type)}
  rescue
    error in SchemaError -> {:error, error}
  end

  def describe(%__MODULE__{kind: :json_schema, content: text}),
    do: {:ok, "A JSON value that this JSON Schema admits: " <> text}

  def describe(%__MODULE__{kind: :choice, content: pairs}),
    do: {:ok, "One of these texts: " <> Enum.map_join(pairs, ", ", &elem(&1, 0))}

  def describe(%__MODULE__{kind: :regex, content: source}),
    do: {:ok, "A text that this regular expression matches: " <> source}

  def describe(%__MODULE__{kind: :grammar, content: {text, syntax, start}}) do
    syntax = if syntax == :lark, do: "the syntax of Lark", else: "GBNF"
    {:ok, "A text that the rule #{start} of this grammar in #{syntax} matches:\n\n" <> text}
  end

  def describe(%__MODULE__{kind: :sequence, content: parts}), do: {:ok, Parts.describe(parts)}
  def describe(%__MODULE__{} = form), do: to_json_schema(form)

  @doc "The schema module, or the kind of schema: what telemetry tells."
  @spec name(t) ::
          module | :fields | :json_schema | :regex | :grammar | :sequence | :choice | :constraint
  def name(%__MODULE__{kind: :typed, content: %{kind: :module, argument: argument}}),
    do: Definition.module(argument)

  def name(%__MODULE__{kind: :typed}), do: :fields
  def name(%__MODULE__{kind: kind}), do: kind

  @doc """
  Whether a text is a value of the schema, exactly.

  A value of an Ecto schema is what its changeset function takes. `options` may
  have the `:format` and the `:documents` of `Espalier.Constraint.json_schema/2`.
  """
  @spec validate(t, String.t(), keyword) :: :ok | {:error, Exception.t()}
  def validate(form, text, options \\ [])

  def validate(%__MODULE__{kind: :typed, content: type} = form, text, options) do
    if ecto?(type) do
      with {:ok, _value} <- read(form, text), do: :ok
    else
      with {:ok, schema} <- to_json_schema(form),
           do: Validation.check_json(schema, text, options)
    end
  end

  def validate(%__MODULE__{kind: :json_schema, content: schema}, text, options),
    do: Validation.check_json(schema, text, options)

  def validate(%__MODULE__{kind: :regex} = form, text, _options),
    do: Validation.check_regex(form, text)

  def validate(%__MODULE__{kind: :grammar} = form, text, options),
    do: Validation.check_grammar(form, text, options)

  def validate(%__MODULE__{kind: :constraint, content: constraint}, text, _options),
    do: Validation.check_text(constraint, text)

  def validate(%__MODULE__{kind: :sequence} = form, text, options),
    do: with({:ok, _found} <- Validation.check_sequence(form, text, options), do: :ok)

  # The cast tells.
  def validate(%__MODULE__{kind: :choice}, _text, _options), do: :ok

  defp ecto?(%{kind: :module, argument: module}), do: Definition.fetch!(module).ecto != nil
  defp ecto?(_type), do: false

  @doc "The value that decoded JSON stands for. For texts that are not JSON it is the text itself."
  @spec cast(t, term) :: {:ok, term} | {:error, Exception.t()}
  def cast(%__MODULE__{kind: :typed, content: type}, json), do: Cast.cast(type, json)
  def cast(%__MODULE__{kind: :json_schema}, json), do: {:ok, json}

  def cast(%__MODULE__{kind: :choice, content: pairs}, text) do
    case List.keyfind(pairs, text, 0) do
      {_text, choice} ->
        {:ok, choice}

      nil ->
        expected = "one of " <> Enum.map_join(pairs, ", ", &inspect(elem(&1, 0)))
        {:error, %CastError{expected: expected, got: text}}
    end
  end

  def cast(%__MODULE__{}, text) when is_binary(text), do: {:ok, text}
  def cast(%__MODULE__{}, term), do: {:error, %CastError{expected: "text", got: term}}

  @doc "The value that a text stands for, which is one of the schema."
  @spec read(t, String.t()) :: {:ok, term} | {:error, Exception.t()}
  def read(%__MODULE__{kind: :typed} = form, text) do
    with {:ok, json} <- JSON.decode(text, numbers: numbers(form)), do: cast(form, json)
  end

  def read(%__MODULE__{kind: :json_schema} = form, text) do
    with {:ok, json} <- JSON.decode(text), do: cast(form, json)
  end

  def read(%__MODULE__{kind: :sequence, content: parts} = form, text) do
    with {:ok, found} <- Validation.check_sequence(form, text, []),
         do: Parts.value(parts, text, found)
  end

  def read(form, text), do: cast(form, text)

  @doc "What was captured of a text of the form: names, texts and values, in the order of the text."
  @spec captures(t, String.t()) ::
          {:ok, [%{name: atom, text: String.t(), value: term}]} | {:error, Exception.t()}
  def captures(%__MODULE__{kind: :sequence, content: parts} = form, text) do
    with {:ok, found} <- Validation.check_sequence(form, text, []),
         do: Parts.captured(parts, found)
  end

  def captures(%__MODULE__{}, _text), do: {:ok, []}

  @doc "How the numbers of a typed form are decoded: exactly, where it has decimals."
  @spec numbers(t) :: :exact | :native
  def numbers(%__MODULE__{kind: :typed, content: type}),
    do: if(Cast.exact?(type), do: :exact, else: :native)

  defp error!(detail) do
    raise SchemaError.invalid(detail)
  end
end
