defmodule Espalier.Profile.References do
  @moduledoc false
  # Where references lead: the schemas of all documents by URI, with and without fragment.

  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.JSON.Pointer
  alias Espalier.Profile.Node

  @root "http://root.invalid/schema"

  @doc "The place of the root of a document."
  @spec root(String.t(), String.t() | nil, MapSet.t()) :: Node.place()
  def root(document, uri, unknown) do
    %{document: document, pointer: "", base: uri || @root, draft: :draft2020, unknown: unknown}
  end

  @doc "The schemas of a document and of others by URI."
  @spec index(term, map, MapSet.t()) :: {:ok, map} | {:error, Exception.t()}
  def index(json, documents, unknown) do
    own = found(json, root("", nil, unknown), %{@root => {json, root("", nil, unknown)}})

    Enum.reduce_while(documents, {:ok, own}, fn {uri, document}, {:ok, index} ->
      case decode(document) do
        {:ok, json} ->
          place = root(uri <> "#", uri, MapSet.new())
          {:cont, {:ok, found(json, place, Map.put(index, uri, {json, place}))}}

        {:error, error} ->
          {:halt, {:error, error}}
      end
    end)
  end

  defp decode(text) when is_binary(text), do: JSON.decode(text, objects: :ordered)

  defp decode(term) do
    with {:ok, text} <- JSON.encode(term), do: decode(text)
  end

  defp found(%Object{members: members} = json, place, index) do
    inner = Node.enter(members, place)
    index = if inner.base == place.base, do: index, else: named(index, inner.base, json, place)

    index =
      Enum.reduce(members, index, fn
        {keyword, name}, index
        when keyword in ["$anchor", "$dynamicAnchor"] and is_binary(name) ->
          named(index, inner.base <> "#" <> name, json, place)

        _member, index ->
          index
      end)

    for {schema, place, _definition?} <- Node.nested(members, place), reduce: index do
      index -> found(schema, place, index)
    end
  end

  defp found(_other, _place, index), do: index

  # The first one counts, as for the engine.
  defp named(index, uri, json, place),
    do: Map.put_new(index, String.trim_trailing(uri, "#"), {json, place})

  @doc "The schema that a reference leads to, with its place."
  @spec resolve(map, String.t(), String.t()) :: {term, Node.place()} | nil
  def resolve(index, reference, base) do
    {uri, fragment} = base |> Node.merge_uri(reference) |> split()

    cond do
      fragment == "" -> index[uri]
      String.starts_with?(fragment, "/") -> below(index[uri], URI.decode(fragment))
      true -> index[uri <> "#" <> fragment]
    end
  end

  defp split(uri) do
    case String.split(uri, "#", parts: 2) do
      [uri] -> {uri, ""}
      [uri, fragment] -> {uri, fragment}
    end
  end

  defp below(nil, _pointer), do: nil

  defp below({json, place}, pointer) do
    pointer
    |> Pointer.tokens()
    |> Enum.reduce_while({json, place}, fn token, {json, place} ->
      place = if is_struct(json, Object), do: Node.enter(json.members, place), else: place

      case at(json, token) do
        {:ok, value} -> {:cont, {value, Node.child(place, token)}}
        :error -> {:halt, nil}
      end
    end)
  end

  defp at(%Object{members: members}, key) do
    with {_key, value} <- List.keyfind(members, key, 0, :error), do: {:ok, value}
  end

  defp at(items, token) when is_list(items) do
    with {index, ""} <- Integer.parse(token),
         do: Enum.fetch(items, index),
         else: (_other -> :error)
  end

  defp at(_value, _token), do: :error
end
