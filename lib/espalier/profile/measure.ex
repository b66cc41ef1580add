defmodule Espalier.Profile.Measure do
  @moduledoc false
  # Counts what providers limit in a schema that was written, the wrapper included.

  alias Espalier.JSON.Object
  alias Espalier.SchemaError

  @large_enum 250

  @doc "Refuses a schema with more of something than a provider takes."
  @spec check!(Object.t(), [{atom, pos_integer}]) :: :ok
  def check!(schema, limits) do
    for {name, most} <- limits, count = measure(name, schema), count > most do
      throw({:refused, error(name, most, count)})
    end

    :ok
  end

  defp error(name, most, count) do
    name = Atom.to_string(name)
    words = String.replace(name, "_", " ")

    %SchemaError{
      kind: :unsupported_by_provider,
      pointer: "",
      limit: name,
      value: most,
      message: "the provider takes at most #{most} #{words}, and the schema has #{count}"
    }
  end

  @doc "How much a schema has of something."
  @spec measure(atom, Object.t()) :: non_neg_integer
  def measure(:nesting, schema), do: depth(schema)
  def measure(name, schema), do: schema |> schemas() |> Enum.map(&count(name, &1)) |> Enum.sum()

  defp count(:properties, members), do: members |> properties() |> length()

  defp count(:optional_properties, members),
    do: length(properties(members)) - length(members["required"] || [])

  defp count(:unions, members),
    do: if(members["anyOf"] || is_list(members["type"]), do: 1, else: 0)

  defp count(:enum_values, members), do: length(members["enum"] || [])

  defp count(:characters, members) do
    names = Enum.map(properties(members), &elem(&1, 0)) ++ definitions(members)
    texts = names ++ (members["enum"] || []) ++ List.wrap(members["const"])
    texts |> Enum.filter(&is_binary/1) |> Enum.map(&String.length/1) |> Enum.sum()
  end

  defp count(:large_enum_characters, members) do
    values = members["enum"] || []
    texts = if length(values) > @large_enum, do: Enum.filter(values, &is_binary/1), else: []
    texts |> Enum.map(&String.length/1) |> Enum.sum()
  end

  defp properties(%{"properties" => %Object{members: members}}), do: members
  defp properties(_members), do: []

  defp definitions(%{"$defs" => %Object{members: members}}), do: Enum.map(members, &elem(&1, 0))
  defp definitions(_members), do: []

  # The members of all schemas.
  defp schemas(%Object{members: members}) do
    map = Map.new(members)
    [map | map |> below() |> Enum.flat_map(&schemas/1)]
  end

  defp schemas(_boolean), do: []

  defp below(map) do
    Enum.flat_map(map, fn
      {keyword, %Object{members: members}} when keyword in ["properties", "$defs"] ->
        Enum.map(members, &elem(&1, 1))

      {keyword, schemas} when keyword in ["anyOf", "prefixItems"] ->
        schemas

      {keyword, %Object{} = schema} when keyword in ["items", "additionalProperties"] ->
        [schema]

      _member ->
        []
    end)
  end

  # Levels of objects.
  defp depth(%Object{members: members}) do
    map = Map.new(members)
    own = if "object" in List.wrap(map["type"]), do: 1, else: 0
    own + (map |> below() |> Enum.map(&depth/1) |> Enum.max(fn -> 0 end))
  end

  defp depth(_boolean), do: 0
end
