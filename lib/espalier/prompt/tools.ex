defmodule Espalier.Prompt.Tools do
  @moduledoc false
  # The tools that a chat template tells the model of, as JSON.

  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.OptionsError
  alias Espalier.Schema.Form

  @keys [:name, :description, :parameters]
  @expected "to be %{name: text} with or without a :description, a text, and :parameters, a schema"

  @doc "The tools in the form that templates take; each has its keys in the order that models were trained with."
  @spec new([map] | nil) :: {:ok, [Object.t()] | nil} | {:error, Exception.t()}
  def new(nil), do: {:ok, nil}

  def new(tools) do
    tools
    |> Enum.with_index(1)
    |> Enum.reduce_while({:ok, []}, fn {tool, place}, {:ok, done} ->
      case tool(tool) do
        {:ok, tool} -> {:cont, {:ok, done ++ [tool]}}
        :error -> {:halt, {:error, invalid(tool, place)}}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
  end

  defp tool(%{name: name} = tool) when is_binary(name) do
    description = Map.get(tool, :description, "")

    if Map.keys(tool) -- @keys == [] and is_binary(description) do
      with {:ok, parameters} <- parameters(tool[:parameters]) do
        members = [{"name", name}, {"description", description}, {"parameters", parameters}]
        function = %Object{members: members}
        {:ok, %Object{members: [{"type", "function"}, {"function", function}]}}
      end
    else
      :error
    end
  end

  defp tool(_tool), do: :error

  defp parameters(nil),
    do: {:ok, %Object{members: [{"type", "object"}, {"properties", %{}}]}}

  # Keys of a JSON Schema keep their order.
  defp parameters(schema) do
    with {:ok, form} <- Form.new(schema),
         {:ok, schema} <- Form.to_json_schema(form),
         {:ok, text} <- JSON.encode(schema),
         do: JSON.decode(text, objects: :ordered, numbers: :exact)
  end

  defp invalid(tool, place) do
    %OptionsError{
      kind: :invalid,
      option: :tools,
      expected: "tool #{place} #{@expected}",
      got: tool
    }
  end
end
