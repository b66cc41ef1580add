defmodule Espalier.Schema.ElixirRegex.Parser do
  @moduledoc false
  # The syntax of PCRE, as far as it is regular, for patterns that PCRE could compile.
  #
  # | node | |
  # | --- | --- |
  # | `{:set, set, reach}` | a character of a set; for `reach` see `Espalier.Schema.ElixirRegex.Bytes` |
  # | `{:sequence, nodes}`, `{:branches, nodes}` | one after the other, one of them |
  # | `{:group, :capture or :plain, node}` | in parentheses |
  # | `{:repeat, node, least, most}` | some times, `most` may be `:infinity` |
  # | `{:look, :ahead or :behind, negated?, node}` | lookaround |
  # | `{:edge, name}` | `:start`, `:end`, `:last_line_end`, `:line_start` or `:line_end` |
  # | `{:boundary, negated?}` | `\b` and `\B` |
  #
  # Each function takes what is left of the pattern and gives back what it left of it.

  alias Espalier.Schema.ElixirRegex.Bytes
  alias Espalier.Schema.ElixirRegex.CaseVariants
  alias Espalier.Schema.ElixirRegex.CharacterClass
  alias Espalier.Schema.ElixirRegex.CharacterSet
  alias Espalier.Schema.ElixirRegex.Escape
  alias Espalier.Schema.ElixirRegex.NamedSets
  alias Espalier.Schema.ElixirRegex.Pattern

  @type parsed :: tuple

  @space ~c" \t\n\v\f\r"

  # How groups begin that are no part of a regular language, or mean something to PCRE alone.
  @refused [
    {~r/\A\(\*/, "a verb"},
    {~r/\A\(\?>/, "an atomic group"},
    {~r/\A\(\?(?:R|&|P>|[+-]?\d)/, "recursion"},
    {~r/\A\(\?P=/, "a backreference"},
    {~r/\A\(\?\(/, "a conditional group"},
    {~r/\A\(\?C/, "a callout"}
  ]

  @looks [
    {"(?=", :ahead, false},
    {"(?!", :ahead, true},
    {"(?<=", :behind, false},
    {"(?<!", :behind, true}
  ]
  @name ~r/\A\(\?(?:P?<\w+>|'\w+')/u

  @doc "The node of a whole pattern."
  @spec parse(Pattern.t()) :: parsed
  def parse(pattern) do
    {node, "", _pattern} = branches(pattern.source, pattern)
    node
  end

  # Flags that are set within a branch are set in those after it, too.
  defp branches(rest, pattern) do
    {branch, rest, pattern} = sequence(rest, pattern, [])

    case rest do
      "|" <> rest ->
        {node, rest, pattern} = branches(rest, pattern)
        {either(branch, node), rest, pattern}

      rest ->
        {branch, rest, pattern}
    end
  end

  defp either(branch, {:branches, branches}), do: {:branches, [branch | branches]}
  defp either(branch, node), do: {:branches, [branch, node]}

  # The nodes so far are in reverse.
  defp sequence("", pattern, nodes), do: {ordered(nodes), "", pattern}

  defp sequence(<<end_of, _::binary>> = rest, pattern, nodes) when end_of in ~c"|)",
    do: {ordered(nodes), rest, pattern}

  defp sequence("\\E" <> rest, pattern, nodes), do: sequence(rest, pattern, nodes)

  defp sequence("\\Q" <> rest, pattern, nodes) do
    {quoted, rest} = until(rest, "\\E")
    literals = for <<char::utf8 <- quoted>>, do: literal(char, rest, pattern)
    sequence(rest, pattern, Enum.reverse(literals, nodes))
  end

  defp sequence("(?#" <> rest, pattern, nodes) do
    {_comment, rest} = until(rest, ")")
    sequence(rest, pattern, nodes)
  end

  defp sequence(<<space, rest::binary>>, %{flags: %{extended: true}} = pattern, nodes)
       when space in @space,
       do: sequence(rest, pattern, nodes)

  defp sequence("#" <> rest, %{flags: %{extended: true}} = pattern, nodes) do
    ends = if pattern.flags.newline == :lf, do: ["\n"], else: ["\n", "\r"]
    [_comment | rest] = String.split(rest, ends, parts: 2)
    sequence(Enum.join(rest), pattern, nodes)
  end

  defp sequence(rest, pattern, nodes) do
    case quantifier(rest) do
      {least, most, rest} ->
        sequence(rest, pattern, repeat(nodes, {least, most}, rest, pattern))

      nil ->
        {node, rest, pattern} = item(rest, pattern)
        sequence(rest, pattern, List.wrap(node) ++ nodes)
    end
  end

  defp ordered([node]), do: node
  defp ordered(nodes), do: {:sequence, Enum.reverse(nodes)}

  defp until(text, last) do
    [part | rest] = String.split(text, last, parts: 2)
    {part, Enum.join(rest)}
  end

  defp quantifier("*" <> rest), do: {0, :infinity, rest}
  defp quantifier("+" <> rest), do: {1, :infinity, rest}
  defp quantifier("?" <> rest), do: {0, 1, rest}

  defp quantifier("{" <> _ = rest) do
    case Regex.run(~r/\A\{(\d+)(,?)(\d*)\}/, rest) do
      [all, n, comma, most] ->
        n = String.to_integer(n)
        {n, most(n, comma, most), String.replace_prefix(rest, all, "")}

      nil ->
        nil
    end
  end

  defp quantifier(_rest), do: nil

  defp most(n, "", ""), do: n
  defp most(_n, ",", ""), do: :infinity
  defp most(_n, ",", most), do: String.to_integer(most)

  # What stands behind a quantifier says how it is tried.
  defp repeat([{:repeat, _, _, _} | _], {1, :infinity}, rest, pattern),
    do: Pattern.refuse(pattern, rest, "a possessive quantifier that ends")

  defp repeat([{:repeat, _, _, _} | _] = nodes, {0, 1}, _rest, _pattern), do: nodes

  defp repeat([{:set, _set, :literal} | _], _times, rest, pattern) do
    what = "a quantifier repeats one byte of the character before it, and ends"
    Pattern.refuse_bytes(pattern, rest, what)
  end

  defp repeat([node | nodes], {least, most}, _rest, _pattern),
    do: [{:repeat, node, least, most} | nodes]

  defp item("(" <> _ = rest, pattern), do: group(rest, pattern)

  defp item("^" <> rest, pattern),
    do: {{:edge, if(pattern.flags.multiline, do: :line_start, else: :start)}, rest, pattern}

  defp item("$" <> rest, pattern),
    do: {{:edge, if(pattern.flags.multiline, do: :line_end, else: :last_line_end)}, rest, pattern}

  defp item("." <> rest = from, pattern) do
    set = if pattern.flags.dotall, do: CharacterSet.any(), else: not_newline(pattern)
    {set(set, from, rest, pattern), rest, pattern}
  end

  defp item("[" <> rest = from, pattern) do
    {set, rest} = CharacterClass.parse(rest, pattern)
    {set(set, from, rest, pattern), rest, pattern}
  end

  defp item("\\" <> rest = from, pattern), do: escape(rest, from, pattern)
  defp item("{" <> rest = from, pattern), do: brace(from, rest, pattern)

  defp item(<<char::utf8, rest::binary>> = from, pattern),
    do: {literal(char, from, pattern), rest, pattern}

  # Later releases read more of them as quantifiers.
  defp brace(from, rest, pattern) do
    if from =~ ~r/\A\{ *\d* *,? *\d* *\}/,
      do: Pattern.refuse(pattern, from, "braces that releases of PCRE read in two ways"),
      else: {literal(?{, from, pattern), rest, pattern}
  end

  defp not_newline(pattern) do
    newlines = if pattern.flags.newline == :lf, do: [{?\n, ?\n}], else: [{?\n, ?\n}, {?\r, ?\r}]
    CharacterSet.negate(CharacterSet.of(newlines))
  end

  defp literal(char, from, pattern) do
    set = CharacterSet.character(char)
    {:set, CaseVariants.close(set, pattern), Bytes.literal(char, from, pattern)}
  end

  defp set(set, from, rest, pattern) do
    {set, reach} = Bytes.set(set, from, rest, pattern)
    {:set, set, reach}
  end

  defp escape(rest, from, pattern) do
    case Escape.parse(rest, :outside, pattern) do
      {{:character, char}, rest} -> {literal(char, from, pattern), rest, pattern}
      {{:set, set}, rest} -> {set(set, from, rest, pattern), rest, pattern}
      {:not_newline, rest} -> {set(not_newline(pattern), from, rest, pattern), rest, pattern}
      {:newline_sequence, rest} -> {newline_sequence(from, rest, pattern), rest, pattern}
      {node, rest} -> {node, rest, pattern}
    end
  end

  # A carriage return and a line feed are never taken apart.
  defp newline_sequence(from, rest, pattern) do
    single = &{:set, CharacterSet.character(&1), :characters}
    vertical = NamedSets.escape(?v, Pattern.named(pattern))
    others = CharacterSet.of([{?\n, ?\f} | vertical.ranges -- [{?\n, ?\r}]])

    {:group, :plain,
     {:branches,
      [
        {:sequence, [single.(?\r), single.(?\n)]},
        {:sequence, [single.(?\r), {:look, :ahead, true, single.(?\n)}]},
        set(others, from, rest, pattern)
      ]}}
  end

  defp group("(" <> _ = rest, pattern) do
    if found = Enum.find(@refused, fn {begin, _what} -> rest =~ begin end) do
      {begin, what} = found
      Pattern.refuse(pattern, rest, what, hd(Regex.run(begin, rest)))
    end

    look =
      Enum.find(@looks, fn {begin, _direction, _negated?} -> String.starts_with?(rest, begin) end)

    cond do
      look -> look(look, rest, pattern)
      String.starts_with?(rest, ["(?:", "(?|"]) -> inner(rest, 3, :plain, pattern)
      name = Regex.run(@name, rest) -> inner(rest, byte_size(hd(name)), :capture, pattern)
      String.starts_with?(rest, "(?") -> flags(rest, pattern)
      true -> inner(rest, 1, :capture, pattern)
    end
  end

  defp look({begin, direction, negated?}, rest, pattern) do
    {node, rest, pattern} = enclosed(rest, byte_size(begin), pattern.flags, pattern)
    {{:look, direction, negated?, node}, rest, pattern}
  end

  defp inner(rest, length, kind, pattern), do: inner(rest, length, kind, pattern.flags, pattern)

  defp inner(rest, length, kind, flags, pattern) do
    pattern = if kind == :capture, do: %{pattern | n_groups: pattern.n_groups + 1}, else: pattern
    {node, rest, pattern} = enclosed(rest, length, flags, pattern)
    {{:group, kind, node}, rest, pattern}
  end

  # The flags after the group are those before it.
  defp enclosed(rest, length, flags, pattern) do
    <<_begin::binary-size(length), rest::binary>> = rest
    {node, ")" <> rest, inner} = branches(rest, %{pattern | flags: flags})
    {node, rest, %{inner | flags: pattern.flags}}
  end

  defp flags(rest, pattern) do
    case Regex.run(~r/\A\(\?([imsxJUX]*)(?:-([imsxJUX]*))?([:)])/, rest) do
      [all, on, off, ending] ->
        flags = pattern.flags |> switch(on, true) |> switch(off, false)

        if ending == ":",
          do: inner(rest, byte_size(all), :plain, flags, pattern),
          else: {nil, String.replace_prefix(rest, all, ""), %{pattern | flags: flags}}

      nil ->
        Pattern.refuse(pattern, rest, "a group of an unknown kind", String.slice(rest, 0, 3))
    end
  end

  @switches %{?i => :caseless, ?m => :multiline, ?s => :dotall, ?x => :extended}

  defp switch(flags, letters, on?) do
    for <<letter <- letters>>, name = @switches[letter], reduce: flags do
      flags -> Map.put(flags, name, on?)
    end
  end
end
