defmodule Espalier.Prompt.Message do
  @moduledoc false
  # What a message may have besides a role and a content: calls of tools and what belongs to them, checked and as JSON.

  alias Espalier.JSON
  alias Espalier.JSON.Object

  @names [:name, :reasoning_content, :tool_call_id, :tool_calls]

  @typedoc "Fields in the order of their names, with values for `Espalier.JSON.encode/1`."
  @type fields :: [{String.t(), JSON.value()}]

  @doc "The names of these fields."
  @spec names() :: [atom]
  def names, do: @names

  @doc "The fields of a message; an error says where in the message which one is wrong."
  @spec fields(map) :: {:ok, fields} | {:error, String.t()}
  def fields(message) do
    for(name <- @names, value = message[name], value != nil, do: {name, value})
    |> map(fn {name, value} ->
      with {:ok, value} <- field(name, value), do: {:ok, {to_string(name), value}}
    end)
  end

  defp field(:tool_calls, [_ | _] = calls) do
    calls
    |> Enum.with_index(1)
    |> map(fn {call, place} ->
      with {:error, expected} <- call(call),
           do: {:error, "expected tool call #{place} #{expected}, got: #{show(call)}"}
    end)
  end

  defp field(:tool_calls, calls),
    do: {:error, "expected :tool_calls to be a list of at least one, got: #{show(calls)}"}

  defp field(name, text) when is_binary(text) do
    if String.valid?(text), do: {:ok, text}, else: {:error, "#{inspect(name)} is not UTF-8"}
  end

  defp field(name, other),
    do: {:error, "expected #{inspect(name)} to be a text, got: #{show(other)}"}

  defp call(%{name: name, arguments: arguments} = call)
       when is_binary(name) and (is_map(arguments) or is_binary(arguments)) do
    with :ok <- known(Map.keys(call) -- [:id, :name, :arguments]),
         {:ok, _json} <- json(arguments) do
      function = %Object{members: [{"name", name}, {"arguments", arguments}]}
      id = if call[:id], do: [{"id", call.id}], else: []
      {:ok, %Object{members: id ++ [{"type", "function"}, {"function", function}]}}
    end
  end

  defp call(_call),
    do: {:error, "to be %{name: text, arguments: map or text} with or without an :id"}

  defp known([]), do: :ok
  defp known([key | _]), do: {:error, "to have no #{inspect(key)}"}

  defp json(term) do
    with {:error, _error} <- JSON.encode(term), do: {:error, "to have arguments that JSON has"}
  end

  defp map(enumerable, function) do
    enumerable
    |> Enum.reduce_while([], fn element, done ->
      case function.(element) do
        {:ok, value} -> {:cont, [value | done]}
        {:error, detail} -> {:halt, {:error, detail}}
      end
    end)
    |> case do
      {:error, detail} -> {:error, detail}
      values -> {:ok, Enum.reverse(values)}
    end
  end

  defp show(term), do: inspect(term, limit: 5, printable_limit: 100)
end
