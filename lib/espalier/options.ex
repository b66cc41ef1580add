defmodule Espalier.Options do
  @moduledoc """
  Option schemas: the options of a function, checked and documented from one declaration.

  A schema is a keyword list from an option's name to what is known about it:

    * `:type` - what the option takes, see `t:type/0`; anything by default
    * `:default` - the value when the option is not given
    * `:required` - whether the option must be given; `false` by default
    * `:secret` - whether a wrong value is kept out of the error, as it may be a key; `false` by default
    * `:doc` - one or more sentences for the documentation

  `validate/2` checks at a public entry, `docs/1` writes the "Options" section:

      iex> schema = [max_tokens: [type: :pos_integer, default: 512, doc: "The most tokens to write."]]
      iex> Espalier.Options.validate([max_tokens: 20], schema)
      {:ok, [max_tokens: 20]}
      iex> Espalier.Options.validate([], schema)
      {:ok, [max_tokens: 512]}
      iex> Espalier.Options.docs(schema)
      "  * `:max_tokens` (positive integer) - The most tokens to write. The default is `512`.\\n"

  An option may be a keyword list with a schema of its own, `{:keyword, schema}`.

  An unknown option fails and names the nearest one:

      iex> schema = [max_tokens: [type: :pos_integer]]
      iex> {:error, error} = Espalier.Options.validate([max_token: 20], schema)
      iex> Exception.message(error)
      "unknown option :max_token. Did you mean :max_tokens?"
      iex> {:error, error} = Espalier.Options.validate([max_tokens: "20"], schema)
      iex> Exception.message(error)
      ~S(invalid value for :max_tokens option: expected positive integer, got: "20")
  """

  alias Espalier.OptionsError

  @typedoc "What an option takes."
  @type type ::
          :any
          | :atom
          | :boolean
          | :integer
          | :name
          | :non_neg_integer
          | :number
          | :pos_integer
          | :string
          | :timeout
          | {:custom, expected :: String.t(), predicate :: (term() -> boolean())}
          | {:in, [term()]}
          | {:keyword, schema()}
          | {:list, type()}
          | {:or, [type()]}
          | {:range, low :: number() | nil, high :: number() | nil}
          | {:tuple, [type()]}

  @typedoc "The options of a function, by name."
  @type schema :: [
          {atom(),
           [
             type: type(),
             default: term(),
             required: boolean(),
             secret: boolean(),
             doc: String.t()
           ]}
        ]

  @doc """
  Checks `options` against `schema` and fills in the defaults.

  The options come back in the order of the schema. Of an option that is given twice the first
  counts, as everywhere in `Keyword`.
  """
  @spec validate(term(), schema()) :: {:ok, keyword()} | {:error, OptionsError.t()}
  def validate(options, schema) do
    with :ok <- check_keyword(options),
         :ok <- check_names(Keyword.keys(options), Keyword.keys(schema)),
         :ok <- check_values(options, schema) do
      {:ok, for({name, entry} <- schema, value <- value(options, name, entry), do: {name, value})}
    end
  end

  @doc "Like `validate/2`, but returns the options and raises `Espalier.OptionsError`."
  @spec validate!(term(), schema()) :: keyword()
  def validate!(options, schema) do
    case validate(options, schema) do
      {:ok, options} -> options
      {:error, error} -> raise error
    end
  end

  @doc "The options of a schema as a Markdown list."
  @spec docs(schema()) :: String.t()
  def docs(schema), do: Enum.map_join(schema, &entry_docs/1)

  @doc """
  The name that is nearest to a misspelt one, or `nil` where none is near.

      iex> Espalier.Options.nearest(:strng, [:string, :integer])
      :string
      iex> Espalier.Options.nearest(:colour, [:string, :integer])
      nil
  """
  @spec nearest(term(), [name]) :: name | nil when name: term()
  def nearest(name, names) do
    {nearest, distance} =
      names
      |> Enum.map(&{&1, String.jaro_distance(spell(name), spell(&1))})
      |> Enum.max_by(&elem(&1, 1), fn -> {nil, 0.0} end)

    if distance > 0.77, do: nearest
  end

  defp spell(name) when is_atom(name), do: Atom.to_string(name)
  defp spell(name) when is_binary(name), do: name
  defp spell(name), do: inspect(name)

  defp check_keyword(options) do
    if Keyword.keyword?(options) do
      :ok
    else
      {:error, %OptionsError{kind: :not_keyword, expected: "keyword list", got: options}}
    end
  end

  defp check_names(given, known) do
    case Enum.find(given, &(&1 not in known)) do
      nil ->
        :ok

      name ->
        {:error, %OptionsError{kind: :unknown, option: name, suggestion: nearest(name, known)}}
    end
  end

  defp check_values(options, schema) do
    Enum.find_value(schema, :ok, fn {name, entry} ->
      case check_value(Keyword.fetch(options, name), name, entry) do
        :ok -> nil
        {:error, _error} = error -> error
      end
    end)
  end

  defp check_value(:error, name, entry) do
    if entry[:required] do
      {:error, %OptionsError{kind: :missing, option: name, expected: expected(type(entry))}}
    else
      :ok
    end
  end

  defp check_value({:ok, value}, name, entry) do
    case type(entry) do
      {:keyword, schema} -> with {:ok, _options} <- validate(value, schema), do: :ok
      type -> check_type(value, type, name, entry)
    end
  end

  defp check_type(value, type, name, entry) do
    if valid?(value, type) do
      :ok
    else
      expected = expected(type)
      got = if entry[:secret], do: :hidden, else: value
      {:error, %OptionsError{kind: :invalid, option: name, expected: expected, got: got}}
    end
  end

  defp value(options, name, entry) do
    case {Keyword.fetch(options, name), Keyword.fetch(entry, :default)} do
      {{:ok, value}, _default} -> [value]
      {:error, {:ok, default}} -> [default]
      {:error, :error} -> []
    end
  end

  defp type(entry), do: Keyword.get(entry, :type, :any)

  defp valid?(_value, :any), do: true
  defp valid?(value, :atom), do: is_atom(value)
  defp valid?(value, :boolean), do: is_boolean(value)
  defp valid?(value, :integer), do: is_integer(value)
  defp valid?(value, :name), do: is_atom(value) and value not in [nil, true, false]
  defp valid?(value, :non_neg_integer), do: is_integer(value) and value >= 0
  defp valid?(value, :number), do: is_number(value)
  defp valid?(value, :pos_integer), do: is_integer(value) and value > 0
  defp valid?(value, :string), do: is_binary(value) and String.valid?(value)
  defp valid?(value, :timeout), do: value == :infinity or valid?(value, :non_neg_integer)
  defp valid?(value, {:custom, _expected, predicate}), do: predicate.(value)
  defp valid?(value, {:in, values}), do: value in values
  defp valid?(value, {:keyword, schema}), do: match?({:ok, _options}, validate(value, schema))
  defp valid?(value, {:or, types}), do: Enum.any?(types, &valid?(value, &1))

  defp valid?(value, {:list, type}) do
    is_list(value) and not List.improper?(value) and Enum.all?(value, &valid?(&1, type))
  end

  defp valid?(value, {:range, low, high}) do
    is_number(value) and (low == nil or value >= low) and (high == nil or value <= high)
  end

  defp valid?(value, {:tuple, types}) do
    is_tuple(value) and tuple_size(value) == length(types) and
      value
      |> Tuple.to_list()
      |> Enum.zip(types)
      |> Enum.all?(fn {value, type} -> valid?(value, type) end)
  end

  defp expected(:any), do: "any term"
  defp expected(:name), do: "atom that names something"
  defp expected(:non_neg_integer), do: "non-negative integer"
  defp expected(:pos_integer), do: "positive integer"
  defp expected(:string), do: "text in UTF-8"
  defp expected(:timeout), do: "milliseconds as a non-negative integer or :infinity"
  defp expected(type) when is_atom(type), do: Atom.to_string(type)
  defp expected({:custom, expected, _predicate}), do: expected
  defp expected({:in, values}), do: "one of " <> Enum.map_join(values, ", ", &inspect/1)
  defp expected({:keyword, _schema}), do: "keyword list"
  defp expected({:list, type}), do: "list of " <> expected(type)
  defp expected({:or, types}), do: Enum.map_join(types, " or ", &expected/1)
  defp expected({:range, nil, high}), do: "number up to #{high}"
  defp expected({:range, low, nil}), do: "number from #{low}"
  defp expected({:range, low, high}), do: "number from #{low} to #{high}"
  defp expected({:tuple, types}), do: "{" <> Enum.map_join(types, ", ", &expected/1) <> "}"

  defp entry_docs({name, entry}) do
    texts = [entry[:doc], required_docs(entry), default_docs(entry)]

    "  * `#{inspect(name)}` (#{expected(type(entry))}) - #{texts |> Enum.filter(& &1) |> Enum.join(" ")}\n"
  end

  defp required_docs(entry), do: if(entry[:required], do: "Required.")

  defp default_docs(entry) do
    with {:ok, default} when default != nil <- Keyword.fetch(entry, :default) do
      "The default is `#{inspect(default)}`."
    else
      _none -> nil
    end
  end
end
