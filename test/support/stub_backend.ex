defmodule Espalier.StubBackend do
  @moduledoc """
  A backend that yields what a test gives it, and tells the test when it is asked and when it is let go.

      backend: {Espalier.StubBackend, events: [...], to: self()}

  Without `:events` it writes `:pieces` of bytes, `"{}"` by default, and ends. If `:pieces` is an agent with a
  list of texts, it writes the next one each time.
  """
  @behaviour Espalier.Backend

  @usage %{prompt_tokens: 1, completion_tokens: 2, forced_tokens: 1, steps: 1}

  @impl true
  def stream(request) do
    case request.backend_options[:error] do
      nil -> {:ok, observed(request, request.backend_options[:to])}
      error -> {:error, error}
    end
  end

  @doc "The last event of a generation that went well."
  def done(finish_reason \\ :stop), do: {:done, %{finish_reason: finish_reason, usage: @usage}}

  defp observed(request, pid) do
    Stream.resource(
      fn -> tell(pid, {:started, request}, events(request.backend_options)) end,
      fn
        [event | events] -> {[event], events}
        [] -> {:halt, []}
      end,
      &tell(pid, {:stopped, length(&1)}, :ok)
    )
  end

  defp events(options) do
    options[:events] ||
      options |> Keyword.get(:pieces, ["{}"]) |> next() |> pieces() |> Enum.concat([done()])
  end

  defp next(agent) when is_pid(agent),
    do: Agent.get_and_update(agent, fn [text | texts] -> {[text], texts} end)

  defp next(pieces), do: pieces

  defp pieces(pieces), do: for(piece <- pieces, do: {:tokens, [1], piece, false})

  defp tell(nil, _message, result), do: result

  defp tell(pid, message, result) do
    send(pid, message)
    result
  end
end
