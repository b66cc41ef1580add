defmodule Espalier.Schema.Membership do
  @moduledoc false
  # Whether an Elixir term is a value of a type: how the default of a field is checked.

  alias Espalier.Schema.Type

  @doc "Whether the term is of the type and keeps its rules."
  @spec member?(Type.t(), term) :: boolean
  def member?(%Type{nullable: true}, nil), do: true

  def member?(type, value),
    do: of_kind?(type, value) and Enum.all?(type.rules, &keeps?(&1, value))

  defp of_kind?(%{kind: :string}, value), do: is_binary(value) and String.valid?(value)
  defp of_kind?(%{kind: :integer}, value), do: is_integer(value)
  defp of_kind?(%{kind: :number}, value), do: is_number(value)
  defp of_kind?(%{kind: :float}, value), do: is_float(value)
  defp of_kind?(%{kind: :boolean}, value), do: is_boolean(value)
  defp of_kind?(%{kind: :null}, value), do: value == nil
  defp of_kind?(%{kind: :any}, _value), do: true
  defp of_kind?(%{kind: :enum, argument: values}, value), do: value in values
  defp of_kind?(%{kind: :const, argument: const}, value), do: value === const

  defp of_kind?(%{kind: :union, argument: types}, value),
    do: Enum.any?(types, &member?(&1, value))

  defp of_kind?(%{kind: :module, argument: module}, value), do: is_struct(value, module)
  defp of_kind?(%{kind: :object}, value), do: is_map(value)

  defp of_kind?(%{kind: :array, argument: item}, value) do
    is_list(value) and Enum.all?(value, &member?(item, &1))
  end

  defp keeps?({:min_length, n}, text), do: n_characters(text) >= n
  defp keeps?({:max_length, n}, text), do: n_characters(text) <= n
  defp keeps?({:pattern, source}, text), do: matches?(Regex.compile(source, "u"), text)
  defp keeps?({:min, bound}, number), do: number >= bound
  defp keeps?({:max, bound}, number), do: number <= bound
  defp keeps?({:greater_than, bound}, number), do: number > bound
  defp keeps?({:less_than, bound}, number), do: number < bound
  defp keeps?({:min_items, n}, items), do: length(items) >= n
  defp keeps?({:max_items, n}, items), do: length(items) <= n

  # What Elixir does not read as an expression may be one in JSON Schema; its compiler will tell.
  defp matches?({:ok, regex}, text), do: Regex.match?(regex, text)
  defp matches?({:error, _reason}, _text), do: true

  # JSON Schema counts code points, `String.length/1` what a reader sees as one character.
  defp n_characters(text), do: text |> String.codepoints() |> length()
end
