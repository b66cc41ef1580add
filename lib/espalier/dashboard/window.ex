defmodule Espalier.Dashboard.Window do
  @moduledoc false
  # What the last five minutes were like, second by second, and what came in the last of them. Times are seconds of any
  # clock that only goes on.

  alias Espalier.Dashboard.Reading
  alias Espalier.Telemetry.Histogram

  @most_seconds 300
  @minute 60
  # What a rate is a mean of, so that a figure can be read.
  @moment 10

  @rates [:generations, :output_tokens, :input_tokens, :forward_time, :mask_time]
  @states [:running, :queue_length, :kv_cache_tokens, :kv_cache_bytes]

  @latencies [
    latency: [latency_p50: 0.5, latency_p99: 0.99],
    first_token: [first_token_p50: 0.5, first_token_p99: 0.99]
  ]

  @typedoc "`seconds` are the figures of each reading, `readings` those of the last minute; the newest are first."
  @type t :: %__MODULE__{
          started: number,
          seconds: [figures],
          readings: [{time :: number, Reading.t()}, ...]
        }

  @type figures :: %{atom => number | nil}

  @enforce_keys [:started, :readings]
  defstruct [:started, :readings, seconds: []]

  @doc "A window that begins with a reading."
  @spec new(Reading.t(), number) :: t
  def new(reading, time), do: %__MODULE__{started: time, readings: [{time, reading}]}

  @doc "Goes on by a reading that is later than the last one."
  @spec add(t, Reading.t(), number) :: t
  def add(window, reading, time) do
    # One more than a minute has, to count from.
    kept =
      Enum.take_while(window.readings, fn {then, _reading} -> then > time - @minute - 0.5 end)

    [previous | _earlier] = window.readings
    readings = [{time, reading} | if(kept == [], do: [previous], else: kept)]
    window = %{window | readings: readings}
    %{window | seconds: Enum.take([figures(window, 0) | window.seconds], @most_seconds)}
  end

  @doc "The newest reading."
  @spec reading(t) :: Reading.t()
  def reading(%{readings: [{_time, reading} | _earlier]}), do: reading

  @doc "For how many seconds it has counted."
  @spec duration(t) :: number
  def duration(%{readings: [{time, _reading} | _earlier], started: started}), do: time - started

  @doc "The figures of now. Rates are those of the last ten seconds."
  @spec now(t) :: figures
  def now(window), do: figures(window, @moment)

  @doc "The figures of each second, oldest first."
  @spec history(t) :: [figures]
  def history(window), do: Enum.reverse(window.seconds)

  @doc "What a counter says of a second, as a mean of the last minute."
  @spec rate(t, (Reading.t() -> number | nil)) :: number | nil
  def rate(window, count), do: rate(window, count, @minute)

  @doc "The histogram of the last minute."
  @spec histogram(t, (Reading.t() -> Histogram.t() | nil)) :: Histogram.t() | nil
  def histogram(window, histogram) do
    case {histogram.(reading(window)), histogram.(a_minute_ago(window))} do
      {now, nil} -> now
      {now, then} -> Histogram.subtract(now, then)
    end
  end

  @doc "A percentile of the last minute, in seconds; `nil` where nothing was."
  @spec quantile(Histogram.t() | nil, float) :: float | nil
  def quantile(nil, _q), do: nil
  def quantile(histogram, q), do: Histogram.quantile(histogram, q)

  defp a_minute_ago(%{readings: readings}), do: readings |> List.last() |> elem(1)

  defp figures(window, seconds) do
    reading = reading(window)

    rates = for key <- @rates, do: {key, rate(window, & &1.counts[key], seconds)}
    states = for key <- @states, do: {key, total(reading.states, key)}

    percentiles =
      for {key, percentiles} <- @latencies,
          {percentile, q} <- percentiles,
          do: {percentile, window |> histogram(&Map.fetch!(&1, key)) |> quantile(q)}

    (rates ++ states ++ percentiles)
    |> Map.new()
    |> Map.merge(%{
      batch_size: mean(reading.states, :batch_size),
      batch_items: batch_items(reading.trail.batches),
      first_attempts: share(window, & &1.trail.first_attempts.held, &attempted/1),
      cache_hits: share(window, &(&1.counts.hits || 0), &asked/1)
    })
  end

  defp rate(%{readings: [_only]}, _count, _seconds), do: nil

  defp rate(%{readings: [{now, reading} | earlier]}, count, seconds) do
    # By half a second more or less it is still so long ago.
    {then, before} =
      Enum.find(earlier, List.last(earlier), fn {then, _} -> then < now - seconds + 0.5 end)

    with n when n != nil <- count.(reading), do: (n - (count.(before) || 0)) / (now - then)
  end

  defp total(models, key) do
    values = for {_name, %{^key => value}} <- models, do: value
    if values != [], do: Enum.sum(values)
  end

  defp mean(models, key) do
    values = for {_name, %{^key => value}} when value > 0 <- models, do: value
    if values != [], do: Enum.sum(values) / length(values), else: total(models, key)
  end

  defp batch_items([]), do: nil
  defp batch_items(batches), do: batches |> Enum.map(& &1.running) |> Enum.sum()

  defp attempted(%{trail: %{first_attempts: %{held: held, failed: failed}}}), do: held + failed
  defp asked(%{counts: counts}), do: (counts.hits || 0) + (counts.misses || 0)

  # Of what was counted in the last minute.
  defp share(window, part, all) do
    case counted(window, all) do
      0 -> nil
      n -> counted(window, part) / n
    end
  end

  defp counted(window, count), do: count.(reading(window)) - count.(a_minute_ago(window))
end
