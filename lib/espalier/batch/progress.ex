defmodule Espalier.Batch.Progress do
  @moduledoc false
  # How far a batch is: told to a function, drawn as a bar in a terminal, or written as lines where there is none.

  alias Espalier.ProgressBar

  @enforce_keys [:tell, :total, :started]
  defstruct @enforce_keys

  @typedoc "`elapsed` is in milliseconds; `total` is `nil` where it can't be told."
  @type counts :: %{
          done: non_neg_integer,
          failed: non_neg_integer,
          total: non_neg_integer | nil,
          elapsed: non_neg_integer
        }

  @type t :: %__MODULE__{
          tell: ProgressBar.way(),
          total: non_neg_integer | nil,
          started: integer
        }

  @lines_without_total 100

  @doc "Whether a batch can be told to it."
  @spec function?(term) :: boolean
  def function?(term), do: is_function(term, 1)

  @doc "Tells that a batch begins, if it is to be told: with `true` on standard error, or to a function."
  @spec new(boolean | (counts -> term), non_neg_integer | nil) :: t
  def new(wanted, total) do
    progress = %__MODULE__{tell: ProgressBar.way(wanted), total: total, started: now()}
    tell(progress, %{done: 0, failed: 0})
    progress
  end

  @doc "Tells what was counted."
  @spec tell(t, %{done: non_neg_integer, failed: non_neg_integer}) :: :ok
  def tell(%{tell: nil}, _counts), do: :ok

  def tell(progress, counts) do
    elapsed = now() - progress.started
    say(progress.tell, Map.merge(counts, %{total: progress.total, elapsed: elapsed}))
  end

  @doc "Ends the line of a bar."
  @spec close(t) :: :ok
  def close(progress), do: ProgressBar.close(progress.tell)

  defp say({:bar, columns}, counts), do: counts |> bar(columns) |> ProgressBar.draw()
  defp say(:lines, counts), do: if(line?(counts), do: IO.puts(:stderr, line(counts)), else: :ok)

  defp say(function, counts) do
    function.(counts)
    :ok
  end

  # Ten lines, where it is known how much there is.
  defp line?(%{done: 0}), do: false
  defp line?(%{done: done, total: nil}), do: rem(done, @lines_without_total) == 0

  defp line?(%{done: done, total: total}),
    do: div(10 * done, total) > div(10 * (done - 1), total)

  @doc "A batch so far, as a bar of at most so many columns."
  @spec bar(counts, pos_integer) :: String.t()
  def bar(%{done: done, total: total} = counts, columns),
    do: ProgressBar.bar(done, total, line(counts), columns)

  @doc "A batch so far, in words."
  @spec line(counts) :: String.t()
  def line(%{done: done, failed: failed, total: total, elapsed: elapsed}) do
    of = if total, do: "/#{total}", else: ""
    "#{done}#{of} done, #{failed} failed, #{div(elapsed, 1000)} s"
  end

  defp now, do: System.monotonic_time(:millisecond)
end
