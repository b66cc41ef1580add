defmodule Espalier.Schema.Membership do
  @moduledoc false
  # Whether an Elixir term is a value of a type: how defaults and examples are checked.

  @compile {:no_warn_undefined, Decimal}

  alias Espalier.Schema.Definition
  alias Espalier.Schema.Text
  alias Espalier.Schema.Type

  @text_kinds Text.kinds()

  @doc "Whether the term is of the type and keeps its rules."
  @spec member?(Type.t(), term) :: boolean
  def member?(%Type{nullable: true}, nil), do: true

  def member?(type, value),
    do: of_kind?(type, value) and Enum.all?(type.rules, &keeps?(&1, value))

  defp of_kind?(%{kind: :string}, value), do: is_binary(value) and String.valid?(value)
  defp of_kind?(%{kind: :integer}, value), do: is_integer(value)
  defp of_kind?(%{kind: :number}, value), do: is_number(value)
  defp of_kind?(%{kind: :float}, value), do: is_float(value)

  defp of_kind?(%{kind: :decimal}, value),
    do: match?(%{__struct__: Decimal, coef: n} when is_integer(n), value)

  defp of_kind?(%{kind: :boolean}, value), do: is_boolean(value)
  defp of_kind?(%{kind: :null}, value), do: value == nil
  defp of_kind?(%{kind: :any}, _value), do: true
  defp of_kind?(%{kind: kind}, value) when kind in @text_kinds, do: Text.member?(kind, value)
  defp of_kind?(%{kind: :enum, argument: values}, value), do: value in values
  defp of_kind?(%{kind: :const, argument: const}, value), do: value === const

  defp of_kind?(%{kind: :union, argument: types}, value),
    do: Enum.any?(types, &member?(&1, value))

  defp of_kind?(%{kind: :tagged, argument: types, rules: rules}, value) do
    is_map(value) and Enum.any?(types, &tagged?(&1, value, rules[:discriminator]))
  end

  defp of_kind?(%{kind: :module, argument: module}, value) do
    definition = Definition.fetch!(module)
    is_struct(value, definition.module) and has_fields?(definition.fields, value)
  end

  defp of_kind?(%{kind: :object, argument: fields}, value) do
    is_map(value) and not is_struct(value) and has_fields?(fields, value)
  end

  defp of_kind?(%{kind: :map, argument: type}, value) do
    is_map(value) and not is_struct(value) and
      Enum.all?(value, fn {key, value} -> is_binary(key) and member?(type, value) end)
  end

  defp of_kind?(%{kind: :array, argument: item}, value) do
    is_list(value) and not List.improper?(value) and Enum.all?(value, &member?(item, &1))
  end

  defp of_kind?(%{kind: :tuple, argument: types}, value) do
    is_tuple(value) and tuple_size(value) == length(types) and
      types
      |> Enum.zip(Tuple.to_list(value))
      |> Enum.all?(fn {type, value} -> member?(type, value) end)
  end

  # A field that may be left out is absent, or has its default.
  defp has_fields?(fields, map) do
    Enum.all?(fields, fn %{name: name} = field ->
      case map do
        %{^name => value} -> member?(field.type, value) or may_be_absent?(field, value)
        %{} -> not field.required
      end
    end)
  end

  defp may_be_absent?(field, value), do: not field.required and value == field.default

  @doc "Whether the term is a value of the tagged type with that tag."
  @spec tagged?({atom, Type.t()}, map, atom) :: boolean
  def tagged?({_tag, %{kind: :module} = type}, value, _discriminator), do: member?(type, value)

  def tagged?({tag, type}, value, discriminator),
    do: value[discriminator] == tag and member?(type, value)

  defp keeps?({:min_length, n}, text), do: n_characters(text) >= n
  defp keeps?({:max_length, n}, text), do: n_characters(text) <= n
  defp keeps?({:format, source}, text), do: matches?(Regex.compile(source, "u"), text)
  defp keeps?({:one_of, values}, value), do: Enum.any?(values, &(compare(&1, value) == :eq))

  defp keeps?({:none_of, _values} = rule, value),
    do: not keeps?(put_elem(rule, 0, :one_of), value)

  defp keeps?({:not_blank, true}, text), do: String.trim(text) != ""
  defp keeps?({:min, bound}, number), do: compare(number, bound) != :lt
  defp keeps?({:max, bound}, number), do: compare(number, bound) != :gt
  defp keeps?({:greater_than, bound}, number), do: compare(number, bound) == :gt
  defp keeps?({:less_than, bound}, number), do: compare(number, bound) == :lt
  defp keeps?({:multiple_of, divisor}, number), do: multiple?(number, divisor)
  defp keeps?({:min_items, n}, items), do: length(items) >= n
  defp keeps?({:max_items, n}, items), do: length(items) <= n
  defp keeps?({:unique, unique}, items), do: not unique or items == Enum.uniq(items)

  defp keeps?({:key_format, _} = rule, map),
    do: Enum.all?(Map.keys(map), &keeps?(put_elem(rule, 0, :format), &1))

  defp keeps?({:min_keys, n}, map), do: map_size(map) >= n
  defp keeps?({:max_keys, n}, map), do: map_size(map) <= n
  defp keeps?({:discriminator, _key}, _value), do: true

  # What Elixir does not read as an expression may be one in JSON Schema; its compiler will tell.
  defp matches?({:ok, regex}, text), do: Regex.match?(regex, text)
  defp matches?({:error, _reason}, _text), do: true

  # JSON Schema counts code points, `String.length/1` what a reader sees as one character.
  defp n_characters(text), do: text |> String.codepoints() |> length()

  @doc "How two numbers, decimals among them, or two texts compare."
  @spec compare(term, term) :: :lt | :eq | :gt
  def compare(%{__struct__: Decimal} = a, b), do: Decimal.compare(a, decimal(b))
  def compare(a, %{__struct__: Decimal} = b), do: Decimal.compare(decimal(a), b)
  def compare(a, b) when a < b, do: :lt
  def compare(a, b) when a > b, do: :gt
  def compare(_a, _b), do: :eq

  # By their digits, as JSON Schema compares them: 0.3 is a multiple of 0.1.
  defp multiple?(number, divisor) do
    {digits, exponent} = digits(number)
    {divisor, divisor_exponent} = digits(divisor)
    least = min(exponent, divisor_exponent)
    whole = digits * Integer.pow(10, exponent - least)
    rem(whole, divisor * Integer.pow(10, divisor_exponent - least)) == 0
  end

  defp digits(integer) when is_integer(integer), do: {integer, 0}
  defp digits(%{__struct__: Decimal} = decimal), do: {decimal.sign * decimal.coef, decimal.exp}

  defp digits(float) do
    [number | exponent] = float |> Float.to_string() |> String.split("e")
    [whole, fraction] = String.split(number, ".")
    exponent = exponent |> List.first("0") |> String.to_integer()
    {String.to_integer(whole <> fraction), exponent - byte_size(fraction)}
  end

  defp decimal(float) when is_float(float), do: Decimal.from_float(float)
  defp decimal(number), do: Decimal.new(number)
end
