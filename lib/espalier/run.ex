defmodule Espalier.Run do
  @moduledoc false
  # One generation from the caller's side: the attempts that it takes, one after the other, within one telemetry
  # span and one span of time.

  alias Espalier.Attempt
  alias Espalier.Repair
  alias Espalier.Request
  alias Espalier.Result
  alias Espalier.Schema.Form
  alias Espalier.Telemetry

  @typedoc "What the caller sees; one of the last two comes last."
  @type event ::
          {:tokens, %{ids: [non_neg_integer], text: binary, forced?: boolean}}
          | {:text, String.t()}
          | {:attempt, %{number: pos_integer, error: Exception.t()}}
          | {:done, Result.t()}
          | {:error, Exception.t()}

  @doc "The events of a request; nothing happens before they are read."
  @spec events(Request.t()) :: Enumerable.t(event)
  def events(%Request{} = request) do
    [request]
    |> Stream.flat_map(&attempts(&1, [], deadline(&1.timeout)))
    |> Stream.transform(fn -> start(request) end, &step/2, &{[], &1}, &close/1)
  end

  # What was tried before, the last one first.
  defp attempts(request, past, deadline) do
    request
    |> Attempt.events()
    |> Stream.flat_map(fn
      {:value, value, text, info} ->
        [{:done, result(value, info, request, [tried(text, nil, info) | past])}]

      {:refused, error, text, info} ->
        again(request, [tried(text, error, info) | past], deadline)

      event ->
        [event]
    end)
  end

  defp tried(text, error, info),
    do: %{text: text, error: error, fixes: info.fixes, usage: info.usage}

  defp again(request, [%{text: text, error: error} | _] = past, deadline) do
    left = left(deadline)

    if length(past) < request.max_attempts and left != 0 and Repair.possible?(error) do
      next = Repair.request(%{request | timeout: left}, text, error)
      told = {:attempt, %{number: length(past) + 1, error: error}}
      Stream.concat([told], attempts(next, past, deadline))
    else
      [{:error, error}]
    end
  end

  defp deadline(:infinity), do: :infinity
  defp deadline(timeout), do: System.monotonic_time(:millisecond) + timeout

  defp left(:infinity), do: :infinity
  defp left(deadline), do: max(deadline - System.monotonic_time(:millisecond), 0)

  defp result(value, info, request, [%{text: text, fixes: fixes} | _] = attempts) do
    %Result{
      value: value,
      text: text,
      fixes: fixes,
      finish_reason: info.finish_reason,
      usage: attempts |> Enum.map(& &1.usage) |> Enum.reduce(&sum/2),
      seed: request.sampling.seed,
      attempts: Enum.reverse(attempts)
    }
  end

  defp sum(usage, other), do: Map.merge(usage, other, fn _name, count, more -> count + more end)

  defp start(request) do
    metadata = %{
      backend: request.backend,
      model: request.model,
      schema: Form.name(request.schema),
      max_tokens: request.max_tokens,
      temperature: request.sampling.temperature,
      seed: request.sampling.seed
    }

    {Telemetry.start(:generate, metadata), nil}
  end

  defp step({kind, _} = event, {span, _ending}) when kind in [:done, :error],
    do: {[event], {span, event}}

  defp step(event, run), do: {[event], run}

  defp close({span, {:done, result}}) do
    measurements = Map.put(result.usage, :attempts, length(result.attempts))
    Telemetry.stop(span, measurements, %{finish_reason: result.finish_reason})
  end

  defp close({span, {:error, error}}), do: Telemetry.exception(span, error)
  defp close({span, nil}), do: Telemetry.stop(span, %{}, %{finish_reason: :halted})
end
