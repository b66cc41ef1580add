defmodule Espalier.Profile.Nulls do
  @moduledoc false
  # Whether null is a value, and how it becomes one.

  alias Espalier.JSON.Object
  alias Espalier.Profile.Node
  alias Espalier.Profile.References

  @doc "Whether the original takes null, as far as that can be told without `not` and `if`."
  @spec null?(Node.t() | false, map) :: boolean
  def null?(node, context), do: node |> look(context, %{}) |> elem(0)

  # `seen` are the places of references that were looked up, which a schema can lead to in very many ways.
  defp look(false, _context, seen), do: {false, seen}

  defp look(%Node{members: members}, context, seen),
    do: all(members, seen, &member(&1, context, &2))

  defp all(list, seen, look) do
    Enum.reduce_while(list, {true, seen}, fn element, {true, seen} ->
      {null?, seen} = look.(element, seen)
      {if(null?, do: :cont, else: :halt), {null?, seen}}
    end)
  end

  defp any(list, seen, look) do
    Enum.reduce_while(list, {false, seen}, fn element, {false, seen} ->
      {null?, seen} = look.(element, seen)
      {if(null?, do: :halt, else: :cont), {null?, seen}}
    end)
  end

  defp member({"type", {:json, types}, _}, _context, seen), do: {"null" in types, seen}
  defp member({"enum", {:json, values}, _}, _context, seen), do: {nil in values, seen}

  defp member({"allOf", {:schemas, nodes}, _}, context, seen),
    do: all(nodes, seen, &look(&1, context, &2))

  defp member({keyword, {:schemas, nodes}, _}, context, seen) when keyword in ["anyOf", "oneOf"],
    do: any(nodes, seen, &look(&1, context, &2))

  defp member({"$ref", {:ref, uri, base}, _}, context, seen) do
    with {json, place} <- References.resolve(context.index, uri, base),
         key = place.document <> place.pointer,
         :error <- Map.fetch(seen, key) do
      {null?, seen} = json |> Node.read(place) |> look(context, Map.put(seen, key, false))
      {null?, Map.put(seen, key, null?)}
    else
      nil -> {false, seen}
      {:ok, null?} -> {null?, seen}
    end
  end

  defp member(_member, _context, seen), do: {true, seen}

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
