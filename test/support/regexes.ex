defmodule Espalier.Regexes do
  @moduledoc """
  Random regular expressions of Elixir, and texts that many of them match.

  An expression is its source and a function that makes up a text, which may well match. Beside
  `\\R` there is always a letter to choose: PCRE 8 takes it that a quantified `.` and `\\R` have no character in common,
  and does not find what `.*\\R` matches.
  """

  @ascii ["a", "b", "A", "B", "k", "K", "s", "0", "7", "_", "-", " ", "\n", "\r", "\t", "#", ","]
  @beyond [
            "é",
            "É",
            "ß",
            "ſ",
            "\u212A",
            "σ",
            "ς",
            "Σ",
            "ǆ",
            "٣",
            "²",
            "Ⅷ",
            "ê",
            "½",
            "ª",
            "µ",
            "Μ"
          ] ++
            [
              "\u0301",
              "\u2028",
              "\u0085",
              "\u00A0",
              "\u180E",
              "\u3000",
              "中",
              "😀",
              "…",
              "€",
              "\v",
              "\x7F"
            ]
  @syntax ~w(. ^ $ | ( \) [ ] { } * + ? \\)

  @doc "A source with the flags that it is for, and a function that makes up texts."
  def random do
    flags = flags()
    {source, text} = alternatives(3, flags)
    {source, flags, text}
  end

  @soup String.split(~S"""
        ( ) [ ] { } * + ? \ ^ $ . - : # < > = ! ' & , a b k é ſ 0 1 2 8 9 (? (?: (?i) (?= (?<! (?< (?P (?# [^ [: :]
        \Q \E \x \o{ \p{ \c \d \W \s \h \N \b \n \0 \1 \12 \g \k {2} {1, {, [[: alpha L Lu ^] a- -b \- \]
        """) ++ ["|", "|", " ", "\n", "\r"]

  @doc "Parts of the syntax in any order, with flags, and a function that makes up texts of such characters."
  def soup do
    flags = flags()

    {several(1..8, fn -> Enum.random(@soup) end), flags,
     fn -> several(0..4, &soup_character/0) end}
  end

  defp soup_character,
    do: Enum.random(["k", "K", "S", "1", "]", "[", "^", "}", "\\" | @ascii] ++ ["é", "ſ", "中"])

  defp flags, do: Enum.join(Enum.filter(~w(i s m x U u u), fn _flag -> :rand.uniform(3) == 1 end))

  @doc "A text of its own, or one that was made up for an expression, changed a little or not."
  def text(made_up) do
    case :rand.uniform(6) do
      1 -> several(0..4, &character/0)
      2 -> made_up.() <> character()
      3 -> made_up.() |> String.codepoints() |> Enum.drop(1) |> Enum.join()
      4 -> made_up.() |> String.upcase()
      _n -> made_up.()
    end
  end

  defp character, do: Enum.random(Enum.random([@ascii, @beyond]))

  defp several(counts, part),
    do: 1..Enum.random(counts)//1 |> Enum.map_join(fn _time -> part.() end)

  defp letter(flags),
    do:
      Enum.random(if(flags =~ "u" or :rand.uniform(4) == 1, do: @ascii ++ @beyond, else: @ascii))

  defp alternatives(depth, flags) do
    case :rand.uniform(4) do
      1 -> either(for _ <- 1..Enum.random(2..3), do: sequence(depth, flags))
      _n -> sequence(depth, flags)
    end
  end

  defp either(branches) do
    {sources, texts} = Enum.unzip(branches)
    {Enum.join(sources, "|"), fn -> Enum.random(texts).() end}
  end

  defp sequence(depth, flags) do
    {sources, texts} = Enum.unzip(for _ <- 1..Enum.random(0..4)//1, do: item(depth, flags))
    {Enum.join(sources, space(flags)), fn -> Enum.map_join(texts, & &1.()) end}
  end

  defp space(flags) do
    if flags =~ "x",
      do: Enum.random(["", " ", "\n ", " # [a( \n"]),
      else: Enum.random(["", "", "", "(?#a)])", "\\E"])
  end

  defp item(depth, flags) do
    case :rand.uniform(12) do
      1 -> {Enum.random(~w(^ $ \\A \\z \\Z \\b \\B)), fn -> "" end}
      2 when depth > 0 -> look(depth, flags)
      3 -> {Enum.random(~w[(?i) (?-i) (?s) (?i-s) (?U)]), fn -> "" end}
      4 -> quoted(flags)
      n when n < 8 -> unit(depth, flags)
      _n -> depth |> unit(flags) |> repeated(flags)
    end
  end

  defp look(depth, flags) do
    begin = Enum.random(["(?=", "(?!", "(?<=", "(?<!"])
    {source, _text} = if begin =~ "<", do: unit(0, flags), else: alternatives(depth - 1, flags)
    {begin <> source <> close(flags), fn -> "" end}
  end

  # What is in a group may end with a comment.
  defp close(flags), do: if(flags =~ "x", do: "\n)", else: ")")

  defp quoted(flags) do
    text =
      several(1..2, fn ->
        if flags =~ "u",
          do: Enum.random(["a", ".", "é", " ", "]", "#"]),
          else: Enum.random(["a", ".", " "])
      end)

    {"\\Q#{text}\\E", fn -> text end}
  end

  defp repeated({source, text}, flags) do
    {quantifier, counts} =
      Enum.random([
        {"*", 0..3},
        {"+", 1..3},
        {"?", 0..1},
        {"{2}", 2..2},
        {"{1,}", 1..2},
        {"{0,2}", 0..2},
        {"{0}", 0..0}
      ])

    {source <> space_before(flags) <> quantifier <> Enum.random(["", "", "?"]),
     fn -> several(counts, text) end}
  end

  defp space_before(flags), do: if(flags =~ "x", do: Enum.random(["", " "]), else: "")

  defp unit(depth, flags) do
    case :rand.uniform(12) do
      n when n < 4 and depth > 0 ->
        group(depth, flags)

      n when n < 7 ->
        literal(flags)

      7 ->
        {".", &character/0}

      8 ->
        named(flags)

      n when n < 11 ->
        class(flags)

      11 ->
        Enum.random([
          {"(?:\\R|b)", fn -> Enum.random(["\r\n", "\n", "\r", "\u2028"]) end},
          {"\\N", &character/0},
          {"[^\\n]", &character/0}
        ])

      12 ->
        {"[^,]", &character/0}
    end
  end

  defp group(depth, flags) do
    {source, text} = alternatives(depth - 1, flags)
    name = "n#{:rand.uniform(1_000_000)}"

    begin =
      Enum.random([
        "(",
        "(?:",
        "(?:",
        "(?i:",
        "(?s-i:",
        "(?|",
        "(?<#{name}>",
        "(?P<#{name}>",
        "(?'#{name}'"
      ])

    {begin <> source <> close(flags), text}
  end

  defp literal(flags) do
    text = if :rand.uniform(5) == 1, do: Enum.random(@syntax), else: letter(flags)
    {spelled(text, flags), fn -> text end}
  end

  defp spelled(text, flags) do
    <<char::utf8>> = text
    code = Integer.to_string(char, 16)

    cond do
      text in @syntax ->
        "\\" <> text

      flags =~ "x" and text =~ ~r/\s|#/ ->
        if(text in ["#", " "], do: "\\" <> text, else: "\\x{#{code}}")

      char < 0x80 ->
        Enum.random([
          text,
          text,
          text,
          "\\x{#{code}}",
          "\\#{String.pad_leading(Integer.to_string(char, 8), 3, "0")}"
        ])

      flags =~ "u" ->
        Enum.random([text, text, "\\x{#{code}}", "\\o{#{Integer.to_string(char, 8)}}"])

      true ->
        text
    end
  end

  @names ~w(d D w W s S h H v V)
  @posix ~w(alpha digit alnum upper lower space blank punct print graph cntrl xdigit word ascii)
  @properties ~w(\\p{L} \\p{Lu} \\P{L} \\p{^Nd} \\pN \\PN \\p{L&} \\p{Any} \\p{Xan} \\p{Xwd} \\p{Xps} \\p{Greek} \\P{Han} \\p{Latin})

  defp named(flags),
    do:
      {Enum.random(
         if(flags =~ "u",
           do: Enum.map(@names, &("\\" <> &1)) ++ @properties,
           else: ~w(\\d \\D \\s \\S \\h \\v)
         )
       ), &character/0}

  defp class(flags) do
    negation = Enum.random(["", "", "^"])
    items = for _ <- 1..Enum.random(1..3), do: class_item(flags)
    first = Enum.random(["", "", "", "]", "-"])
    last = Enum.random(["", "", "-"])
    {"[" <> negation <> first <> Enum.join(items) <> last <> "]", &character/0}
  end

  defp class_item(flags) do
    case :rand.uniform(8) do
      n when n < 4 ->
        class_character(flags)

      4 ->
        Enum.random(~w(a-c A-K k-s 0-9 \\x20-~ +--))

      5 ->
        if flags =~ "u", do: Enum.random(~w(α-ω à-ÿ \\x{100}-\\x{17F} É-ê)), else: "a-z"

      6 ->
        "[:" <> Enum.random(["", "", "^"]) <> Enum.random(@posix) <> ":]"

      7 ->
        if flags =~ "u",
          do: Enum.random(Enum.map(@names, &("\\" <> &1)) ++ @properties),
          else: Enum.random(~w(\\d \\s \\D))

      8 ->
        Enum.random([
          "\\b",
          "\\Q^]\\E",
          "\\n",
          "\\\\",
          "\\]",
          "[",
          "\\x41",
          "\\101",
          "\\e",
          "\\cA"
        ])
    end
  end

  defp class_character(flags) do
    case letter(flags) do
      "-" -> "\\-"
      text -> text
    end
  end
end
