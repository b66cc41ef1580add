defmodule Espalier.Schema.ElixirRegexTest do
  use ExUnit.Case, async: true

  alias Espalier.{Constraint, Matcher, Regexes, SchemaError, Vocabulary}
  alias Espalier.Schema.ElixirRegex
  alias Espalier.Schema.ElixirRegex.CaseVariants
  alias Espalier.Schema.ElixirRegex.CharacterSet

  @count String.to_integer(System.get_env("ESPALIER_CASES", "600"))
  @n_texts 20

  defp accepts?(constraint, text) do
    matcher = Matcher.new(constraint)
    Matcher.accept_text(matcher, text) == :ok and Matcher.accepting?(matcher)
  end

  # What nothing matches is no constraint.
  defp follower(regex) do
    case Constraint.regex(regex, vocabulary: Vocabulary.bytes()) do
      {:ok, constraint} -> &accepts?(constraint, &1)
      {:error, %{kind: :unsatisfiable}} -> fn _text -> false end
      {:error, error} -> error
    end
  end

  defp words(text), do: String.split(text)

  defp whole(source, flags) do
    newline = if flags =~ "x", do: "\n"
    Regex.compile("\\A(?:#{source}#{newline})\\z", flags)
  end

  describe "as a whole" do
    test "matches the texts that Elixir matches" do
      :rand.seed(:exsss, 5)

      n_compared =
        for _ <- 1..(4 * @count), reduce: 0 do
          n_compared -> n_compared + compare(Regexes.random(), @n_texts, &Regexes.text/1)
        end

      # Some of the expressions can't be compiled, and without the flag u many read bytes.
      assert n_compared > 2 * @count * @n_texts
    end

    test "refuses none of what is regular, with the flag u" do
      :rand.seed(:exsss, 8)

      for _ <- 1..@count, {source, flags, _text} = Regexes.random(), flags =~ "u" do
        with {:ok, regex} <- Regex.compile(source, flags),
             do: assert({_regex, {:ok, _pattern}} = {regex, ElixirRegex.translate(regex, :whole)})
      end
    end

    test "matches what Elixir matches, whatever the syntax" do
      :rand.seed(:exsss, 7)

      # Most of them can't be compiled.
      n_compared =
        for _ <- 1..(8 * @count), reduce: 0 do
          n_compared -> n_compared + compare(Regexes.soup(), 4, & &1.())
        end

      assert n_compared > 3 * @count
    end

    defp compare({source, flags, made_up}, n_texts, text) do
      with {:ok, regex} <- Regex.compile(source, flags),
           {:ok, whole} <- whole(source, flags),
           accepts? when is_function(accepts?) <- follower(regex) do
        for _ <- 1..n_texts do
          text = text.(made_up)
          assert {source, flags, text, accepts?.(text)} == {source, flags, text, text =~ whole}
        end

        n_texts
      else
        # It is not regular, or too large.
        %SchemaError{kind: kind} when kind in [:unsupported_regex, :limit_exceeded] -> 0
        {:error, _reason} -> 0
      end
    end

    test "leaves what is plain as it is" do
      for {regex, pattern} <- [
            {~r/[a-z0-9]+(?:-[a-z0-9]+)*/, "[a-z0-9]+(?:-[a-z0-9]+)*"},
            {~r/^[A-Z]{2}-\d{5}$/, "^[A-Z]{2}-[0-9]{5}$"},
            {~r/\A(yes|no)\Z/, "^(yes|no)$"},
            {~r/^\d+$/m, "^[0-9]+$"},
            {~r/[^,\n]+/u, "[^,\\n]+"},
            {~r/(?<year>\d{4})-(?P<month>[01]\d)/, "([0-9]{4})-([01][0-9])"},
            {~r/[\w.+-]+@example\.com/u, "[_.+\\p{L}\\p{N}-]+@example\\.com"},
            {~r/https?:\/\/\S+/, "https?://[^\\t-\\r ]+"},
            {~r/".*?"/s, "\"[\\s\\S]*\""},
            {~r/ [0-9] # a digit
               \ [#]   # and more/x, "[0-9] #"},
            {~r/ab{2}c??/i, "[aA][bB]{2}[cC]?"},
            {~r/(?i)k|(?-i:k)/u, "[kK\u212A]|(?:k)"},
            {~r/[k-l]/iu, "[klK\u212AL]"},
            {~r/\Q1+1=2\E/, "1\\+1=2"},
            {~r/a(?#a comment)b/, "ab"},
            {~r/\x41\x{e9}\o{101}\t\e/u, "AéA\\t\\x1B"},
            {~r/\p{Lu}\PN\p{^Nd}\p{Greek}/u, "[\\p{Lu}][^\\p{N}][^\\p{Nd}][\\p{Script=Greek}]"},
            {~r/[\W_]/u, "(?:_|[^_\\p{L}\\p{N}])"},
            {~r/a$b/, "a(?=\\n?$)b"},
            {~r/(?=a)*(?:(?!b)){2}c/, "(?:(?!b))c"}
          ] do
        assert {regex, ElixirRegex.translate(regex, :whole)} == {regex, {:ok, pattern}}
      end
    end

    test "has a last line break where Elixir has it" do
      for {regex, accepted, refused} <- [
            {~r/a$/, ["a"], ["a\n"]},
            {~r/a$\s?/, ["a", "a\n"], ["a\t", "a\r"]},
            {~r/a\Z\s*/, ["a", "a\n"], ["a\n\n"]},
            {~r/a\z\s*/, ["a"], ["a\n"]},
            {~r/a$.*/s, ["a", "a\n", "a\r", "a\r\n"], ["ab", "a\n\r"]},
            {~r/a$.*^b/ms, ["a\nb", "a\rb", "a\n\nb"], ["ab", "a b"]},
            {~r/a.*^/ms, [], ["a", "a\n"]}
          ] do
        accepts? = follower(regex)

        for {text, expected} <-
              Enum.map(accepted, &{&1, true}) ++ Enum.map(refused, &{&1, false}),
            do: assert({regex, text, accepts?.(text)} == {regex, text, expected})
      end
    end
  end

  describe "anywhere" do
    defp anywhere(regex) do
      {:ok, pattern} = ElixirRegex.translate(regex, :anywhere)
      pattern
    end

    test "ends a text where the expression ends it" do
      assert anywhere(~r/^\d+$/) == "^[0-9]+$"
      assert anywhere(~r/a\Z|b$/) == "a$|b$"
      assert anywhere(~r/a$|b/m) == "a(?=\\n|$)|b"
    end

    test "refuses what depends on the first line, and on bytes around it" do
      for {regex, detail} <- [
            {~r/a/f, ~r/the flag f/},
            {~r/\bfoo\b/, ~r/word boundary/},
            {~r/\h/, ~r/\\h at byte 0/},
            {~r/(?=a)[^b]/, ~r/within a character/}
          ] do
        assert {:error, %SchemaError{detail: found}} = ElixirRegex.translate(regex, :anywhere)
        assert found =~ detail
      end

      assert anywhere(~r/\bfoo\b/u) =~ "foo"
      assert anywhere(~r/foo|[^b]/) == "foo|[^b]"
    end
  end

  describe "what is refused" do
    test "is named with its place" do
      for {source, detail} <- [
            {"(a)\\1", "a backreference at byte 3, \\1"},
            {"(?<n>a)\\k<n>", "a backreference at byte 7, \\k"},
            {"(?<n>a)(?P=n)", "a backreference at byte 7, (?P="},
            {"(a)\\g1", "a backreference at byte 3, \\g"},
            {"a(?R)?", "recursion at byte 1, (?R"},
            {"(a)(?1)", "recursion at byte 3, (?1"},
            {"(?<n>a)(?&n)", "recursion at byte 7, (?&"},
            {"(?<n>a)\\g'n'", "recursion at byte 7, \\g"},
            {"a(?>b+)b", "an atomic group at byte 1, (?>"},
            {"é+a*+a", "a possessive quantifier that ends at byte 6"},
            {"a{2}+", "a possessive quantifier that ends at byte 5"},
            {"(a)?(?(1)b|c)", "a conditional group at byte 4, (?("},
            {"(*UCP)a", "a verb at byte 0, (*"},
            {"a(*FAIL)", "a verb at byte 1, (*"},
            {"a\\Kb", "a start of the match within it at byte 1, \\K"},
            {"\\Ga", "the start of the search at byte 0, \\G"},
            {"\\X", "a grapheme cluster at byte 0, \\X"},
            {"a\\C", "a single byte at byte 1, \\C"},
            {"a{,2}", "braces that releases of PCRE read in two ways at byte 1"}
          ] do
        regex = Regex.compile!(source, "u")
        assert {:error, %SchemaError{} = error} = ElixirRegex.translate(regex, :whole)
        assert {error.kind, error.pattern} == {:unsupported_regex, source}
        assert {source, error.detail} == {source, detail}
        assert Exception.message(error) =~ detail
      end
    end

    test "is an option that no flag stands for" do
      for option <- [:anchored, :dollar_endonly, {:newline, :cr}, :unicode] do
        regex = Regex.compile!("a", [option])
        assert {:error, %SchemaError{detail: detail}} = ElixirRegex.translate(regex, :whole)
        assert detail =~ inspect(option)
      end
    end

    test "is what reads bytes, where characters would be counted" do
      for source <-
            words(~S"""
            . .{3} .+.+ [^,]{2,} .?a \D \S\S \w+ \W* \b.* .*\b é+ [é] [^é]* \xE9 .*\h \bé
            (?:(?!--).)* (?=.{3}).* [[:alpha:]]+ \p{L}+ (?:.a?){2} (?:é.*\bx)
            """) do
        regex = Regex.compile!(source)
        assert {:error, %SchemaError{detail: detail}} = ElixirRegex.translate(regex, :whole)
        assert {source, detail =~ "with the flag u it reads characters"} == {source, true}
      end

      assert {:error, _error} = ElixirRegex.translate(~r/é/i, :whole)
    end

    test "is nothing that means the same for all characters" do
      for source <-
            words(~S"""
            .* .+ a.*b \S+ [^,]+(?:,[^,]*)* "(?:[^"\\]|\\.)*" (?:[^@]+@)+x é (?:é|ü)+ .+.*
            ^(?=.*\d)(?=.*[a-z]).+$ \bfoo\b,.* [^a]*b?[^c]* (?:[^,]*,){3}[^,]* \h+ \R+
            """) do
        regex = Regex.compile!(source)
        assert {^source, {:ok, _pattern}} = {source, ElixirRegex.translate(regex, :whole)}
      end
    end
  end

  describe "sets" do
    # Without most of those that all sets agree about: ideographs, private ones and those of no meaning.
    defp characters,
      do: Enum.concat([0..0xD7FF, 0xE000..0x202FF, 0xE0000..0xE01FF, 0x10FFF0..0x10FFFF])

    test "with a name are those of PCRE, of all characters" do
      text = for char <- characters(), into: "", do: <<char::utf8>>

      for name <-
            words(~S"""
            [[:alpha:]] [[:alnum:]] [[:lower:]] [[:space:]] [[:blank:]] [[:punct:]] [[:print:]] [[:graph:]]
            [[:cntrl:]] [[:xdigit:]] [[:word:]] [[:ascii:]] \w \W \s \d \h \v \p{Xan} \p{Xuc} \p{L&}
            [^\W\d] [\D\s] [[:^graph:]a]
            """) do
        {:ok, pattern} = name |> Regex.compile!("u") |> ElixirRegex.translate(:whole)
        assert {name, runs(pattern, text)} == {name, runs(name, text)}
      end
    end

    # Where its characters are.
    defp runs(set, text),
      do: "(?:#{set})+" |> Regex.compile!("u") |> Regex.scan(text, return: :index)

    test "have the cases that PCRE has" do
      :rand.seed(:exsss, 6)

      cased =
        for char <- characters(), <<char::utf8>> =~ ~r/\p{L&}|\p{M}|\p{So}|\p{Nl}/u, do: char

      text = for char <- cased, into: "", do: <<char::utf8>>

      for char <- Enum.take_random(cased, 200) ++ ~c"kKsSåÅµẞßİıǅΣ" do
        regex = Regex.compile!("\\x{#{Integer.to_string(char, 16)}}", "iu")
        found = for [<<found::utf8>>] <- Regex.scan(regex, text), do: found
        pattern = %{flags: %{caseless: true}, reading: :unicode}
        %{ranges: ranges} = char |> CharacterSet.character() |> CaseVariants.close(pattern)
        assert {char, Enum.sort(found)} == {char, ranges |> Enum.map(&elem(&1, 0)) |> Enum.sort()}
      end
    end
  end
end
