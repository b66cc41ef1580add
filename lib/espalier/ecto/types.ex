defmodule Espalier.Ecto.Types do
  @moduledoc false
  # From the type of a field in Ecto to a type of Espalier.
  #
  # A type of the user's is what its `espalier_type/0` says, or else what it is in the database.

  @compile {:no_warn_undefined, Ecto.Enum}

  alias Espalier.Schema.Type
  alias Espalier.SchemaError

  @simple %{
    :id => :integer,
    :binary_id => :uuid,
    :uuid => :uuid,
    Ecto.UUID => :uuid,
    :integer => :integer,
    :float => :float,
    :decimal => :decimal,
    :boolean => :boolean,
    :string => :string,
    :binary => :binary,
    :any => :any,
    :map => :map,
    :date => :date,
    :time => :time,
    :time_usec => :time,
    :naive_datetime => :naive_datetime,
    :naive_datetime_usec => :naive_datetime,
    :utc_datetime => :utc_datetime,
    :utc_datetime_usec => :utc_datetime,
    :duration => :duration
  }

  @doc "The type of a field that is no relation."
  @spec new!(term) :: Type.t()
  def new!({:parameterized, {module, params}}), do: parameterized!(module, params)
  def new!({:parameterized, module, params}), do: parameterized!(module, params)
  def new!({:array, item}), do: %Type{kind: :array, argument: item |> new!() |> kept()}
  def new!({:map, value}), do: %Type{kind: :map, argument: new!(value)}
  def new!(simple) when is_map_key(@simple, simple), do: Type.new!(@simple[simple])

  def new!(module) when is_atom(module) do
    if Code.ensure_loaded?(module) and function_exported?(module, :type, 0),
      do: custom!(module, &module.type/0),
      else: unknown!(module)
  end

  def new!(other), do: unknown!(other)

  # Ecto takes blank texts out of a list.
  defp kept(%Type{kind: :string} = type), do: %{type | rules: [not_blank: true] ++ type.rules}
  defp kept(type), do: type

  defp parameterized!(Ecto.Enum, params) do
    shape = Enum.find(shapes(Ecto.Enum, params), &mappings/1)
    %Type{kind: :enum, argument: Keyword.keys(mappings(shape))}
  end

  defp parameterized!(module, params), do: custom!(module, fn -> module.type(params) end)

  # Each version of Ecto knows one of the two.
  defp shapes(module, params),
    do: [{:parameterized, {module, params}}, {:parameterized, module, params}]

  defp mappings(type) do
    Ecto.Enum.mappings(%{field: type}, :field)
  rescue
    ArgumentError -> nil
  end

  defp custom!(module, underlying) do
    if Code.ensure_loaded?(module) and function_exported?(module, :espalier_type, 0),
      do: Type.new!(module.espalier_type()),
      else: new!(underlying.())
  end

  defp unknown!(type) do
    detail =
      "the Ecto type #{inspect(type)} has no JSON: leave the field out with :except, " <>
        "or give its module a function espalier_type/0"

    raise SchemaError.invalid(detail)
  end

  @doc "The module of the user's within a type that casts its values, or `nil`."
  @spec custom(term) :: module | nil
  def custom({:parameterized, {Ecto.Enum, _params}}), do: nil
  def custom({:parameterized, Ecto.Enum, _params}), do: nil
  def custom({:parameterized, {module, _params}}), do: module
  def custom({:parameterized, module, _params}), do: module
  def custom({_container, type}), do: custom(type)
  def custom(simple) when is_map_key(@simple, simple), do: nil
  def custom(module), do: module
end
