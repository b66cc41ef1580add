defmodule Espalier.Profile.Merge do
  @moduledoc false
  # Two schemas as one that says the same as both. It is exact, or refused with `:error`; `false` says that no
  # value satisfies both.

  alias Espalier.Profile.Node

  @scoped ~w(unevaluatedProperties unevaluatedItems)
  @single ~w(if then else contains minContains maxContains propertyNames)
  @objects ~w(properties patternProperties additionalProperties)
  @arrays ~w(prefixItems items)
  @lowest ~w(maximum exclusiveMaximum maxLength maxItems maxProperties)
  @highest ~w(minimum exclusiveMinimum minLength minItems minProperties)

  @spec merge(Node.t() | false, Node.t() | false) :: {:ok, Node.t()} | false | :error
  def merge(false, _node), do: false
  def merge(_node, false), do: false

  def merge(%Node{} = left, %Node{} = right) do
    cond do
      # What `right` has not looked at is another matter when it is one with `left`.
      has?(right, @scoped) -> :error
      Enum.any?(@single, &(has?(left, [&1]) and has?(right, [&1]))) -> :error
      true -> together(left, right)
    end
  catch
    {__MODULE__, verdict} -> verdict
  end

  defp together(left, right) do
    objects = objects(left, right)
    arrays = arrays(left, right)

    members =
      Enum.reduce(
        Node.drop(right, @objects ++ @arrays).members,
        Node.drop(left, @objects ++ @arrays).members,
        &add/2
      )

    {:ok, %{left | members: members ++ objects ++ arrays}}
  end

  defp has?(node, keywords), do: Enum.any?(node.members, &(elem(&1, 0) in keywords))

  defp add({keyword, {:json, value}, origins} = member, members) do
    case List.keyfind(members, keyword, 0) do
      {_keyword, {:json, other}, more} ->
        case combine(keyword, other, value) do
          {:ok, both} ->
            List.keyreplace(members, keyword, 0, {keyword, {:json, both}, more ++ origins})

          :both ->
            members ++ [member]
        end

      _none ->
        members ++ [member]
    end
  end

  defp add(member, members), do: members ++ [member]

  defp combine("type", types, others) do
    case Enum.uniq(Enum.flat_map(types, &common(&1, others))) do
      [] -> throw({__MODULE__, false})
      types -> {:ok, types}
    end
  end

  defp combine("enum", values, others) do
    case Enum.filter(values, &Enum.any?(others, fn other -> other == &1 end)) do
      [] -> throw({__MODULE__, false})
      values -> {:ok, values}
    end
  end

  defp combine("required", names, others), do: {:ok, Enum.uniq(names ++ others)}
  defp combine("uniqueItems", unique?, other?), do: {:ok, unique? or other?}

  defp combine(keyword, value, other)
       when is_number(value) and is_number(other) and keyword in @lowest,
       do: {:ok, min(value, other)}

  defp combine(keyword, value, other)
       when is_number(value) and is_number(other) and keyword in @highest,
       do: {:ok, max(value, other)}

  defp combine(_keyword, value, value), do: {:ok, value}
  defp combine(_keyword, _value, _other), do: :both

  defp common(type, others) do
    cond do
      type in others -> [type]
      type == "integer" and "number" in others -> [type]
      type == "number" and "integer" in others -> ["integer"]
      true -> []
    end
  end

  # A property that only one of them names is an additional one of the other.
  defp objects(left, right) do
    {left_properties, left_additional} = object(left)
    {right_properties, right_additional} = object(right)
    origins = fn keyword -> origins(left, keyword) ++ origins(right, keyword) end

    cond do
      not has?(left, @objects) ->
        only(right, @objects)

      not has?(right, @objects) ->
        only(left, @objects)

      has?(left, ["patternProperties"]) or has?(right, ["patternProperties"]) ->
        throw({__MODULE__, :error})

      true ->
        merged_objects(
          {left_properties, left_additional},
          {right_properties, right_additional},
          origins
        )
    end
  end

  defp merged_objects({left, left_additional}, {right, right_additional}, origins) do
    own = for {name, node} <- left, do: {name, both(node, find(right, name, right_additional))}

    others =
      for {name, node} <- right,
          not List.keymember?(left, name, 0),
          do: {name, both(left_additional, node)}

    properties =
      if left == [] and right == [],
        do: [],
        else: [{"properties", {:map, own ++ others}, origins.("properties")}]

    lost =
      for {name, false} <- own ++ others,
          properties <- [left, right],
          {^name, %Node{members: members}} <- properties,
          origin <- Node.origins(members),
          do: origin

    lost =
      if lost == [], do: [], else: [{"silent", {:silent, "no value satisfies it here", lost}, []}]

    case both(left_additional, right_additional) do
      :any ->
        properties ++ lost

      node ->
        properties ++
          lost ++ [{"additionalProperties", {:schema, node}, origins.("additionalProperties")}]
    end
  end

  defp object(node) do
    properties =
      for {{:map, nodes}, _origins} <- Node.get(node, "properties"), pair <- nodes, do: pair

    {properties, additional(Node.get(node, "additionalProperties"))}
  end

  defp additional([{{:schema, node}, _origins}]), do: node
  defp additional([]), do: :any

  defp find(properties, name, additional) do
    {_name, node} = List.keyfind(properties, name, 0, {name, additional})
    node
  end

  defp both(:any, node), do: node
  defp both(node, :any), do: node

  defp both(left, right) do
    case merge(left, right) do
      {:ok, node} -> node
      verdict -> if verdict == :error, do: throw({__MODULE__, :error}), else: false
    end
  end

  defp arrays(left, right) do
    cond do
      not has?(left, @arrays) ->
        only(right, @arrays)

      not has?(right, @arrays) ->
        only(left, @arrays)

      has?(left, ["prefixItems"]) or has?(right, ["prefixItems"]) ->
        throw({__MODULE__, :error})

      true ->
        [
          {"items", {:schema, both(items(left), items(right))},
           origins(left, "items") ++ origins(right, "items")}
        ]
    end
  end

  defp items(node) do
    [{{:schema, items}, _origins}] = Node.get(node, "items")
    items
  end

  defp only(node, keywords), do: Enum.filter(node.members, &(elem(&1, 0) in keywords))

  defp origins(node, keyword),
    do: for({_value, origins} <- Node.get(node, keyword), origin <- origins, do: origin)

  # More pairs are not looked at.
  @most_branches 200

  @doc "Whether it is certain that no value satisfies two of the schemas."
  @spec apart?([Node.t() | false]) :: boolean
  def apart?(nodes) do
    nodes = Enum.reject(nodes, &(&1 == false))
    distinct?(Enum.map(nodes, &enum/1)) or told_apart?(nodes) or pairs_apart?(nodes)
  end

  # By the values of a property that all of them require.
  defp told_apart?([first | _] = nodes) do
    Enum.all?(nodes, &(types(&1) == ["object"] and not has?(&1, ["patternProperties"]))) and
      Enum.any?(required(first), fn name ->
        nodes |> Enum.map(&values(&1, name)) |> distinct?()
      end)
  end

  defp told_apart?([]), do: true

  defp values(node, name) do
    {properties, additional} = object(node)

    with true <- name in required(node),
         %Node{} = property <- find(properties, name, additional) do
      enum(property)
    else
      _any -> nil
    end
  end

  # Numbers may be written in several ways, and lists and objects may have them.
  defp distinct?(lists) do
    values = if Enum.all?(lists), do: Enum.concat(lists)

    values != nil and Enum.all?(values, &(is_binary(&1) or is_integer(&1))) and
      MapSet.size(MapSet.new(values)) == length(values)
  end

  defp pairs_apart?(nodes) when length(nodes) > @most_branches, do: false
  defp pairs_apart?([]), do: true

  defp pairs_apart?([node | nodes]),
    do: Enum.all?(nodes, &disjoint?(node, &1)) and pairs_apart?(nodes)

  @doc "Whether it is certain that no value satisfies both."
  @spec disjoint?(Node.t() | false, Node.t() | false) :: boolean
  def disjoint?(false, _node), do: true
  def disjoint?(_node, false), do: true

  def disjoint?(%Node{} = left, %Node{} = right) do
    types_apart?(types(left), types(right)) or
      (types(left) == ["object"] and types(right) == ["object"] and members_apart?(left, right))
  end

  defp types_apart?(nil, _types), do: false
  defp types_apart?(_types, nil), do: false
  defp types_apart?(left, right), do: Enum.all?(left, &(common(&1, right) == []))

  # A property that both require, and of which they take other values.
  defp members_apart?(left, right) do
    {left_properties, left_additional} = object(left)
    {right_properties, right_additional} = object(right)

    if has?(left, ["patternProperties"]) or has?(right, ["patternProperties"]) do
      false
    else
      Enum.any?(required(left), fn name ->
        left = find(left_properties, name, left_additional)
        right_node = find(right_properties, name, right_additional)

        left != :any and right_node != :any and
          values_apart?(left, right_node, name in required(right))
      end)
    end
  end

  # Where only one of them requires the property, the other must not have it at all.
  defp values_apart?(_left, false, _both?), do: true
  defp values_apart?(_left, _right, false), do: false

  defp values_apart?(left, right, true),
    do: disjoint?(left, right) or enums_apart?(enum(left), enum(right))

  defp enums_apart?(nil, _values), do: false
  defp enums_apart?(_values, nil), do: false

  defp enums_apart?(left, right),
    do: not Enum.any?(left, fn value -> Enum.any?(right, &(&1 == value)) end)

  defp required(node),
    do: for({{:json, names}, _origins} <- Node.get(node, "required"), name <- names, do: name)

  defp types(node) do
    case Node.get(node, "type") do
      [{{:json, types}, _origins} | _] -> types
      [] -> enum_types(enum(node))
    end
  end

  defp enum_types(nil), do: nil
  defp enum_types(values), do: values |> Enum.map(&type/1) |> Enum.uniq()

  defp enum(false), do: []

  defp enum(node) do
    case Node.get(node, "enum") do
      [{{:json, values}, _origins} | _] -> values
      [] -> nil
    end
  end

  @doc "The type of a JSON value."
  @spec type(term) :: String.t()
  def type(nil), do: "null"
  def type(value) when is_boolean(value), do: "boolean"
  def type(value) when is_binary(value), do: "string"
  def type(value) when is_integer(value), do: "integer"

  def type(value) when is_float(value),
    do: if(value == trunc(value), do: "integer", else: "number")

  def type(value) when is_list(value), do: "array"
  def type(%Espalier.JSON.Number{}), do: "number"
  def type(_object), do: "object"
end
