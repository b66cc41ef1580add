defmodule Espalier.Telemetry.Request do
  @moduledoc false
  # The span of one request to a backend, from the asking to the last of its events that is read.

  alias Espalier.Attempt
  alias Espalier.Backend
  alias Espalier.Cursor
  alias Espalier.Request
  alias Espalier.Result
  alias Espalier.Telemetry
  alias Espalier.Telemetry.GenAI

  # `outcome` is what is told at the end, if the reader does not stop before.
  @enforce_keys [:span, :cursor, :attributes, :streamed?]
  defstruct @enforce_keys ++ [first_text: nil, outcome: :halted, raised: nil]

  @doc "The events of the request's backend."
  @spec stream(Request.t()) :: {:ok, Enumerable.t(Backend.event())} | {:error, Exception.t()}
  def stream(%Request{} = request) do
    if Telemetry.on?(), do: observed(request), else: request.backend.stream(request)
  end

  defp observed(request) do
    attributes = GenAI.request(request)
    metadata = fn -> request |> Attempt.about() |> Map.put(:gen_ai, attributes) end
    span = Telemetry.start(:request, metadata)

    ask = fn -> request.backend.stream(request) end

    case Telemetry.watch(ask, &failed(span, attributes, &1)) do
      {:ok, events} ->
        start = fn ->
          %__MODULE__{
            span: span,
            cursor: Cursor.open(events),
            attributes: attributes,
            streamed?: request.streamed
          }
        end

        {:ok, Stream.resource(start, &next/1, &close/1)}

      {:error, error} = result when is_exception(error) ->
        failed(span, attributes, error)
        result

      wrong ->
        Telemetry.exception(span, %ArgumentError{})
        wrong
    end
  end

  defp failed(span, attributes, error),
    do: Telemetry.exception(span, error, %{}, %{gen_ai: GenAI.failed(attributes, error)})

  # Raised in a step of its own, when nothing is left that could be let go of twice.
  defp next(%{raised: {kind, reason, stacktrace}}), do: :erlang.raise(kind, reason, stacktrace)

  defp next(read) do
    case Cursor.next(read.cursor) do
      {:element, event, cursor} ->
        {[event], note(event, %{read | cursor: cursor})}

      :ended ->
        {:halt, read}

      {:raised, kind, reason, stacktrace} ->
        outcome = {:error, Exception.normalize(:error, reason, stacktrace)}
        {[], %{read | cursor: nil, outcome: outcome, raised: {kind, reason, stacktrace}}}
    end
  end

  # Where nobody reads as it is written, the first text may come with the last one.
  defp note({:tokens, _ids, text, _forced?}, %{first_text: nil, streamed?: true} = read)
       when text != "",
       do: %{read | first_text: System.monotonic_time()}

  defp note({:done, %{usage: %{}, finish_reason: reason}} = last, read) when is_atom(reason),
    do: %{read | outcome: last}

  defp note({:error, error} = last, read) when is_exception(error), do: %{read | outcome: last}
  defp note(_event, read), do: read

  defp close(read) do
    if read.cursor, do: Cursor.close(read.cursor)
    tell(read.outcome, read)
  end

  defp tell({:error, error}, read), do: failed(read.span, read.attributes, error)
  defp tell({:done, info}, read), do: stop(read, info.usage, info.finish_reason, info[:node])
  defp tell(:halted, read), do: stop(read, %{}, :halted, nil)

  defp stop(read, usage, finish_reason, node) do
    usage = Result.counts(usage)
    gen_ai = GenAI.stopped(read.attributes, usage, finish_reason)
    times = %{time_to_first_token: Telemetry.since(read.span, read.first_text)}
    metadata = %{finish_reason: finish_reason, gen_ai: gen_ai, node: node}
    Telemetry.stop(read.span, Map.merge(usage, times), metadata)
  end
end
