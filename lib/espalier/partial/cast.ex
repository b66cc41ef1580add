defmodule Espalier.Partial.Cast do
  @moduledoc false
  # The part of a value that is there: like `Espalier.Schema.Cast` for what is whole, and without what isn't.

  alias Espalier.JSON.Object
  alias Espalier.Schema.Cast
  alias Espalier.Schema.Definition
  alias Espalier.Schema.Type

  @doc """
  The value of JSON with ordered objects, of which so many last parts within each other are open.

  A text may be cut anywhere; other values are there when they are whole.
  """
  @spec cast(Type.t(), term, non_neg_integer) :: {:ok, term} | :none
  def cast(type, json, 0) do
    case Cast.cast(type, plain(json)) do
      {:ok, value} -> {:ok, value}
      {:error, _error} -> :none
    end
  end

  def cast(%{kind: :any}, json, _n_open), do: {:ok, plain(json)}
  def cast(%{kind: :string}, text, _n_open) when is_binary(text), do: {:ok, text}

  def cast(%{kind: :array, argument: type}, items, n_open) when is_list(items) do
    casts = for {item, n_open} <- opened(items, n_open), do: cast(type, item, n_open)
    {:ok, for({:ok, item} <- casts, do: item)}
  end

  def cast(%{kind: :map, argument: type}, %Object{members: members}, n_open) do
    values =
      for {{key, json}, n_open} <- opened(members, n_open),
          {:ok, value} <- [cast(type, json, n_open)],
          do: {key, value}

    {:ok, Map.new(values)}
  end

  def cast(%{kind: :object, argument: fields}, %Object{} = object, n_open),
    do: {:ok, Map.new(members(fields, object, n_open))}

  def cast(%{kind: :module, argument: module}, %Object{} = object, n_open) do
    definition = Definition.fetch!(module)
    {:ok, struct(definition.module, members(definition.fields, object, n_open))}
  end

  # The tag comes first.
  def cast(%{kind: :tagged} = type, %Object{members: [{_key, tag} | [_ | _] = members]}, n_open) do
    with {tag, member} <- Enum.find(type.argument, :none, &(Atom.to_string(elem(&1, 0)) == tag)),
         {:ok, value} <- cast(member, %Object{members: members}, n_open) do
      {:ok,
       if(member.kind == :module, do: value, else: Map.put(value, type.rules[:discriminator], tag))}
    end
  end

  def cast(_type, _json, _n_open), do: :none

  defp members(fields, %Object{members: members}, n_open) do
    for {{key, json}, n_open} <- opened(members, n_open),
        field = Enum.find(fields, &(&1.key == key)),
        {:ok, value} <- [cast(field.type, json, n_open)],
        do: {field.name, value}
  end

  # Each part with how many are open within it: only the last one may be.
  defp opened([], _n_open), do: []

  defp opened(parts, n_open) do
    {whole, [last]} = Enum.split(parts, -1)
    Enum.map(whole, &{&1, 0}) ++ [{last, n_open - 1}]
  end

  @doc "JSON with maps for its ordered objects."
  @spec plain(term) :: term
  def plain(%Object{members: members}),
    do: Map.new(members, fn {key, value} -> {key, plain(value)} end)

  def plain(list) when is_list(list), do: Enum.map(list, &plain/1)
  def plain(other), do: other
end
