defmodule Espalier.Schema.Whole do
  @moduledoc false
  # Regular expressions of whole texts as patterns of JSON Schema, which match anywhere.
  #
  # `^(?:…)$` is right for all, but some servers can't read `(?:` and enforce nothing then. So a plain form is
  # taken where it means the same.

  # An escape, a class, the begin of a group of some kind, or a character. A class that isn't closed and a
  # backslash that nothing follows are characters, too.
  @token ~r/\\.|\[\^?(?:\\.|[^\]\\])*+\]|\(\?.?|./s

  @quantifiers ~w(* + ? {)

  @doc "The pattern that matches the texts that the expression matches from their first to their last character."
  @spec pattern(String.t()) :: String.t()
  def pattern(source) do
    tokens = @token |> Regex.scan(source) |> List.flatten()

    case kind(tokens) do
      :sequence -> first(tokens) <> source <> last(tokens)
      :branches -> "^(#{source})$"
      :other -> "^(?:#{source})$"
    end
  end

  # Without anything before it, it would repeat the anchor.
  defp kind([token | _]) when token in @quantifiers, do: :other
  defp kind(tokens), do: kind(tokens, 0, :sequence)

  # Whatever the groups hold, it is between the anchors.
  defp kind([], 0, kind), do: kind
  # What is broken stays so.
  defp kind([], _depth, _kind), do: :other
  defp kind([token | _], _depth, _kind) when token in ["\\", "["], do: :other
  defp kind([")" | _], 0, _kind), do: :sequence
  defp kind([")" | tokens], depth, kind), do: kind(tokens, depth - 1, kind)
  defp kind(["|" | tokens], 0, _kind), do: kind(tokens, 0, :branches)

  # One more group would change the number of a reference.
  defp kind([<<?\\, digit>> | _], _depth, _kind) when digit in ?1..?9, do: :other

  defp kind([token | tokens], depth, kind) when token in ["(", "(?:", "(?=", "(?!", "(?<"],
    do: kind(tokens, depth + 1, kind)

  # Flags may change what the anchors mean.
  defp kind(["(?" <> _ | _], _depth, _kind), do: :other
  defp kind([_token | tokens], depth, kind), do: kind(tokens, depth, kind)

  defp first(["^", token | _]) when token in @quantifiers, do: "^"
  defp first(["^" | _]), do: ""
  defp first(_tokens), do: "^"

  defp last(tokens), do: if(List.last(tokens) == "$", do: "", else: "$")
end
