defmodule Espalier.Dashboard.Reading do
  @moduledoc false
  # What an aggregator and a trail have at one moment, summed up to what the page is about. A count that no event
  # spoke of is `nil`.

  alias Espalier.Dashboard.Loaded
  alias Espalier.Dashboard.Trail
  alias Espalier.Telemetry.Aggregator
  alias Espalier.Telemetry.Histogram

  @most_targets 50

  @counts [
    attempts: "espalier_attempts_total",
    retries: "espalier_retries_total",
    input_tokens: "espalier_prompt_tokens_total",
    output_tokens: "espalier_completion_tokens_total",
    repairs: "espalier_repairs_total",
    mended: "espalier_texts_mended_total",
    hits: "espalier_constraint_cache_hits_total",
    misses: "espalier_constraint_cache_misses_total",
    evictions: "espalier_constraint_cache_evictions_total",
    compilations: "espalier_compilations_total",
    forward_time: "espalier_model_forward_seconds_total",
    mask_time: "espalier_model_mask_seconds_total",
    dropped: "espalier_dropped_series_total"
  ]

  @model_states [
    running: "espalier_model_running_requests",
    queue_length: "espalier_model_queue_length",
    batch_size: "espalier_model_batch_size",
    tokens_per_second: "espalier_model_tokens_per_second",
    kv_cache_tokens: "espalier_model_kv_cache_tokens",
    kv_cache_bytes: "espalier_model_kv_cache_bytes"
  ]

  # The outcomes of generations and repairs that are no errors.
  @good ~w(stop max_tokens halted ok)

  @typedoc "A backend and a model."
  @type target :: {String.t(), String.t()}

  @typedoc "`states` is what each of the local models that run told of itself last, by its name."
  @type t :: %__MODULE__{
          quiet?: boolean,
          counts: %{atom => number | nil},
          targets: %{
            target => %{
              generations: non_neg_integer,
              failed: non_neg_integer,
              latency: Histogram.t() | nil
            }
          },
          latency: Histogram.t() | nil,
          first_token: Histogram.t() | nil,
          compile: Histogram.t() | nil,
          loaded: Loaded.t(),
          states: %{String.t() => %{atom => number}},
          refusals: [{String.t(), pos_integer}],
          circuits: [{target, number}],
          trail: Trail.t()
        }

  @enforce_keys [:quiet?, :counts, :targets, :latency, :first_token, :compile, :loaded] ++
                  [:states, :refusals, :circuits, :trail]
  defstruct @enforce_keys

  @spec new([Aggregator.metric()], Trail.t(), Loaded.t()) :: t
  def new(metrics, trail, loaded) do
    series = Map.new(metrics, &{&1.name, &1.series})
    durations = series["espalier_generate_duration_seconds"]

    %__MODULE__{
      quiet?: quiet?(metrics, trail),
      counts: counts(series),
      targets: targets(series["espalier_generations_total"], durations),
      latency: merge(durations),
      first_token: merge(series["espalier_time_to_first_token_seconds"]),
      compile: merge(series["espalier_compile_duration_seconds"]),
      loaded: loaded,
      states: states(series, Enum.map(loaded.models, & &1.name)),
      refusals: refusals(series["espalier_validations_total"]),
      circuits: for(one <- series["espalier_circuit_state"], do: {target(one), one.value}),
      trail: trail
    }
  end

  defp quiet?(metrics, trail) do
    trail.batches == [] and trail.errors == [] and
      Enum.all?(metrics, &(&1.series == [] or &1.name == @counts[:dropped]))
  end

  defp counts(series) do
    generations = series["espalier_generations_total"]
    validations = series["espalier_validations_total"]
    repairs = series["espalier_repairs_total"]

    @counts
    |> Map.new(fn {key, name} -> {key, sum(series[name])} end)
    |> Map.merge(%{
      generations: sum(generations),
      failed: generations |> Enum.reject(&good?/1) |> sum_of(generations),
      refused: validations |> refused() |> sum_of(validations),
      repaired: repairs |> Enum.filter(&good?/1) |> sum_of(repairs)
    })
  end

  defp sum([]), do: nil
  defp sum(series), do: series |> Enum.map(& &1.value) |> Enum.sum()

  # Of some of them none may be there: that is nothing, and not unknown.
  defp sum_of(_some, []), do: nil
  defp sum_of(some, _all), do: sum(some) || 0

  defp refused(validations), do: Enum.reject(validations, &good?/1)

  defp good?(one), do: label(one, "outcome") in @good

  defp label(%{labels: labels}, name) do
    {_name, text} = List.keyfind(labels, name, 0, {name, "none"})
    text
  end

  defp target(one), do: {label(one, "backend"), label(one, "model")}

  defp targets(generations, durations) do
    latencies = Enum.group_by(durations, &target/1)

    generations
    |> Enum.group_by(&target/1)
    |> Enum.map(fn {target, all} ->
      failed = all |> Enum.reject(&good?/1) |> sum_of(all)
      latency = latencies |> Map.get(target, []) |> merge()
      {target, %{generations: sum(all), failed: failed, latency: latency}}
    end)
    |> Enum.sort_by(fn {_target, of} -> -of.generations end)
    |> Enum.take(@most_targets)
    |> Map.new()
  end

  defp merge([]), do: nil

  defp merge(series) do
    series |> Enum.map(& &1.value) |> Enum.reduce(&add/2)
  end

  defp add(one, other) do
    buckets =
      Enum.zip_with(one.buckets, other.buckets, fn {bound, n}, {bound, m} -> {bound, n + m} end)

    %{count: one.count + other.count, sum: one.sum + other.sum, buckets: buckets}
  end

  # What a model said last does not hold when it was stopped.
  defp states(series, loaded) do
    for {key, name} <- @model_states,
        %{value: value} = one <- series[name],
        model = label(one, "model"),
        model in loaded,
        reduce: %{} do
      states -> Map.update(states, model, %{key => value}, &Map.put(&1, key, value))
    end
  end

  defp refusals(validations) do
    validations
    |> refused()
    |> Enum.group_by(&label(&1, "outcome"))
    |> Enum.map(fn {kind, all} -> {kind, sum(all)} end)
    |> Enum.sort_by(fn {kind, n} -> {-n, kind} end)
  end
end
