defmodule Espalier.Schema.Explain do
  @moduledoc false
  # Which rules a schema has, and who keeps each: the keywords of its JSON Schema, and the functions that are
  # asked for more.
  #
  # What a reference leads to is told where it is met first. Which keywords state nothing the engine knows.

  alias Espalier.Constraint
  alias Espalier.Explanation
  alias Espalier.JSON.Object
  alias Espalier.JSON.Pointer
  alias Espalier.Profile
  alias Espalier.Schema.Definition
  alias Espalier.Schema.Form
  alias Espalier.Schema.Type
  alias Espalier.Vocabulary

  @annotations ~w($schema $id id $anchor $dynamicAnchor $recursiveAnchor $vocabulary $comment $defs definitions
                  title description default example examples deprecated readOnly writeOnly contentEncoding
                  contentMediaType contentSchema)

  # What a validator may do all the same.
  @beyond_the_engine [:unsupported_keyword, :unsupported_regex, :limit_exceeded]

  @doc """
  The rules of a form, given whether tokens keep those of its JSON Schema, or else a validator, and the profile of
  the provider if there is one.
  """
  @spec explain(Form.t(), boolean, Profile.t() | nil) ::
          {:ok, [Explanation.t()]} | {:error, Exception.t()}
  def explain(%Form{} = form, exact?, profile) do
    by = if exact?, do: :tokens, else: :validation

    with {:ok, unknown} <- unknown(form, exact?),
         {:ok, providers} <- providers(form, profile),
         do: rules(form, &Map.get(providers, &1, by), unknown)
  end

  # Who keeps a keyword, by its place, as far as a provider is told of it.
  defp providers(_form, nil), do: {:ok, %{}}
  defp providers(%Form{kind: kind}, _profile) when kind in [:constraint, :grammar], do: {:ok, %{}}

  defp providers(form, profile) do
    with {:ok, schema} <- Form.to_json_schema(form),
         {:ok, adapted} <- Profile.adapt(profile, schema) do
      {:ok,
       adapted.decisions
       |> Enum.group_by(& &1.pointer)
       |> Map.new(fn {pointer, decisions} -> {pointer, provider(decisions)} end)}
    end
  end

  defp provider(decisions) do
    wider = Enum.filter(decisions, &(&1.effect == :wider))

    cond do
      wider == [] -> :provider
      Enum.any?(wider, &(&1.decision == :described)) -> :description
      true -> :validation
    end
  end

  defp unknown(form, exact?) do
    case Form.to_constraint(form, vocabulary: Vocabulary.bytes()) do
      {:ok, constraint} -> {:ok, Constraint.unknown_keywords(constraint)}
      {:error, %{kind: kind}} when not exact? and kind in @beyond_the_engine -> {:ok, []}
      {:error, _error} = error -> error
    end
  end

  defp rules(%Form{kind: :constraint, content: constraint}, by, _unknown),
    do: {:ok, [rule([], "constraint", constraint, by.(""))]}

  defp rules(%Form{kind: :sequence, content: %{parts: parts}}, by, _unknown),
    do: {:ok, [rule([], "sequence", parts, by.(""))]}

  defp rules(%Form{kind: :regex, content: source}, by, _unknown),
    do: {:ok, [rule([], "pattern", source, by.("/pattern"))]}

  defp rules(%Form{kind: :grammar, content: {text, _syntax, _start}}, by, _unknown),
    do: {:ok, [rule([], "grammar", text, by.(""))]}

  defp rules(form, by, unknown) do
    with {:ok, schema} <- Form.to_json_schema(form) do
      context = %{root: schema, by: by, unknown: MapSet.new(unknown)}
      {rules, _seen} = walk(schema, {[], ""}, context, [""])
      {:ok, rules ++ functions(form)}
    end
  end

  # A place is where the values are and where their schema is.
  defp walk(%Object{members: members}, {path, pointer}, context, seen) do
    Enum.flat_map_reduce(members, seen, fn {keyword, value}, seen ->
      pointer = Pointer.child(pointer, keyword)

      cond do
        pointer in context.unknown -> {[rule(path, keyword, value, :nothing)], seen}
        keyword in @annotations -> {[], seen}
        true -> keyword(keyword, value, {path, pointer}, context, seen)
      end
    end)
  end

  defp walk(true, _place, _context, seen), do: {[], seen}

  defp walk(value, {path, pointer}, context, seen),
    do: {[rule(path, "false", value, context.by.(pointer))], seen}

  defp keyword("properties", %Object{members: members}, place, context, seen),
    do: each(members, & &1, place, context, seen)

  defp keyword("patternProperties", %Object{members: members} = value, place, context, seen) do
    {rules, seen} = each(members, fn _pattern -> :* end, place, context, seen)
    {[told("patternProperties", value, place, context) | rules], seen}
  end

  defp keyword(keyword, %Object{} = schema, {path, pointer}, context, seen)
       when keyword in ["additionalProperties", "items"],
       do: walk(schema, {path ++ [:*], pointer}, context, seen)

  defp keyword(keyword, items, place, context, seen)
       when keyword in ["prefixItems", "items"] and is_list(items),
       do: items |> indexed() |> each(& &1, place, context, seen)

  defp keyword("allOf", schemas, place, context, seen),
    do: branches(schemas, place, context, seen)

  defp keyword(keyword, schemas, place, context, seen) when keyword in ["anyOf", "oneOf"] do
    {rules, seen} = branches(schemas, place, context, seen)
    {[told(keyword, schemas, place, context) | rules], seen}
  end

  defp keyword("$ref", "#" <> fragment = reference, {path, _} = place, context, seen) do
    pointer = URI.decode(fragment)
    target = at(context.root, pointer)

    cond do
      pointer in seen -> {[], seen}
      target == nil -> {[told("$ref", reference, place, context)], seen}
      true -> walk(target, {path, pointer}, context, [pointer | seen])
    end
  end

  defp keyword(keyword, value, place, context, seen),
    do: {[told(keyword, value, place, context)], seen}

  defp each(members, step, {path, pointer}, context, seen) do
    Enum.flat_map_reduce(members, seen, fn {key, schema}, seen ->
      walk(schema, {path ++ [step.(key)], Pointer.child(pointer, key)}, context, seen)
    end)
  end

  defp branches(schemas, {path, pointer}, context, seen) do
    Enum.flat_map_reduce(indexed(schemas), seen, fn {index, schema}, seen ->
      walk(schema, {path, Pointer.child(pointer, index)}, context, seen)
    end)
  end

  defp indexed(list), do: Enum.with_index(list, &{&2, &1})

  # What a JSON Pointer leads to.
  defp at(root, pointer), do: pointer |> Pointer.tokens() |> Enum.reduce(root, &member(&2, &1))

  defp member(%Object{members: members}, key),
    do: members |> List.keyfind(key, 0, {key, nil}) |> elem(1)

  defp member(items, key) when is_list(items) do
    case Integer.parse(key) do
      {index, ""} -> Enum.at(items, index)
      _no_index -> nil
    end
  end

  defp member(_value, _key), do: nil

  defp told(keyword, value, {path, pointer}, context),
    do: rule(path, keyword, value, context.by.(pointer))

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
    for told <- Espalier.Ecto.rules(schema), told.by != :tokens do
      by = if told.by == :after, do: :function, else: :unseen
      rule(path ++ Enum.map(told.path, &Atom.to_string/1), "changeset", told.text, by)
    end
  end

  defp rule(path, keyword, value, by),
    do: %Explanation{path: path, keyword: keyword, value: value, by: by}
end
