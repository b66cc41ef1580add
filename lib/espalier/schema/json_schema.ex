defmodule Espalier.Schema.JSONSchema do
  @moduledoc false
  # A type as JSON Schema (draft 2020-12), with the fields in the order in which they were written.
  #
  # Other schema modules stand in `$defs` and are referred to, so they may refer to each other and
  # to themselves. The module at the root is `#`. Ecto schemas are reflected on the way, so there is an end to
  # how many are reached.

  alias Espalier.JSON.Object
  alias Espalier.Schema.Definition
  alias Espalier.Schema.Dump
  alias Espalier.Schema.Text
  alias Espalier.Schema.Type
  alias Espalier.SchemaError

  @text_kinds Text.kinds()
  @most_definitions 1000

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

  # What `$defs` needs: the modules that can be reached, and those that stand there with a tag. The last
  # one first.
  defp modules(types, seen), do: Enum.reduce(types, seen, &reach/2)

  defp reach(%Type{kind: :module, argument: module}, seen), do: reach_module(module, module, seen)

  defp reach(%Type{kind: :tagged} = type, seen) do
    Enum.reduce(type.argument, seen, fn
      {tag, %{kind: :module, argument: module}}, seen ->
        reach_module({module, type.rules[:discriminator], tag}, module, seen)

      {_tag, %{kind: :object} = type}, seen ->
        reach(type, seen)
    end)
  end

  defp reach(%Type{} = type, seen), do: modules(Type.children(type), seen)

  defp reach_module(definition, module, seen) do
    cond do
      definition in seen -> seen
      length(seen) == @most_definitions -> endless!(module)
      true -> modules(field_types(Definition.fetch!(module).fields), [definition | seen])
    end
  end

  defp endless!(module) do
    error!(
      "more than #{@most_definitions} schemas are reached, at last #{name(module)}: " <>
        "does the changeset function make a new one for each embed?"
    )
  end

  defp field_types(fields), do: Enum.map(fields, & &1.type)

  defp definitions(definitions, root) do
    object(Enum.map(definitions, &{name(&1), object(definition(&1, root))}))
  end

  defp name({module, key, tag}), do: "#{name(module)}.#{key}.#{tag}"

  defp name(%Espalier.Ecto{} = schema), do: Espalier.Ecto.name(schema)

  defp name(module), do: inspect(module)

  defp definition({module, key, tag}, root) do
    definition = Definition.fetch!(module)
    described(tagged(key, tag, definition.fields, root), definition.description)
  end

  defp definition(module, root) do
    definition = Definition.fetch!(module)
    described(fields(definition.fields, root), definition.description)
  end

  defp schema(type, root), do: object(members(type, root))

  defp members(%Type{nullable: true} = type, root),
    do: noted(or_null(kind(type, root) ++ rules(type)), type)

  defp members(type, root), do: noted(kind(type, root) ++ rules(type), type)

  defp noted(members, type) do
    members = described(members, type.description)
    examples = Enum.map(type.examples, &Dump.dump(type, &1))
    if examples == [], do: members, else: members ++ [examples: examples]
  end

  defp kind(%{kind: :any}, _root), do: []
  defp kind(%{kind: kind}, _root) when kind in [:float, :decimal], do: [type: "number"]
  defp kind(%{kind: kind}, _root) when kind in @text_kinds, do: Text.json_schema(kind)

  defp kind(%{kind: :enum, argument: values}, _root),
    do: [enum: Enum.map(values, &Type.to_json/1)]

  defp kind(%{kind: :const, argument: value}, _root), do: [const: Type.to_json(value)]
  defp kind(%{kind: :array, argument: item}, root), do: [type: "array", items: schema(item, root)]

  defp kind(%{kind: :tuple, argument: types}, root) do
    items = Enum.map(types, &schema(&1, root))
    [type: "array", prefixItems: items, items: false, minItems: length(items)]
  end

  defp kind(%{kind: :map, argument: type}, root),
    do: [type: "object", additionalProperties: schema(type, root)]

  defp kind(%{kind: :union, argument: types}, root),
    do: [anyOf: Enum.map(types, &schema(&1, root))]

  defp kind(%{kind: :tagged, argument: types, rules: rules}, root),
    do: [anyOf: Enum.map(types, &variant(&1, rules[:discriminator], root))]

  defp kind(%{kind: :object, argument: fields}, root), do: fields(fields, root)
  defp kind(%{kind: :module, argument: root}, root), do: ["$ref": "#"]

  defp kind(%{kind: :module, argument: module}, _root),
    do: ["$ref": "#/$defs/" <> escape(name(module))]

  defp kind(%{kind: simple}, _root), do: [type: Atom.to_string(simple)]

  defp variant({tag, %{kind: :module, argument: module}}, key, _root),
    do: object("$ref": "#/$defs/" <> escape(name({module, key, tag})))

  defp variant({tag, %{kind: :object} = type}, key, root),
    do: object(described(tagged(key, tag, type.argument, root), type.description))

  # The key that tells the types apart comes first.
  defp tagged(key, tag, fields, root) do
    if clash = Enum.find(fields, &(&1.name == key)) do
      error!(
        "the field #{inspect(clash.name)} of the type with the tag #{inspect(tag)} is the discriminator, too"
      )
    end

    key = Atom.to_string(key)
    const = object(const: Atom.to_string(tag))

    fields(fields, root)
    |> Keyword.update!(:properties, &%{&1 | members: [{key, const} | &1.members]})
    |> Keyword.update!(:required, &[key | &1])
  end

  defp fields(fields, root) do
    [
      type: "object",
      properties: object(Enum.map(fields, &{&1.key, schema(&1.type, root)})),
      required: for(%{required: true, key: key} <- fields, do: key),
      additionalProperties: false
    ]
  end

  # A keyword that is there already goes into `allOf`.
  defp rules(%{rules: rules}) do
    keywords =
      for {rule, value} <- rules, rule != :discriminator, do: {keyword(rule), json(rule, value)}

    first = Enum.uniq_by(keywords, &elem(&1, 0))

    case keywords -- first do
      [] -> first
      more -> first ++ [allOf: Enum.map(more, &object([&1]))]
    end
  end

  defp keyword(:min_length), do: :minLength
  defp keyword(:max_length), do: :maxLength
  defp keyword(:format), do: :pattern
  defp keyword(:one_of), do: :enum
  defp keyword(:none_of), do: :not
  defp keyword(:not_blank), do: :pattern
  defp keyword(:min), do: :minimum
  defp keyword(:max), do: :maximum
  defp keyword(:greater_than), do: :exclusiveMinimum
  defp keyword(:less_than), do: :exclusiveMaximum
  defp keyword(:multiple_of), do: :multipleOf
  defp keyword(:min_items), do: :minItems
  defp keyword(:max_items), do: :maxItems
  defp keyword(:unique), do: :uniqueItems
  defp keyword(:key_format), do: :propertyNames
  defp keyword(:min_keys), do: :minProperties
  defp keyword(:max_keys), do: :maxProperties

  defp json(:key_format, source), do: object(pattern: source)
  defp json(:one_of, values), do: Enum.map(values, &Dump.scalar/1)
  defp json(:none_of, values), do: object(enum: json(:one_of, values))
  defp json(:not_blank, true), do: "[^\\s\\u0085]"
  defp json(_rule, value), do: Dump.scalar(value)

  # A name in a JSON Pointer within a URI.
  defp escape(name), do: URI.encode(name, &URI.char_unreserved?/1)

  defp or_null([]), do: []
  defp or_null([{:type, "null"} | _] = members), do: members

  defp or_null([{:type, type} | rest] = members) do
    if Keyword.has_key?(rest, :enum) or Keyword.has_key?(rest, :allOf),
      do: [anyOf: [object(members), object(type: "null")]],
      else: [{:type, [type, "null"]} | rest]
  end

  defp or_null([{:enum, values}]), do: [enum: Enum.uniq(values ++ [nil])]
  defp or_null(members), do: [anyOf: [object(members), object(type: "null")]]

  defp error!(detail) do
    raise SchemaError.invalid(detail)
  end

  defp described(members, nil), do: members
  defp described(members, description), do: members ++ [description: description]
end
