defmodule Espalier.Profile.Node do
  @moduledoc false
  # A schema that is being adapted: a list of members, which together are one condition. A keyword may be there
  # several times, after schemas were merged.
  #
  # Each member knows the keywords of the original that it stems from. The drafts are made one: what is here has
  # the keywords of 2020-12, `enum` for `const`, and no definitions.

  alias Espalier.JSON.Object
  alias Espalier.JSON.Pointer
  alias Espalier.Profile.Node

  @enforce_keys [:at, :members]
  defstruct [:at, :members]

  @type origin :: %{pointer: String.t(), keyword: String.t(), value: term}

  @type value ::
          {:json, term}
          | {:schema, t | false}
          | {:schemas, [t | false]}
          | {:map, [{String.t(), t | false}]}
          | {:ref, String.t(), base :: String.t()}
          | {:silent, String.t(), [origin]}
          | {:words, String.t()}

  @type member :: {keyword :: String.t(), value, [origin]}
  @type t :: %__MODULE__{at: String.t(), members: [member]}

  @typedoc """
  Where a schema stands: its pointer in the document `document`, the URI that references are relative to, its draft,
  and the pointers of the keywords that state nothing.
  """
  @type place :: %{
          document: String.t(),
          pointer: String.t(),
          base: String.t(),
          draft: atom,
          unknown: MapSet.t(String.t())
        }

  @schema ~w(additionalProperties propertyNames items additionalItems unevaluatedItems unevaluatedProperties
             contains not if then else)
  @schemas ~w(allOf anyOf oneOf prefixItems)
  @map ~w(properties patternProperties dependentSchemas dependencies)
  @definitions ~w($defs definitions)
  @annotations ~w(title description default examples example $comment deprecated readOnly writeOnly
                  contentEncoding contentMediaType contentSchema)
  @identifiers ~w($schema $id id $anchor $dynamicAnchor $recursiveAnchor $vocabulary)
  @applicators ~w($ref allOf anyOf oneOf)
  @assertions ~w(type enum minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength
                 pattern format minItems maxItems uniqueItems minContains maxContains minProperties maxProperties
                 required dependentRequired $dynamicRef $recursiveRef) ++
                @applicators ++ @schema ++ @schemas ++ @map

  @doc "Whether a keyword is a hint for readers."
  def annotation?(keyword), do: keyword in @annotations

  @doc "Whether a member is a condition on values."
  def assertion?({keyword, _value, _origins}), do: keyword in @assertions

  @doc "The values and origins of a keyword."
  def get(%Node{members: members}, keyword),
    do: for({^keyword, value, origins} <- members, do: {value, origins})

  @doc "A node without some keywords."
  def drop(%Node{members: members} = node, keywords),
    do: %{node | members: Enum.reject(members, &(elem(&1, 0) in keywords))}

  @doc "A node with another member."
  def put(%Node{members: members} = node, keyword, value, origins),
    do: %{node | members: members ++ [{keyword, value, origins}]}

  @doc "A node that exactly one value satisfies."
  @spec literal(term, String.t()) :: t
  def literal(value, at), do: %Node{at: at, members: literal_members(value, at)}

  defp literal_members(items, at) when is_list(items) do
    [
      {"type", {:json, ["array"]}, []},
      {"prefixItems", {:schemas, Enum.map(items, &literal(&1, at))}, []},
      {"items", {:schema, false}, []},
      {"minItems", {:json, length(items)}, []}
    ]
  end

  defp literal_members(%Object{members: members}, at) do
    [
      {"type", {:json, ["object"]}, []},
      {"properties", {:map, for({key, value} <- members, do: {key, literal(value, at)})}, []},
      {"required", {:json, for({key, _value} <- members, do: key)}, []},
      {"additionalProperties", {:schema, false}, []}
    ]
  end

  defp literal_members(value, _at), do: [{"enum", {:json, [value]}, []}]

  @doc "All that a list of members stems from, in it and below."
  @spec origins([member]) :: [origin]
  def origins(members), do: Enum.flat_map(members, fn {_, value, own} -> own ++ below(value) end)

  defp below({:schema, %Node{members: members}}), do: origins(members)
  defp below({:schemas, nodes}), do: Enum.flat_map(nodes, &below({:schema, &1}))

  defp below({:map, nodes}),
    do: Enum.flat_map(nodes, fn {_key, node} -> below({:schema, node}) end)

  defp below({:silent, _detail, origins}), do: origins
  defp below(_value), do: []

  @doc "How many schemas there are in one, with itself."
  @spec count(t | false) :: pos_integer
  def count(false), do: 1

  def count(%Node{members: members}),
    do: Enum.reduce(members, 1, fn {_, value, _}, count -> count + count_below(value) end)

  defp count_below({:schema, node}), do: count(node)
  defp count_below({:schemas, nodes}), do: nodes |> Enum.map(&count/1) |> Enum.sum()
  defp count_below({:map, nodes}), do: nodes |> Enum.map(&count(elem(&1, 1))) |> Enum.sum()
  defp count_below(_value), do: 0

  @doc "Reads a schema."
  @spec read(term, place) :: t | false
  def read(false, _place), do: false
  def read(true, place), do: %Node{at: full(place), members: []}

  def read(%Object{members: members}, place) do
    place = enter(members, place)
    members = Enum.map(members, &member(&1, place))
    %Node{at: full(place), members: members |> alone(place.draft) |> modern(place.draft)}
  end

  @doc "The place within a schema: it may be of another draft, and have another base."
  @spec enter([{String.t(), term}], place) :: place
  def enter(members, place) do
    draft = draft(List.keyfind(members, "$schema", 0), place.draft)
    id = if draft == :draft4, do: "id", else: "$id"

    base =
      case List.keyfind(members, id, 0) do
        {_id, uri} when is_binary(uri) -> merge_uri(place.base, uri)
        _none -> place.base
      end

    %{place | draft: draft, base: base}
  end

  @doc "All schemas right below one, with their places; definitions are marked."
  @spec nested([{String.t(), term}], place) :: [{term, place, definition? :: boolean}]
  def nested(members, place) do
    place = enter(members, place)

    Enum.flat_map(members, fn {keyword, value} ->
      nested(keyword, value, child(place, keyword))
    end)
  end

  defp nested(keyword, %Object{} = schema, place) when keyword in @schema,
    do: [{schema, place, false}]

  defp nested(keyword, schemas, place)
       when keyword in ["items" | @schemas] and is_list(schemas) do
    for {schema, index} <- Enum.with_index(schemas), do: {schema, child(place, index), false}
  end

  defp nested(keyword, %Object{members: schemas}, place)
       when keyword in @map or keyword in @definitions do
    for {name, schema} <- schemas, do: {schema, child(place, name), keyword in @definitions}
  end

  defp nested(_keyword, _value, _place), do: []

  @doc "A URI relative to another one."
  @spec merge_uri(String.t(), String.t()) :: String.t()
  def merge_uri(base, uri) do
    base |> URI.merge(uri) |> URI.to_string()
  rescue
    _invalid -> uri
  end

  defp draft({_keyword, uri}, inherited) when is_binary(uri) do
    cond do
      uri =~ "draft-04" -> :draft4
      uri =~ "draft-06" -> :draft6
      uri =~ "draft-07" -> :draft7
      uri =~ "2019-09" -> :draft2019
      uri =~ "2020-12" -> :draft2020
      uri =~ "/oas/3.0" -> :openapi3_0
      true -> inherited
    end
  end

  defp draft(_none, inherited), do: inherited

  defp full(place), do: place.document <> place.pointer

  @doc "A place one step below."
  @spec child(place, term) :: place
  def child(place, token), do: %{place | pointer: Pointer.child(place.pointer, token)}

  defp member({keyword, value}, place) do
    place = child(place, keyword)
    origins = [%{pointer: full(place), keyword: keyword, value: value}]

    cond do
      keyword in @definitions ->
        {"$defs", {:silent, "what is referred to is sent", []}, origins}

      keyword in @identifiers ->
        {keyword, {:silent, "it names the schema", []}, origins}

      full(place) in place.unknown ->
        {keyword, silent(keyword, value, place), origins}

      keyword == "const" ->
        {"enum", {:json, [value]}, origins}

      keyword in @annotations ->
        {keyword, {:json, value}, origins}

      keyword == "nullable" or keyword in @assertions ->
        {keyword, value(keyword, value, place), origins}

      true ->
        {keyword, silent(keyword, value, place), origins}
    end
  end

  defp silent(keyword, value, place),
    do: {:silent, "it states nothing here", below(value(keyword, value, place))}

  defp value("$ref", reference, place) when is_binary(reference),
    do: {:ref, reference, place.base}

  defp value("type", type, _place), do: {:json, List.wrap(type)}

  defp value("items", items, place) when is_list(items), do: {:schemas, reads(items, place)}

  defp value(keyword, value, place)
       when keyword in @schema and (is_boolean(value) or is_struct(value, Object)),
       do: {:schema, read(value, place)}

  defp value(keyword, values, place) when keyword in @schemas and is_list(values),
    do: {:schemas, reads(values, place)}

  # Of `dependencies` some are lists of properties.
  defp value(keyword, %Object{members: members}, place) when keyword in @map do
    {:map,
     for {key, value} <- members, is_boolean(value) or is_struct(value, Object) do
       {key, read(value, child(place, key))}
     end}
  end

  defp value(_keyword, value, _place), do: {:json, value}

  defp reads(schemas, place) do
    for {schema, index} <- Enum.with_index(schemas), do: read(schema, child(place, index))
  end

  # In drafts up to 7 nothing counts beside a reference.
  defp alone(members, draft) when draft in [:draft4, :draft6, :draft7, :openapi3_0] do
    if List.keymember?(members, "$ref", 0),
      do: Enum.map(members, &beside_reference/1),
      else: members
  end

  defp alone(members, _draft), do: members

  defp beside_reference({keyword, value, origins}) do
    if keyword == "$ref" or match?({:silent, _, _}, value) or keyword in @annotations,
      do: {keyword, value, origins},
      else:
        {keyword, {:silent, "nothing counts beside $ref in this draft", below(value)}, origins}
  end

  # The keywords of 2020-12.
  defp modern(members, draft) do
    members
    |> Enum.map(&tuple/1)
    |> nullable(draft)
    |> exclusive("exclusiveMinimum", "minimum")
    |> exclusive("exclusiveMaximum", "maximum")
    |> additional_items()
    |> Enum.map(&silent/1)
  end

  # So that nobody takes it for what its name says.
  defp silent({_keyword, {:silent, _detail, _below} = value, origins}),
    do: {"silent", value, origins}

  defp silent(member), do: member

  defp tuple({"items", {:schemas, nodes}, origins}),
    do: {"prefixItems", {:schemas, nodes}, origins}

  defp tuple(member), do: member

  # It is for the items behind a list only.
  defp additional_items(members) do
    list? = List.keymember?(members, "prefixItems", 0)

    Enum.map(members, fn
      {"additionalItems", value, origins} when list? ->
        {"items", value, origins}

      {"additionalItems", value, origins} ->
        {"items", {:silent, "it states nothing here", below(value)}, origins}

      member ->
        member
    end)
  end

  # In draft 4 it is a boolean.
  defp exclusive(members, keyword, bound) do
    with {_, {:json, exclusive?}, origins} when is_boolean(exclusive?) <-
           List.keyfind(members, keyword, 0),
         {_, value, more} <- List.keyfind(members, bound, 0) do
      members = List.keydelete(members, keyword, 0)

      if exclusive?,
        do: List.keyreplace(members, bound, 0, {keyword, value, more ++ origins}),
        else: members ++ [{keyword, {:silent, "false states nothing", []}, origins}]
    else
      _other -> members
    end
  end

  defp nullable(members, :openapi3_0) do
    case {List.keyfind(members, "nullable", 0), List.keyfind(members, "type", 0)} do
      {{_, {:json, true}, origins}, {_, {:json, types}, more}} ->
        members
        |> List.keydelete("nullable", 0)
        |> List.keyreplace(
          "type",
          0,
          {"type", {:json, Enum.uniq(types ++ ["null"])}, more ++ origins}
        )

      {{_, {:json, _}, origins}, _type} ->
        List.keyreplace(
          members,
          "nullable",
          0,
          {"nullable", {:silent, "it states nothing here", []}, origins}
        )

      _none ->
        members
    end
  end

  defp nullable(members, _draft) do
    Enum.map(members, fn
      {"nullable", {:json, _}, origins} ->
        {"nullable", {:silent, "it states nothing here", []}, origins}

      member ->
        member
    end)
  end
end
