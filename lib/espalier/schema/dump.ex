defmodule Espalier.Schema.Dump do
  @moduledoc false
  # The JSON that stands for a value of a type: the way back of `Espalier.Schema.Cast`.

  @compile {:no_warn_undefined, Decimal}

  alias Espalier.JSON.Number
  alias Espalier.JSON.Object
  alias Espalier.Schema.Definition
  alias Espalier.Schema.Membership
  alias Espalier.Schema.Text
  alias Espalier.Schema.Type

  @text_kinds Text.kinds()

  @doc "What `Espalier.JSON` writes for a value of the type."
  @spec dump(Type.t(), term) :: term
  def dump(_type, nil), do: nil
  def dump(%Type{kind: kind}, value) when kind in @text_kinds, do: Text.dump(kind, value)

  def dump(%Type{kind: :array, argument: item}, values), do: Enum.map(values, &dump(item, &1))

  def dump(%Type{kind: :tuple, argument: types}, value) do
    Enum.zip_with(types, Tuple.to_list(value), &dump/2)
  end

  def dump(%Type{kind: :map, argument: type}, map) do
    Map.new(map, fn {key, value} -> {key, dump(type, value)} end)
  end

  def dump(%Type{kind: :union, argument: types}, value) do
    types |> Enum.find(hd(types), &Membership.member?(&1, value)) |> dump(value)
  end

  def dump(%Type{kind: :tagged, argument: types, rules: rules}, value) do
    key = rules[:discriminator]
    {tag, type} = Enum.find(types, hd(types), &Membership.tagged?(&1, value, key))
    %Object{members: members} = dump(type, value)
    %Object{members: [{Atom.to_string(key), Atom.to_string(tag)} | members]}
  end

  def dump(%Type{kind: :module, argument: module}, struct),
    do: members(Definition.fetch!(module).fields, struct)

  def dump(%Type{kind: :object, argument: fields}, map), do: members(fields, map)
  def dump(%Type{}, value), do: scalar(value)

  @doc "The same for a value that is no container: an atom is a text, a decimal a number."
  @spec scalar(term) :: term
  def scalar(%{__struct__: Decimal} = decimal), do: %Number{text: Decimal.to_string(decimal)}
  def scalar(value), do: Type.to_json(value)

  defp members(fields, map) do
    %Object{
      members: for(field <- fields, Map.has_key?(map, field.name), do: member(field, map))
    }
  end

  defp member(field, map), do: {field.key, dump(field.type, Map.fetch!(map, field.name))}
end
