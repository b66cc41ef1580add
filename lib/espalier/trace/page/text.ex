defmodule Espalier.Trace.Page.Text do
  @moduledoc false
  # The text of a trace on its page: the chart above it, the tokens, and where the mask steered.

  import Espalier.Trace.Page.Markup
  import Espalier.Trace.Page.Written

  alias Espalier.Trace
  alias Espalier.Trace.Page.Chart
  alias Espalier.Trace.Page.Markup
  alias Espalier.Trace.Summary

  @most_steered 8

  @doc "All of it. Without probabilities there is no chart."
  @spec html(Trace.t(), Summary.t()) :: Markup.content()
  def html(trace, %{lowest: nil} = summary), do: tokens(trace, summary)

  def html(trace, summary),
    do: [chart(trace), legend(), tokens(trace, summary), steered(summary)]

  defp chart(trace) do
    caption =
      case Chart.per_bar(length(trace.tokens)) do
        1 -> "Probability of each token"
        per_bar -> "Lowest probability of each #{per_bar} tokens"
      end

    tag(:figure, [class: "chart"], [
      tag(:figcaption, [], caption),
      tag(:div, ["aria-hidden": "true"], Enum.map(["1", "½", "0"], &tag(:span, [], &1))),
      Chart.svg(trace.tokens)
    ])
  end

  defp legend do
    levels = for {level, bound} <- Summary.levels(), do: sample([level, example(level)], bound)
    forced = sample([:forced], "forced")
    steered = sample([:unknown, :steered], "the mask kept less than half")

    tag(:p, [class: "legend"], [forced, "probability, as the bar’s length, too:", levels, steered])
  end

  defp sample(classes, text), do: tag(:span, [class: Enum.join([:token | classes], " ")], text)

  defp example(:likely), do: "p10"
  defp example(:fair), do: "p7"
  defp example(:doubtful), do: "p4"
  defp example(:unlikely), do: "p2"
  defp example(:improbable), do: "p1"

  defp tokens(trace, summary) do
    attributes = [
      role: "listbox",
      "aria-label": "Tokens of the text",
      "data-first": first(summary)
    ]

    tokens = trace.tokens |> Enum.with_index(1) |> Enum.map(&option/1)
    tag(:div, [class: "tokens"], [begun(summary), tag(:span, attributes, tokens)])
  end

  defp begun(%{begun: ""}), do: []
  defp begun(%{begun: begun}), do: tag(:span, [class: "begun"], text(begun))

  # What is worth looking at first.
  defp first(%{steered: [{place, _token} | _others]}), do: place
  defp first(%{lowest: {place, _token}}), do: place
  defp first(_summary), do: 1

  defp option({token, place}) do
    steered = if Summary.steered?(token), do: :steered
    lines = if token.text =~ "\n", do: :lines
    classes = [:token, Summary.level(token), tenth(token.probability), steered, lines]

    attributes = [
      class: classes |> Enum.filter(& &1) |> Enum.join(" "),
      role: "option",
      tabindex: if(place == 1, do: 0, else: -1)
    ]

    tag(:span, attributes, token(token))
  end

  # How long a bar is. Styles of single elements are against the policy.
  defp tenth(nil), do: nil
  defp tenth(probability), do: "p#{probability |> min(1.0) |> Kernel.*(10) |> ceil()}"

  defp steered(%{steered: []}), do: []

  defp steered(%{steered: steered}) do
    tag(:div, [class: "steered-list"], [
      tag(:h2, [], "Where the mask steered most"),
      tag(:ol, [], for(placed <- Enum.take(steered, @most_steered), do: steered_item(placed)))
    ])
  end

  defp steered_item({place, token}) do
    kept = Summary.probability(token.allowed_probability)
    tag(:li, [], [link({place, token}), " kept #{kept}", forbidden(token)])
  end

  defp forbidden(token) do
    case Summary.forbidden(token) do
      nil -> []
      wanted -> [", forbade ", code(wanted), " (#{Summary.probability(wanted.probability)})"]
    end
  end
end
