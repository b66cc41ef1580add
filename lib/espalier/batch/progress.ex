defmodule Espalier.Batch.Progress do
  @moduledoc false
  # How far a batch is: told to a function, drawn as a bar in a terminal, or written as lines where there is none.

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
          tell: nil | {:bar, columns :: pos_integer} | :lines | (counts -> term),
          total: non_neg_integer | nil,
          started: integer
        }

  @most_cells 40
  @lines_without_total 100

  @doc "Whether a batch can be told to it."
  @spec function?(term) :: boolean
  def function?(term), do: is_function(term, 1)

  @doc "Tells that a batch begins, if it is to be told: with `true` on standard error, or to a function."
  @spec new(boolean | (counts -> term), non_neg_integer | nil) :: t
  def new(wanted, total) do
    progress = %__MODULE__{tell: way(wanted), total: total, started: now()}
    tell(progress, %{done: 0, failed: 0})
    progress
  end

  defp way(false), do: nil
  defp way(function) when is_function(function), do: function

  defp way(true) do
    case :io.columns(:standard_error) do
      {:ok, columns} -> {:bar, columns}
      {:error, :enotsup} -> :lines
    end
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
  def close(%{tell: {:bar, _columns}}), do: IO.write(:stderr, "\n")
  def close(_progress), do: :ok

  defp say({:bar, columns}, counts), do: IO.write(:stderr, "\r" <> bar(counts, columns))
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
  def bar(%{total: total} = counts, columns) when total in [nil, 0],
    do: counts |> line() |> String.slice(0, columns - 1)

  def bar(%{done: done, total: total} = counts, columns) do
    line = line(counts)
    cells = min(@most_cells, columns - String.length(line) - 4)

    if cells > 0 do
      full = div(cells * done, total)
      "[#{String.duplicate("=", full)}#{String.duplicate(" ", cells - full)}] #{line}"
    else
      String.slice(line, 0, columns - 1)
    end
  end

  @doc "A batch so far, in words."
  @spec line(counts) :: String.t()
  def line(%{done: done, failed: failed, total: total, elapsed: elapsed}) do
    of = if total, do: "/#{total}", else: ""
    "#{done}#{of} done, #{failed} failed, #{div(elapsed, 1000)} s"
  end

  defp now, do: System.monotonic_time(:millisecond)
end
