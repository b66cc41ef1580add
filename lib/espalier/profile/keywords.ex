defmodule Espalier.Profile.Keywords do
  @moduledoc false
  # Writes the keywords of one place, where there is neither a reference nor a choice.

  alias Espalier.JSON.Object
  alias Espalier.Profile.Account
  alias Espalier.Profile.Adapter
  alias Espalier.Profile.Arrays
  alias Espalier.Profile.Enumeration
  alias Espalier.Profile.Node
  alias Espalier.Profile.Objects
  alias Espalier.Profile.Patterns
  alias Espalier.Profile.Words

  @bounds ~w(minimum maximum exclusiveMinimum exclusiveMaximum)
  @of_types %{
    "object" =>
      ~w(properties patternProperties additionalProperties propertyNames required minProperties maxProperties
         dependentRequired dependentSchemas dependencies unevaluatedProperties),
    "array" =>
      ~w(items prefixItems unevaluatedItems contains minContains maxContains minItems maxItems uniqueItems),
    "string" => ~w(minLength maxLength pattern format),
    "number" => @bounds ++ ~w(multipleOf)
  }
  @scalars ~w(string number boolean null)
  @all @scalars ++ ~w(array object)

  @spec write(Node.t(), map, Account.t()) :: {Object.t() | false, Account.t()}
  def write(node, context, account) do
    {types, node, account} = types(node, context, account)

    cond do
      Node.get(node, "enum") != [] -> Enumeration.write(node, types, context, account)
      split?(types, context) -> split(types, node, context, account)
      true -> typed(types, node, context, account)
    end
  end

  # Types

  defp types(node, context, account) do
    case Node.get(node, "type") do
      [] -> {inferred(node, context), node, account}
      [{{:json, types}, _origins}] -> {simple(types), node, account}
    end
  end

  # An integer is a number.
  defp simple(types) do
    if "integer" in types and "number" in types, do: types -- ["integer"], else: types
  end

  defp inferred(node, %{rules: %{typed: true}} = context) do
    with [] <- Node.get(node, "enum"),
         [] <- for({type, keywords} <- @of_types, has?(node, keywords), do: type) do
      if context.rules.closed == true, do: @scalars, else: @all
    else
      [type | _] = types when is_binary(type) -> types
      _enum -> nil
    end
  end

  defp inferred(_node, _context), do: nil

  defp has?(node, keywords), do: Enum.any?(node.members, &(elem(&1, 0) in keywords))

  defp split?(nil, _context), do: false
  defp split?(types, context), do: context.rules.types == :one and length(types -- ["null"]) > 1

  # Where a schema has one type, several are a choice.
  defp split(types, node, context, account) do
    {hints, conditions} = Enum.split_with(node.members, &Node.annotation?(elem(&1, 0)))
    origins = for {_value, origins} <- Node.get(node, "type"), origin <- origins, do: origin
    node = Node.drop(%{node | members: conditions}, ["type"])

    {schemas, account} =
      Enum.map_reduce(
        types,
        account,
        &typed([&1], Node.put(node, "type", {:json, [&1]}, origins), context, &2)
      )

    {notes, account} = Adapter.notes(hints, context, account)
    schema = schemas |> Enum.reject(&(&1 == false)) |> Adapter.any_of(context)
    {Adapter.with_notes(schema, notes), account}
  end

  # The keywords

  defp typed(types, node, context, account) do
    {node, account} = irrelevant(node, types, account)

    with {:ok, of_objects, node, account} <- Objects.write(node, types, context, account),
         {of_arrays, node, account} = Arrays.write(node, types, context, account),
         {of_scalars, node, account} = scalars(node, types, context, account) do
      {node, account} = rest(node, account)
      {of_type, account} = type(node, types, context, account)
      {notes, account} = Adapter.notes(node.members, context, account)
      {%Object{members: of_type ++ of_scalars ++ of_arrays ++ of_objects ++ notes}, account}
    else
      {false, account} -> without_objects(types, node, context, account)
    end
  end

  defp without_objects(types, node, context, account) do
    case List.wrap(types) -- ["object"] do
      [] -> {false, account}
      types -> typed(types, node, context, account)
    end
  end

  defp type(node, types, context, account) do
    origins = for {_value, origins} <- Node.get(node, "type"), origin <- origins, do: origin

    {type_members(types, context), told_type(account, types, node, origins)}
  end

  @doc "The members that state types."
  def type_members(nil, _context), do: []
  def type_members([type], _context), do: [{"type", type}]
  def type_members(types, %{rules: %{types: :many}}), do: [{"type", types}]

  def type_members(types, _context) do
    [type] = types -- ["null"]
    [{"type", type}, {"nullable", true}]
  end

  defp told_type(account, nil, _node, _origins), do: account

  defp told_type(account, types, node, []) do
    effect = if Enum.sort(types) == Enum.sort(@all), do: :same, else: :narrower
    added = [%{pointer: node.at, keyword: "type", value: types}]
    Account.tell(account, added, :added, effect, "each schema has a type")
  end

  defp told_type(account, types, _node, origins) do
    kept? = match?([%{keyword: "type"}], origins) and List.wrap(hd(origins).value) == types

    Account.tell(
      account,
      origins,
      if(kept?, do: :kept, else: :rewritten),
      :same,
      "it is #{Enum.join(types, " or ")}"
    )
  end

  defp irrelevant(node, nil, account), do: {node, account}

  defp irrelevant(node, types, account) do
    groups = Enum.map(types, &if(&1 == "integer", do: "number", else: &1))

    keywords =
      for {type, keywords} <- @of_types, type not in groups, keyword <- keywords, do: keyword

    {dropped, kept} = Enum.split_with(node.members, &(elem(&1, 0) in keywords))

    account =
      Account.tell(
        account,
        Node.origins(dropped),
        :removed,
        :same,
        "it states nothing of these types"
      )

    {%{node | members: kept}, account}
  end

  @doc "Writes the keywords that have a plain value, and puts those into words that the provider does not enforce."
  def scalars(node, types, context, account) do
    keywords = @of_types["string"] ++ @of_types["number"]
    plain(node, keywords, types, context, account)
  end

  @doc "The same for some keywords."
  def plain(node, keywords, types, context, account) do
    {members, others} = Enum.split_with(node.members, &(elem(&1, 0) in keywords))
    members = Enum.map(members, &apart(&1, members, types, context))

    Enum.reduce(members, {[], %{node | members: others}, account}, fn {member, enforced?},
                                                                      {written, node, account} ->
      {keyword, {:json, value}, origins} = member

      if enforced? and not List.keymember?(written, keyword, 0) do
        {written ++ [{keyword, value}], node, kept(account, keyword, value, origins)}
      else
        {node, account} = Adapter.describe(node, member, account)
        {written, node, account}
      end
    end)
  end

  defp kept(account, keyword, value, origins) do
    Enum.reduce(origins, account, fn origin, account ->
      decision =
        if origin.keyword == keyword and origin.value == value, do: :kept, else: :rewritten

      Account.tell(account, [origin], decision, :same, "as #{keyword}")
    end)
  end

  # Of the groups of keywords that exclude each other the first one counts.
  defp apart({keyword, {:json, value}, _origins} = member, members, types, context) do
    present =
      for {other, {:json, value}, _} <- members, taken?(other, value, types, context), do: other

    group = Enum.find(context.rules.apart, fn group -> Enum.any?(group, &(&1 in present)) end)

    excluded? =
      group != nil and keyword not in group and keyword in List.flatten(context.rules.apart)

    {member, not excluded? and taken?(keyword, value, types, context)}
  end

  @doc "Whether the provider enforces a keyword with this value."
  def taken?(keyword, value, types, %{rules: rules}) do
    keyword in rules.takes and
      Enum.all?(rules.values, fn {of, values} -> of != keyword or value in values end) and
      (keyword != "pattern" or Patterns.taken?(value, rules.patterns)) and
      (keyword not in @bounds or not rules.integer_bounds or
         List.wrap(types) -- ["null"] == ["integer"])
  end

  # What no part has written.
  defp rest(node, account) do
    {left, others} =
      Enum.split_with(node.members, fn {keyword, _value, _origins} = member ->
        keyword != "type" and Node.assertion?(member)
      end)

    Enum.reduce(left, {%{node | members: others}, account}, fn member, {node, account} ->
      Adapter.describe(node, member, account)
    end)
  end

  @doc "Puts something into words of its own."
  def say(node, origins, text, account) do
    account = Account.tell(account, origins, :described, :wider, "it is in the description")
    {Node.put(node, "description", {:words, text}, []), account}
  end

  @doc "The words of a keyword."
  defdelegate words(keyword, value), to: Words, as: :say
end
