defmodule Espalier.Profile.Restore do
  @moduledoc false
  # Takes the nulls out of a value that stand for absent properties, along the schema that it was written for.
  #
  # Of the branches of a choice the first one counts that the value satisfies: what is made of it by that branch
  # is a value of the original's branch.

  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.JSON.Pointer

  @spec absent(term, Object.t(), MapSet.t(String.t())) :: term
  def absent(value, schema, nulls), do: walk(value, {schema, ""}, %{root: schema, nulls: nulls})

  defp walk(value, {%Object{members: members}, pointer}, context)
       when is_list(value) or is_struct(value, Object) do
    schema = Map.new(members)

    cond do
      reference = schema["$ref"] -> walk(value, target(reference, context), context)
      branches = schema["anyOf"] -> branch(value, branches, pointer, context)
      true -> container(value, schema, pointer, context)
    end
  end

  defp walk(value, _place, _context), do: value

  defp container(%Object{members: members}, schema, pointer, context) do
    members =
      Enum.flat_map(members, fn {key, value} ->
        place = property(schema, key, pointer)

        if value == nil and absent?(place, context),
          do: [],
          else: [{key, walk(value, place, context)}]
      end)

    %Object{members: members}
  end

  defp container(items, schema, pointer, context) do
    prefix = schema["prefixItems"] || []

    for {item, index} <- Enum.with_index(items) do
      place =
        if index < length(prefix),
          do: {Enum.at(prefix, index), "#{pointer}/prefixItems/#{index}"},
          else: {schema["items"], pointer <> "/items"}

      walk(item, place, context)
    end
  end

  defp property(%{"properties" => %Object{members: properties}} = schema, key, pointer) do
    case List.keyfind(properties, key, 0) do
      {^key, property} -> {property, Pointer.child(pointer <> "/properties", key)}
      nil -> {schema["additionalProperties"], pointer <> "/additionalProperties"}
    end
  end

  defp property(schema, _key, pointer),
    do: {schema["additionalProperties"], pointer <> "/additionalProperties"}

  defp absent?({_schema, pointer}, context), do: MapSet.member?(context.nulls, pointer)

  defp target("#/$defs/" <> name, context) do
    name = name |> URI.decode() |> Pointer.unescape()
    %Object{members: definitions} = Map.new(context.root.members)["$defs"]
    {_name, schema} = List.keyfind(definitions, name, 0)
    {schema, Pointer.child("/$defs", name)}
  end

  defp branch(value, branches, pointer, context) do
    places =
      for {schema, index} <- Enum.with_index(branches), do: {schema, "#{pointer}/anyOf/#{index}"}

    case Enum.filter(places, &fits?(value, &1, context)) do
      [] ->
        value

      [place] ->
        walk(value, place, context)

      [first | _] = several ->
        walk(value, Enum.find(several, first, &valid?(value, &1, context)), context)
    end
  end

  # Whether the value may satisfy the schema, by its type and the names of its members.
  defp fits?(value, {%Object{members: members}, _pointer}, context) do
    case Map.new(members) do
      %{"$ref" => reference} -> fits?(value, target(reference, context), context)
      %{"anyOf" => _branches} -> true
      %{"type" => types} = schema -> kind(value) in List.wrap(types) and named?(value, schema)
      _untyped -> true
    end
  end

  defp kind(%Object{}), do: "object"
  defp kind(_items), do: "array"

  defp named?(%Object{members: members}, schema) do
    keys = Enum.map(members, &elem(&1, 0))
    closed? = schema["additionalProperties"] == false
    known = for {name, _schema} <- properties(schema), do: name
    (schema["required"] || []) -- keys == [] and (not closed? or keys -- known == [])
  end

  defp named?(_items, _schema), do: true

  defp properties(%{"properties" => %Object{members: properties}}), do: properties
  defp properties(_schema), do: []

  defp valid?(value, {%Object{members: members}, _pointer}, context) do
    definitions = Enum.filter(context.root.members, &(elem(&1, 0) == "$defs"))
    schema = JSON.encode!(%Object{members: members ++ definitions})
    match?({:ok, []}, JSON.validate(schema, JSON.encode!(value)))
  end
end
