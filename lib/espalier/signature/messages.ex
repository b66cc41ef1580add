defmodule Espalier.Signature.Messages do
  @moduledoc false
  # The prompt of a signature: what to do, the examples, and the inputs.

  alias Espalier.JSON
  alias Espalier.JSONError
  alias Espalier.Schema
  alias Espalier.Schema.Dump
  alias Espalier.Schema.Type
  alias Espalier.Signature.Definition

  @doc "The messages for checked inputs."
  @spec build(Definition.t(), map, boolean) ::
          {:ok, [Espalier.Signature.message()]} | {:error, JSONError.t()}
  def build(definition, inputs, reasoning?) do
    with {:ok, outputs} <- definition |> Definition.schema(reasoning?) |> Schema.describe() do
      examples = Enum.flat_map(definition.examples, &example(&1, definition, reasoning?))
      {:ok, [system(definition, outputs) | examples] ++ [user(definition, inputs)]}
    end
  rescue
    # An input of the type `:any` may have no JSON.
    error in JSONError -> {:error, error}
  end

  defp system(definition, outputs) do
    %{
      role: :system,
      content: """
      #{definition.instruction}

      You are given
      #{Enum.map_join(definition.inputs, "\n", &line/1)}

      Answer with #{lower(outputs)}\
      """
    }
  end

  defp line(%{key: key, type: %{description: nil}}), do: "- #{key}"
  defp line(%{key: key, type: %{description: description}}), do: "- #{key}: #{description}"

  defp lower("A " <> rest), do: "a " <> rest

  defp example({inputs, outputs}, definition, reasoning?) do
    outputs = if reasoning?, do: outputs, else: Map.delete(outputs, :reasoning)
    type = %Type{kind: :object, argument: Definition.members(definition)}
    answer = %{role: :assistant, content: type |> Dump.dump(outputs) |> JSON.encode!()}
    [user(definition, inputs), answer]
  end

  defp user(definition, inputs) do
    given = Enum.filter(definition.inputs, &is_map_key(inputs, &1.name))
    %{role: :user, content: Enum.map_join(given, "\n\n", &labelled(&1, inputs[&1.name]))}
  end

  defp labelled(field, term), do: "#{field.key}: #{text(Dump.dump(field.type, term))}"

  defp text(text) when is_binary(text), do: text
  defp text(json), do: JSON.encode!(json)
end
