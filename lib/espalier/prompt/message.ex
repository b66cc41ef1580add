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
    for(name <- @names, (value = message[name]) != nil, do: {name, value})
    |> map(fn {name, value} ->
      with {:ok, value} <- field(name, value), do: {:ok, {to_string(name), value}}
    end)
  end

  defp field(:tool_calls, [_ | _] = calls) do
    if List.improper?(calls),
      do: no_calls(calls),
      else: calls |> Enum.with_index(1) |> map(&call/1)
  end

  defp field(:tool_calls, calls), do: no_calls(calls)
  defp field(name, value), do: text(name, value)

  defp no_calls(calls),
    do: {:error, "expected :tool_calls to be a list of at least one, got: #{show(calls)}"}

  defp text(name, text) when is_binary(text) do
    if String.valid?(text),
      do: {:ok, text},
      else: {:error, "#{inspect(name)} is not UTF-8, got: #{show(text)}"}
  end

  defp text(name, other),
    do: {:error, "expected #{inspect(name)} to be a text, got: #{show(other)}"}

  defp call({%{name: name, arguments: arguments} = call, place}) when not is_struct(call) do
    with :ok <- known(Map.keys(call) -- [:id, :name, :arguments]),
         {:ok, id} <- id(call[:id]),
         {:ok, name} <- text(:name, name),
         :ok <- arguments(arguments) do
      function = %Object{members: [{"name", name}, {"arguments", arguments}]}
      {:ok, %Object{members: id ++ [{"type", "function"}, {"function", function}]}}
    else
      {:error, detail} -> {:error, "tool call #{place}: #{detail}"}
    end
  end

  defp call({call, place}) do
    expected = "%{name: text, arguments: map or text} with or without an :id"
    {:error, "expected tool call #{place} to be #{expected}, got: #{show(call)}"}
  end

  defp known([]), do: :ok
  defp known([key | _]), do: {:error, "expected it to have no #{inspect(key)}"}

  defp id(nil), do: {:ok, []}
  defp id(id), do: with({:ok, id} <- text(:id, id), do: {:ok, [{"id", id}]})

  defp arguments(arguments) when is_map(arguments) or is_binary(arguments) do
    with {:ok, _json} <- JSON.encode(arguments) do
      :ok
    else
      {:error, error} -> {:error, "expected arguments that JSON has: #{Exception.message(error)}"}
    end
  end

  defp arguments(arguments),
    do: {:error, "expected :arguments to be a map or a text, got: #{show(arguments)}"}

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
