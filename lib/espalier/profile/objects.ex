defmodule Espalier.Profile.Objects do
  @moduledoc false
  # Writes the keywords of objects.
  #
  # Where all properties must be required, one that is optional may be null instead, which stands for its absence.
  # It has a mark then, `:absent`, that the adapter takes out again.

  alias Espalier.JSON.Object
  alias Espalier.JSON.Pointer
  alias Espalier.Profile.Account
  alias Espalier.Profile.Adapter
  alias Espalier.Profile.Keywords
  alias Espalier.Profile.Merge
  alias Espalier.Profile.Node
  alias Espalier.Profile.Nulls
  alias Espalier.Profile.Patterns

  @keywords ~w(properties patternProperties additionalProperties required)
  @counts ~w(minProperties maxProperties)
  # What looks at properties beside `properties`, and is not written.
  @lookers ~w(not if then else dependentSchemas)

  @spec write(Node.t(), [String.t()] | nil, map, Account.t()) ::
          {:ok, list, Node.t(), Account.t()} | {false, Account.t()}
  def write(node, types, context, account) do
    cond do
      types != nil and "object" not in types -> {:ok, [], node, account}
      types == nil and not stated?(node) -> {:ok, [], node, account}
      true -> object(node, types, context, account)
    end
  end

  defp stated?(node),
    do:
      Enum.any?(node.members, &(elem(&1, 0) in ["unevaluatedProperties" | @keywords ++ @counts]))

  defp object(node, types, context, account) do
    {node, account} = unevaluated(node, account)
    object = parts(node)

    with {:ok, properties, object, account} <- properties(object, account),
         {:ok, written, node, account} <- written(properties, object, node, context, account) do
      check_count!(node, written, object, context)
      {required, account} = required(written, node, context, account)
      account = Account.tell(account, origins(node, "properties"), :kept, :same, "as properties")
      {additional, node, account} = additional(object, node, context, account)

      {counts, node, account} =
        Keywords.plain(Node.drop(node, @keywords), @counts, types, context, account)

      {:ok,
       named(written, object, context) ++
         required ++ additional ++ order(written, context) ++ counts, node, account}
    end
  end

  defp parts(node) do
    %{
      properties:
        for({{:map, nodes}, _} <- Node.get(node, "properties"), pair <- nodes, do: pair),
      patterns:
        for({{:map, nodes}, _} <- Node.get(node, "patternProperties"), pair <- nodes, do: pair),
      required:
        for(
          {{:json, names}, _} <- Node.get(node, "required"),
          name <- names,
          uniq: true,
          do: name
        ),
      additional: additional_part(Node.get(node, "additionalProperties")),
      closed?: false
    }
  end

  defp additional_part([{{:schema, node}, _origins} | _]), do: node
  defp additional_part([]), do: :any

  # All that looked at properties is here, so what it did not look at are additional ones.
  defp unevaluated(node, account) do
    case {Node.get(node, "unevaluatedProperties"), Node.get(node, "additionalProperties")} do
      {[{value, origins}], []} ->
        effect =
          if Enum.any?(node.members, &(elem(&1, 0) in @lookers)), do: :narrower, else: :same

        account = Account.tell(account, origins, :rewritten, effect, "as additionalProperties")

        node =
          node
          |> Node.drop(["unevaluatedProperties"])
          |> Node.put("additionalProperties", value, [])

        {node, account}

      {[{_value, origins}], _additional} ->
        account =
          Account.tell(
            account,
            origins,
            :removed,
            :same,
            "additionalProperties looks at all properties"
          )

        {Node.drop(node, ["unevaluatedProperties"]), account}

      {[], _additional} ->
        {node, account}
    end
  end

  # The properties by name, with those that are only required, and with what patterns say of them.
  defp properties(object, account) do
    object = match(object)
    named = MapSet.new(object.properties, &elem(&1, 0))

    missing =
      for name <- object.required,
          not MapSet.member?(named, name),
          do: {name, unnamed(name, object)}

    properties =
      for {name, node} <- object.properties do
        {name, Enum.reduce(matching(name, object), node, &both/2)}
      end

    properties = properties ++ missing
    forbidden = for {name, false} <- properties, do: name

    if Enum.any?(forbidden, &(&1 in object.required)),
      do: {false, account},
      else:
        {:ok, Enum.reject(properties, &match?({_name, false}, &1)),
         Map.put(object, :forbidden, forbidden), account}
  end

  defp unnamed(name, object) do
    case {matching(name, object), object.additional} do
      {[], :any} -> %Node{at: "", members: []}
      {[], additional} -> additional
      {[node | nodes], _additional} -> Enum.reduce(nodes, node, &both/2)
    end
  end

  # The names that each pattern matches.
  defp match(object) do
    names = Enum.map(object.properties, &elem(&1, 0)) ++ object.required

    matches =
      for {pattern, node} <- object.patterns,
          do: {pattern |> Patterns.matching(names) |> MapSet.new(), node}

    Map.put(object, :matches, matches)
  end

  defp matching(name, object),
    do: for({names, node} <- object.matches, MapSet.member?(names, name), do: node)

  # What can't be said as one is said one after the other, as in `allOf`.
  defp both(left, right) do
    case Merge.merge(left, right) do
      {:ok, node} -> node
      false -> false
      :error -> %Node{at: left.at, members: [{"allOf", {:schemas, [left, right]}, []}]}
    end
  end

  defp written(properties, object, node, context, account) do
    required = MapSet.new(object.required)

    properties
    |> Enum.reduce_while({[], account}, fn {name, property}, {written, account} ->
      required? = MapSet.member?(required, name)
      below = if required?, do: context, else: optional(context)

      case Adapter.write(at(property, node, name), below, account) do
        {false, account} when required? -> {:halt, {false, account}}
        {false, account} -> {:cont, {written, account}}
        {schema, account} -> {:cont, {[{name, property, schema, required?} | written], account}}
      end
    end)
    |> case do
      {false, account} -> {false, account}
      {written, account} -> {:ok, Enum.reverse(written), node, account}
    end
  end

  defp at(%Node{at: "", members: []} = property, node, name),
    do: %{property | at: Pointer.child(node.at <> "/properties", name)}

  defp at(property, _node, _name), do: property

  defp optional(%{rules: %{all_required: true}} = context), do: context

  defp optional(context),
    do: %{context | stack: Map.new(context.stack, fn {key, _} -> {key, true} end)}

  # An object that must have properties that can't be named.
  defp check_count!(node, written, object, context) do
    least =
      for {{:json, count}, _origins} <- Node.get(node, "minProperties"),
          is_number(count),
          do: count

    least = Enum.max(least, fn -> 0 end)

    if context.rules.closed == true and object.additional != false and least > length(written) do
      origin = node |> origins("minProperties") |> hd()

      Adapter.refuse(
        origin,
        "it takes no properties without a name, and there must be at least #{least}"
      )
    end
  end

  defp named(written, object, context) do
    if written != [] or object.properties != [] or context.rules.closed == true do
      [{"properties", %Object{members: Enum.map(written, &property(&1, context))}}]
    else
      []
    end
  end

  defp property({name, _node, schema, true}, _context), do: {name, schema}

  defp property({name, _node, schema, false}, %{rules: %{all_required: false}}),
    do: {name, schema}

  defp property({name, node, schema, false}, context) do
    schema = Nulls.add(schema)

    if Nulls.null?(node, context),
      do: {name, schema},
      else: {name, %Object{members: schema.members ++ [absent: true]}}
  end

  defp required(written, node, context, account) do
    names =
      for {name, _, _, required?} <- written, required? or context.rules.all_required, do: name

    origins = origins(node, "required")
    optional? = Enum.any?(written, &(elem(&1, 3) == false))

    account =
      told_required(account, names, origins, optional? and context.rules.all_required, node)

    members = if names != [] or context.rules.all_required, do: [{"required", names}], else: []
    {members, account}
  end

  defp told_required(account, _names, [], true, node) do
    added = [%{pointer: node.at, keyword: "required", value: nil}]

    Account.tell(
      account,
      added,
      :added,
      :same,
      "optional properties may be null, which stands for their absence"
    )
  end

  defp told_required(account, _names, origins, true, _node),
    do:
      Account.tell(
        account,
        origins,
        :rewritten,
        :same,
        "optional properties may be null, which stands for their absence"
      )

  defp told_required(account, names, origins, false, _node) do
    kept? = match?([%{value: ^names}], origins)
    Account.tell(account, origins, if(kept?, do: :kept, else: :rewritten), :same, "as required")
  end

  # Additional properties, and those with patterns

  defp additional(object, node, context, account) do
    case context.rules.closed do
      true -> close(object, node, account)
      closed -> open(object, closed, node, context, account)
    end
  end

  defp close(object, node, account) do
    origins = origins(node, "additionalProperties")
    patterns = for {"patternProperties", _, _} = member <- node.members, do: member
    additional = for {"additionalProperties", _, _} = member <- node.members, do: member
    narrower = "there are no properties without a name"
    account = Account.tell(account, Node.origins(patterns), :removed, :narrower, narrower)

    account =
      cond do
        object.additional == false ->
          Account.tell(account, origins, :kept, :same, "as additionalProperties")

        additional == [] ->
          Account.tell(
            account,
            [%{pointer: node.at, keyword: "additionalProperties", value: nil}],
            :added,
            :narrower,
            narrower
          )

        true ->
          Account.tell(account, Node.origins(additional), :rewritten, :narrower, narrower)
      end

    {[{"additionalProperties", false}], node, account}
  end

  defp open(object, closed, node, context, account) do
    {node, account} = forbidden(object, node, account)
    {schemas, account} = write_patterns(object, context, account)
    {node, account} = describe_patterns(node, account)
    origins = origins(node, "additionalProperties")
    takes? = "additionalProperties" in context.rules.takes

    case object.additional do
      :any when schemas != [] ->
        {stated_any(closed), node, account}

      :any ->
        unstated(closed, object, node, account)

      _stated when not takes? ->
        say_additional(node, account)

      false when schemas == [] ->
        {[{"additionalProperties", false}], node,
         Account.tell(account, origins, :kept, :same, "as additionalProperties")}

      false ->
        {[{"additionalProperties", Adapter.any_of(schemas, context)}], node,
         Account.tell(account, origins, :rewritten, :wider, "other names are allowed, too")}

      %Node{members: []} ->
        {[{"additionalProperties", true}], node,
         Account.tell(account, origins, :kept, :same, "as additionalProperties")}

      additional ->
        additional_schema(additional, schemas, origins, node, context, account)
    end
  end

  defp additional_schema(additional, schemas, origins, node, context, account) do
    case Adapter.write(additional, context, account) do
      {false, account} ->
        schema = if schemas == [], do: false, else: Adapter.any_of(schemas, context)
        effect = if schemas == [], do: :same, else: :wider

        {[{"additionalProperties", schema}], node,
         Account.tell(account, origins, :rewritten, effect, "no value satisfies it")}

      {schema, account} ->
        effect = if schemas == [], do: :same, else: :wider
        schema = Adapter.any_of(Enum.uniq([schema | schemas]), context)

        {[{"additionalProperties", schema}], node,
         Account.tell(account, origins, :kept, effect, "as additionalProperties")}
    end
  end

  defp stated_any(:unless_stated), do: [{"additionalProperties", true}]
  defp stated_any(false), do: []

  defp unstated(false, _object, node, account), do: {[], node, account}

  # An object without any names would have no properties at all.
  defp unstated(:unless_stated, %{properties: []}, node, account) do
    added = [%{pointer: node.at, keyword: "additionalProperties", value: nil}]

    account =
      Account.tell(
        account,
        added,
        :added,
        :same,
        "the provider allows none unless they are stated"
      )

    {[{"additionalProperties", true}], node, account}
  end

  defp unstated(:unless_stated, _object, node, account) do
    added = [%{pointer: node.at, keyword: "additionalProperties", value: nil}]

    account =
      Account.tell(
        account,
        added,
        :added,
        :narrower,
        "the provider allows none unless they are stated"
      )

    {[{"additionalProperties", false}], node, account}
  end

  defp say_additional(node, account) do
    members = for {"additionalProperties", _, _} = member <- node.members, do: member

    {node, account} =
      Enum.reduce(members, {node, account}, fn
        {_, {:schema, false}, origins}, {node, account} ->
          Keywords.say(node, origins, "There are no other properties.", account)

        {_, {:schema, %Node{members: []}}, origins}, {node, account} ->
          {node, Account.tell(account, origins, :removed, :same, "it states nothing")}

        member, {node, account} ->
          Adapter.describe(node, member, account)
      end)

    {[], node, account}
  end

  defp forbidden(%{forbidden: []}, node, account), do: {node, account}
  defp forbidden(%{additional: false, patterns: []}, node, account), do: {node, account}

  defp forbidden(%{forbidden: names}, node, account),
    do:
      Keywords.say(
        node,
        origins(node, "properties"),
        "There are no properties #{Enum.join(names, ", ")}.",
        account
      )

  defp write_patterns(object, context, account) do
    {schemas, account} =
      Enum.map_reduce(object.patterns, account, fn {_pattern, node}, account ->
        Adapter.write(node, context, account)
      end)

    {schemas |> Enum.reject(&(&1 == false)) |> Enum.uniq(), account}
  end

  defp describe_patterns(node, account) do
    Enum.reduce(node.members, {node, account}, fn
      {"patternProperties", _value, origins} = member, {node, account} ->
        Adapter.describe(node, {elem(member, 0), nil, origins}, account)

      _member, acc ->
        acc
    end)
  end

  defp order(written, %{rules: %{order: keyword}}) when is_binary(keyword) and written != [],
    do: [{keyword, Enum.map(written, &elem(&1, 0))}]

  defp order(_written, _context), do: []

  defp origins(node, keyword),
    do: for({_value, origins} <- Node.get(node, keyword), origin <- origins, do: origin)
end
