defmodule Espalier.Trace.Terminal.Table do
  @moduledoc false
  # The tokens of a trace, one a line.

  alias Espalier.Columns
  alias Espalier.Trace
  alias Espalier.Trace.Summary
  alias Espalier.Trace.Terminal.Palette

  @headings ["", "token", "how", "p", "allowed", "mask kept", "wanted instead"]
  @gap "  "
  @least_columns 8
  @most_columns 32

  @doc "The lines of the table, in `width` columns where they fit into so few."
  @spec lines(Trace.t(), pos_integer, colors? :: boolean) :: [iodata]
  def lines(%Trace{tokens: []}, _width, _colors?), do: []

  def lines(%Trace{tokens: tokens}, width, colors?) do
    rows = tokens |> Enum.with_index(1) |> Enum.map(&row/1)
    widths = [@headings | rows] |> widths() |> fit(width)
    styles = [:title | Enum.map(tokens, &Palette.style(&1, 1))]
    Enum.zip_with([@headings | rows], styles, &line(&1, widths, &2, colors?))
  end

  @doc "What the columns mean."
  @spec legend() :: [String.t()]
  def legend do
    [
      "p: what the model gave the token; allowed: how many tokens the mask allowed;",
      "mask kept: what the model gave to all of these; wanted instead: the model's likeliest",
      "token where another one came, with ✗ where the mask forbade it"
    ]
  end

  defp row({token, place}) do
    [
      Integer.to_string(place),
      Summary.label(token),
      Summary.how(token),
      probability(token.probability),
      if(token.allowed, do: Integer.to_string(token.allowed), else: ""),
      probability(token.allowed_probability),
      token |> Summary.wanted() |> wanted()
    ]
  end

  defp probability(nil), do: ""
  defp probability(probability), do: Summary.probability(probability)

  defp wanted(nil), do: ""

  defp wanted(%{allowed?: allowed?} = token) do
    forbidden = if allowed?, do: "", else: " ✗"
    "#{Summary.probability(token.probability)}#{forbidden} #{Summary.label(token)}"
  end

  defp widths(rows) do
    rows |> Enum.zip_with(fn cells -> cells |> Enum.map(&Columns.width/1) |> Enum.max() end)
  end

  # The two columns of what was written share what the others leave.
  defp fit([place, token, how, p, allowed, kept, wanted], width) do
    left = width - Enum.sum([place, how, p, allowed, kept]) - 6 * String.length(@gap)
    token = token |> min(@most_columns) |> min(max(div(left, 2), @least_columns))
    wanted = min(wanted, max(left - token, @least_columns))
    [place, token, how, p, allowed, kept, wanted]
  end

  # The token has its style and what pads it has none.
  defp line(cells, widths, style, colors?) do
    [place, {token, columns}, how, p, allowed, kept, wanted] =
      Enum.zip_with(cells, widths, fn cell, width -> {Columns.cut(cell, width), width} end)

    rest =
      [left(how), right(p), right(allowed), right(kept), left(wanted)]
      |> Enum.join(@gap)
      |> String.trim_trailing()

    [
      right(place),
      @gap,
      Palette.paint(token, style, colors?),
      padding(token, columns),
      @gap,
      rest
    ]
  end

  defp left({text, width}), do: text <> padding(text, width)
  defp right({text, width}), do: padding(text, width) <> text

  defp padding(text, width), do: String.duplicate(" ", width - Columns.width(text))
end
