defmodule Espalier.Dashboard.Snapshot do
  @moduledoc false
  # What the page shows at one moment, as a term for JSON.

  alias Espalier.Dashboard.Window

  @most_rows 20
  @circuit_states %{0 => "closed", 1 => "half_open", 2 => "open"}

  @totals [:generations, :failed, :input_tokens, :output_tokens, :attempts, :refused, :retries]
  @model_states [:running, :queue_length, :tokens_per_second, :kv_cache_tokens, :kv_cache_bytes]

  @spec new(Window.t()) :: map
  def new(window) do
    reading = Window.reading(window)

    %{
      time: System.system_time(:millisecond),
      seconds: round(Window.duration(window)),
      quiet: reading.quiet?,
      versions: versions(),
      figures: figures(window),
      totals: Map.take(reading.counts, @totals),
      latency: %{
        generation: percentiles(window, & &1.latency),
        first_token: percentiles(window, & &1.first_token)
      },
      traffic: traffic(window),
      models: models(reading),
      answers: answers(reading),
      refusals:
        for({kind, n} <- Enum.take(reading.refusals, @most_rows), do: %{kind: kind, count: n}),
      cache: cache(window),
      circuits: circuits(reading),
      batches: batches(reading.trail.batches),
      errors: reading.trail.errors,
      dropped_series: reading.counts.dropped
    }
    |> rounded()
  end

  defp versions do
    %{
      espalier: to_string(Application.spec(:espalier, :vsn)),
      elixir: System.version(),
      otp: System.otp_release(),
      node: Atom.to_string(node())
    }
  end

  defp figures(window) do
    history = Window.history(window)

    Map.new(Window.now(window), fn {key, value} ->
      {key, %{value: value, history: Enum.map(history, & &1[key])}}
    end)
  end

  defp percentiles(window, of) do
    histogram = Window.histogram(window, of)

    for {name, q} <- [p50: 0.5, p90: 0.9, p99: 0.99],
        into: %{},
        do: {name, Window.quantile(histogram, q)}
  end

  defp traffic(window) do
    Window.reading(window).targets
    |> Enum.sort_by(fn {target, of} -> {-of.generations, target} end)
    |> Enum.take(@most_rows)
    |> Enum.map(fn {{backend, model} = target, of} ->
      window
      |> percentiles(& &1.targets[target][:latency])
      |> Map.merge(Map.take(of, [:generations, :failed]))
      |> Map.merge(%{backend: backend, model: model})
      |> Map.put(:rate, Window.rate(window, & &1.targets[target][:generations]))
    end)
  end

  defp models(reading) do
    for %{name: name} = model <- Enum.take(reading.loaded.models, @most_rows) do
      states = Map.get(reading.states, name, %{})

      @model_states
      |> Map.new(&{&1, states[&1]})
      |> Map.merge(Map.take(model.info, [:architecture, :parameters, :max_length]))
      |> Map.merge(%{name: name, max_batch_size: model.max_batch_size})
    end
  end

  defp answers(%{counts: %{attempts: nil}}), do: []

  defp answers(%{counts: counts, trail: %{first_attempts: first}}) do
    [
      answer("Attempts", counts.attempts, nil),
      answer("First attempts that hold", first.held, first.held + first.failed),
      answer("Values refused", counts.refused, nil),
      answer("Asked for again", counts.repairs, nil),
      answer("Good the next time", counts.repaired, counts.repairs),
      answer("Texts mended to be read", counts.mended, nil),
      answer("Requests repeated after failures", counts.retries, nil)
    ]
  end

  defp answer(what, count, all) do
    share = if count && all && all > 0, do: count / all
    %{what: what, count: count || 0, share: share}
  end

  defp cache(window) do
    %{counts: counts, loaded: %{cache: size}} = Window.reading(window)

    %{
      hits: counts.hits || (counts.misses && 0),
      misses: counts.misses || (counts.hits && 0),
      hit_rate: hit_rate(counts),
      entries: size && size.entries,
      bytes: size && size.bytes,
      evictions: counts.evictions || 0,
      compilations: counts.compilations || 0,
      compile_p50: window |> Window.histogram(& &1.compile) |> Window.quantile(0.5)
    }
  end

  defp hit_rate(%{hits: nil, misses: nil}), do: nil
  defp hit_rate(%{hits: hits, misses: misses}), do: (hits || 0) / ((hits || 0) + (misses || 0))

  # What is open is first.
  defp circuits(reading) do
    reading.circuits
    |> Enum.sort_by(fn {target, state} -> {-state, target} end)
    |> Enum.take(@most_rows)
    |> Enum.map(fn {{backend, model}, state} ->
      %{backend: backend, model: model, state: @circuit_states[state]}
    end)
  end

  defp batches(batches) do
    now = System.monotonic_time()

    rows =
      for {started, batch} <-
            batches |> Enum.take(@most_rows) |> Enum.map(&Map.pop!(&1, :started)) do
        seconds = System.convert_time_unit(now - started, :native, :millisecond) / 1000
        Map.put(batch, :seconds, seconds)
      end

    %{count: length(batches), rows: rows}
  end

  # More digits than are shown make the text long.
  defp rounded(%{} = map), do: Map.new(map, fn {key, value} -> {key, rounded(value)} end)
  defp rounded(list) when is_list(list), do: Enum.map(list, &rounded/1)
  defp rounded(float) when is_float(float) and float == 0, do: 0

  defp rounded(float) when is_float(float) do
    digits = 3 - (float |> abs() |> :math.log10() |> floor())
    if digits > 0, do: Float.round(float, min(digits, 15)), else: round(float)
  end

  defp rounded(value), do: value
end
