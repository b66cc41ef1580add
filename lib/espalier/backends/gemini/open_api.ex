defmodule Espalier.Backends.Gemini.OpenAPI do
  @moduledoc false
  # A JSON Schema as Gemini's `Schema`, a subset of OpenAPI 3.0 that has no references, no constants and no list of
  # types, and where an unknown keyword makes the whole request invalid.
  #
  # What it has no word for is left out, so it admits at least the values of the JSON Schema, of which the text is
  # checked afterwards. What leaves nothing to say is an error: recursion, objects with any keys, values of any type.
  #
  # https://github.com/googleapis/python-genai, `Schema` in google/genai/types.py, August 2026

  alias Espalier.JSON.Object
  alias Espalier.SchemaError

  @kept ~w(title description nullable minimum maximum minItems maxItems minLength maxLength minProperties
           maxProperties pattern)
  @notes ~w(title description)

  # References are expanded, and may double with each.
  @most_schemas 10_000

  @hints [
    {"object", ~w(properties required additionalProperties)},
    {"array", ~w(items prefixItems minItems maxItems uniqueItems)},
    {"string", ~w(minLength maxLength pattern format)},
    {"number", ~w(minimum maximum exclusiveMinimum exclusiveMaximum multipleOf)}
  ]

  @doc "The schema of OpenAPI for a JSON Schema whose objects are ordered."
  @spec schema(term) :: {:ok, map} | {:error, SchemaError.t()}
  def schema(schema) do
    place = %{root: schema, pointer: "", within: [], count: :counters.new(1, [])}
    {:ok, translate(schema, place)}
  catch
    {__MODULE__, %SchemaError{} = error} -> {:error, error}
  end

  defp translate(%Object{members: members}, place) do
    :counters.add(place.count, 1, 1)

    if :counters.get(place.count, 1) > @most_schemas,
      do: fail!("$ref", "more than #{@most_schemas} schemas when references are expanded", place)

    {schema, place} = members |> Map.new() |> flat(place)
    expand(schema, place)
  end

  defp translate(_boolean, place), do: fail!(nil, "a schema without a type", place)

  # References and `allOf` are put together first.
  defp flat(%{"$ref" => reference} = schema, place) do
    {target, place} = resolve(reference, place)
    target |> merge(Map.delete(schema, "$ref")) |> flat(place)
  end

  defp flat(%{"allOf" => parts} = schema, place) do
    {schema, within} =
      for %Object{members: members} <- parts,
          reduce: {Map.delete(schema, "allOf"), place.within} do
        {schema, within} ->
          {part, inner} = members |> Map.new() |> flat(place)
          {merge(schema, part), inner.within ++ within}
      end

    flat(schema, %{place | within: within})
  end

  defp flat(schema, place), do: {schema, place}

  # One kind of keyword after the other is made of others, until there is one type.
  defp expand(%{"oneOf" => parts} = schema, place) when not is_map_key(schema, "anyOf"),
    do: schema |> Map.delete("oneOf") |> Map.put("anyOf", parts) |> expand(place)

  defp expand(%{"anyOf" => parts} = schema, place) do
    {nulls, others} = parts |> Enum.reject(&(&1 == false)) |> Enum.split_with(&null?/1)
    {notes, rest} = schema |> Map.delete("anyOf") |> Map.split(@notes)
    rest = Map.delete(rest, "nullable")
    nullable = nulls != [] or schema["nullable"] == true

    translated =
      for {part, index} <- Enum.with_index(others) do
        part |> with_members(rest) |> translate(below(place, ["anyOf", Integer.to_string(index)]))
      end

    case translated do
      [] -> %{"type" => "NULL"}
      [only] -> only |> Map.merge(notes) |> nullable(nullable)
      several -> notes |> Map.put("anyOf", several) |> nullable(nullable)
    end
  end

  defp expand(%{"const" => value} = schema, place),
    do: schema |> Map.delete("const") |> Map.put("enum", [value]) |> expand(place)

  defp expand(%{"enum" => values} = schema, place) do
    case values |> Enum.group_by(&type_of/1) |> Map.to_list() do
      [{"string", texts}] ->
        schema |> emit("string", place) |> Map.merge(%{"format" => "enum", "enum" => texts})

      [{type, _values}] ->
        emit(schema, type, place)

      groups ->
        parts = for {_type, values} <- groups, do: %Object{members: [{"enum", values}]}
        schema |> Map.drop(["enum", "type"]) |> Map.put("anyOf", parts) |> expand(place)
    end
  end

  defp expand(%{"type" => [type]} = schema, place), do: expand(%{schema | "type" => type}, place)

  defp expand(%{"type" => types} = schema, place) when is_list(types) do
    parts = for type <- types, do: %Object{members: [{"type", type}]}
    schema |> Map.delete("type") |> Map.put("anyOf", parts) |> expand(place)
  end

  defp expand(%{"type" => type} = schema, place), do: emit(schema, type, place)

  defp expand(schema, place) do
    case Enum.find(@hints, fn {_type, keywords} -> Enum.any?(keywords, &schema[&1]) end) do
      {type, _keywords} -> emit(schema, type, place)
      nil -> fail!(nil, "a schema without a type", place)
    end
  end

  defp emit(schema, type, place) do
    schema
    |> Map.take(@kept)
    |> Map.put("type", String.upcase(type))
    |> Map.merge(of_type(type, schema, place))
  end

  defp of_type(
         "object",
         %{"properties" => %Object{members: [_ | _] = properties}} = schema,
         place
       ) do
    keys = for {key, _property} <- properties, do: key

    translated =
      for {key, property} <- properties,
          do: {key, translate(property, below(place, ["properties", key]))}

    # The keyword is not one of OpenAPI, and the order is part of the prompt.
    %{
      "properties" => %Object{members: translated},
      "propertyOrdering" => keys,
      "required" => Enum.filter(schema["required"] || [], &(&1 in keys))
    }
  end

  defp of_type("object", _schema, place),
    do: fail!("properties", "an object without named properties", place)

  defp of_type("array", %{"prefixItems" => [_ | _] = items} = schema, place) do
    rest = if is_struct(schema["items"], Object), do: [schema["items"]], else: []
    item = %Object{members: [{"anyOf", Enum.uniq(items ++ rest)}]}
    most = if schema["items"] == false, do: %{"maxItems" => length(items)}, else: %{}
    Map.put(most, "items", translate(item, below(place, ["prefixItems"])))
  end

  defp of_type("array", schema, place),
    do: %{"items" => translate(schema["items"], below(place, ["items"]))}

  # Of the formats of texts it knows two.
  defp of_type("string", %{"format" => "date-time"}, _place), do: %{"format" => "date-time"}
  defp of_type(_type, _schema, _place), do: %{}

  # Both hold. Where both say something the first does, but objects have the properties of both.
  defp merge(schema, other) do
    Map.merge(schema, other, fn
      "properties", %Object{members: some}, %Object{members: more} ->
        %Object{members: Enum.uniq_by(some ++ more, &elem(&1, 0))}

      "required", some, more ->
        Enum.uniq(some ++ more)

      keyword, _text, text when keyword in @notes ->
        text

      _keyword, value, _other ->
        value
    end)
  end

  defp with_members(%Object{members: members}, more),
    do: %Object{members: members |> Map.new() |> merge(more) |> Map.to_list()}

  defp with_members(true, more), do: %Object{members: Map.to_list(more)}
  defp with_members(boolean, _more), do: boolean

  defp nullable(schema, false), do: schema
  defp nullable(schema, true), do: Map.put(schema, "nullable", true)

  defp null?(%Object{members: members}),
    do: Enum.any?(members, &(&1 in [{"type", "null"}, {"const", nil}, {"enum", [nil]}]))

  defp null?(_other), do: false

  defp type_of(nil), do: "null"
  defp type_of(value) when is_binary(value), do: "string"
  defp type_of(value) when is_boolean(value), do: "boolean"
  defp type_of(value) when is_integer(value), do: "integer"
  defp type_of(value) when is_list(value), do: "array"
  defp type_of(%Object{}), do: "object"
  defp type_of(_number), do: "number"

  defp resolve("#" <> pointer = reference, place) do
    if reference in place.within, do: fail!("$ref", "recursion", place)
    keys = pointer |> URI.decode() |> String.split("/") |> tl() |> Enum.map(&unescape/1)

    case Enum.reduce(keys, place.root, &member/2) do
      %Object{members: members} ->
        {Map.new(members), %{place | pointer: pointer, within: [reference | place.within]}}

      _other ->
        fail!("$ref", "a reference to #{inspect(reference)}", place)
    end
  end

  defp resolve(reference, place),
    do: fail!("$ref", "a reference to #{inspect(reference)}", place)

  defp unescape(key), do: key |> String.replace("~1", "/") |> String.replace("~0", "~")

  defp member(key, %Object{members: members}) do
    with {_key, value} <- List.keyfind(members, key, 0), do: value
  end

  defp member(index, list) when is_list(list) do
    with {index, ""} <- Integer.parse(index), do: Enum.at(list, index)
  end

  defp member(_key, _other), do: nil

  defp below(place, keys) do
    escaped = Enum.map_join(keys, &("/" <> escape(&1)))
    %{place | pointer: place.pointer <> escaped}
  end

  defp escape(key), do: key |> String.replace("~", "~0") |> String.replace("/", "~1")

  defp fail!(keyword, what, %{pointer: pointer}) do
    detail = "Gemini's mode :schema can't say it"

    throw(
      {__MODULE__,
       %SchemaError{
         kind: :unsupported_keyword,
         keyword: keyword,
         pointer: pointer,
         detail: detail,
         message: "#{what} at #{inspect(pointer)}: #{detail}"
       }}
    )
  end
end
