defmodule Espalier.Profile.Nulls do
  @moduledoc false
  # Whether null is a value, and how it becomes one.

  alias Espalier.JSON.Object
  alias Espalier.Profile.Node
  alias Espalier.Profile.References

  @doc "Whether the original takes null, as far as that can be told without `not` and `if`."
  @spec null?(Node.t() | false, map) :: boolean
  def null?(node, context), do: null?(node, context, [])

  defp null?(false, _context, _seen), do: false

  defp null?(%Node{members: members}, context, seen),
    do: Enum.all?(members, &member?(&1, context, seen))

  defp member?({"type", {:json, types}, _}, _context, _seen), do: "null" in types
  defp member?({"enum", {:json, values}, _}, _context, _seen), do: nil in values

  defp member?({"allOf", {:schemas, nodes}, _}, context, seen),
    do: Enum.all?(nodes, &null?(&1, context, seen))

  defp member?({keyword, {:schemas, nodes}, _}, context, seen) when keyword in ["anyOf", "oneOf"],
    do: Enum.any?(nodes, &null?(&1, context, seen))

  defp member?({"$ref", {:ref, uri, base}, _}, context, seen) do
    case References.resolve(context.index, uri, base) do
      {json, place} ->
        key = place.document <> place.pointer
        key not in seen and null?(Node.read(json, place), context, [key | seen])

      nil ->
        false
    end
  end

  defp member?(_member, _context, _seen), do: true

  @doc "A written schema that takes null, too."
  @spec add(Object.t()) :: Object.t()
  def add(%Object{members: members} = schema) do
    cond do
      takes_null?(schema) -> schema
      List.keymember?(members, "enum", 0) or List.keymember?(members, "$ref", 0) -> choice(schema)
      List.keymember?(members, "anyOf", 0) -> %Object{members: Enum.map(members, &add_branch/1)}
      true -> %Object{members: Enum.map(members, &add_type/1)}
    end
  end

  defp choice(schema),
    do: %Object{members: [{"anyOf", [schema, %Object{members: [{"type", "null"}]}]}]}

  defp add_branch({"anyOf", schemas}),
    do: {"anyOf", schemas ++ [%Object{members: [{"type", "null"}]}]}

  defp add_branch(member), do: member

  defp add_type({"type", types}), do: {"type", List.wrap(types) ++ ["null"]}
  defp add_type(member), do: member

  defp takes_null?(%Object{members: members}) do
    Enum.all?(members, fn
      {"type", types} -> "null" in List.wrap(types)
      {"enum", values} -> nil in values
      {"anyOf", schemas} -> Enum.any?(schemas, &takes_null?/1)
      {"$ref", _target} -> false
      _member -> true
    end)
  end
end
