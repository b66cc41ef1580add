defmodule Espalier.Attempt do
  @moduledoc false
  # One time that a model is asked: the events of a backend on their way to the caller. Text is put together
  # from bytes, and the value is made at the end.

  alias Espalier.Backend
  alias Espalier.GenerationError
  alias Espalier.Middleware
  alias Espalier.Partial
  alias Espalier.Reply
  alias Espalier.RefusalError
  alias Espalier.Request
  alias Espalier.Schema.Form
  alias Espalier.Telemetry
  alias Espalier.Trace.Recorder
  alias Espalier.UTF8

  @enforce_keys [:request, :recorder]
  defstruct @enforce_keys ++
              [text: [], rest: "", reasoning: [], thought: "", partial: :off, ended?: false]

  # What is known of an attempt that failed.
  @unknown %{fixes: [], usage: %{prompt_tokens: 0, completion_tokens: 0}, finish_reason: nil}

  @typedoc """
  The last one is one of the last three, whose `info` has the `:fixes` that were made to read the text, and the
  `:reasoning`, `:usage`, `:finish_reason` and `:trace` of the attempt.
  """
  @type event ::
          {:tokens, %{ids: [non_neg_integer], text: binary, forced?: boolean}}
          | {:text, String.t()}
          | {:reasoning, String.t()}
          | {:partial, term}
          | {:value, term, text :: String.t(), info :: map}
          | {:refused, Exception.t(), text :: String.t(), info :: map}
          | {:failed, Exception.t(), text :: String.t(), info :: map}

  @doc "The events of a request, of what `ask` gives for it; nothing happens before they are read."
  @spec events(Request.t(), (Request.t() -> Enumerable.t(Backend.event()))) :: Enumerable.t(event)
  def events(%Request{} = request, ask \\ &Middleware.events/1) do
    attempt = start(request)

    [request]
    |> Stream.flat_map(ask)
    |> Stream.transform(fn -> attempt end, &step/2, &last/1, fn _attempt -> :ok end)
    |> written(request.written)
  end

  defp start(%{written: written} = request) do
    {_told, partial} = request |> Partial.new() |> Partial.next(written) |> parts()
    recorder = Recorder.new(request)
    %__MODULE__{request: request, recorder: recorder, text: written, partial: partial}
  end

  defp parts({:ok, value, partial}), do: {[{:partial, value}], partial}
  defp parts({:none, partial}), do: {[], partial}

  # What the text goes on from.
  defp written(events, ""), do: events
  defp written(events, text), do: Stream.concat([{:text, text}], events)

  defp step({:choice, _choice} = event, attempt), do: {[], record(attempt, event)}

  # `thought` is the beginning of a character.
  defp step({:reasoning, _ids, bytes}, attempt) do
    {text, thought} = UTF8.split(attempt.thought <> bytes)
    attempt = %{attempt | reasoning: [attempt.reasoning | text], thought: thought}
    {if(text == "", do: [], else: [{:reasoning, text}]), attempt}
  end

  defp step({:tokens, ids, bytes, forced?} = event, attempt) do
    attempt = record(attempt, event)
    {text, rest} = UTF8.split(attempt.rest <> bytes)
    tokens = {:tokens, %{ids: ids, text: bytes, forced?: forced?}}
    told = if text == "", do: [], else: [{:text, text}]
    {parts, partial} = attempt.partial |> Partial.next(text) |> parts()
    attempt = %{attempt | text: [attempt.text | text], rest: rest, partial: partial}
    {[tokens | told ++ parts], attempt}
  end

  defp step({:done, info}, attempt) do
    text = IO.iodata_to_binary([attempt.text | if(attempt.rest == "", do: "", else: "\uFFFD")])

    event =
      case validate(info[:text] || text, info.finish_reason, attempt.request) do
        {:ok, value, fixes} -> {:value, value, text, known(attempt, text, fixes, info, nil)}
        {:error, error} -> {:refused, error, text, known(attempt, text, [], info, error)}
      end

    {[event], %{attempt | ended?: true}}
  end

  defp step({:error, error}, attempt) do
    text = IO.iodata_to_binary(attempt.text)
    {[failed(attempt, with_text(error, text), text)], %{attempt | ended?: true}}
  end

  defp last(%{ended?: true} = attempt), do: {[], attempt}

  defp last(%{request: request} = attempt) do
    message = "the events of #{inspect(request.backend)} ended without a last one"
    text = IO.iodata_to_binary(attempt.text)
    error = %GenerationError{kind: :incomplete, message: message, text: text}
    {[failed(attempt, error, text)], attempt}
  end

  defp record(attempt, event), do: %{attempt | recorder: Recorder.record(attempt.recorder, event)}

  defp failed(attempt, error, text),
    do: {:failed, error, text, known(attempt, text, [], @unknown, error)}

  defp known(%{recorder: recorder, request: request} = attempt, text, fixes, info, error) do
    trace = Recorder.finish(recorder, request, text, info, error)
    reasoning = info[:reasoning] || reasoning(attempt)
    Map.merge(info, %{fixes: fixes, trace: trace, reasoning: reasoning})
  end

  defp reasoning(attempt) do
    case String.trim(IO.iodata_to_binary(attempt.reasoning)) do
      "" -> nil
      text -> text
    end
  end

  defp validate(text, finish_reason, request) do
    span = Telemetry.start(:validate, fn -> about(request) end)
    measurements = %{bytes: byte_size(text)}
    read = fn -> read(text, finish_reason, request) end
    result = Telemetry.watch(read, &Telemetry.exception(span, &1, measurements))
    tell(span, measurements, result)
    result
  end

  @doc "What telemetry tells of an attempt."
  @spec about(Request.t()) :: map
  def about(request) do
    %{
      backend: request.backend,
      model: request.model,
      schema: Form.name(request.schema),
      attempt: request.attempt
    }
  end

  defp tell(span, measurements, {:ok, _value, fixes}),
    do: Telemetry.stop(span, Map.put(measurements, :fixes, length(fixes)))

  defp tell(span, measurements, {:error, error}),
    do: Telemetry.exception(span, error, measurements)

  defp read(text, finish_reason, request) do
    with {:ok, text, fixes} <- text |> value_text(request) |> whole(finish_reason, text, request),
         {:ok, value} <- Form.read(request.schema, text),
         do: {:ok, value, fixes}
  end

  defp value_text(text, request) do
    if Backend.exact?(request.backend), do: {:ok, text, []}, else: reply(text, request)
  end

  defp reply(text, %{written: ""} = request), do: reply(text, request, request.strict)

  # A model may begin anew rather than go on: what can be read as it is tells.
  defp reply(text, request) do
    anew = String.replace_prefix(text, request.written, "")

    with {:error, _error} <- reply(text, request, true),
         {:error, _error} <- reply(anew, request, true),
         {:error, error} <- reply(text, request, request.strict),
         {:error, _error} <- reply(anew, request, request.strict),
         do: {:error, error}
  end

  defp reply(text, request, strict?) do
    options = Keyword.take(request.text_options, [:format, :documents])
    Reply.read(request.schema, text, [strict: strict?, lossy: request.lossy] ++ options)
  end

  # What was cut off is not closed in silence: there may be more to it.
  defp whole({:ok, value_text, fixes}, :max_tokens, text, request) do
    if :truncated in fixes, do: truncated(text, request), else: {:ok, value_text, fixes}
  end

  defp whole({:error, _error}, :max_tokens, text, request), do: truncated(text, request)
  defp whole(result, :stop, _text, _request), do: result

  defp truncated(text, request) do
    message = "the text was cut off at max_tokens (#{request.max_tokens}) before it was a value"
    {:error, %GenerationError{kind: :truncated, message: message, text: text}}
  end

  # How far the text got, where the backend left that to its caller.
  defp with_text(%GenerationError{text: nil, kind: kind} = error, text)
       when kind in [:timeout, :cancelled],
       do: %{error | text: text}

  defp with_text(%RefusalError{text: nil} = error, text), do: %{error | text: text}
  defp with_text(error, _text), do: error
end
