defmodule Espalier.Schema.ElixirRegex.CharacterClass do
  @moduledoc false
  # What is in brackets.

  alias Espalier.Schema.ElixirRegex.CaseVariants
  alias Espalier.Schema.ElixirRegex.CharacterSet
  alias Espalier.Schema.ElixirRegex.Escape
  alias Espalier.Schema.ElixirRegex.NamedSets
  alias Espalier.Schema.ElixirRegex.Pattern

  @doc "The set of a class, from behind its bracket on."
  @spec parse(String.t(), Pattern.t()) :: {CharacterSet.t(), rest :: String.t()}
  def parse("^" <> rest, pattern) do
    {set, rest} = first(rest, pattern)
    {CharacterSet.negate(set), rest}
  end

  def parse(rest, pattern), do: first(rest, pattern)

  # The first bracket stands for itself.
  defp first("]" <> rest, pattern), do: character(?], rest, false, [], pattern)
  defp first(rest, pattern), do: items(rest, false, [], pattern)

  defp items("\\E" <> rest, _quoted?, sets, pattern), do: items(rest, false, sets, pattern)
  defp items("\\Q" <> rest, false, sets, pattern), do: items(rest, true, sets, pattern)

  defp items("]" <> rest, false, sets, _pattern),
    do: {sets |> Enum.reverse() |> CharacterSet.union(), rest}

  defp items(from, quoted?, sets, pattern) do
    case item(from, quoted?, pattern) do
      {{:character, char}, rest} -> character(char, rest, quoted?, sets, pattern)
      {{:set, set}, rest} -> items(rest, quoted?, [set | sets], pattern)
    end
  end

  defp item("[:" <> rest = from, false, pattern) do
    case Regex.run(~r/\A(\^?)([a-z]+):\]/, rest) do
      [all, caret, name] ->
        set = NamedSets.posix(name, Pattern.named(pattern), pattern.flags.caseless)
        set = if caret == "^", do: CharacterSet.negate(set), else: set
        {{:set, set}, String.replace_prefix(rest, all, "")}

      nil ->
        "[" <> rest = from
        {{:character, ?[}, rest}
    end
  end

  defp item("\\" <> rest, false, pattern), do: Escape.parse(rest, :class, pattern)
  defp item(<<char::utf8, rest::binary>>, _quoted?, _pattern), do: {{:character, char}, rest}

  # A character, or the first one of a range.
  defp character(first, from, quoted?, sets, pattern) do
    case range(unquoted(from, quoted?), pattern) do
      nil ->
        items(from, quoted?, [closed(first, first, pattern) | sets], pattern)

      {last, rest, quoted?} ->
        items(rest, quoted?, [closed(first, last, pattern) | sets], pattern)
    end
  end

  defp range({"-" <> rest, false}, pattern) do
    case unquoted(rest, false) do
      {"]" <> _, false} ->
        nil

      {"\\Q" <> rest, false} ->
        last(rest, true, pattern)

      {rest, false} ->
        last(rest, false, pattern)
    end
  end

  defp range(_from, _pattern), do: nil

  defp last(from, quoted?, pattern) do
    {{:character, last}, rest} = item(from, quoted?, pattern)
    {last, rest, quoted?}
  end

  defp unquoted("\\E" <> rest, _quoted?), do: unquoted(rest, false)
  defp unquoted(rest, quoted?), do: {rest, quoted?}

  defp closed(first, last, pattern),
    do: CaseVariants.close(CharacterSet.of([{first, last}]), pattern)
end
