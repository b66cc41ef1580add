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
  alias Espalier.UTF8

  @enforce_keys [:request]
  defstruct [:request, text: [], rest: "", partial: :off, ended?: false]

  @typedoc "The last one is one of the last three."
  @type event ::
          {:tokens, %{ids: [non_neg_integer], text: binary, forced?: boolean}}
          | {:text, String.t()}
          | {:partial, term}
          | {:value, term, text :: String.t(), info :: map}
          | {:refused, Exception.t(), text :: String.t(), info :: map}
          | {:failed, Exception.t(), text :: String.t()}

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
    %__MODULE__{request: request, text: written, partial: partial}
  end

  defp parts({:ok, value, partial}), do: {[{:partial, value}], partial}
  defp parts({:none, partial}), do: {[], partial}

  # What the text goes on from.
  defp written(events, ""), do: events
  defp written(events, text), do: Stream.concat([{:text, text}], events)

  defp step({:tokens, ids, bytes, forced?}, attempt) do
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
      case read(info[:text] || text, info.finish_reason, attempt.request) do
        {:ok, value, fixes} -> {:value, value, text, Map.put(info, :fixes, fixes)}
        {:error, error} -> {:refused, error, text, Map.put(info, :fixes, [])}
      end

    {[event], %{attempt | ended?: true}}
  end

  defp step({:error, error}, attempt) do
    text = IO.iodata_to_binary(attempt.text)
    {[{:failed, with_text(error, text), text}], %{attempt | ended?: true}}
  end

  defp last(%{ended?: true} = attempt), do: {[], attempt}

  defp last(%{request: request} = attempt) do
    message = "the events of #{inspect(request.backend)} ended without a last one"
    text = IO.iodata_to_binary(attempt.text)
    error = %GenerationError{kind: :incomplete, message: message, text: text}
    {[{:failed, error, text}], attempt}
  end

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
