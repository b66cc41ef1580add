defmodule Espalier.Backends.Gemini.OpenAPI do
  @moduledoc false
  # A schema that was adapted to the profile `:gemini_schema`, as Gemini's `Schema` spells it: the names of types are
  # in upper case, and texts of which one is meant are an enumeration.
  #
  # An object without named properties makes the whole request invalid.
  #
  # https://ai.google.dev/api/caching#Schema, November 2026

  alias Espalier.JSON.Object
  alias Espalier.JSON.Pointer
  alias Espalier.SchemaError

  @doc "The schema, or an error with the place that can't be said."
  @spec schema(Object.t()) :: {:ok, Object.t()} | {:error, SchemaError.t()}
  def schema(schema) do
    {:ok, translate(schema, "")}
  catch
    {__MODULE__, error} -> {:error, error}
  end

  defp translate(%Object{members: members}, pointer) do
    check(Map.new(members), pointer)
    %Object{members: Enum.flat_map(members, &member(&1, pointer))}
  end

  defp check(%{"type" => "object"} = schema, pointer) do
    unless match?(%Object{members: [_ | _]}, schema["properties"]),
      do: fail(pointer, "properties", "an object without named properties")
  end

  defp check(%{"type" => "array"} = schema, pointer) do
    unless is_struct(schema["items"], Object),
      do: fail(pointer, "items", "an array with items of any kind")
  end

  defp check(_schema, _pointer), do: :ok

  defp member({"type", type}, _pointer), do: [{"type", String.upcase(type)}]
  defp member({"enum", texts}, _pointer), do: [{"format", "enum"}, {"enum", texts}]

  defp member({"properties", %Object{members: members}}, pointer) do
    properties =
      for {key, schema} <- members,
          do: {key, translate(schema, Pointer.child(pointer <> "/properties", key))}

    [{"properties", %Object{members: properties}}]
  end

  defp member({"items", schema}, pointer), do: [{"items", translate(schema, pointer <> "/items")}]

  defp member({"anyOf", schemas}, pointer) do
    schemas =
      for {schema, index} <- Enum.with_index(schemas),
          do: translate(schema, "#{pointer}/anyOf/#{index}")

    [{"anyOf", schemas}]
  end

  defp member(other, _pointer), do: [other]

  @spec fail(String.t(), String.t(), String.t()) :: no_return
  defp fail(pointer, keyword, what) do
    message = "Gemini's mode :schema can't be given #{what}, at #{inspect(pointer)}"
    error = %SchemaError{kind: :unsupported_by_provider, keyword: keyword, pointer: pointer}
    throw({__MODULE__, %{error | message: message, detail: message}})
  end
end
