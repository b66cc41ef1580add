defmodule Espalier.Schema.JSONSchema do
  @moduledoc false
  # A type as JSON Schema (draft 2020-12), with the fields in the order in which they were written.
  #
  # Other schema modules stand in `$defs` and are referred to, so they may refer to each other and
  # to themselves. The module at the root is `#`.

  alias Espalier.JSON.Object
  alias Espalier.Schema.Definition
  alias Espalier.Schema.Type

  @doc "The JSON Schema of a type."
  @spec build(Type.t()) :: Object.t()
  def build(%Type{} = type) do
    root = if type.kind == :module, do: type.argument
    members = if root, do: definition(root, root), else: members(type, root)

    case [type] |> modules([]) |> Enum.reverse() |> List.delete(root) do
      [] -> object(members)
      modules -> object(members ++ ["$defs": definitions(modules, root)])
    end
  end

  defp object(members),
    do: %Object{members: Enum.map(members, fn {key, value} -> {to_string(key), value} end)}

  # The modules that can be reached, the last one first.
  defp modules(types, seen), do: Enum.reduce(types, seen, &reach/2)

  defp reach(%Type{kind: :module, argument: module}, seen) do
    if module in seen do
      seen
    else
      modules(field_types(Definition.fetch!(module).fields), [module | seen])
    end
  end

  defp reach(%Type{kind: :array, argument: item}, seen), do: reach(item, seen)
  defp reach(%Type{kind: :union, argument: types}, seen), do: modules(types, seen)
  defp reach(%Type{kind: :object, argument: fields}, seen), do: modules(field_types(fields), seen)
  defp reach(%Type{}, seen), do: seen

  defp field_types(fields), do: Enum.map(fields, & &1.type)

  defp definitions(modules, root) do
    object(Enum.map(modules, &{inspect(&1), object(definition(&1, root))}))
  end

  defp definition(module, root) do
    definition = Definition.fetch!(module)
    described(fields(definition.fields, root), definition.description)
  end

  defp schema(type, root), do: object(members(type, root))

  defp members(%Type{nullable: true} = type, root) do
    described(or_null(kind(type, root) ++ rules(type)), type.description)
  end

  defp members(type, root), do: described(kind(type, root) ++ rules(type), type.description)

  defp kind(%{kind: :any}, _root), do: []
  defp kind(%{kind: :float}, _root), do: [type: "number"]

  defp kind(%{kind: :enum, argument: values}, _root),
    do: [enum: Enum.map(values, &Type.to_json/1)]

  defp kind(%{kind: :const, argument: value}, _root), do: [const: Type.to_json(value)]
  defp kind(%{kind: :array, argument: item}, root), do: [type: "array", items: schema(item, root)]

  defp kind(%{kind: :union, argument: types}, root),
    do: [anyOf: Enum.map(types, &schema(&1, root))]

  defp kind(%{kind: :object, argument: fields}, root), do: fields(fields, root)
  defp kind(%{kind: :module, argument: root}, root), do: ["$ref": "#"]

  defp kind(%{kind: :module, argument: module}, _root),
    do: ["$ref": "#/$defs/" <> inspect(module)]

  defp kind(%{kind: simple}, _root), do: [type: Atom.to_string(simple)]

  defp fields(fields, root) do
    [
      type: "object",
      properties: object(Enum.map(fields, &{&1.key, schema(&1.type, root)})),
      required: for(%{required: true, key: key} <- fields, do: key),
      additionalProperties: false
    ]
  end

  defp rules(%{rules: rules}), do: Enum.map(rules, fn {rule, value} -> {keyword(rule), value} end)

  defp keyword(:min_length), do: :minLength
  defp keyword(:max_length), do: :maxLength
  defp keyword(:pattern), do: :pattern
  defp keyword(:min), do: :minimum
  defp keyword(:max), do: :maximum
  defp keyword(:greater_than), do: :exclusiveMinimum
  defp keyword(:less_than), do: :exclusiveMaximum
  defp keyword(:min_items), do: :minItems
  defp keyword(:max_items), do: :maxItems

  defp or_null([]), do: []
  defp or_null([{:type, "null"} | _] = members), do: members
  defp or_null([{:type, type} | rest]), do: [{:type, [type, "null"]} | rest]
  defp or_null([{:enum, values}]), do: [enum: Enum.uniq(values ++ [nil])]
  defp or_null(members), do: [anyOf: [object(members), object(type: "null")]]

  defp described(members, nil), do: members
  defp described(members, description), do: members ++ [description: description]
end
