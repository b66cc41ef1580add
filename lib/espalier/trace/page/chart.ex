defmodule Espalier.Trace.Page.Chart do
  @moduledoc false
  # The probabilities along a text as bars. Where there are more tokens than bars, a bar shows the least likely token of
  # some in a row.

  import Espalier.Trace.Page.Markup

  alias Espalier.Trace.Page.Markup
  alias Espalier.Trace.Summary
  alias Espalier.Trace.Token

  # Of fewer there is room for so many, or they would be very wide.
  @least_bars 30
  @most_bars 500
  @height 100

  @doc "How many tokens share a bar."
  @spec per_bar(non_neg_integer) :: pos_integer
  def per_bar(tokens), do: max(ceil(tokens / @most_bars), 1)

  @doc "The chart: a bar is 1 wide, a probability of 1 is 100 high, and what the mask steered is marked below."
  @spec svg([Token.t()]) :: Markup.element()
  def svg(tokens) do
    per_bar = tokens |> length() |> per_bar()
    groups = tokens |> Enum.chunk_every(per_bar) |> Enum.with_index()

    attributes = [
      viewBox: "0 -2 #{max(length(groups), @least_bars)} #{@height + 12}",
      preserveAspectRatio: "none",
      "data-per-bar": per_bar,
      role: "img",
      "aria-label": "The probability of each token along the text"
    ]

    tag(:svg, attributes, [lines() | bars(groups)] ++ [marks(groups), cursor()])
  end

  defp lines do
    for y <- [0, 50, 100], do: tag(:path, class: "grid", d: "M0 #{y}H#{@most_bars}")
  end

  # One path for all bars of a level.
  defp bars(groups) do
    bars =
      for {tokens, x} <- groups, token = least(tokens), do: {Summary.level(token), bar(token, x)}

    for {level, paths} <- Enum.group_by(bars, &elem(&1, 0), &elem(&1, 1)),
        do: tag(:path, class: level, d: Enum.join(paths))
  end

  defp least(tokens) do
    tokens |> Enum.filter(& &1.probability) |> Enum.min_by(& &1.probability, fn -> nil end)
  end

  # Even what is next to impossible is seen.
  defp bar(token, x) do
    height = token.probability |> min(1.0) |> Kernel.*(@height) |> round() |> max(2)
    "M#{x} #{@height}v-#{height}h.9v#{height}z"
  end

  defp marks(groups) do
    paths =
      for {tokens, x} <- groups, Enum.any?(tokens, &Summary.steered?/1), do: "M#{x} 103h.9v6h-.9z"

    tag(:path, class: "steered", d: Enum.join(paths))
  end

  defp cursor, do: tag(:path, class: "cursor", d: "")
end
