defmodule Espalier.Schema.Cast do
  @moduledoc false
  # Decoded JSON to the value that a type describes: structs, atoms, floats, defaults.
  #
  # Types, keys and the values of enums are checked, for without them there is no value. Bounds,
  # lengths and patterns are the constraint's matter: it knows numbers exactly, and patterns as
  # JSON Schema reads them.

  alias Espalier.CastError
  alias Espalier.Schema.Definition
  alias Espalier.Schema.Field
  alias Espalier.Schema.Type

  @doc "The value that decoded JSON stands for."
  @spec cast(Type.t(), term) :: {:ok, term} | {:error, CastError.t()}
  def cast(type, json) do
    {:ok, cast!(type, json, [])}
  rescue
    error in CastError -> {:error, %{error | path: Enum.reverse(error.path)}}
  end

  # Paths are the other way round on the way down.
  defp cast!(%Type{nullable: true}, nil, _path), do: nil
  defp cast!(%Type{kind: :any}, json, _path), do: json
  defp cast!(%Type{kind: :null}, nil, _path), do: nil
  defp cast!(%Type{kind: :string}, json, _path) when is_binary(json), do: json
  defp cast!(%Type{kind: :boolean}, json, _path) when is_boolean(json), do: json
  defp cast!(%Type{kind: :integer}, json, _path) when is_integer(json), do: json

  defp cast!(%Type{kind: :integer}, json, _path) when is_float(json) and trunc(json) == json,
    do: trunc(json)

  defp cast!(%Type{kind: :number}, json, _path) when is_number(json), do: json
  defp cast!(%Type{kind: :float}, json, _path) when is_float(json), do: json

  defp cast!(%Type{kind: :float} = type, json, path) when is_integer(json),
    do: float!(type, json, path)

  defp cast!(%Type{kind: :enum} = type, json, path) do
    case Enum.find(type.argument, :none, &(Type.to_json(&1) == json)) do
      :none -> refuse!(type, json, path)
      value -> value
    end
  end

  defp cast!(%Type{kind: :const} = type, json, path) do
    if Type.to_json(type.argument) == json, do: type.argument, else: refuse!(type, json, path)
  end

  defp cast!(%Type{kind: :array, argument: item}, json, path) when is_list(json) do
    json |> Enum.with_index() |> Enum.map(fn {value, idx} -> cast!(item, value, [idx | path]) end)
  end

  defp cast!(%Type{kind: :module, argument: module}, json, path) when is_map(json) do
    fields = Definition.fetch!(module).fields
    struct!(module, members!(fields, json, path))
  end

  defp cast!(%Type{kind: :object, argument: fields}, json, path) when is_map(json) do
    Map.new(members!(fields, json, path))
  end

  defp cast!(%Type{kind: :union} = type, json, path) do
    Enum.find_value(type.argument, fn member ->
      with {:ok, value} <- cast(member, json), do: {:value, value}, else: (_error -> nil)
    end)
    |> case do
      {:value, value} -> value
      nil -> refuse!(type, json, path)
    end
  end

  defp cast!(type, json, path), do: refuse!(type, json, path)

  defp float!(type, integer, path) do
    integer * 1.0
  rescue
    ArithmeticError -> refuse!(type, integer, path)
  end

  defp members!(fields, json, path) do
    known = Enum.map(fields, & &1.key)

    case Enum.find(Map.keys(json), &(&1 not in known)) do
      nil -> Enum.map(fields, &{&1.name, member!(&1, json, path)})
      key -> raise CastError, path: [key | path], expected: "no such key", got: json[key]
    end
  end

  defp member!(%Field{key: key} = field, json, path) do
    case json do
      %{^key => value} ->
        cast!(field.type, value, [key | path])

      %{} when field.required ->
        raise CastError, path: path, expected: "the key #{inspect(key)}", got: json

      %{} ->
        field.default
    end
  end

  defp refuse!(type, json, path) do
    raise CastError, path: path, expected: expected(type), got: json
  end

  defp expected(%Type{nullable: true} = type),
    do: expected(%{type | nullable: false}) <> " or null"

  defp expected(%Type{kind: :any}), do: "any value"
  defp expected(%Type{kind: :module, argument: module}), do: "object for #{inspect(module)}"
  defp expected(%Type{kind: :const, argument: value}), do: inspect(Type.to_json(value))

  defp expected(%Type{kind: :union, argument: types}),
    do: Enum.map_join(types, " or ", &expected/1)

  defp expected(%Type{kind: :float}), do: "number in the range of a float"

  defp expected(%Type{kind: :enum, argument: values}) do
    "one of " <> Enum.map_join(values, ", ", &inspect(Type.to_json(&1)))
  end

  defp expected(%Type{kind: kind}), do: Atom.to_string(kind)
end
