defmodule Espalier.Schema.Explain do
  @moduledoc false
  # Which rules a schema has, and who keeps each: the keywords of its JSON Schema, and the functions that are
  # asked for more.
  #
  # What a reference leads to is told where it is met first.

  alias Espalier.Explanation
  alias Espalier.JSON.Object
  alias Espalier.Schema.Definition
  alias Espalier.Schema.Form
  alias Espalier.Schema.Type

  @annotations ~w($schema $id id $anchor $dynamicAnchor $recursiveAnchor $vocabulary $comment $defs definitions
                  title description default example examples deprecated readOnly writeOnly contentEncoding
                  contentMediaType contentSchema)

  @keywords ~w(type enum const multipleOf minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength
               pattern format minItems maxItems uniqueItems minContains maxContains minProperties maxProperties
               required dependentRequired dependentSchemas dependencies not if then else contains propertyNames
               additionalItems unevaluatedItems unevaluatedProperties nullable $ref $dynamicRef $recursiveRef)

  @doc "The rules of a form, given who keeps those of its JSON Schema."
  @spec explain(Form.t(), :tokens | :validation) ::
          {:ok, [Explanation.t()]} | {:error, Exception.t()}
  def explain(%Form{kind: :constraint, content: constraint}, _by),
    do: {:ok, [rule([], "constraint", constraint, :tokens)]}

  def explain(%Form{kind: :regex, content: source}, by),
    do: {:ok, [rule([], "pattern", source, by)]}

  def explain(%Form{} = form, by) do
    with {:ok, schema} <- Form.to_json_schema(form) do
      {rules, _seen} = walk(schema, [], %{root: schema, by: by}, [""])
      {:ok, rules ++ functions(form)}
    end
  end

  defp walk(%Object{members: members}, path, context, seen) do
    Enum.flat_map_reduce(members, seen, fn {keyword, value}, seen ->
      keyword(keyword, value, path, context, seen)
    end)
  end

  defp walk(true, _path, _context, seen), do: {[], seen}
  defp walk(value, path, context, seen), do: {[rule(path, "false", value, context.by)], seen}

  defp keyword(keyword, _value, _path, _context, seen) when keyword in @annotations,
    do: {[], seen}

  defp keyword("properties", %Object{members: members}, path, context, seen),
    do: each(members, path, context, seen)

  defp keyword("patternProperties", %Object{members: members} = value, path, context, seen) do
    members = Enum.map(members, fn {_pattern, schema} -> {:*, schema} end)
    {rules, seen} = each(members, path, context, seen)
    {[rule(path, "patternProperties", value, context.by) | rules], seen}
  end

  defp keyword("additionalProperties", %Object{} = schema, path, context, seen),
    do: walk(schema, path ++ [:*], context, seen)

  defp keyword("items", %Object{} = schema, path, context, seen),
    do: walk(schema, path ++ [:*], context, seen)

  defp keyword(keyword, items, path, context, seen)
       when keyword in ["prefixItems", "items"] and is_list(items),
       do: items |> Enum.with_index(&{&2, &1}) |> each(path, context, seen)

  defp keyword("allOf", schemas, path, context, seen) when is_list(schemas),
    do: Enum.flat_map_reduce(schemas, seen, &walk(&1, path, context, &2))

  defp keyword(keyword, schemas, path, context, seen)
       when keyword in ["anyOf", "oneOf"] and is_list(schemas) do
    {rules, seen} = Enum.flat_map_reduce(schemas, seen, &walk(&1, path, context, &2))
    {[rule(path, keyword, schemas, context.by) | rules], seen}
  end

  defp keyword("$ref", "#" <> pointer = reference, path, context, seen) do
    target = at(context.root, pointer)

    cond do
      pointer in seen -> {[], seen}
      target == nil -> {[rule(path, "$ref", reference, context.by)], seen}
      true -> walk(target, path, context, [pointer | seen])
    end
  end

  defp keyword(keyword, value, path, context, seen)
       when keyword in @keywords or
              (keyword in ~w(additionalProperties items) and is_boolean(value)),
       do: {[rule(path, keyword, value, context.by)], seen}

  defp keyword(keyword, value, path, _context, seen),
    do: {[rule(path, keyword, value, :nothing)], seen}

  defp each(members, path, context, seen) do
    Enum.flat_map_reduce(members, seen, fn {key, schema}, seen ->
      walk(schema, path ++ [key], context, seen)
    end)
  end

  # What a JSON Pointer in a URI leads to.
  defp at(root, pointer) do
    ["" | tokens] = pointer |> URI.decode() |> String.split("/")

    Enum.reduce(tokens, root, fn token, value ->
      key = token |> String.replace("~1", "/") |> String.replace("~0", "~")

      if is_struct(value, Object),
        do: value.members |> List.keyfind(key, 0, {key, nil}) |> elem(1)
    end)
  end

  defp functions(%Form{kind: :typed, content: type}), do: functions(type, [], [])
  defp functions(%Form{}), do: []

  defp functions(%Type{} = type, path, above) do
    own = if type.validate, do: [rule(path, "validate", type.validate, :function)], else: []
    own ++ below(type, path, above)
  end

  defp below(%{kind: :module, argument: module}, path, above) do
    definition = Definition.fetch!(module)

    cond do
      module in above -> []
      definition.ecto -> changeset(definition.ecto, path)
      true -> validated(definition, path) ++ members(definition.fields, path, [module | above])
    end
  end

  defp below(%{kind: :object, argument: fields}, path, above), do: members(fields, path, above)

  defp below(%{kind: :tuple, argument: types}, path, above) do
    types
    |> Enum.with_index()
    |> Enum.flat_map(fn {type, index} -> functions(type, path ++ [index], above) end)
  end

  defp below(%{kind: kind, argument: type}, path, above) when kind in [:array, :map],
    do: functions(type, path ++ [:*], above)

  defp below(type, path, above),
    do: type |> Type.children() |> Enum.flat_map(&functions(&1, path, above))

  defp members(fields, path, above),
    do: Enum.flat_map(fields, &functions(&1.type, path ++ [&1.key], above))

  defp validated(%{validate: nil}, _path), do: []
  defp validated(%{validate: function}, path), do: [rule(path, "validate", function, :function)]

  defp changeset(schema, path) do
    options =
      schema
      |> Map.from_struct()
      |> Map.delete(:module)
      |> Enum.reject(&(elem(&1, 1) in [nil, []]))

    for told <- Espalier.Ecto.explain(schema.module, options), told.by != :tokens do
      by = if told.by == :after, do: :function, else: :unseen
      rule(path ++ Enum.map(told.path, &Atom.to_string/1), "changeset", told.text, by)
    end
  end

  defp rule(path, keyword, value, by),
    do: %Explanation{path: path, keyword: keyword, value: value, by: by}
end
