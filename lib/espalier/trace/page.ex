defmodule Espalier.Trace.Page do
  @moduledoc false
  # A trace as one HTML page, which needs nothing else. The table has everything; the script shows a token's row in the
  # panel, with bars. The policy of the page lets nothing run or load but the style and the script that are here.

  import Espalier.Trace.Page.Markup
  import Espalier.Trace.Page.Written

  alias Espalier.Trace
  alias Espalier.Trace.Page.Table
  alias Espalier.Trace.Page.Text
  alias Espalier.Trace.Summary
  alias Espalier.Trace.Visible

  @style_path Path.join(__DIR__, "page/style.css")
  @script_path Path.join(__DIR__, "page/script.js")
  @external_resource @style_path
  @external_resource @script_path
  @style File.read!(@style_path)
  @script File.read!(@script_path)

  source = fn text -> "'sha256-#{Base.encode64(:crypto.hash(:sha256, text))}'" end

  @policy "default-src 'none'; style-src #{source.(@style)}; script-src #{source.(@script)}; " <>
            "base-uri 'none'; form-action 'none'"

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

  defp numbers(trace, summary) do
    [
      counts(trace, summary),
      probabilities(summary),
      number("Tokens of the prompt", Integer.to_string(trace.usage.prompt_tokens), "")
    ]
  end

  defp counts(_trace, %{pieces?: true, tokens: pieces}),
    do: number("Pieces", Integer.to_string(pieces), "")

  defp counts(%{size: size}, %{tokens: tokens, forced: forced}) do
    of = if size, do: "of a vocabulary of #{size}", else: ""

    [
      number("Tokens", Integer.to_string(tokens), of),
      number("Forced", Summary.percent(forced, tokens), "#{forced} of them")
    ]
  end

  defp probabilities(%{lowest: nil}), do: []

  defp probabilities(%{lowest: {_place, token}} = summary) do
    lowest = Summary.probability(token.probability)
    steered = Integer.to_string(length(summary.steered))

    [
      number("Mean probability", Summary.probability(summary.mean), "where the model was asked"),
      number("Lowest probability", lowest, link(summary.lowest)),
      number("Steered by the mask", steered, "it kept less than half")
    ]
  end

  defp number(label, value, note) do
    tag(:div, [], [tag(:dt, [], label), tag(:dd, [], [tag(:b, [], value), tag(:span, [], note)])])
  end

  defp main(trace, summary) do
    tag(:main, [], [
      tag(:section, [class: "text"], [Text.html(trace, summary), Table.html(trace)]),
      Table.panel()
    ])
  end
end
