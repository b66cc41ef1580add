defmodule Espalier.Trace.Page do
  @moduledoc false
  # A trace as one HTML page, which needs nothing else. The table has everything; the script shows a token's row in the
  # panel, with bars. The policy of the page lets nothing run or load but the style and the script that are here.

  import Espalier.Trace.Markup

  alias Espalier.Trace
  alias Espalier.Trace.Chart
  alias Espalier.Trace.Summary
  alias Espalier.Trace.Visible

  @style_path Path.join(__DIR__, "page.css")
  @script_path Path.join(__DIR__, "page.js")
  @external_resource @style_path
  @external_resource @script_path
  @style File.read!(@style_path)
  @script File.read!(@script_path)

  source = fn text -> "'sha256-#{Base.encode64(:crypto.hash(:sha256, text))}'" end

  @policy "default-src 'none'; style-src #{source.(@style)}; script-src #{source.(@script)}; " <>
            "base-uri 'none'; form-action 'none'"

  @most_steered 8
  @columns ["Place", "Token", "Id", "How", "Probability", "Allowed", "Mask kept", "Likeliest"]

  @doc "The whole page."
  @spec document(Trace.t()) :: iodata
  def document(trace) do
    summary = Summary.new(trace)

    page =
      tag(:html, [lang: "en"], [
        head(trace),
        tag(:body, [], [
          header(trace, summary),
          main(trace, summary),
          {:element, ["<script>", @script, "</script>"]}
        ])
      ])

    ["<!DOCTYPE html>\n", html(page), "\n"]
  end

  defp head(trace) do
    tag(:head, [], [
      tag(:meta, charset: "utf-8"),
      tag(:meta, "http-equiv": "Content-Security-Policy", content: @policy),
      tag(:meta, name: "viewport", content: "width=device-width, initial-scale=1"),
      tag(:title, [], "#{name(trace.schema)} · trace"),
      {:element, ["<style>", @style, "</style>"]}
    ])
  end

  defp header(trace, summary) do
    tag(:header, [], [
      tag(:h1, [], name(trace.schema)),
      tag(:p, [], "#{name(trace.backend)} · #{name(trace.model)} · #{finish(trace)}"),
      refused(trace.error),
      tag(:dl, [class: "numbers"], numbers(trace, summary))
    ])
  end

  defp name(term), do: term |> inspect() |> Visible.line()

  defp finish(%{finish_reason: :stop}), do: "ended by the model"
  defp finish(%{finish_reason: :max_tokens}), do: "cut off at max_tokens"
  defp finish(%{finish_reason: nil}), do: "not ended"

  defp refused(nil), do: []

  defp refused(error) do
    tag(:p, [class: "refused"], [tag(:b, [], "Refused: "), text(Exception.message(error))])
  end

  defp numbers(trace, %{tokens: tokens} = summary) do
    [
      number("Tokens", Integer.to_string(tokens), size(trace.size)),
      number("Forced", Summary.percent(summary.forced, tokens), "#{summary.forced} tokens"),
      probabilities(summary),
      number("Tokens of the prompt", Integer.to_string(trace.usage.prompt_tokens), "")
    ]
  end

  defp probabilities(%{lowest: nil}), do: []

  defp probabilities(%{lowest: {place, token}} = summary) do
    lowest = Summary.probability(token.probability)
    steered = Integer.to_string(length(summary.steered))

    [
      number("Mean probability", Summary.probability(summary.mean), "where the model was asked"),
      number("Lowest probability", lowest, link(place, token)),
      number("Steered by the mask", steered, "it kept less than half")
    ]
  end

  defp number(label, value, note) do
    tag(:div, [], [tag(:dt, [], label), tag(:dd, [], [tag(:b, [], value), tag(:span, [], note)])])
  end

  defp size(nil), do: ""
  defp size(size), do: "of a vocabulary of #{size}"

  # To the row; the script shows it in the panel instead.
  defp link(place, token) do
    tag(:a, [href: "#row-#{place}"], ["#{place}: ", code(token)])
  end

  defp main(trace, summary) do
    tag(:main, [], [
      tag(:section, [class: "text"], [
        if(summary.lowest, do: [chart(trace), legend()], else: []),
        tokens(trace, summary),
        steered(summary),
        table(trace)
      ]),
      panel()
    ])
  end

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
      class: "tokens",
      role: "listbox",
      "aria-label": "Tokens of the text",
      "data-first": first(summary)
    ]

    begun =
      if summary.begun == "", do: [], else: tag(:span, [class: "begun"], text(summary.begun))

    tag(:div, attributes, [begun | trace.tokens |> Enum.with_index(1) |> Enum.map(&token/1)])
  end

  # What is worth looking at first.
  defp first(%{steered: [{place, _token} | _others]}), do: place
  defp first(%{lowest: {place, _token}}), do: place
  defp first(_summary), do: 1

  defp token({token, place}) do
    steered = if Summary.steered?(token), do: :steered
    lines = if token.text =~ "\n", do: :lines
    classes = [:token, Summary.level(token), tenth(token.probability), steered, lines]

    attributes = [
      class: classes |> Enum.filter(& &1) |> Enum.join(" "),
      role: "option",
      tabindex: if(place == 1, do: 0, else: -1)
    ]

    tag(:span, attributes, shown(token))
  end

  defp shown(%{text: ""} = token), do: tag(:i, [], Summary.label(token))
  defp shown(token), do: text(token.text)

  # How long a bar is. Styles of single elements are against the policy.
  defp tenth(nil), do: nil
  defp tenth(probability), do: "p#{probability |> min(1.0) |> Kernel.*(10) |> ceil()}"

  defp text(bytes), do: bytes |> Visible.pieces() |> Enum.map(&piece/1)

  defp piece({:plain, text}), do: text
  defp piece({:mark, mark, "\n"}), do: [tag(:i, [], mark), "\n"]
  defp piece({:mark, mark, _bytes}), do: tag(:i, [], mark)

  defp code(token), do: tag(:code, [], shown_in_line(token))

  defp shown_in_line(%{text: ""} = token), do: tag(:i, [], Summary.label(token))

  defp shown_in_line(%{text: text}) do
    for piece <- Visible.pieces(text) do
      case piece do
        {:plain, text} -> text
        {:mark, mark, _bytes} -> tag(:i, [], mark)
      end
    end
  end

  defp steered(%{steered: []}), do: []

  defp steered(%{steered: steered}) do
    tag(:div, [class: "steered-list"], [
      tag(:h2, [], "Where the mask steered most"),
      tag(:ol, [], for(placed <- Enum.take(steered, @most_steered), do: steered_item(placed)))
    ])
  end

  defp steered_item({place, token}) do
    kept = Summary.probability(token.allowed_probability)
    tag(:li, [], [link(place, token), " kept #{kept}", forbidden(token)])
  end

  defp forbidden(token) do
    case Enum.find(token.alternatives, &(not &1.allowed?)) do
      nil -> []
      wanted -> [", forbade ", code(wanted), " (#{Summary.probability(wanted.probability)})"]
    end
  end

  defp table(trace) do
    tag(:details, [class: "table"], [
      tag(:summary, [], "All tokens as a table"),
      tag(:div, [tabindex: "0"], [
        tag(:table, [], [
          tag(:thead, [], tag(:tr, [], Enum.map(@columns, &tag(:th, [scope: "col"], &1)))),
          tag(:tbody, [], trace.tokens |> Enum.with_index(1) |> Enum.map(&row(&1, trace.size)))
        ])
      ])
    ])
  end

  defp row({token, place}, size) do
    tag(:tr, [id: "row-#{place}"], [
      tag(:td, [], Integer.to_string(place)),
      tag(:td, [], code(token)),
      tag(:td, [], if(token.id, do: Integer.to_string(token.id), else: "–")),
      tag(:td, [], Summary.how(token)),
      probability(token.probability),
      tag(:td, [], allowed(token.allowed, size)),
      probability(token.allowed_probability),
      tag(:td, [], alternatives(token))
    ])
  end

  defp probability(nil), do: tag(:td, [], "–")

  defp probability(probability), do: tag(:td, [], Summary.probability(probability))

  defp allowed(nil, _size), do: "–"
  defp allowed(allowed, nil), do: Integer.to_string(allowed)
  defp allowed(allowed, size), do: "#{allowed} of #{size}"

  defp alternatives(%{alternatives: []}), do: "–"

  defp alternatives(%{alternatives: alternatives, id: id}),
    do: tag(:ol, [], Enum.map(alternatives, &alternative(&1, id)))

  defp alternative(alternative, id) do
    note =
      cond do
        alternative.id == id -> tag(:em, [], "written")
        alternative.allowed? -> []
        true -> tag(:strong, [], "✗ forbidden")
      end

    probability = tag(:span, [], Summary.probability(alternative.probability))
    tag(:li, [], [code(alternative), " ", probability, " ", note])
  end

  # The script fills it in.
  defp panel do
    tag(
      :aside,
      [class: "panel", hidden: true, "aria-live": "polite", "aria-label": "The token"],
      [
        tag(:h2, [], [tag(:code, [], ""), tag(:small, [], "")]),
        tag(:dl, [], ""),
        tag(:h3, [], "The model's likeliest tokens"),
        tag(:div, [class: "likeliest"], ""),
        tag(:p, [class: "keys"], "← → ↑ ↓ Home End go from token to token.")
      ]
    )
  end
end
