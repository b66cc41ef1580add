defmodule Espalier.Reply.Proposals do
  @moduledoc false
  # What could be done about one violation: changes of the part of the value that it names.

  alias Espalier.JSON
  alias Espalier.JSON.Number
  alias Espalier.JSON.Object
  alias Espalier.JSON.Pointer
  alias Espalier.Reply

  @type change :: {:value, term} | :drop

  @number ~r/\A-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\z/
  @shape ~w(required additionalProperties unevaluatedProperties minProperties)
  @kinds ~w(type enum const anyOf oneOf)

  # How far references lead from one schema to another.
  @max_references 16

  @doc """
  The changes with their fixes, of which one is to be chosen. The schema is decoded to maps.

  `lossy?` says whether a change may lose a part of the value.
  """
  @spec of(JSON.violation(), term, [String.t()], term, boolean) :: [{atom, change}]
  def of(violation, got, tokens, schema, lossy?) do
    cut = if lossy?, do: cut(violation, got, rule(violation, schema), schema), else: []
    whole(violation, got, tokens, schema) ++ cut
  end

  defp rule(violation, schema), do: lookup(schema, Pointer.tokens(violation.schema_pointer))

  defp whole(%{keyword: keyword}, %Object{members: [{_name, value}]}, [], _schema)
       when keyword in @shape,
       do: [{:wrapped_value, {:value, value}}]

  defp whole(%{keyword: keyword} = violation, got, tokens, schema) when keyword in @kinds do
    case kinds(keyword, rule(violation, schema), schema, @max_references) do
      :any -> []
      {types, members} -> proposals(got, types, members, tokens)
    end
  end

  defp whole(_violation, _got, _tokens, _schema), do: []

  # What is too much of a value

  defp cut(%{keyword: "maxLength"}, got, most, _schema) when is_binary(got) do
    # JSON Schema counts code points.
    text = got |> String.codepoints() |> Enum.take(count(most)) |> Enum.join()
    [{:cut_text, {:value, text}}]
  end

  defp cut(%{keyword: "maxItems"}, got, most, _schema) when is_list(got),
    do: [{:cut_list, {:value, Enum.take(got, count(most))}}]

  defp cut(%{keyword: "uniqueItems"}, got, _rule, _schema) when is_list(got),
    do: [{:repeated_item, {:value, Enum.uniq(got)}}]

  defp cut(%{keyword: "additionalProperties"} = violation, %Object{} = got, false, schema) do
    tokens = violation.schema_pointer |> Pointer.tokens() |> Enum.drop(-1)

    case lookup(schema, tokens) do
      %{"patternProperties" => _patterns} -> []
      %{"properties" => named} -> [{:unknown_key, {:value, only(got, named)}}]
      _no_names -> []
    end
  end

  defp cut(_violation, _got, _rule, _schema), do: []

  defp only(%Object{members: members} = object, named),
    do: %{
      object
      | members: Enum.filter(members, fn {name, _value} -> is_map_key(named, name) end)
    }

  defp count(%Number{text: text}), do: text |> Float.parse() |> elem(0) |> trunc()

  # What a rule admits

  # Types, and the values of enums and constants.
  defp kinds("type", type, _schema, _left), do: {List.wrap(type), []}
  defp kinds("enum", members, _schema, _left) when is_list(members), do: {[], members}
  defp kinds("const", member, _schema, _left), do: {[], [member]}

  defp kinds(_choice, [_ | _] = branches, schema, left) do
    branches
    |> Enum.map(&branch(&1, schema, left))
    |> Enum.reduce({[], []}, fn
      {types, members}, {all_types, all_members} -> {all_types ++ types, all_members ++ members}
      _any_type, _any_value -> :any
    end)
  end

  defp kinds(_keyword, _rule, _schema, _left), do: :any

  defp branch(_branch, _schema, 0), do: :any

  defp branch(%{"$ref" => "#" <> pointer}, schema, left),
    do: schema |> lookup(Pointer.tokens(pointer)) |> branch(schema, left - 1)

  defp branch(%{} = branch, schema, left) do
    case Enum.find(~w(enum const type anyOf oneOf), &is_map_key(branch, &1)) do
      nil -> :any
      keyword -> kinds(keyword, branch[keyword], schema, left - 1)
    end
  end

  defp branch(_branch, _schema, _left), do: :any

  defp lookup(value, []), do: value
  defp lookup(%{} = map, [key | tokens]), do: map |> Map.get(key) |> lookup(tokens)

  defp lookup(list, [index | tokens]) when is_list(list) do
    case Integer.parse(index) do
      {index, ""} -> list |> Enum.at(index) |> lookup(tokens)
      _no_index -> nil
    end
  end

  defp lookup(_value, _tokens), do: nil

  # What can be done with a value

  defp proposals(nil, _types, _members, [_ | _]), do: [{:null_to_absent, :drop}]
  defp proposals(nil, _types, _members, []), do: []

  defp proposals(got, types, members, tokens) do
    by_member = by_member(got, members)
    by_type = if "string" in types and is_binary(got), do: [], else: by_type(got, types)
    wrapped = if tokens == [], do: unwrapped(got), else: []
    changes = by_member ++ by_type ++ wrapped ++ listed(got, types)
    for {fix, value} <- changes, do: {fix, {:value, value}}
  end

  # The one member that is meant, if it is one.
  defp by_member(got, members) do
    case for(member <- members, fix = meant(got, member), do: {fix, member}) do
      [one] -> [one]
      _none_or_several -> []
    end
  end

  defp meant(got, member) when is_binary(got) and is_binary(member),
    do: if(String.downcase(got) == String.downcase(member), do: :enum_case)

  defp meant(got, %Number{text: got}), do: :string_to_number
  defp meant(%Number{text: got}, got), do: :number_to_string

  defp meant(got, member) when is_binary(got) and is_boolean(member),
    do: if(String.downcase(got) == to_string(member), do: :string_to_boolean)

  defp meant(_got, _member), do: nil

  defp by_type(%Number{text: text}, types),
    do: if("string" in types, do: [{:number_to_string, text}], else: [])

  defp by_type(got, types) when is_binary(got) do
    number(got, types) ++ boolean(got, types) ++ encoded(got, types)
  end

  defp by_type(_got, _types), do: []

  defp number(got, types) do
    if ("integer" in types or "number" in types) and got =~ @number,
      do: [{:string_to_number, %Number{text: got}}],
      else: []
  end

  defp boolean(got, types) do
    case "boolean" in types and String.downcase(got) do
      "true" -> [{:string_to_boolean, true}]
      "false" -> [{:string_to_boolean, false}]
      _other -> []
    end
  end

  # A text that holds the JSON, fenced at most.
  defp encoded(got, types) do
    with true <- "object" in types or "array" in types,
         [%{text: text, fixes: fixes}] when fixes in [[], [:code_fence]] <- Reply.candidates(got),
         {:ok, value} <- JSON.decode(text, objects: :ordered, numbers: :exact),
         true <- type(value) in types do
      [{:double_encoded, value}]
    else
      _no_json -> []
    end
  end

  defp type(%Object{}), do: "object"
  defp type(value) when is_list(value), do: "array"
  defp type(_value), do: nil

  defp unwrapped(%Object{members: [{_name, value}]}), do: [{:wrapped_value, value}]
  defp unwrapped(_got), do: []

  defp listed(got, types) do
    if "array" in types and not is_list(got), do: [{:single_to_list, [got]}], else: []
  end
end
