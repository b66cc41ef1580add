defmodule Espalier.Trace.Terminal.Palette do
  @moduledoc false
  # The colours of tokens in a terminal. Both the letters' and the ground's are set, so that they can be read whatever
  # the terminal's own are; the ground is another one from token to token.

  alias Espalier.Trace.Summary
  alias Espalier.Trace.Token

  @typedoc "What is painted: a token at a place, or a sample of what its look means."
  @type style :: Summary.level() | :title | :begun | :steered | {Summary.level(), steered?, odd?}
  @typep steered? :: boolean
  @typep odd? :: boolean

  @letters %{
    forced: 248,
    unknown: 253,
    likely: 114,
    fair: 150,
    doubtful: 221,
    unlikely: 215,
    improbable: 210
  }

  @doc "How a token looks."
  @spec style(Token.t(), non_neg_integer) :: style
  def style(token, place),
    do: {Summary.level(token), Summary.steered?(token), rem(place, 2) == 1}

  @doc "Text in a style; as it is without colours or without a style."
  @spec paint(iodata, style | nil, colors? :: boolean) :: iodata
  def paint([], _style, _colors?), do: []
  def paint(text, style, colors?) when style == nil or not colors?, do: text
  def paint(text, style, true), do: [codes(style), text, IO.ANSI.reset()]

  defp codes(:title), do: IO.ANSI.bright()
  defp codes(:begun), do: IO.ANSI.italic()
  defp codes(:steered), do: codes({:unknown, true, false})
  defp codes({level, true, odd?}), do: [codes({level, false, odd?}), IO.ANSI.underline()]
  defp codes({level, false, odd?}), do: [IO.ANSI.color(@letters[level]), ground(odd?)]
  defp codes(level), do: codes({level, false, false})

  defp ground(false), do: IO.ANSI.color_background(234)
  defp ground(true), do: IO.ANSI.color_background(237)
end
