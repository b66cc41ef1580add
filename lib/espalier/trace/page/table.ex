defmodule Espalier.Trace.Page.Table do
  @moduledoc false
  # All tokens of a trace as a table on its page, and the panel that shows one row of it.

  import Espalier.Trace.Page.Markup
  import Espalier.Trace.Page.Written

  alias Espalier.Trace
  alias Espalier.Trace.Page.Markup
  alias Espalier.Trace.Summary

  # The script knows them by their places.
  @columns ["Place", "Token", "Id", "How", "Probability", "Allowed", "Mask kept", "Likeliest"]
  @unknown "–"

  @doc "The table, which is closed at first."
  @spec html(Trace.t()) :: Markup.element()
  def html(trace) do
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
      tag(:td, [], if(token.id, do: Integer.to_string(token.id), else: @unknown)),
      tag(:td, [], Summary.how(token)),
      probability(token.probability),
      tag(:td, [], allowed(token.allowed, size)),
      probability(token.allowed_probability),
      tag(:td, [], alternatives(token))
    ])
  end

  defp probability(nil), do: tag(:td, [], @unknown)

  defp probability(probability), do: tag(:td, [], Summary.probability(probability))

  defp allowed(nil, _size), do: @unknown
  defp allowed(allowed, nil), do: Integer.to_string(allowed)
  defp allowed(allowed, size), do: "#{allowed} of #{size}"

  defp alternatives(%{alternatives: []}), do: @unknown

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

  @doc "The panel. It is hidden until the script fills it in."
  @spec panel() :: Markup.element()
  def panel do
    attributes = [class: "panel", hidden: true, "aria-live": "polite", "aria-label": "The token"]

    tag(:aside, attributes, [
      tag(:h2, [], [tag(:code, [], ""), tag(:small, [], "")]),
      tag(:dl, [], ""),
      tag(:div, [class: "likeliest"], [
        tag(:h3, [], "The model’s likeliest tokens"),
        tag(:div, [], "")
      ]),
      tag(:p, [class: "keys"], "← → ↑ ↓ Home End go from token to token.")
    ])
  end
end
