defmodule Espalier.CLI.Table do
  @moduledoc false
  # Rows of texts as lines with columns that are aligned, by what a terminal takes for the width of a character.

  # Blocks of characters that are two columns wide: East Asian scripts and pictures.
  @wide [
    0x1100..0x115F,
    0x2E80..0x303E,
    0x3041..0xA4CF,
    0xA960..0xA97F,
    0xAC00..0xD7A3,
    0xF900..0xFAFF,
    0xFE30..0xFE6F,
    0xFF00..0xFF60,
    0xFFE0..0xFFE6,
    0x1F300..0x1F64F,
    0x1F680..0x1F6FF,
    0x1F900..0x1F9FF,
    0x20000..0x3FFFD
  ]

  @gap "  "
  @cut "…"
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

  defp cut(text, most) do
    if width(text) <= most, do: text, else: take(String.graphemes(text), most - 1, []) <> @cut
  end

  defp take([grapheme | rest], left, taken) do
    left = left - width(grapheme)
    if left < 0, do: taken(taken), else: take(rest, left, [grapheme | taken])
  end

  defp take([], _left, taken), do: taken(taken)

  defp taken(graphemes), do: graphemes |> Enum.reverse() |> Enum.join()

  @doc "The columns that a text takes."
  @spec width(cell) :: non_neg_integer
  def width({_color, text}), do: width(text)

  def width(text) do
    text |> String.graphemes() |> Enum.map(&grapheme_width/1) |> Enum.sum()
  end

  defp grapheme_width(<<character::utf8, _marks::binary>>),
    do: if(Enum.any?(@wide, &(character in &1)), do: 2, else: 1)

  defp grapheme_width(_byte), do: 1

  # What would move the cursor or turn the direction of the text is spelled.
  defp printable({color, text}), do: {color, printable(text)}

  defp printable(text) do
    moves = ~r/[\p{Cc}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}]/u
    if String.valid?(text), do: Regex.replace(moves, text, &spelled/1), else: inspect(text)
  end

  defp spelled(<<character::utf8>>), do: "\\u{#{Integer.to_string(character, 16)}}"
end
