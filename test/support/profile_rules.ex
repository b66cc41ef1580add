defmodule Espalier.ProfileRules do
  @moduledoc """
  What a profile demands of a schema, checked on the finished schema alone, and the keywords that a schema has.

  It shares nothing with the code that adapts schemas.
  """

  alias Espalier.JSON.Object
  alias Espalier.Profile

  @schema ~w(additionalProperties propertyNames items additionalItems unevaluatedItems unevaluatedProperties contains
             not if then else)
  @list ~w(allOf anyOf oneOf prefixItems items)
  @map ~w(properties patternProperties dependentSchemas dependencies $defs definitions)

  @doc "Each member of each schema: its pointer, its keyword and its value."
  def occurrences(schema, pointer \\ "")

  def occurrences(%Object{members: members}, pointer) do
    Enum.flat_map(members, fn {keyword, value} ->
      place = pointer <> "/" <> escape(keyword)
      [{place, keyword, value} | below(keyword, value, place)]
    end)
  end

  def occurrences(_boolean, _pointer), do: []

  defp below(keyword, value, place) do
    for {schema, step} <- subschemas(keyword, value),
        found <- occurrences(schema, place <> step),
        do: found
  end

  defp subschemas(keyword, %Object{} = value) when keyword in @schema, do: [{value, ""}]

  defp subschemas(keyword, values) when keyword in @list and is_list(values),
    do: for({value, index} <- Enum.with_index(values), do: {value, "/#{index}"})

  defp subschemas(keyword, %Object{members: members}) when keyword in @map,
    do: for({name, value} <- members, do: {value, "/" <> escape(name)})

  defp subschemas(_keyword, _value), do: []

  @doc "The rules that a schema breaks."
  def broken(%Object{} = schema, %Profile{} = profile) do
    rules = &Profile.rule(profile, &1)

    root(schema, rules) ++
      Enum.flat_map(schemas(schema), &of_schema(&1, rules)) ++
      references(schema, rules) ++ limits(schema, rules)
  end

  defp root(%Object{members: members}, rules) do
    if rules.(:root) == :object and List.keyfind(members, "type", 0) != {"type", "object"},
      do: [:root],
      else: []
  end

  defp schemas(%Object{members: members} = schema) do
    [
      schema
      | for(
          {keyword, value} <- members,
          {below, _} <- subschemas(keyword, value),
          found <- schemas(below),
          do: found
        )
    ]
  end

  defp schemas(_boolean), do: []

  defp of_schema(%Object{members: members}, rules) do
    map = Map.new(members)
    types = List.wrap(map["type"])
    known = rules.(:takes) ++ rules.(:annotations) ++ List.wrap(rules.(:order))

    [
      twice: length(members) != map_size(map),
      unknown: Map.keys(map) -- known != [],
      values:
        Enum.any?(rules.(:values), fn {keyword, values} ->
          Map.has_key?(map, keyword) and map[keyword] not in values
        end),
      enum:
        rules.(:enum_values) != :any and
          Enum.any?(map["enum"] || [], &(kind(&1) not in rules.(:enum_values))),
      types: rules.(:types) == :one and is_list(map["type"]),
      untyped:
        rules.(:typed) and types == [] and map["anyOf"] == nil and map["$ref"] == nil and
          map["enum"] == nil,
      closed:
        rules.(:closed) == true and "object" in types and map["additionalProperties"] != false,
      stated:
        rules.(:closed) == :unless_stated and "object" in types and map["enum"] == nil and
          not Map.has_key?(map, "const") and
          not Map.has_key?(map, "additionalProperties"),
      required: rules.(:all_required) and "object" in types and map["required"] != names(map),
      order: rules.(:order) != nil and names(map) != [] and map[rules.(:order)] != names(map),
      alone: map["$ref"] != nil and map_size(map) > 1 and not Map.has_key?(map, "$defs"),
      choice:
        map["anyOf"] != nil and Map.keys(map) -- ["anyOf", "title", "description", "$defs"] != [],
      apart:
        rules.(:apart) |> Enum.count(fn group -> Enum.any?(group, &Map.has_key?(map, &1)) end) > 1,
      bounds:
        rules.(:integer_bounds) and types -- ["null"] != ["integer"] and
          Enum.any?(~w(minimum maximum exclusiveMinimum exclusiveMaximum), &Map.has_key?(map, &1)),
      pattern:
        map["pattern"] != nil and rules.(:patterns) != :any and map["pattern"] =~ ~r/\(\?<?[=!]/,
      anchors:
        map["pattern"] != nil and rules.(:patterns) in [:anchored, :plain] and
          not (map["pattern"] =~ ~r/^\^.*\$$/s),
      plain:
        map["pattern"] != nil and rules.(:patterns) == :plain and
          (map["pattern"] =~ ~r/\(\?|\\[^()\[\]{}|*+?]|"/ or dot?(map["pattern"]))
    ]
    |> Enum.filter(&elem(&1, 1))
    |> Enum.map(fn {rule, true} -> {rule, map} end)
  end

  # In a class of characters a dot is one.
  defp dot?(pattern), do: String.replace(pattern, ~r/\[[^\]]*\]/, "") =~ "."

  defp kind(value) when is_binary(value), do: "string"
  defp kind(value) when is_number(value), do: "number"
  defp kind(value) when is_boolean(value), do: "boolean"
  defp kind(nil), do: "null"
  defp kind(%Espalier.JSON.Number{}), do: "number"
  defp kind(_other), do: "container"

  defp names(%{"properties" => %Object{members: members}}), do: Enum.map(members, &elem(&1, 0))
  defp names(_map), do: []

  # Each reference leads to a definition, and cycles are those that are allowed.
  defp references(%Object{members: members} = schema, rules) do
    definitions =
      case List.keyfind(members, "$defs", 0) do
        {_, %Object{members: definitions}} -> Map.new(definitions)
        nil -> %{}
      end

    edges = Map.new(definitions, fn {name, schema} -> {name, leads_to(schema)} end)

    all =
      for {name, _kind} <- leads_to(%{schema | members: List.keydelete(members, "$defs", 0)}),
          do: name

    reached = all ++ for {_name, targets} <- edges, {name, _kind} <- targets, do: name
    missing = Enum.uniq(reached) -- Map.keys(definitions)

    hard =
      Map.new(edges, fn {name, targets} -> {name, for({to, :required} <- targets, do: to)} end)

    every = Map.new(edges, fn {name, targets} -> {name, Enum.map(targets, &elem(&1, 0))} end)

    Enum.concat([
      if(missing != [], do: [{:dangling, missing}], else: []),
      if(rules.(:references) == :none and reached != [], do: [:reference], else: []),
      if(rules.(:references) == :acyclic and cyclic?(every), do: [:recursion], else: []),
      if(rules.(:references) == :optional and cyclic?(hard), do: [:required_recursion], else: [])
    ])
  end

  # The definitions that a schema refers to, and whether through required properties only.
  defp leads_to(%Object{members: members}) do
    map = Map.new(members)

    Enum.flat_map(members, fn
      {"$ref", "#/$defs/" <> name} ->
        [{URI.decode(name), :required}]

      {"$ref", other} ->
        [{other, :required}]

      {"properties", %Object{members: properties}} ->
        for {name, schema} <- properties, {to, kind} <- leads_to(schema) do
          {to, if(name in (map["required"] || []), do: kind, else: :optional)}
        end

      {keyword, value} ->
        for {schema, _step} <- subschemas(keyword, value), found <- leads_to(schema), do: found
    end)
  end

  defp leads_to(_boolean), do: []

  defp cyclic?(edges), do: Enum.any?(Map.keys(edges), &back?(edges, [&1], &1, []))

  defp back?(_edges, [], _start, _seen), do: false

  defp back?(edges, [name | names], start, seen) do
    targets = Map.get(edges, name, [])

    start in targets or
      back?(edges, names ++ (targets -- (seen ++ names)), start, targets ++ seen)
  end

  defp limits(schema, rules) do
    for {name, most} <- rules.(:limit),
        count = count(name, schema),
        count > most,
        do: {name, count}
  end

  defp count(:nesting, schema), do: nesting(schema)

  defp count(name, schema) do
    found = occurrences(schema)

    case name do
      :properties ->
        length(
          for {_, "properties", %Object{members: members}} <- found, member <- members, do: member
        )

      :enum_values ->
        length(for {_, "enum", values} <- found, value <- values, do: value)

      :unions ->
        length(
          for {_, keyword, value} <- found,
              keyword == "anyOf" or (keyword == "type" and is_list(value)),
              do: value
        )

      _other ->
        0
    end
  end

  defp nesting(%Object{members: members}) do
    own =
      if Enum.any?(members, fn {key, value} -> key == "type" and "object" in List.wrap(value) end),
        do: 1,
        else: 0

    below =
      for {keyword, value} <- members,
          {schema, _} <- subschemas(keyword, value),
          do: nesting(schema)

    own + Enum.max(below, fn -> 0 end)
  end

  defp nesting(_boolean), do: 0

  defp escape(text), do: text |> String.replace("~", "~0") |> String.replace("/", "~1")
end
