defmodule Espalier.Telemetry.Histogram do
  @moduledoc false
  # How long things took, counted in buckets from 100 microseconds to 1000 seconds. Bounds are ten to a power of ten, of
  # preferred numbers, each about a quarter above the one before.

  @steps [1_000, 1_250, 1_600, 2_000, 2_500, 3_150, 4_000, 5_000, 6_300, 8_000]

  # In units of 100 nanoseconds, so that all are whole.
  @bounds (for power <- 0..6, step <- @steps do
             step * Integer.pow(10, power)
           end) ++ [1_000 * Integer.pow(10, 7)]

  @n_bounds length(@bounds)
  @seconds Enum.map(@bounds, &(&1 / 10_000_000))

  # For where each bucket costs something.
  @coarse (for power <- 0..6, step <- [1_000, 2_500, 5_000] do
             step * Integer.pow(10, power) / 10_000_000
           end) ++ [1000.0]

  @typedoc "Counts are those of each bucket alone: above the bound before, up to its own."
  @type t :: %{
          count: non_neg_integer,
          sum: number,
          buckets: [{upper_bound :: float | :infinity, count :: non_neg_integer}]
        }

  @doc "The upper bounds in seconds, but for the last bucket, which has none."
  @spec bounds() :: [float]
  def bounds, do: @seconds

  @doc "A few of the bounds, three for each power of ten."
  @spec coarse_bounds() :: [float]
  def coarse_bounds, do: @coarse

  @doc "The upper bounds in native units of time, for `bucket/2`."
  @spec native_bounds() :: tuple
  def native_bounds do
    a_second = System.convert_time_unit(1, :second, :native)
    @bounds |> Enum.map(&div(&1 * a_second, 10_000_000)) |> List.to_tuple()
  end

  @spec n_buckets() :: pos_integer
  def n_buckets, do: @n_bounds + 1

  @doc "Which bucket a time is in, from 1."
  @spec bucket(integer, tuple) :: pos_integer
  def bucket(time, bounds), do: bucket(time, bounds, 1, tuple_size(bounds) + 1)

  defp bucket(_time, _bounds, low, high) when low == high, do: low

  defp bucket(time, bounds, low, high) do
    middle = div(low + high, 2)

    if time <= elem(bounds, middle - 1),
      do: bucket(time, bounds, low, middle),
      else: bucket(time, bounds, middle + 1, high)
  end

  @doc "A histogram of the counts of all buckets."
  @spec new([non_neg_integer], number) :: t
  def new(counts, sum) do
    buckets = Enum.zip(@seconds ++ [:infinity], counts)
    %{count: Enum.sum(counts), sum: sum, buckets: buckets}
  end

  @doc "What came between two readings. Where it was counted from the start again meanwhile, that is the later one."
  @spec subtract(later :: t, earlier :: t) :: t
  def subtract(%{count: later} = histogram, %{count: earlier}) when later < earlier, do: histogram

  def subtract(later, earlier) do
    buckets =
      Enum.zip_with(later.buckets, earlier.buckets, fn {bound, later}, {bound, earlier} ->
        {bound, max(later - earlier, 0)}
      end)

    %{count: later.count - earlier.count, sum: later.sum - earlier.sum, buckets: buckets}
  end

  @doc """
  The time that the share `q` of all stayed below, as if those of a bucket were spread evenly over it; `nil` for an empty
  histogram. Of times above 1000 seconds it can only say that.
  """
  @spec quantile(t, number) :: float | nil
  def quantile(%{count: 0}, _q), do: nil

  def quantile(%{count: count, buckets: buckets}, q) when q >= 0 and q <= 1,
    do: find(buckets, 0.0, 0, q * count)

  defp find([{upper, n} | buckets], _lower, below, rank) when n == 0 or below + n < rank,
    do: find(buckets, upper, below + n, rank)

  defp find([{:infinity, _n}], lower, _below, _rank), do: lower

  defp find([{upper, n} | _buckets], lower, below, rank),
    do: lower + (upper - lower) * (rank - below) / n
end
