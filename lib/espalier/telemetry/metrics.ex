defmodule Espalier.Telemetry.Metrics do
  @moduledoc false
  # What is counted and measured of the events, as data: the aggregator, the text for Prometheus, the metrics for other
  # reporters and the dashboards are made of this list.

  alias Espalier.Telemetry.Label

  @typedoc """
  The names are those of Prometheus. `measurement` is the key of one, a function of measurements and metadata, or `nil`
  where events are counted; events where it is no number count nothing. `tags` say of which key of the metadata each label
  is: the first that is there and not `nil`, or else the text.
  """
  @type t :: %{
          name: String.t(),
          kind: :counter | :sum | :gauge | :histogram,
          events: [[atom]],
          measurement: nil | atom | (map, map -> number | nil),
          unit: :unit | :byte | {from :: System.time_unit(), :second},
          tags: [tag],
          description: String.t()
        }

  @type tag :: {label :: atom, [key :: atom], otherwise :: String.t()}

  @native {:native, :second}

  @backend {:backend, [:backend], "none"}
  @model {:model, [:model], "none"}
  @schema {:schema, [:schema], "none"}
  @format {:format, [:format], "none"}
  @cache {:cache, [:cache], "none"}
  @outcome {:outcome, [:finish_reason, :error_kind, :reason], "ok"}
  @error {:error, [:error_kind, :reason], "none"}
  @refusal {:refusal, [:refusal_kind, :refusal], "none"}

  @asked [@backend, @model]

  @circuit_states %{closed: 0, half_open: 1, open: 2}

  @doc "All metrics, in the order in which they are shown."
  @spec all() :: [t]
  def all do
    generations() ++
      attempts() ++
      requests() ++
      tokens() ++
      texts() ++
      circuits() ++
      batches() ++
      constraints() ++
      vocabularies() ++
      downloads() ++
      model_loads() ++
      model_steps()
  end

  @doc "The labels of a metric for the metadata of an event."
  @spec labels(t, map) :: [{atom, String.t()}]
  def labels(definition, metadata),
    do: for({label, _keys, _text} = tag <- definition.tags, do: {label, label(tag, metadata)})

  @doc "The text of one label."
  @spec label(tag, map) :: String.t()
  def label({_label, keys, otherwise}, metadata), do: first(keys, metadata, otherwise)

  defp first([], _metadata, otherwise), do: otherwise

  defp first([key | keys], metadata, otherwise) do
    case metadata do
      %{^key => value} when value != nil -> Label.text(value)
      _none -> first(keys, metadata, otherwise)
    end
  end

  @doc "What an event adds, or says that there is now; no number where it says nothing."
  @spec value(t, map, map) :: term
  def value(%{measurement: nil}, _measurements, _metadata), do: 1

  def value(%{measurement: key}, measurements, _metadata) when is_atom(key),
    do: Map.get(measurements, key)

  def value(%{measurement: function}, measurements, metadata),
    do: function.(measurements, metadata)

  @doc "A value in the unit that is shown."
  @spec convert(number, atom | {System.time_unit(), :second}) :: number
  def convert(value, {from, :second}), do: value / System.convert_time_unit(1, :second, from)
  def convert(value, _unit), do: value

  @doc "The unit that is shown."
  @spec unit(t) :: :unit | :byte | :second
  def unit(%{unit: {_from, to}}), do: to
  def unit(%{unit: unit}), do: unit

  defp generations do
    ends = ends(:generate)
    who = @asked ++ [@schema]

    [
      counter(
        "espalier_generations_total",
        ends,
        who ++ [@outcome],
        "Generations, by their finish reason or the kind of their error."
      ),
      histogram(
        "espalier_generate_duration_seconds",
        ends,
        who,
        "How long generations took, with all their attempts."
      ),
      sum(
        "espalier_generations_cached_total",
        stop(:generate),
        &cached/2,
        who,
        "Generations whose text came from a cache."
      )
    ]
  end

  defp attempts do
    [
      counter(
        "espalier_attempts_total",
        ends(:attempt),
        @asked ++ [@schema, @outcome],
        "Attempts, by their finish reason or why they were refused or failed."
      ),
      histogram(
        "espalier_attempt_duration_seconds",
        ends(:attempt),
        @asked,
        "How long attempts took."
      ),
      counter(
        "espalier_retries_total",
        [[:espalier, :retry]],
        @asked ++ [@error],
        "Requests that were repeated after a failure that passes, by the kind of the failure."
      ),
      sum(
        "espalier_retry_delay_seconds_total",
        [[:espalier, :retry]],
        :delay,
        @asked,
        "How long was waited before requests were repeated.",
        {:millisecond, :second}
      ),
      counter(
        "espalier_repairs_total",
        ends(:repair),
        @asked ++ [@refusal, @outcome],
        "Values that were asked for again, by why they were refused and what became of it."
      ),
      histogram(
        "espalier_repair_duration_seconds",
        ends(:repair),
        @asked,
        "How long it took to ask for a value again."
      )
    ]
  end

  defp requests do
    [
      counter(
        "espalier_requests_total",
        ends(:request),
        @asked ++ [@outcome],
        "Requests to backends, by their finish reason or the kind of their error."
      ),
      histogram(
        "espalier_request_duration_seconds",
        ends(:request),
        @asked,
        "How long requests to backends took."
      ),
      %{
        histogram(
          "espalier_time_to_first_token_seconds",
          stop(:request),
          @asked,
          "How long it took until the first text came, of generations that are streamed."
        )
        | measurement: :time_to_first_token
      }
    ]
  end

  defp tokens do
    for {key, about} <- [
          prompt_tokens: "Tokens read, those of attempts that were refused among them.",
          completion_tokens: "Tokens written, those of attempts that were refused among them.",
          forced_tokens: "Tokens written that the constraint left no choice of.",
          cached_tokens: "Tokens of prompts that had been read before.",
          reasoning_tokens: "Tokens written that are no part of the text."
        ],
        do: sum("espalier_#{key}_total", ends(:attempt), key, @asked, about)
  end

  defp texts do
    [
      counter(
        "espalier_validations_total",
        ends(:validate),
        @asked ++ [@schema, @outcome],
        "Texts that were validated, ok or by the kind of their error."
      ),
      histogram(
        "espalier_validate_duration_seconds",
        ends(:validate),
        [@schema],
        "How long it took to make a value of a text."
      ),
      sum(
        "espalier_validated_bytes_total",
        ends(:validate),
        :bytes,
        [@schema],
        "Bytes of the texts that were validated.",
        :byte
      ),
      sum(
        "espalier_texts_mended_total",
        stop(:validate),
        &mended/2,
        @asked ++ [@schema],
        "Texts that had to be mended to be read."
      )
    ]
  end

  defp circuits do
    [
      gauge(
        "espalier_circuit_state",
        [[:espalier, :circuit]],
        &circuit_state/2,
        @asked,
        "The state of a circuit: 0 closed, 1 half open, 2 open."
      ),
      counter(
        "espalier_circuit_changes_total",
        [[:espalier, :circuit]],
        @asked ++ [{:from, [:from], "none"}, {:to, [:to], "none"}],
        "Changes of circuits."
      )
    ]
  end

  defp batches do
    progress = [[:espalier, :batch, :progress]]

    [
      counter(
        "espalier_batches_total",
        ends(:batch),
        @asked ++ [@outcome],
        "Batches that ended, by their finish reason or the kind of their error."
      ),
      histogram(
        "espalier_batch_duration_seconds",
        ends(:batch),
        @asked,
        "How long batches took."
      ),
      counter(
        "espalier_batch_items_total",
        progress,
        @asked,
        "Items of batches that have a result."
      ),
      sum(
        "espalier_batch_items_failed_total",
        ends(:batch),
        :failed,
        @asked,
        "Items of batches that failed, as counted when their batch ends."
      ),
      gauge(
        "espalier_batch_items_running",
        progress ++ ends(:batch),
        &items_running/2,
        @asked,
        "Items that are being generated, of the batch that told so last."
      )
    ]
  end

  defp constraints do
    compilations = [
      counter(
        "espalier_compilations_total",
        ends(:compile),
        [@schema, @outcome],
        "Constraints that were compiled, ok or by the kind of their error."
      ),
      histogram(
        "espalier_compile_duration_seconds",
        ends(:compile),
        [@schema],
        "How long it took to compile constraints."
      )
    ]

    compilations ++ cache(:constraint_cache, "Constraints", [@schema])
  end

  defp vocabularies do
    builds = [
      counter(
        "espalier_vocabulary_builds_total",
        ends(:vocabulary_build),
        [@format, @outcome],
        "Vocabularies that were made of files, ok or by the kind of their error."
      ),
      histogram(
        "espalier_vocabulary_build_duration_seconds",
        ends(:vocabulary_build),
        [@format],
        "How long it took to make vocabularies of files."
      )
    ]

    builds ++ cache(:vocabulary_cache, "Vocabularies", [@format])
  end

  # There may be several of a kind.
  defp cache(cache, what, asked) do
    sizes = [[:espalier, cache, :store], [:espalier, cache, :eviction]]

    [
      counter(
        "espalier_#{cache}_hits_total",
        [[:espalier, cache, :hit]],
        [@cache | asked],
        "#{what} that were in the cache."
      ),
      counter(
        "espalier_#{cache}_misses_total",
        [[:espalier, cache, :miss]],
        [@cache | asked],
        "#{what} that were not in the cache."
      ),
      counter(
        "espalier_#{cache}_evictions_total",
        [[:espalier, cache, :eviction]],
        [@cache, {:reason, [:reason], "none"}],
        "#{what} that were dropped from the cache."
      ),
      gauge(
        "espalier_#{cache}_entries",
        sizes,
        :entries,
        [@cache],
        "#{what} that are in the cache."
      ),
      gauge(
        "espalier_#{cache}_bytes",
        sizes,
        :total_bytes,
        [@cache],
        "Bytes of the #{String.downcase(what)} that are in the cache.",
        :byte
      )
    ]
  end

  defp downloads do
    [
      counter(
        "espalier_downloads_total",
        ends(:download),
        [{:repository, [:repository], "none"}, @outcome],
        "Repositories that were looked for in the cache or the hub, ok or by the kind of their error."
      ),
      sum(
        "espalier_downloaded_bytes_total",
        stop(:download),
        :bytes,
        [{:repository, [:repository], "none"}],
        "Bytes of files that were downloaded.",
        :byte
      )
    ]
  end

  defp model_loads do
    [
      counter(
        "espalier_model_loads_total",
        ends(:model_load),
        [@model, @outcome],
        "Models that were loaded, ok or by the kind of their error."
      ),
      histogram(
        "espalier_model_load_duration_seconds",
        ends(:model_load),
        [@model],
        "How long it took to load models."
      ),
      gauge(
        "espalier_model_parameters",
        stop(:model_load),
        :parameters,
        [@model, {:architecture, [:architecture], "none"}],
        "The number of a model's weights."
      )
    ]
  end

  defp model_steps do
    counts = [
      step("espalier_model_steps_total", :steps, "Steps of a model."),
      step("espalier_model_busy_seconds_total", &busy/2, "How long it ran.", @native),
      step("espalier_model_prompt_tokens_total", :prompt_tokens, "Tokens of prompts."),
      step(
        "espalier_model_cached_tokens_total",
        :cached_tokens,
        "Those of them that it did not read, as other prompts had begun with them."
      ),
      step("espalier_model_completion_tokens_total", :completion_tokens, "Tokens it wrote."),
      step(
        "espalier_model_forced_tokens_total",
        :forced_tokens,
        "Tokens it wrote that constraints left no choice of."
      ),
      step(
        "espalier_model_forward_seconds_total",
        :forward_time,
        "How long forward passes took, summed over threads.",
        @native
      ),
      step(
        "espalier_model_mask_seconds_total",
        :mask_time,
        "How long token masks took, summed over threads.",
        @native
      )
    ]

    now = [
      state(
        "espalier_model_batch_size",
        :batch_size,
        "Requests that a step advances on average."
      ),
      state("espalier_model_running_requests", :running, "Requests in the batch of a model."),
      state(
        "espalier_model_queue_length",
        :queue_length,
        "Requests that wait for a place in it."
      ),
      state(
        "espalier_model_tokens_per_second",
        :tokens_per_second,
        "Tokens that it writes a second."
      ),
      state(
        "espalier_model_kv_cache_tokens",
        :kv_cache_tokens,
        "Tokens that its KV cache holds."
      ),
      state("espalier_model_kv_cache_bytes", :kv_cache_bytes, "Bytes of its KV cache.", :byte)
    ]

    counts ++ now
  end

  defp step(name, key, about, unit \\ :unit),
    do: sum(name, [[:espalier, :model_step]], key, [@model], about, unit)

  defp state(name, key, about, unit \\ :unit),
    do: gauge(name, [[:espalier, :model_step]], key, [@model], about, unit)

  defp counter(name, events, tags, description),
    do: definition(name, :counter, events, nil, :unit, tags, description)

  defp sum(name, events, measurement, tags, description, unit \\ :unit),
    do: definition(name, :sum, events, measurement, unit, tags, description)

  defp gauge(name, events, measurement, tags, description, unit \\ :unit),
    do: definition(name, :gauge, events, measurement, unit, tags, description)

  defp histogram(name, events, tags, description),
    do: definition(name, :histogram, events, :duration, @native, tags, description)

  defp definition(name, kind, events, measurement, unit, tags, description) do
    %{
      name: name,
      kind: kind,
      events: events,
      measurement: measurement,
      unit: unit,
      tags: tags,
      description: description
    }
  end

  defp stop(event), do: [[:espalier, event, :stop]]
  defp ends(event), do: [[:espalier, event, :stop], [:espalier, event, :exception]]

  defp cached(_measurements, %{cached?: cached?}), do: if(cached?, do: 1, else: 0)
  defp cached(_measurements, _metadata), do: nil

  defp mended(%{fixes: fixes}, _metadata) when is_integer(fixes), do: min(fixes, 1)
  defp mended(_measurements, _metadata), do: nil

  # It is told once, too, that nothing was done.
  defp busy(%{steps: 0, running: 0}, _metadata), do: nil
  defp busy(measurements, _metadata), do: measurements[:duration]

  defp circuit_state(_measurements, metadata), do: @circuit_states[metadata[:to]]

  # When a batch has ended nothing of it runs.
  defp items_running(%{duration: _duration}, _metadata), do: 0
  defp items_running(measurements, _metadata), do: measurements[:running]
end
