defmodule Espalier.Profile.Arrays do
  @moduledoc false
  # Writes the keywords of arrays.

  alias Espalier.Profile.Account
  alias Espalier.Profile.Adapter
  alias Espalier.Profile.Keywords
  alias Espalier.Profile.Node

  @counts ~w(minItems maxItems)

  @spec write(Node.t(), [String.t()] | nil, map, Account.t()) :: {list, Node.t(), Account.t()}
  def write(node, types, context, account) do
    if types == nil or "array" in types do
      prefix =
        for {{:schemas, nodes}, origins} <- Node.get(node, "prefixItems"), do: {nodes, origins}

      items = for {{:schema, items}, origins} <- Node.get(node, "items"), do: {items, origins}
      node = Node.drop(node, ["prefixItems", "items"])
      {members, node, account} = items(prefix, items, node, types, context, account)
      {counts, node, account} = Keywords.plain(node, @counts, types, context, account)
      {members ++ counts, node, account}
    else
      {[], node, account}
    end
  end

  defp items([], [], node, types, context, account), do: any(node, types, context, account)

  defp items([], [{items, origins}], node, types, context, account) do
    case Adapter.write(items, context, account) do
      {false, account} ->
        no_more(0, origins, node, types, context, account)

      {schema, account} ->
        {[{"items", schema}], node, Account.tell(account, origins, :kept, :same, "as items")}
    end
  end

  defp items([{prefix, origins}], rest, node, types, context, account) do
    {schemas, account} = Enum.map_reduce(prefix, account, &Adapter.write(&1, context, &2))

    if "prefixItems" in context.rules.takes and false not in schemas do
      account = Account.tell(account, origins, :kept, :same, "as prefixItems")
      {members, node, account} = behind(rest, length(prefix), node, types, context, account)
      {[{"prefixItems", schemas} | members], node, account}
    else
      mixed({schemas, origins}, rest, node, types, context, account)
    end
  end

  defp behind([], _count, node, types, context, account), do: any(node, types, context, account)

  defp behind([{items, origins}], count, node, types, context, account) do
    case Adapter.write(items, context, account) do
      {false, account} ->
        no_more(count, origins, node, types, context, account)

      {schema, account} ->
        {[{"items", schema}], node, Account.tell(account, origins, :kept, :same, "as items")}
    end
  end

  # Any item may be any of the items.
  defp mixed({schemas, origins}, rest, node, types, context, account) do
    {more, node, account} = behind(rest, length(schemas), node, types, context, account)
    more? = rest == [] or match?([{%Node{}, _origins}], rest)
    rest_schemas = if more?, do: for({"items", schema} <- more, do: schema), else: []
    distinct = Enum.uniq(Enum.reject(schemas, &(&1 == false)) ++ rest_schemas)

    {node, account} =
      if length(distinct) == 1 and false not in schemas,
        do: {node, Account.tell(account, origins, :rewritten, :same, "all items are alike")},
        else: Adapter.describe(node, {"prefixItems", nil, origins}, account)

    # Without a schema for the others they may be anything.
    members =
      if rest == [] and more == [],
        do: [],
        else:
          for(
            schema <- List.wrap(Adapter.any_of(distinct, context)),
            schema,
            do: {"items", schema}
          )

    {members, node, account}
  end

  # Items of which nothing is said are scalars: any others would have items in turn.
  defp any(node, _types, %{rules: %{typed: true}} = context, account) do
    members = [{"type", {:json, ~w(string number boolean null)}, []}]

    {schema, account} =
      Adapter.write(%Node{at: node.at <> "/items", members: members}, context, account)

    {[{"items", schema}], node, account}
  end

  defp any(node, _types, _context, account), do: {[], node, account}

  # There are so many items at most.
  defp no_more(count, origins, node, types, context, account) do
    {members, node, account} = any(node, types, context, account)

    {node, account} =
      if Keywords.taken?("maxItems", count, types, context),
        do: {at_most(node, count, origins), account},
        else: Keywords.say(node, origins, Keywords.words("maxItems", count), account)

    {members, node, account}
  end

  defp at_most(node, count, origins) do
    case Node.get(node, "maxItems") do
      [{{:json, stated}, more} | _] ->
        node
        |> Node.drop(["maxItems"])
        |> Node.put("maxItems", {:json, min(stated, count)}, more ++ origins)

      [] ->
        Node.put(node, "maxItems", {:json, count}, origins)
    end
  end
end
