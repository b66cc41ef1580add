defmodule Espalier.Telemetry.HistogramTest do
  use ExUnit.Case, async: true

  alias Espalier.Telemetry.Histogram

  @bounds Histogram.bounds()

  test "a bound is a quarter above the one before, from 100 microseconds to 1000 seconds" do
    assert {List.first(@bounds), List.last(@bounds)} == {1.0e-4, 1.0e3}

    for [lower, upper] <- Enum.chunk_every(@bounds, 2, 1, :discard),
        do: assert_in_delta(upper / lower, 1.25, 0.031)

    assert Histogram.coarse_bounds() -- @bounds == []
  end

  test "a time is in the first bucket whose bound it does not exceed" do
    native = Histogram.native_bounds()

    for {bound, place} <- native |> Tuple.to_list() |> Enum.with_index(1) do
      assert Histogram.bucket(bound - 1, native) == place
      assert Histogram.bucket(bound, native) == place
      assert Histogram.bucket(bound + 1, native) == place + 1
    end

    assert Histogram.bucket(0, native) == 1
    assert Histogram.bucket(1_000_000_000_000_000, native) == Histogram.n_buckets()
  end

  test "quantiles are told within the bucket of the exact one" do
    :rand.seed(:exsss, {1, 2, 3})

    for _case <- 1..200, q <- [0, 0.01, 0.5, 0.9, 0.99, 1] do
      times = for _time <- 1..:rand.uniform(300), do: random_time()
      exact = times |> Enum.sort() |> Enum.at(max(ceil(q * length(times)) - 1, 0))
      told = Histogram.quantile(histogram(times), q)
      {lower, upper} = around(exact)
      assert lower <= told and told <= upper
    end
  end

  # Of any size, as many small as large ones.
  defp random_time, do: 1.0e-5 * :math.pow(10, 8 * :rand.uniform())

  defp around(time) do
    {below, above} = Enum.split_while(@bounds, &(&1 < time))
    lower = List.last(below) || 0.0
    {lower, List.first(above) || lower}
  end

  # Counted by comparing with each bound, and not by looking for it.
  defp histogram(times) do
    cumulative = for bound <- @bounds, do: Enum.count(times, &(&1 <= bound))
    counts = Enum.zip_with([0 | cumulative], cumulative ++ [length(times)], &(&2 - &1))
    Histogram.new(counts, Enum.sum(times))
  end

  test "of nothing there is no quantile" do
    assert Histogram.quantile(histogram([]), 0.5) == nil
  end

  test "what came between two readings" do
    :rand.seed(:exsss, {4, 5, 6})

    for _case <- 1..50 do
      {before, since} = {random_times(), random_times()}
      between = Histogram.subtract(histogram(before ++ since), histogram(before))
      assert between.buckets == histogram(since).buckets
      assert between.count == length(since)
      assert_in_delta between.sum, Enum.sum(since), 1.0e-6

      assert_in_delta Histogram.quantile(between, 0.9) || 0.0,
                      Histogram.quantile(histogram(since), 0.9) || 0.0,
                      1.0e-9
    end
  end

  defp random_times, do: for(_time <- 1..:rand.uniform(100), do: random_time())

  test "a count that began again is taken as it is" do
    later = histogram([0.1])
    assert Histogram.subtract(later, histogram([0.1, 0.2])) == later
  end
end
