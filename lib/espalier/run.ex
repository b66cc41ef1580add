defmodule Espalier.Run do
  @moduledoc false
  # One generation from the caller's side: the attempts that it takes, one after the other, within one telemetry
  # span and one span of time.
  #
  # All asking again is decided here and nowhere else, so that it never multiplies. What one attempt holds, a
  # connection or a place in a queue, is let go of before the next one begins.

  alias Espalier.Attempt
  alias Espalier.Cache
  alias Espalier.Cursor
  alias Espalier.Deadline
  alias Espalier.Fallback
  alias Espalier.GenerationError
  alias Espalier.Repair
  alias Espalier.Request
  alias Espalier.Result
  alias Espalier.Retry
  alias Espalier.Schema.Form
  alias Espalier.Telemetry
  alias Espalier.Telemetry.Spans
  alias Espalier.Truncation

  @unused %{prompt_tokens: 0, completion_tokens: 0}

  # `cursor` reads the events of the attempt that is under way, of which the reader has seen some if it has
  # `begun?`; `past` are the attempts that ended, the last one first; `ending` is the last event. `key` is that of the
  # cache, if there is one to ask; `cached?` says that the text came from it. `spans` are those of telemetry: of the
  # generation, of the attempt, and of the repair where the attempt is one.
  @enforce_keys [:request, :spans]
  defstruct [
    :request,
    :spans,
    :cursor,
    :key,
    cached?: false,
    begun?: false,
    attempt_retries: 0,
    retries: 0,
    past: [],
    ending: nil,
    raised: nil
  ]

  @typedoc "What the caller sees; one of the last two comes last."
  @type event ::
          {:tokens, %{ids: [non_neg_integer], text: binary, forced?: boolean}}
          | {:text, String.t()}
          | {:reasoning, String.t()}
          | {:partial, term}
          | {:attempt, %{number: pos_integer, error: Exception.t()}}
          | {:done, Result.t()}
          | {:error, Exception.t()}

  @doc "The events of a request; nothing happens before they are read."
  @spec events(Request.t()) :: Enumerable.t(event)
  def events(%Request{} = request),
    do: Stream.resource(fn -> start(request) end, &next/1, &close/1)

  defp start(request) do
    spans = Spans.start(request)
    request = %{request | deadline: Deadline.new(request.timeout)}
    run = %__MODULE__{request: request, spans: spans, key: Cache.key(request)}

    case recall(run) do
      {:ok, written, events} -> %{recalled(run, written) | cursor: Cursor.open(events)}
      {:error, error} -> %{run | cursor: Cursor.open([failed(error)])}
      _not_there -> begin(run, request)
    end
  end

  defp failed(error),
    do: {:failed, error, "", %{fixes: [], usage: @unused, trace: nil, reasoning: nil}}

  defp recall(%{key: nil}), do: :none

  # A remembered text is read as any other of its backend, before anything of it is shown.
  defp recall(%{request: request, key: key}) do
    with {:ok, written} <- Cache.fetch(request.cache, key) do
      <<begun::binary-size(written.n_begun), rest::binary>> = written.text
      request = %{request | backend: written.backend, written: begun}
      last = {:done, Map.put(written.info, :usage, @unused)}
      ask = fn _request -> [{:tokens, [], rest, false}, last] end
      events = request |> Attempt.events(ask) |> Enum.to_list()
      if elem(List.last(events), 0) == :value, do: {:ok, written, events}, else: :refused
    end
  end

  defp recalled(run, %{seed: seed}),
    do: put_in(%{run | cached?: true}.request.sampling.seed, seed)

  defp next(%{raised: {kind, reason, stacktrace}}), do: :erlang.raise(kind, reason, stacktrace)
  defp next(%{cursor: nil} = run), do: {:halt, run}

  defp next(run) do
    case Cursor.next(run.cursor) do
      {:element, {kind, _} = event, cursor} when kind in [:tokens, :text, :reasoning, :partial] ->
        {[event], %{run | cursor: cursor, begun?: true}}

      {:element, outcome, cursor} ->
        Cursor.close(cursor)
        conclude(outcome, %{run | cursor: nil})

      # Raised the next time, when nothing is left that could be let go of twice.
      {:raised, kind, reason, stacktrace} ->
        {[], %{run | cursor: nil, raised: {kind, reason, stacktrace}}}
    end
  end

  defp conclude({:value, value, text, info}, %{cached?: true} = run),
    do: finish(run, {:done, result(run, value, text, info)})

  defp conclude({:value, value, text, info}, run) do
    run = tried(run, text, nil, info)
    result = result(run, value, text, info)
    remember(run, result, info)
    finish(run, {:done, result})
  end

  defp conclude({:refused, error, text, info}, run) do
    run |> tried(text, error, info) |> mend(text, error)
  end

  defp conclude({:failed, %GenerationError{kind: :truncated} = error, text, info}, run),
    do: run |> tried(text, error, info) |> mend(text, error)

  defp conclude({:failed, error, text, info}, run) do
    with true <- Retry.transient?(error) and run.retries < run.request.max_retries,
         {:ok, delay} <- Retry.delay(error, run.retries, run.request) do
      retry(run, error, delay)
    else
      _no_retry -> run |> tried(text, error, info) |> fall_back(error)
    end
  end

  defp mend(run, text, error) do
    with true <- another?(run),
         {:ok, request} <- mended(run.request, text, error) do
      run |> repair(error) |> again(request, error)
    else
      _no_other -> finish(run, {:error, error})
    end
  end

  defp mended(request, text, %GenerationError{kind: :truncated}),
    do: Truncation.request(request, text)

  defp mended(request, text, error) do
    if Repair.possible?(error), do: {:ok, Repair.request(request, text, error)}, else: :none
  end

  # What was cut off is not wrong.
  defp repair(run, %GenerationError{kind: :truncated}), do: run

  defp repair(run, error),
    do: %{run | spans: Spans.repair(run.spans, next_request(run, run.request), error)}

  # An attempt whose request is repeated stays the same attempt.
  defp retry(run, error, delay) do
    tell_retry(run, error, delay)
    Process.sleep(delay)

    told =
      if run.begun?, do: [{:attempt, %{number: length(run.past) + 1, error: error}}], else: []

    run = %{run | retries: run.retries + 1, attempt_retries: run.attempt_retries + 1}
    {told, open(run, next_request(run, run.request))}
  end

  defp fall_back(run, error) do
    with true <- Fallback.possible?(error) and another?(run),
         {:ok, request} <- Fallback.request(run.request) do
      again(run, request, error)
    else
      _no_other -> finish(run, {:error, error})
    end
  end

  defp remember(%{key: nil}, _result, _info), do: :ok

  defp remember(%{request: request} = run, result, info) do
    written = %{
      text: result.text,
      n_begun: byte_size(request.written),
      info: Map.take(info, [:finish_reason, :text, :reasoning]),
      backend: request.backend,
      seed: result.seed
    }

    Cache.put(request.cache, run.key, written)
  end

  defp again(run, request, error) do
    told = {:attempt, %{number: length(run.past) + 1, error: error}}
    {[told], attempt(run, request)}
  end

  defp attempt(run, request), do: begin(run, next_request(run, request))

  defp begin(run, request),
    do: open(%{run | spans: Spans.attempt(run.spans, request)}, request)

  defp next_request(run, request),
    do: %{request | timeout: Deadline.left(request.deadline), attempt: length(run.past) + 1}

  defp open(run, request) do
    cursor = request |> Attempt.events() |> Cursor.open()
    %{run | request: request, cursor: cursor, begun?: false}
  end

  defp finish(run, ending), do: {[ending], %{run | ending: ending}}

  defp tried(%{request: request} = run, text, error, info) do
    attempt = %{
      text: text,
      error: error,
      fixes: info.fixes,
      usage: info.usage,
      backend: request.backend,
      model: request.model,
      retries: run.attempt_retries,
      trace: info.trace
    }

    spans = Spans.attempted(run.spans, request, attempt, info[:finish_reason])
    %{run | spans: spans, past: [attempt | run.past], attempt_retries: 0}
  end

  defp another?(%{request: request, past: past}) do
    length(past) < request.max_attempts and Deadline.left(request.deadline) != 0 and
      within_budget?(usage(past), request.max_total_tokens)
  end

  defp within_budget?(_usage, nil), do: true
  defp within_budget?(usage, most), do: usage.prompt_tokens + usage.completion_tokens < most

  defp result(run, value, text, info) do
    %Result{
      value: value,
      text: text,
      fixes: info.fixes,
      finish_reason: info.finish_reason,
      usage: usage(run.past),
      seed: run.request.sampling.seed,
      attempts: Enum.reverse(run.past),
      retries: run.retries,
      cached?: run.cached?,
      captures: captures(run.request.schema, text),
      reasoning: info.reasoning,
      trace: info.trace
    }
  end

  # It was read before, so there is no error.
  defp captures(schema, text) do
    case Form.captures(schema, text) do
      {:ok, captures} -> captures
      {:error, _error} -> []
    end
  end

  defp usage(attempts), do: attempts |> Enum.map(& &1.usage) |> Enum.reduce(@unused, &sum/2)
  defp sum(usage, other), do: Map.merge(usage, other, fn _name, count, more -> count + more end)

  defp tell_retry(run, error, delay) do
    Telemetry.event([:retry], fn ->
      told = error |> Telemetry.error() |> Map.take([:reason, :error_kind])

      {%{delay: delay, retries: run.retries + 1},
       run.request |> Attempt.about() |> Map.merge(told)}
    end)
  end

  defp close(run) do
    if run.cursor, do: Cursor.close(run.cursor)
    Spans.stop(run.spans, run.ending || raised(run.raised), tally(run))
  end

  defp raised(nil), do: nil

  # Whatever way a backend, or what is around one, breaks off is no halt of the reader.
  defp raised({_kind, reason, stacktrace}),
    do: {:error, Exception.normalize(:error, reason, stacktrace)}

  defp tally(run) do
    %{
      request: run.request,
      cached?: run.cached?,
      usage: usage(run.past),
      attempts: length(run.past),
      retries: run.retries,
      attempt_retries: run.attempt_retries
    }
  end
end
