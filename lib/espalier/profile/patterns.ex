defmodule Espalier.Profile.Patterns do
  @moduledoc false
  # Which regular expressions a provider takes, and what they match.

  alias Espalier.JSON

  # Lookaround, word boundaries and back references.
  @hard ~r/\(\?<?[=!]|\\[bB1-9k]/

  # Characters, plain groups, classes of characters and short ranges, and how often. What may stand for a quote or a
  # backslash is not among them, nor a quantifier behind an escape.
  @plain ~r/\A\^(?:
    [^\\"\[\](){}|*+?.^$\x00-\x1F] | \\[()\[\]{}|*+?](?![*+?{]) |
    \[-?(?:[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]|[^\[\]\\"^\x00-\x1F-])+-?\] |
    \((?!\?) | [)|] | (?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})(?!\?)
  )*+\$\z/xu

  @spec taken?(String.t(), :any | :anchored | :plain | :simple) :: boolean
  def taken?(_source, :any), do: true
  def taken?(source, :simple), do: not (source =~ @hard)

  def taken?(source, :anchored) do
    taken?(source, :simple) and source =~ ~r/\A\^.*[^\\]?\$\z/s and not (source =~ ~r/\\\$\z/) and
      not branches?(source, 0)
  end

  def taken?(source, :plain), do: taken?(source, :anchored) and source =~ @plain

  # Whether there are alternatives that no group encloses: the anchors would be a part of the outer ones only.
  defp branches?("", _depth), do: false
  defp branches?("\\" <> <<_, rest::binary>>, depth), do: branches?(rest, depth)
  defp branches?("[" <> rest, depth), do: rest |> after_class() |> branches?(depth)
  defp branches?("(" <> rest, depth), do: branches?(rest, depth + 1)
  defp branches?(")" <> rest, depth), do: branches?(rest, depth - 1)
  defp branches?("|" <> _rest, 0), do: true
  defp branches?(<<_, rest::binary>>, depth), do: branches?(rest, depth)

  defp after_class("\\" <> <<_, rest::binary>>), do: after_class(rest)
  defp after_class("]" <> rest), do: rest
  defp after_class(<<_, rest::binary>>), do: after_class(rest)
  defp after_class(""), do: ""

  @doc "Whether a pattern of JSON Schema matches a text."
  @spec matches?(String.t(), String.t()) :: boolean
  def matches?(source, text) do
    schema = JSON.encode!(%{"pattern" => source})
    match?({:ok, []}, JSON.validate(schema, JSON.encode!(text)))
  end
end
