defmodule Espalier.Profile.Account do
  @moduledoc false
  # What was found while a schema was adapted: the decisions, and the definitions that are referred to.

  alias Espalier.JSON.Object
  alias Espalier.Profile.Node
  alias Espalier.SchemaError

  # So many schemas are written at most, however often one stands in place of references.
  @most_schemas 20_000

  defstruct decisions: [], names: %{}, definitions: [], order: [], merged: MapSet.new(), spent: 0

  def new, do: %__MODULE__{}

  @doc "Counts some schemas."
  def spend!(account, count \\ 1)

  def spend!(%{spent: spent}, count) when spent + count > @most_schemas do
    throw(
      {:refused,
       %SchemaError{
         kind: :unsupported_by_provider,
         pointer: "",
         limit: "schemas",
         value: @most_schemas,
         message: "more than #{@most_schemas} schemas, with those in place of references"
       }}
    )
  end

  def spend!(account, count), do: %{account | spent: account.spent + count}

  @doc "Tells what became of some keywords."
  def tell(account, origins, decision, effect, detail) do
    decisions =
      for origin <- origins,
          do: Map.merge(origin, %{decision: decision, effect: effect, detail: detail})

    %{account | decisions: Enum.reverse(decisions, account.decisions)}
  end

  @doc "The decisions in the order in which they were made, each once."
  def decisions(account), do: account.decisions |> Enum.reverse() |> Enum.uniq_by(&identity/1)

  # The value of a keyword of the original is as large as what is below it, and always the same.
  defp identity(%{decision: :added} = decision), do: decision
  defp identity(decision), do: Map.delete(decision, :value)

  @doc "The name of a definition."
  def name(account, key) do
    case account.names do
      %{^key => name} -> {:known, name}
      _none -> :new
    end
  end

  @doc "Gives a definition a name, before it is written."
  def define(account, key, pointer) do
    wanted =
      pointer |> String.split("/") |> List.last() |> String.replace(~r/[^A-Za-z0-9_.-]/, "_")

    wanted = if wanted == "", do: "root", else: wanted
    taken = Map.values(account.names)

    name =
      Enum.find(
        Stream.concat([wanted], Stream.map(Stream.iterate(2, &(&1 + 1)), &"#{wanted}_#{&1}")),
        &(&1 not in taken)
      )

    {name, %{account | names: Map.put(account.names, key, name), order: [name | account.order]}}
  end

  @doc "Sets what a definition is."
  def defined(account, name, schema),
    do: %{account | definitions: [{name, schema} | account.definitions]}

  @doc "Whether a definition has values, as far as it is known."
  def defined?(account, name), do: List.keyfind(account.definitions, name, 0) != {name, false}

  @doc "The definitions in the order in which they were met."
  def definitions(account) do
    for name <- Enum.reverse(account.order),
        {^name, %Object{} = schema} <- account.definitions,
        do: {name, schema}
  end

  @doc "Tells of what nothing refers to."
  def rest(account, json, place) do
    told = MapSet.new(account.decisions, & &1.pointer)

    origins =
      json |> definitions_of(place) |> Node.origins() |> Enum.reject(&(&1.pointer in told))

    tell(account, origins, :removed, :same, "nothing that is sent refers to it")
  end

  # The members of all definitions, wherever they stand.
  defp definitions_of(%Object{members: members}, place) do
    Enum.flat_map(Node.nested(members, place), fn {schema, place, definition?} ->
      own = if definition?, do: schema |> read(place) |> members(), else: []
      own ++ definitions_of(schema, place)
    end)
  end

  defp definitions_of(_value, _place), do: []

  # What is no schema has no keywords.
  defp read(schema, place) when is_boolean(schema) or is_struct(schema, Object),
    do: Node.read(schema, place)

  defp read(_value, _place), do: false

  defp members(%Node{members: members}), do: members
  defp members(false), do: []
end
