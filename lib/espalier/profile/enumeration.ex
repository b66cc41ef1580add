defmodule Espalier.Profile.Enumeration do
  @moduledoc false
  # Writes a list of values. Those that the keywords beside it refuse are not in it, so these need not be written.

  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.Profile.Account
  alias Espalier.Profile.Adapter
  alias Espalier.Profile.Keywords
  alias Espalier.Profile.Merge
  alias Espalier.Profile.Node
  alias Espalier.Profile.Patterns

  @plain ~w(type minLength maxLength pattern format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf)

  @spec write(Node.t(), [String.t()] | nil, map, Account.t()) :: {Object.t() | false, Account.t()}
  def write(node, types, context, account) do
    [{{:json, values}, origins} | _] = Node.get(node, "enum")
    {values, node, account} = chosen(values, node, types, context, account)
    {allowed, others} = Enum.split_with(values, &allowed?(&1, context))
    others = if allowed == [], do: others, else: Enum.reject(others, &container?/1)

    {schemas, {effect, account}} =
      Enum.flat_map_reduce(groups(others), {:same, account}, &group(&1, &2, node, context))

    schemas = listed(allowed, context) ++ schemas
    effect = if length(allowed) + length(others) < length(values), do: least(effect), else: effect
    account = told(account, origins, schemas, effect)
    {node, account} = beside(Node.drop(node, ["enum" | @plain]), account)

    {node, account} =
      if effect == :wider,
        do: Adapter.describe(node, {"enum", nil, origins}, account),
        else: {node, account}

    {notes, account} = Adapter.notes(node.members, context, account)
    {schemas |> Adapter.any_of(context) |> Adapter.with_notes(notes), account}
  end

  # The values that what is beside them admits.
  defp chosen(values, node, types, context, account) do
    beside =
      for {keyword, {:json, value}, _} <- node.members, keyword in @plain, do: {keyword, value}

    values = Enum.uniq(values)

    values =
      if Enum.all?(beside, &match?({"type", _}, &1)),
        do: Enum.filter(values, &of_types?(&1, types)),
        else: valid(values, beside, context)

    origins =
      for {keyword, _, origins} <- node.members, keyword in @plain, origin <- origins, do: origin

    account = Account.tell(account, origins, :rewritten, :same, "the values satisfy it")
    {values, node, account}
  end

  defp of_types?(_value, nil), do: true

  defp of_types?(value, types) do
    type = Merge.type(value)

    type in types or (type == "integer" and "number" in types) or
      (is_struct(value, JSON.Number) and "integer" in types)
  end

  defp valid(values, beside, context) do
    schema = %Object{members: [{"allOf", Enum.map(beside, &%Object{members: [&1]})}]}
    Patterns.valid(values, schema, Keyword.take(context.options, [:format]))
  end

  defp allowed?(_value, %{rules: %{enum_values: :any}}), do: true

  defp allowed?(value, %{rules: %{enum_values: types}}) do
    type = Merge.type(value)
    type in types or (type == "integer" and "number" in types)
  end

  defp container?(value), do: Merge.type(value) in ["array", "object"]

  defp groups(values), do: values |> Enum.group_by(&kind/1) |> Enum.to_list()

  defp kind(value) do
    if container?(value),
      do: value,
      else: value |> Merge.type() |> String.replace("integer", "number")
  end

  # Values that can't be listed, by type.
  defp group({"null", _values}, acc, _node, _context), do: {[typed("null")], acc}
  defp group({"boolean", [_, _]}, acc, _node, _context), do: {[typed("boolean")], acc}

  defp group({"boolean", _values}, {_effect, account}, _node, _context),
    do: {[typed("boolean")], {:wider, account}}

  defp group({"number", values}, {_effect, account}, _node, _context) do
    type = if Enum.all?(values, &is_integer/1), do: "integer", else: "number"
    {[typed(type)], {:wider, account}}
  end

  defp group({"string", _values}, {_effect, account}, _node, _context),
    do: {[typed("string")], {:wider, account}}

  defp group({value, _values}, {effect, account}, node, context) do
    {schema, account} = value |> Node.literal(node.at) |> Adapter.write(context, account)
    {[schema], {if(scalar_members?(value), do: effect, else: :wider), account}}
  end

  # Values within are exact where they are in objects only.
  defp scalar_members?(%Object{members: members}),
    do: Enum.all?(members, fn {_key, value} -> scalar_members?(value) end)

  defp scalar_members?(value) when is_list(value), do: false
  defp scalar_members?(value), do: is_binary(value) or is_nil(value)

  defp least(:wider), do: :wider
  defp least(_effect), do: :narrower

  defp typed(type), do: %Object{members: [{"type", type}]}

  defp listed([], _context), do: []

  defp listed(values, context) do
    types = values |> Enum.map(&Merge.type/1) |> Enum.uniq()
    types = if "number" in types, do: types -- ["integer"], else: types
    types = if context.rules.typed, do: types, else: nil

    if types != nil and context.rules.types == :one and length(types) > 1,
      do:
        Enum.map(
          types,
          &list(Enum.filter(values, fn value -> of_types?(value, [&1]) end), [&1], context)
        ),
      else: [list(values, types, context)]
  end

  defp list(values, types, context) do
    single? = length(values) == 1 and "const" in context.rules.takes
    values = if single?, do: {"const", hd(values)}, else: {"enum", values}
    %Object{members: Keywords.type_members(types, context) ++ [values]}
  end

  defp told(account, _origins, _schemas, :wider), do: account

  defp told(account, origins, schemas, effect) do
    kept? =
      match?([%Object{}], schemas) and
        Enum.all?(origins, &({&1.keyword, &1.value} in hd(schemas).members))

    Account.tell(
      account,
      origins,
      if(kept?, do: :kept, else: :rewritten),
      effect,
      "as a list of values"
    )
  end

  defp beside(node, account) do
    {conditions, others} = Enum.split_with(node.members, &Node.assertion?/1)

    Enum.reduce(conditions, {%{node | members: others}, account}, fn member, {node, account} ->
      Adapter.describe(node, member, account)
    end)
  end
end
