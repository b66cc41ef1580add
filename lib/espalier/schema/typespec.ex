defmodule Espalier.Schema.Typespec do
  @moduledoc false
  # Types as Elixir writes them: the `t` of a schema module.

  alias Espalier.Schema.Definition
  alias Espalier.Schema.Field
  alias Espalier.Schema.Text
  alias Espalier.Schema.Type

  @text_kinds Text.kinds()

  @doc "The quoted type of a struct's field."
  @spec field(Field.t()) :: Macro.t()
  def field(%Field{required: false, default: nil} = field), do: or_nil(quoted(field.type))
  def field(%Field{type: type}), do: quoted(type)

  defp quoted(%Type{nullable: true} = type), do: or_nil(quoted(%{type | nullable: false}))
  defp quoted(%Type{kind: :string}), do: quote(do: String.t())
  defp quoted(%Type{kind: :integer}), do: quote(do: integer())
  defp quoted(%Type{kind: :number}), do: quote(do: number())
  defp quoted(%Type{kind: :float}), do: quote(do: float())
  defp quoted(%Type{kind: :boolean}), do: quote(do: boolean())
  defp quoted(%Type{kind: :null}), do: nil
  defp quoted(%Type{kind: :decimal}), do: quote(do: Decimal.t())
  defp quoted(%Type{kind: kind}) when kind in @text_kinds, do: Text.typespec(kind)
  defp quoted(%Type{kind: :any}), do: quote(do: term())
  defp quoted(%Type{kind: :enum, argument: values}), do: union(Enum.map(values, &literal/1))
  defp quoted(%Type{kind: :const, argument: value}), do: literal(value)
  defp quoted(%Type{kind: :array, argument: item}), do: [quoted(item)]
  defp quoted(%Type{kind: :tuple, argument: types}), do: {:{}, [], Enum.map(types, &quoted/1)}

  defp quoted(%Type{kind: :map, argument: type}),
    do: quote(do: %{optional(String.t()) => unquote(quoted(type))})

  defp quoted(%Type{kind: :union, argument: types}), do: union(Enum.map(types, &quoted/1))

  defp quoted(%Type{kind: :tagged, argument: types, rules: rules}),
    do: union(Enum.map(types, &tagged(&1, rules[:discriminator])))

  defp quoted(%Type{kind: :module, argument: module}),
    do: quote(do: unquote(Definition.module(module)).t())

  defp quoted(%Type{kind: :object, argument: fields}) do
    {:%{}, [], Enum.map(fields, &{&1.name, field(&1)})}
  end

  defp tagged({_tag, %Type{kind: :module} = type}, _key), do: quoted(type)

  defp tagged({tag, %Type{argument: fields}}, key) do
    {:%{}, [], [{key, tag} | Enum.map(fields, &{&1.name, field(&1)})]}
  end

  defp literal(value) when is_atom(value) or is_integer(value), do: value
  defp literal(value) when is_float(value), do: quote(do: float())
  defp literal(value) when is_binary(value), do: quote(do: String.t())

  defp or_nil(type), do: union([type, nil])

  defp union(types) do
    types
    |> Enum.uniq()
    |> Enum.reverse()
    |> Enum.reduce(fn type, rest -> {:|, [], [type, rest]} end)
  end
end
