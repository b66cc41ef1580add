defmodule Espalier.ProgressBar do
  @moduledoc false
  # How far something is, on standard error: a bar in a terminal, lines where there is none.

  @most_cells 40

  @type way :: nil | {:bar, columns :: pos_integer} | :lines | (map -> term)

  @doc "How it is told: not at all, on standard error with `true`, or to a function."
  @spec way(boolean | (map -> term)) :: way
  def way(false), do: nil
  def way(function) when is_function(function), do: function

  def way(true) do
    case :io.columns(:standard_error) do
      {:ok, columns} -> {:bar, columns}
      {:error, :enotsup} -> :lines
    end
  end

  @doc "Draws a bar over the one before; `close/1` ends it."
  @spec draw(String.t()) :: :ok
  def draw(bar), do: IO.write(:stderr, "\r" <> bar)

  @doc "Ends the line of a bar."
  @spec close(way) :: :ok
  def close({:bar, _columns}), do: IO.write(:stderr, "\n")
  def close(_way), do: :ok

  @doc "A bar of at most so many columns with a text after it; only the text, where the whole isn't known."
  @spec bar(non_neg_integer, non_neg_integer | nil, String.t(), pos_integer) :: String.t()
  def bar(_done, total, text, columns) when total in [nil, 0],
    do: String.slice(text, 0, columns - 1)

  def bar(done, total, text, columns) do
    cells = min(@most_cells, columns - String.length(text) - 4)

    if cells > 0 do
      full = div(cells * min(done, total), total)
      "[#{String.duplicate("=", full)}#{String.duplicate(" ", cells - full)}] #{text}"
    else
      String.slice(text, 0, columns - 1)
    end
  end
end
