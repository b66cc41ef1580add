defmodule Espalier.Telemetry.Spans do
  @moduledoc false
  # The spans of one generation: its own, that of the attempt, and that of the repair where the attempt is one.

  alias Espalier.Attempt
  alias Espalier.Prompt
  alias Espalier.Request
  alias Espalier.Result
  alias Espalier.Schema.Form
  alias Espalier.Telemetry
  alias Espalier.Telemetry.GenAI

  # `prompt` is what the caller asked, `attributes` those of OpenTelemetry from the start.
  @enforce_keys [:generate, :prompt, :attributes]
  defstruct @enforce_keys ++ [attempt: :off, repair: :off]

  @type t :: %__MODULE__{
          generate: Telemetry.span(),
          prompt: Prompt.t(),
          attempt: Telemetry.span(),
          repair: Telemetry.span(),
          attributes: map
        }

  @typedoc "What became of a generation so far."
  @type tally :: %{
          request: Request.t(),
          cached?: boolean,
          usage: Result.usage(),
          attempts: non_neg_integer,
          retries: non_neg_integer,
          attempt_retries: non_neg_integer
        }

  @doc "A generation starts."
  @spec start(Request.t()) :: t
  def start(%Request{} = request) do
    attributes = if Telemetry.on?(), do: GenAI.request(request), else: %{}
    span = Telemetry.start(:generate, fn -> metadata(request, attributes) end)
    %__MODULE__{generate: span, prompt: request.prompt, attributes: attributes}
  end

  defp metadata(request, attributes) do
    %{
      backend: request.backend,
      model: request.model,
      schema: Form.name(request.schema),
      max_tokens: request.max_tokens,
      temperature: request.sampling.temperature,
      seed: request.sampling.seed,
      gen_ai: attributes,
      content: content(request)
    }
  end

  @doc "An attempt starts."
  @spec attempt(t, Request.t()) :: t
  def attempt(spans, request) do
    metadata = fn -> request |> Attempt.about() |> Map.put(:content, content(request)) end
    %{spans | attempt: Telemetry.start(:attempt, metadata)}
  end

  @doc "A refused value is asked for again by this request."
  @spec repair(t, Request.t(), Exception.t()) :: t
  def repair(spans, request, error) do
    metadata = fn ->
      %{reason: refusal, error_kind: kind} = Telemetry.error(error)
      request |> Attempt.about() |> Map.merge(%{refusal: refusal, refusal_kind: kind})
    end

    %{spans | repair: Telemetry.start(:repair, metadata)}
  end

  @doc "The attempt ended."
  @spec attempted(t, Request.t(), Result.attempt(), atom) :: t
  def attempted(spans, request, attempt, finish_reason) do
    measurements = attempt.usage |> Result.counts() |> Map.put(:retries, attempt.retries)
    content = %{content: content(request, attempt.text)}

    if attempt.error do
      Telemetry.exception(spans.attempt, attempt.error, measurements, content)
      Telemetry.exception(spans.repair, attempt.error)
    else
      measurements = Map.put(measurements, :fixes, length(attempt.fixes))
      Telemetry.stop(spans.attempt, measurements, Map.put(content, :finish_reason, finish_reason))
      Telemetry.stop(spans.repair)
    end

    %{spans | attempt: :off, repair: :off}
  end

  @doc "The generation ended: with a result, with an error, or because its reader stopped."
  @spec stop(t, {:done, Result.t()} | {:error, Exception.t()} | nil, tally) :: :ok
  def stop(spans, {:done, result}, tally) do
    request = %{tally.request | prompt: spans.prompt}
    stop_generate(spans, tally, result.finish_reason, content(request, result.text))
  end

  def stop(spans, {:error, error}, tally) do
    Telemetry.exception(spans.attempt, error, unfinished(tally))
    Telemetry.exception(spans.repair, error)

    Telemetry.exception(spans.generate, error, counts(tally), %{
      gen_ai: GenAI.failed(spans.attributes, error)
    })
  end

  def stop(spans, nil, tally) do
    measurements = Map.put(unfinished(tally), :fixes, 0)
    Telemetry.stop(spans.attempt, measurements, %{finish_reason: :halted})
    Telemetry.stop(spans.repair)
    stop_generate(spans, tally, :halted, content(%{tally.request | prompt: spans.prompt}))
  end

  defp stop_generate(spans, tally, finish_reason, content) do
    counts = counts(tally)

    Telemetry.stop(spans.generate, counts, %{
      finish_reason: finish_reason,
      cached?: tally.cached?,
      gen_ai: GenAI.stopped(spans.attributes, counts, finish_reason),
      content: content
    })
  end

  defp unfinished(tally), do: %{} |> Result.counts() |> Map.put(:retries, tally.attempt_retries)

  defp counts(tally),
    do: tally.usage |> Result.counts() |> Map.merge(Map.take(tally, [:attempts, :retries]))

  defp content(%{telemetry_content: false}), do: nil
  defp content(request), do: %{prompt: request.prompt}

  defp content(%{telemetry_content: false}, _text), do: nil
  defp content(request, text), do: %{prompt: request.prompt, text: text}
end
