defmodule Espalier.CLI.Table do
  @moduledoc false
  # Rows of texts as lines with columns that are aligned, by what a terminal takes for the width of a character.

  alias Espalier.Columns

  @gap "  "
  @least_column 8

  @typedoc "A text, or one with what `IO.ANSI.format/2` takes to colour it."
  @type cell :: String.t() | {atom, String.t()}

  @doc """
  The lines of a table.

  With `:columns` no line is wider than a terminal of so many: the widest columns are cut. With `:colors` cells have
  theirs.
  """
  @spec lines([[cell]], columns: pos_integer | nil, colors: boolean) :: [iodata]
  def lines(rows, options) do
    rows = for row <- rows, do: Enum.map(row, &printable/1)
    widths = rows |> widths() |> fit(options[:columns])
    for row <- rows, do: line(row, widths, options[:colors] == true)
  end

  defp widths(rows) do
    rows
    |> Enum.map(fn row -> Enum.map(row, &width/1) end)
    |> Enum.zip_with(&Enum.max/1)
  end

  defp fit(widths, nil), do: widths

  defp fit(widths, columns) do
    over = Enum.sum(widths) + (length(widths) - 1) * String.length(@gap) - columns
    widest = Enum.max(widths, fn -> 0 end)

    if over > 0 and widest > @least_column do
      index = Enum.find_index(widths, &(&1 == widest))
      second = widths |> List.delete_at(index) |> Enum.max(fn -> 0 end)
      to = Enum.max([widest - over, min(second, widest - 1), @least_column])
      widths |> List.replace_at(index, to) |> fit(columns)
    else
      widths
    end
  end

  @doc "One line of a table, with columns that are so wide; `nil` for the last one's is as wide as its text."
  @spec line([cell], [pos_integer | nil], boolean) :: iodata
  def line(cells, widths, colors?) do
    {{last, width}, others} =
      cells |> Enum.map(&printable/1) |> Enum.zip(widths) |> List.pop_at(-1)

    columns =
      for {cell, width} <- others, do: [shown(cell, width, colors?), pad(cell, width), @gap]

    trim([columns, shown(last, width, colors?)])
  end

  # An empty last column leaves no space at the end of a line.
  defp trim(line), do: line |> IO.iodata_to_binary() |> String.trim_trailing()

  defp shown({color, text}, width, colors?),
    do: IO.ANSI.format([color, cut(text, width)], colors?)

  defp shown(text, width, _colors?), do: cut(text, width)

  defp pad(cell, width), do: String.duplicate(" ", max(width - width(cell), 0))

  defp cut(text, nil), do: text
  defp cut(text, most), do: Columns.cut(text, most)

  @doc "The columns that a text takes."
  @spec width(cell) :: non_neg_integer
  def width({_color, text}), do: width(text)

  def width(text), do: Columns.width(text)

  # What would move the cursor or turn the direction of the text is spelled.
  defp printable({color, text}), do: {color, printable(text)}

  defp printable(text) do
    moves = ~r/[\p{Cc}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}]/u
    if String.valid?(text), do: Regex.replace(moves, text, &spelled/1), else: inspect(text)
  end

  defp spelled(<<character::utf8>>), do: "\\u{#{Integer.to_string(character, 16)}}"
end
