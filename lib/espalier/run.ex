defmodule Espalier.Run do
  @moduledoc false
  # One generation from the caller's side: the events of a backend on their way to the caller. Text is
  # put together from bytes, the value is made at the end, and the telemetry span is kept.

  alias Espalier.Backend
  alias Espalier.GenerationError
  alias Espalier.Request
  alias Espalier.Result
  alias Espalier.Schema.Form
  alias Espalier.Telemetry
  alias Espalier.UTF8

  @enforce_keys [:request, :span]
  defstruct [:request, :span, :ending, text: [], rest: ""]

  @typedoc "What the caller sees; one of the last two comes last."
  @type event ::
          {:tokens, %{ids: [non_neg_integer], text: binary, forced?: boolean}}
          | {:text, String.t()}
          | {:done, Result.t()}
          | {:error, Exception.t()}

  @doc "The events of a request; nothing happens before they are read."
  @spec events(Request.t()) :: Enumerable.t(event)
  def events(%Request{} = request) do
    [request]
    |> Stream.flat_map(&backend_events/1)
    |> Stream.transform(fn -> start(request) end, &step/2, &{[], &1}, &close/1)
  end

  defp backend_events(request) do
    case request.backend.stream(request) do
      {:ok, events} -> events
      {:error, error} -> [{:error, error}]
    end
  end

  defp start(request) do
    metadata = %{
      backend: request.backend,
      model: request.model,
      schema: Form.name(request.schema),
      max_tokens: request.max_tokens,
      temperature: request.sampling.temperature,
      seed: request.sampling.seed
    }

    %__MODULE__{request: request, span: Telemetry.start(:generate, metadata)}
  end

  defp step({:tokens, ids, bytes, forced?}, run) do
    {text, rest} = UTF8.split(run.rest <> bytes)
    tokens = {:tokens, %{ids: ids, text: bytes, forced?: forced?}}
    events = if text == "", do: [tokens], else: [tokens, {:text, text}]
    {events, %{run | text: [run.text | text], rest: rest}}
  end

  defp step({:done, info}, run) do
    text = IO.iodata_to_binary([run.text | if(run.rest == "", do: "", else: "\uFFFD")])

    with :ok <- validate(text, run.request),
         {:ok, value} <- Form.read(run.request.schema, text) do
      finish({:done, result(value, text, info, run.request)}, run)
    else
      {:error, error} -> finish({:error, error}, run)
    end
  end

  defp step({:error, error}, run), do: finish({:error, with_text(error, run)}, run)

  defp validate(text, request) do
    if Backend.exact?(request.backend),
      do: :ok,
      else: Form.validate(request.schema, text, request.text_options)
  end

  defp finish(event, run), do: {[event], %{run | ending: event}}

  # How far the text got, where the backend left that to its caller.
  defp with_text(%GenerationError{text: nil, kind: kind} = error, run)
       when kind in [:timeout, :cancelled] do
    %{error | text: IO.iodata_to_binary(run.text)}
  end

  defp with_text(error, _run), do: error

  defp result(value, text, info, request) do
    %Result{
      value: value,
      text: text,
      finish_reason: info.finish_reason,
      usage: info.usage,
      seed: request.sampling.seed
    }
  end

  defp close(%{ending: {:done, result}, span: span}) do
    Telemetry.stop(span, result.usage, %{finish_reason: result.finish_reason})
  end

  defp close(%{ending: {:error, error}, span: span}), do: Telemetry.exception(span, error)
  defp close(%{ending: nil, span: span}), do: Telemetry.stop(span, %{}, %{finish_reason: :halted})
end
