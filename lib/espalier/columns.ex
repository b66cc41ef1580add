defmodule Espalier.Columns do
  @moduledoc false
  # The columns of a terminal that texts take.

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

  @cut "…"

  @doc """
  How many columns a text takes.

      iex> Enum.map(["abc", "日本", "e\\u0301"], &Espalier.Columns.width/1)
      [3, 4, 1]
  """
  @spec width(String.t()) :: non_neg_integer
  def width(text), do: text |> String.graphemes() |> Enum.map(&grapheme_width/1) |> Enum.sum()

  defp grapheme_width(<<character::utf8, _marks::binary>>),
    do: if(Enum.any?(@wide, &(character in &1)), do: 2, else: 1)

  defp grapheme_width(_byte), do: 1

  @doc """
  A text that takes at most so many.

      iex> Enum.map(["abcdef", "日本語", "ab"], &Espalier.Columns.cut(&1, 4))
      ["abc…", "日…", "ab"]
  """
  @spec cut(String.t(), pos_integer) :: String.t()
  def cut(text, most) do
    if width(text) <= most, do: text, else: take(String.graphemes(text), most - 1, []) <> @cut
  end

  defp take([grapheme | rest], left, taken) do
    left = left - grapheme_width(grapheme)
    if left < 0, do: taken(taken), else: take(rest, left, [grapheme | taken])
  end

  defp take([], _left, taken), do: taken(taken)

  defp taken(graphemes), do: graphemes |> Enum.reverse() |> Enum.join()
end
