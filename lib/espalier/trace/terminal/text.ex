defmodule Espalier.Trace.Terminal.Text do
  @moduledoc false
  # The text of a trace for the terminal, token by token.

  alias Espalier.Columns
  alias Espalier.Trace
  alias Espalier.Trace.Summary
  alias Espalier.Trace.Terminal.Palette
  alias Espalier.Trace.Visible

  @doc "The lines, wrapped at any character, as tokens end at any."
  @spec lines(Trace.t(), Summary.t(), %{colors: boolean, width: pos_integer}) :: [String.t()]
  def lines(trace, summary, options) do
    pieces = pieces(trace, summary.begun, options.colors)
    {lines, _column} = Enum.map_reduce(pieces, 0, &piece(&1, &2, options))
    lines |> IO.iodata_to_binary() |> String.split("\n") |> drop_empty_end()
  end

  defp drop_empty_end(lines) do
    case List.last(lines) do
      "" -> Enum.drop(lines, -1)
      _text -> lines
    end
  end

  defp pieces(trace, "", colors?), do: separated(styled(trace.tokens), colors?)

  defp pieces(trace, begun, colors?),
    do: separated([{begun, :begun} | styled(trace.tokens)], colors?)

  defp styled(tokens) do
    for {token, place} <- Enum.with_index(tokens), do: {bytes(token), Palette.style(token, place)}
  end

  # With colours, the grounds keep tokens apart.
  defp separated(pieces, true), do: pieces
  defp separated(pieces, false), do: Enum.intersperse(pieces, {"│", nil})

  # A special token has none, and is seen all the same.
  defp bytes(%{text: ""} = token), do: Summary.label(token)
  defp bytes(token), do: token.text

  defp piece({bytes, style}, column, options) do
    {runs, column} = bytes |> cells() |> wrap(column, options.width)
    {Enum.map_intersperse(runs, "\n", &Palette.paint(&1, style, options.colors)), column}
  end

  defp cells(bytes), do: bytes |> Visible.pieces() |> Enum.flat_map(&cell/1)

  defp cell({:mark, mark, "\n"}), do: [mark, :end_of_line]
  defp cell(piece), do: piece |> Visible.shown() |> String.graphemes()

  # The runs of cells that share a line, and the column after the last one.
  defp wrap(cells, column, width) do
    {runs, run, column} = Enum.reduce(cells, {[], [], column}, &wrap_cell(&1, &2, width))
    {Enum.reverse([Enum.reverse(run) | runs]), column}
  end

  defp wrap_cell(:end_of_line, {runs, run, _column}, _width),
    do: {[Enum.reverse(run) | runs], [], 0}

  defp wrap_cell(cell, {runs, run, column}, width) do
    columns = Columns.width(cell)

    if column > 0 and column + columns > width,
      do: {[Enum.reverse(run) | runs], [cell], columns},
      else: {runs, [cell | run], column + columns}
  end
end
