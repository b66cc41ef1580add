defmodule Espalier.Schema.Cast do
  @moduledoc false
  # Decoded JSON to the value that a type describes: structs, atoms, dates, decimals, defaults.
  #
  # Types, keys and the values of enums are checked, for without them there is no value, and then the
  # functions of `:validate` are asked. Bounds, lengths and patterns are the constraint's matter: it knows
  # numbers exactly, and patterns as JSON Schema reads them.
  #
  # Numbers come as they are or as `Espalier.JSON.Number`, where a decimal is to lose nothing.

  @compile {:no_warn_undefined, Decimal}

  alias Espalier.CastError
  alias Espalier.ChangesetError
  alias Espalier.Ecto.Casting
  alias Espalier.JSON
  alias Espalier.JSON.Number
  alias Espalier.Schema.Definition
  alias Espalier.Schema.Field
  alias Espalier.Schema.JSONSchema
  alias Espalier.Schema.Text
  alias Espalier.Schema.Type
  alias Espalier.Schema.Validation

  @text_kinds Text.kinds()

  # As many as the decoder reads of an integer, and as many as no decimal that one can compute with has.
  @max_digits 100_000
  @max_exponent_digits 9

  @doc "The value that decoded JSON stands for."
  @spec cast(Type.t(), term) :: {:ok, term} | {:error, CastError.t() | ChangesetError.t()}
  def cast(type, json) do
    {:ok, cast!(type, json, [])}
  rescue
    error in CastError -> {:error, %{error | path: Enum.reverse(error.path)}}
    error in ChangesetError -> {:error, error}
  end

  @doc "Whether a value of the type may have decimals, for which numbers are to be decoded exactly."
  @spec exact?(Type.t()) :: boolean
  def exact?(type), do: exact?([type], [])

  defp exact?([], _seen), do: false
  defp exact?([%{kind: :decimal} | _types], _seen), do: true

  defp exact?([%{kind: :module, argument: module} | types], seen) do
    if module in seen,
      do: exact?(types, seen),
      else:
        exact?(Enum.map(Definition.fetch!(module).fields, & &1.type) ++ types, [module | seen])
  end

  defp exact?([type | types], seen), do: exact?(Type.children(type) ++ types, seen)

  # Paths are the other way round on the way down.
  defp cast!(%Type{nullable: true}, nil, _path), do: nil
  defp cast!(type, json, path), do: type |> value!(json, path) |> validated!(type.validate, path)

  defp value!(%Type{kind: :any} = type, json, path), do: native!(json, type, path)

  defp value!(%Type{kind: :decimal} = type, %Number{} = json, path),
    do: decimal!(type, json, path)

  defp value!(%Type{kind: :decimal}, json, _path) when is_integer(json), do: Decimal.new(json)

  defp value!(%Type{kind: :decimal}, json, _path) when is_float(json),
    do: Decimal.from_float(json)

  defp value!(type, %Number{} = number, path),
    do: value!(type, native!(number, type, path), path)

  defp value!(%Type{kind: :null}, nil, _path), do: nil
  defp value!(%Type{kind: :string}, json, _path) when is_binary(json), do: json
  defp value!(%Type{kind: :boolean}, json, _path) when is_boolean(json), do: json
  defp value!(%Type{kind: :integer}, json, _path) when is_integer(json), do: json

  defp value!(%Type{kind: :integer}, json, _path) when is_float(json) and trunc(json) == json,
    do: trunc(json)

  defp value!(%Type{kind: :number}, json, _path) when is_number(json), do: json
  defp value!(%Type{kind: :float}, json, _path) when is_float(json), do: json

  defp value!(%Type{kind: :float} = type, json, path) when is_integer(json),
    do: float!(type, json, path)

  defp value!(%Type{kind: kind} = type, json, path)
       when kind in @text_kinds and is_binary(json) do
    case Text.cast(kind, json) do
      {:ok, value} -> value
      :error -> refuse!(type, json, path)
    end
  end

  defp value!(%Type{kind: :enum} = type, json, path) do
    case Enum.find(type.argument, :none, &(Type.to_json(&1) == json)) do
      :none -> refuse!(type, json, path)
      value -> value
    end
  end

  defp value!(%Type{kind: :const} = type, json, path) do
    if Type.to_json(type.argument) == json, do: type.argument, else: refuse!(type, json, path)
  end

  defp value!(%Type{kind: :array, argument: item}, json, path) when is_list(json) do
    item = known(item)
    json |> Enum.with_index() |> Enum.map(fn {value, idx} -> cast!(item, value, [idx | path]) end)
  end

  defp value!(%Type{kind: :tuple, argument: types}, json, path)
       when is_list(json) and length(json) == length(types) do
    [types, json, 0..length(json)//1]
    |> Enum.zip_with(fn [type, value, index] -> cast!(type, value, [index | path]) end)
    |> List.to_tuple()
  end

  defp value!(%Type{kind: :map, argument: type}, json, path) when is_map(json) do
    type = known(type)
    Map.new(json, fn {key, value} -> {key, cast!(type, value, [key | path])} end)
  end

  defp value!(%Type{kind: :module, argument: module}, json, path) when is_map(json) do
    case Definition.fetch!(module) do
      %{ecto: nil} = definition ->
        struct = struct!(definition.module, members!(definition.fields, json, path))
        validated!(struct, definition.validate, path)

      %{ecto: ecto, fields: fields} ->
        passed!(Casting.struct(ecto, params!(fields, json, path)), path)
    end
  end

  # A struct within one of Ecto's is still to pass the changeset function of the outer one.
  defp value!(%Type{kind: :params, argument: module}, json, path) when is_map(json) do
    params!(Definition.fetch!(module).fields, json, path)
  end

  defp value!(%Type{kind: :object, argument: fields}, json, path) when is_map(json) do
    Map.new(members!(fields, json, path))
  end

  defp value!(%Type{kind: :union} = type, json, path) do
    fitting =
      for member <- type.argument, {:ok, value} <- [cast(member, json)], do: {member, value}

    case Enum.uniq_by(fitting, &elem(&1, 1)) do
      [] -> refuse!(type, json, path)
      [{_member, value}] -> value
      several -> several |> meant(JSON.encode!(json)) |> elem(1)
    end
  end

  defp value!(%Type{kind: :tagged} = type, json, path) when is_map(json) do
    name = type.rules[:discriminator]
    {tag, json} = Map.pop(json, Atom.to_string(name))

    case Enum.find(type.argument, &(Atom.to_string(elem(&1, 0)) == tag)) do
      {_tag, %{kind: :module} = member} -> cast!(member, json, path)
      {tag, member} -> member |> cast!(json, path) |> Map.put(name, tag)
      nil -> refuse_tag!(type, tag, path)
    end
  end

  defp value!(type, json, path), do: refuse!(type, json, path)

  # Bounds, lengths and patterns tell apart what types don't.
  defp meant(fitting, text) do
    Enum.find(fitting, hd(fitting), fn {member, _value} ->
      Validation.check_json(JSONSchema.build(member), text) == :ok
    end)
  end

  # `Decimal.new/1` takes no more than some hundred digits.
  defp decimal!(type, %Number{text: text} = number, path) do
    [digits | exponent] = String.split(text, ["e", "E"])
    exponent = List.first(exponent, "0")
    [whole | fraction] = digits |> String.trim_leading("-") |> String.split(".")
    fraction = List.first(fraction, "")

    if byte_size(whole <> fraction) > @max_digits or byte_size(exponent) > @max_exponent_digits,
      do: refuse!(type, number, path)

    sign = if String.starts_with?(text, "-"), do: -1, else: 1
    exponent = String.to_integer(exponent) - byte_size(fraction)
    Decimal.new(sign, String.to_integer(whole <> fraction), exponent)
  end

  # What is left of a number that no decimal asked for.
  defp native!(%Number{text: text} = number, type, path) do
    case JSON.decode(text) do
      {:ok, number} -> number
      {:error, _error} -> refuse!(type, number, path)
    end
  end

  defp native!(list, type, path) when is_list(list), do: Enum.map(list, &native!(&1, type, path))

  defp native!(map, type, path) when is_map(map) and not is_struct(map),
    do: Map.new(map, fn {key, value} -> {key, native!(value, type, path)} end)

  defp native!(json, _type, _path), do: json

  defp validated!(value, nil, _path), do: value

  defp validated!(value, function, path) do
    case function.(value) do
      :ok ->
        value

      {:error, message} ->
        raise CastError, kind: :rejected, path: path, expected: message, got: value
    end
  end

  defp float!(type, integer, path) do
    integer * 1.0
  rescue
    ArithmeticError -> refuse!(type, integer, path)
  end

  defp passed!({:ok, struct}, _path), do: struct

  defp passed!({:error, error}, path) do
    path = Enum.reverse(path)
    raise %{error | diagnostics: Enum.map(error.diagnostics, &%{&1 | path: path ++ &1.path})}
  end

  # Of many values the definition is fetched once: that of an Ecto schema takes some time.
  defp known(%Type{kind: kind, argument: module} = type) when kind in [:module, :params],
    do: %{type | argument: Definition.fetch!(module)}

  defp known(type), do: type

  # What is absent or `null` is the changeset function's matter.
  defp params!(fields, json, path) do
    check_keys!(fields, json, path)

    for %{key: key, type: type} <- fields, is_map_key(json, key), into: %{} do
      {key, cast!(%{unfinished(type) | nullable: true}, json[key], [key | path])}
    end
  end

  defp unfinished(%Type{kind: :module} = type), do: %{type | kind: :params}

  defp unfinished(%Type{kind: :array} = type),
    do: %{type | argument: unfinished(type.argument)}

  defp unfinished(type), do: type

  defp members!(fields, json, path) do
    check_keys!(fields, json, path)
    Enum.map(fields, &{&1.name, member!(&1, json, path)})
  end

  defp check_keys!(fields, json, path) do
    known = Enum.map(fields, & &1.key)

    if key = Enum.find(Map.keys(json), &(&1 not in known)) do
      raise CastError, path: [key | path], expected: "no such key", got: json[key]
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

  defp refuse_tag!(type, tag, path) do
    name = Atom.to_string(type.rules[:discriminator])

    expected =
      "one of " <> Enum.map_join(type.argument, ", ", &inspect(Atom.to_string(elem(&1, 0))))

    raise CastError, path: [name | path], expected: expected, got: tag
  end

  defp expected(%Type{nullable: true} = type),
    do: expected(%{type | nullable: false}) <> " or null"

  defp expected(%Type{kind: :any}), do: "any value"

  defp expected(%Type{kind: kind, argument: module}) when kind in [:module, :params],
    do: "object for #{inspect(Definition.module(module))}"

  defp expected(%Type{kind: :const, argument: value}), do: inspect(Type.to_json(value))

  defp expected(%Type{kind: :union, argument: types}),
    do: Enum.map_join(types, " or ", &expected/1)

  defp expected(%Type{kind: :tagged}), do: "object"
  defp expected(%Type{kind: :tuple, argument: types}), do: "array of #{length(types)} items"
  defp expected(%Type{kind: :float}), do: "number in the range of a float"

  defp expected(%Type{kind: :enum, argument: values}) do
    "one of " <> Enum.map_join(values, ", ", &inspect(Type.to_json(&1)))
  end

  defp expected(%Type{kind: kind}), do: Atom.to_string(kind)
end
