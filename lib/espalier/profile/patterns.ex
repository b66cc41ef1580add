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

  @doc "The texts that a pattern of JSON Schema matches."
  @spec matching(String.t(), [String.t()]) :: [String.t()]
  def matching(source, texts), do: valid(texts, %{"pattern" => source}, [])

  # As many as there are violations at most.
  @at_once 100

  @doc "The values that satisfy a schema, with options of `Espalier.JSON.validate/3`."
  @spec valid([term], term, keyword) :: [term]
  def valid(values, schema, options) do
    # Whatever is wrong with a value is one violation.
    schema = JSON.encode!(%{"items" => %{"not" => %{"not" => schema}}})

    values
    |> Enum.chunk_every(@at_once)
    |> Enum.flat_map(&valid_chunk(&1, schema, options))
  end

  defp valid_chunk(values, schema, options) do
    case JSON.validate(schema, JSON.encode!(values), options) do
      {:ok, violations} ->
        wrong = MapSet.new(violations, & &1.instance_pointer)

        for {value, index} <- Enum.with_index(values),
            not MapSet.member?(wrong, "/#{index}"),
            do: value

      {:error, _error} ->
        []
    end
  end
end
