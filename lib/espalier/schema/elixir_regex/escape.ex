defmodule Espalier.Schema.ElixirRegex.Escape do
  @moduledoc false
  # What a backslash begins, within a class and outside.

  alias Espalier.Schema.ElixirRegex.CharacterSet
  alias Espalier.Schema.ElixirRegex.NamedSets
  alias Espalier.Schema.ElixirRegex.Pattern

  @type meaning ::
          {:character, char}
          | {:set, CharacterSet.t()}
          | {:edge, atom}
          | {:boundary, negated? :: boolean}
          | :not_newline
          | :newline_sequence

  @characters %{?a => 0x07, ?e => 0x1B, ?f => 0x0C, ?n => 0x0A, ?r => 0x0D, ?t => 0x09}

  @outside %{
    ?A => {:edge, :start},
    ?z => {:edge, :end},
    ?Z => {:edge, :last_line_end},
    ?b => {:boundary, false},
    ?B => {:boundary, true},
    ?N => :not_newline,
    ?R => :newline_sequence
  }

  @refused %{
    ?G => "the start of the search",
    ?K => "a start of the match within it",
    ?C => "a single byte",
    ?X => "a grapheme cluster",
    ?k => "a backreference"
  }

  @doc "The meaning of an escape, from behind its backslash on."
  @spec parse(String.t(), :outside | :class, Pattern.t()) :: {meaning, rest :: String.t()}
  def parse(<<letter, rest::binary>>, :outside, _pattern) when is_map_key(@outside, letter),
    do: {@outside[letter], rest}

  def parse(<<letter, _::binary>> = from, :outside, pattern) when is_map_key(@refused, letter),
    do: refuse(pattern, from, @refused[letter], <<?\\, letter>>)

  def parse(<<letter, _::binary>> = from, :outside, pattern) when letter in ~c"gk" do
    what = if from =~ ~r/\Ag[<']/, do: "recursion", else: "a backreference"
    refuse(pattern, from, what, <<?\\, letter>>)
  end

  def parse(<<digit, _::binary>> = from, place, pattern) when digit in ?1..?9,
    do: number(from, place, pattern)

  def parse("b" <> rest, :class, _pattern), do: {{:character, 0x08}, rest}

  def parse(<<letter, rest::binary>>, _place, pattern) when letter in ~c"dDwWsShHvV",
    do: {{:set, NamedSets.escape(letter, Pattern.named(pattern))}, rest}

  def parse(<<letter, rest::binary>>, _place, _pattern) when is_map_key(@characters, letter),
    do: {{:character, @characters[letter]}, rest}

  def parse(<<letter, rest::binary>> = from, _place, pattern) when letter in ~c"pP",
    do: property(rest, from, letter == ?P, pattern)

  def parse("c" <> <<char, rest::binary>>, _place, _pattern) do
    [upper] = <<char>> |> String.upcase(:ascii) |> String.to_charlist()
    {{:character, Bitwise.bxor(upper, 0x40)}, rest}
  end

  def parse("0" <> _ = from, _place, pattern), do: coded(~r/\A([0-7]{1,3})/, 8, from, pattern)
  def parse("o{" <> _ = from, _place, pattern), do: coded(~r/\Ao\{([0-7]+)\}/, 8, from, pattern)

  def parse("x{" <> _ = from, _place, pattern),
    do: coded(~r/\Ax\{([0-9A-Fa-f]+)\}/, 16, from, pattern)

  def parse("x" <> _ = from, _place, pattern),
    do: coded(~r/\Ax([0-9A-Fa-f]{0,2})/, 16, from, pattern)

  def parse(<<char::utf8, rest::binary>>, _place, _pattern), do: {{:character, char}, rest}

  # Up to 9, and up to as many groups as there are before it, it refers to a group.
  defp number(from, :outside, pattern) do
    [digits] = Regex.run(~r/\A\d+/, from)
    number = String.to_integer(digits)

    cond do
      number < 10 or number <= pattern.n_groups ->
        refuse(pattern, from, "a backreference", "\\" <> digits)

      from =~ ~r/\A[0-7]/ ->
        coded(~r/\A([0-7]{1,3})/, 8, from, pattern)

      true ->
        ambiguous(pattern, from, digits)
    end
  end

  defp number(<<digit, _::binary>> = from, :class, pattern) when digit in ~c"89",
    do: ambiguous(pattern, from, <<digit>>)

  defp number(from, :class, pattern), do: coded(~r/\A([0-7]{1,3})/, 8, from, pattern)

  defp coded(form, base, from, pattern) do
    case Regex.run(form, from) do
      [all, digits] ->
        char = if digits == "", do: 0, else: String.to_integer(digits, base)
        check_byte!(char, from, pattern)
        {{:character, char}, String.replace_prefix(from, all, "")}

      nil ->
        ambiguous(pattern, from, String.slice(from, 0, 2))
    end
  end

  defp check_byte!(char, from, %{reading: :bytes} = pattern) when char > 0x7F,
    do:
      Pattern.refuse_bytes(pattern, "\\" <> from, "an escape stands for one byte of a character")

  defp check_byte!(_char, _from, _pattern), do: :ok

  defp property(rest, from, negated?, pattern) do
    # With or without braces.
    [all, caret, name] = Regex.run(~r/\A\{(\^?)([^}]*)\}/, rest) || Regex.run(~r/\A()(.)/, rest)

    set =
      NamedSets.property(name, pattern.flags.caseless) ||
        refuse(pattern, from, "a property that is not known", name)

    set = if negated? != (caret == "^"), do: CharacterSet.negate(set), else: set
    {{:set, set}, String.replace_prefix(rest, all, "")}
  end

  defp ambiguous(pattern, from, spelling),
    do:
      refuse(pattern, from, "an escape that releases of PCRE read in two ways", "\\" <> spelling)

  defp refuse(pattern, from, what, spelling),
    do: Pattern.refuse(pattern, "\\" <> from, what, spelling)
end
