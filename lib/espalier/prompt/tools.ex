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
    with {:ok, objects} <- objects(tools), :ok <- check_unique(tools), do: {:ok, objects}
  end

  defp objects(tools) do
    tools
    |> Enum.with_index(1)
    |> Enum.reduce_while({:ok, []}, fn {tool, place}, {:ok, done} ->
      case tool(tool) do
        {:ok, tool} -> {:cont, {:ok, done ++ [tool]}}
        {:invalid, expected} -> {:halt, {:error, invalid(tool, "tool #{place} #{expected}")}}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
  end

  @doc "That no two have the same name: what a model calls by it has to be one tool."
  @spec check_unique([map]) :: :ok | {:error, OptionsError.t()}
  def check_unique(tools) do
    case tools -- Enum.uniq_by(tools, & &1.name) do
      [] ->
        :ok

      [tool | _] ->
        {:error, invalid(tool, "tools with different names, not two with that of this one")}
    end
  end

  defp tool(%{name: name} = tool) when not is_struct(tool) do
    description = if tool[:description] == nil, do: "", else: tool[:description]

    with [] <- Map.keys(tool) -- @keys,
         :ok <- text(:name, name),
         :ok <- text(:description, description),
         {:ok, parameters} <- parameters(tool[:parameters]) do
      members = [{"name", name}, {"description", description}, {"parameters", parameters}]
      function = %Object{members: members}
      {:ok, %Object{members: [{"type", "function"}, {"function", function}]}}
    else
      [_key | _] -> {:invalid, @expected}
      error -> error
    end
  end

  defp tool(_tool), do: {:invalid, @expected}

  defp text(name, text) do
    if is_binary(text) and String.valid?(text),
      do: :ok,
      else: {:invalid, "to have a text in UTF-8 as its #{inspect(name)}"}
  end

  defp parameters(nil),
    do: {:ok, %Object{members: [{"type", "object"}, {"properties", %{}}]}}

  # Keys of a JSON Schema keep their order.
  defp parameters(schema) do
    with {:ok, form} <- Form.new(schema),
         {:ok, schema} <- Form.to_json_schema(form),
         {:ok, text} <- JSON.encode(schema),
         do: JSON.decode(text, objects: :ordered, numbers: :exact)
  end

  defp invalid(tool, expected),
    do: %OptionsError{kind: :invalid, option: :tools, expected: expected, got: tool}
end
