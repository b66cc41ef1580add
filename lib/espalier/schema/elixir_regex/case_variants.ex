defmodule Espalier.Schema.ElixirRegex.CaseVariants do
  @moduledoc false
  # The characters that PCRE takes for the same under the flag `i`.

  alias Espalier.Schema.ElixirRegex.CharacterSet
  alias Espalier.Schema.ElixirRegex.Pattern

  # Whatever Unicode has cases for is within.
  @characters Enum.concat(0..0xD7FF, 0xE000..0x1FFFF)
  # Whose cases are several characters, so that Elixir's functions can't tell that they belong together.
  @together [[0x390, 0x1FD3], [0x3B0, 0x1FE3], [0xFB05, 0xFB06]]

  character = fn text ->
    case text do
      <<char::utf8>> -> char
      _several -> nil
    end
  end

  # Each begins with what both cases have in common.
  families =
    @characters
    |> Enum.group_by(fn char ->
      upper = character.(String.upcase(<<char::utf8>>)) || char
      character.(String.downcase(<<upper::utf8>>)) || upper
    end)
    |> Map.values()
    |> Enum.concat(@together)
    |> Enum.filter(&match?([_, _ | _], &1))

  same? = fn one, other ->
    regex = Regex.compile!("\\x{#{Integer.to_string(one, 16)}}", "iu")
    Regex.match?(regex, <<other::utf8>>)
  end

  # PCRE has the last word: it knows the cases of one version of Unicode.
  @variants (for family <- families,
                 char <- family,
                 others = for(other <- family, other != char, same?.(char, other), do: other),
                 others != [],
                 into: %{} do
               {char, others}
             end)

  @doc "The set with all that differs from its characters only in case, where case does not count."
  @spec close(CharacterSet.t(), Pattern.t()) :: CharacterSet.t()
  def close(set, %{flags: %{caseless: false}}), do: set

  def close(set, pattern) do
    unicode? = pattern.reading == :unicode
    %{set | ranges: Enum.flat_map(set.ranges, &close_range(&1, unicode?))}
  end

  defp close_range({char, char} = range, true),
    do: [range | for(other <- Map.get(@variants, char, []), do: {other, other})]

  defp close_range({first, last} = range, true) do
    others =
      for {char, others} <- @variants, char in first..last, other <- others, do: {other, other}

    [range | others]
  end

  defp close_range({first, last} = range, false) do
    others =
      for letters <- [?A..?Z, ?a..?z],
          from = max(first, letters.first),
          to = min(last, letters.last),
          from <= to,
          do: {swapped(from), swapped(to)}

    [range | others]
  end

  defp swapped(letter), do: Bitwise.bxor(letter, 0x20)
end
