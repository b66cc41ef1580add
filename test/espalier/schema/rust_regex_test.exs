defmodule Espalier.Schema.RustRegexTest do
  use ExUnit.Case, async: true

  alias Espalier.JSON
  alias Espalier.Schema

  @count String.to_integer(System.get_env("ESPALIER_CASES", "100"))

  defp pattern(source) do
    {:ok, schema} = Schema.to_json_schema({:regex, source})
    %{"type" => "string", "pattern" => pattern} = schema |> JSON.encode!() |> JSON.decode!()
    pattern
  end

  test "what both syntaxes read alike stays as it is" do
    for {source, pattern} <- [
          {"[A-Z]{3}-[0-9]{1,4}", "^[A-Z]{3}-[0-9]{1,4}$"},
          {"(a|b)+?c*", "^(a|b)+?c*$"},
          {"(?:é|ß)?|(?<n>x{2,})", "^((?:é|ß)?|(?<n>x{2,}))$"},
          {"\\[\\.\\]\\n", "^\\[\\.\\]\\n$"},
          {"[-a^\\-.]|[^^-]", "^([-a^\\-.]|[^^-])$"},
          {"", "^$"},
          {"a.b[.]\\.", "^a[^\\n]b[.]\\.$"},
          {"(?s)a.b", "^a[\\s\\S]b$"}
        ] do
      assert {source, pattern(source)} == {source, pattern}
    end
  end

  test "what ECMA 262 reads in another way, or not at all, is written anew" do
    for {source, pattern} <- [
          {"(?i)a", "^[Aa]$"},
          {"(?x)a # c", "^a$"},
          {"a\\z", "^a$"},
          {"(?P<n>a)", "^a$"},
          {"[a-c&&[b-z]]", "^[bc]$"},
          {"[]a]", "^[\\]a]$"},
          {"a**", "^a*$"}
        ] do
      assert {source, pattern(source)} == {source, pattern}
    end
  end

  test "named classes are spelled out where they stand" do
    assert pattern("\\d{2}-") =~ ~r/\A\^\[0-9٠-٩[^\[]+\]\{2\}-\$\z/u
    assert pattern("[\\d.-]") =~ ~r/\A\^\[0-9٠-٩[^\[]+\.-\]\$\z/u
    assert pattern("\\D") =~ ~r/\A\^\[\^0-9٠-٩[^\[]+\]\$\z/u
    assert byte_size(pattern("\\w{1,1000}")) < 6_000

    # Thousands of them are beyond the limits.
    assert {:error, %Espalier.SchemaError{kind: :limit_exceeded}} =
             Schema.to_json_schema({:regex, String.duplicate("\\w", 20_000)})
  end

  test "what is none is an error" do
    for source <- ["(", "a)", "a{", "a{2,1}x\\", "\\1"] do
      assert {:error, %Espalier.SchemaError{pattern: ^source}} =
               Schema.to_json_schema({:regex, source})
    end
  end

  test "the pattern matches the same texts" do
    texts = ["", "\n", "\r", "\u0085", "\u00a0", "\u2028"] ++ ~w(a b é A ab aab ٣ 3 a. - _ -3)

    :rand.seed(:exsss, 29)
    random = for _ <- 1..@count, do: source(3)

    named =
      ~W"\d \w \s \D \pL \p{Lu}|. (?i)é+ (?u:.) (?s:.) (?-u:\w) [[:alpha:]]+ [\w.-]+ [^\w]|\W [-\d\s]{2} [\W] \\w"

    for source <- named ++ random, satisfiable?(source) do
      schema = JSON.encode!(%{"pattern" => pattern(source)})

      for text <- texts do
        read? = match?({:ok, _text}, Schema.read({:regex, source}, text))
        valid? = JSON.validate(schema, JSON.encode!(text)) == {:ok, []}
        assert {source, text, valid?} == {source, text, read?}
      end
    end
  end

  # The engine writes no expression that matches nothing.
  defp satisfiable?(source) do
    case Schema.to_json_schema({:regex, source}) do
      {:ok, _schema} -> true
      {:error, %{kind: :unsatisfiable}} -> false
    end
  end

  defp source(depth) do
    case :rand.uniform(10) do
      n when n <= 2 and depth > 0 -> source(depth - 1) <> "|" <> source(depth - 1)
      n when n <= 5 and depth > 0 -> source(depth - 1) <> source(depth - 1)
      6 when depth > 0 -> Enum.random(["(", "(?:", "(?i:", "(?s)("]) <> source(depth - 1) <> ")"
      7 when depth > 0 -> "(#{source(depth - 1)})" <> Enum.random(~w(* + ?? {2} {1,2}))
      8 -> Enum.random(["^", "$", ""])
      _n -> unit() <> Enum.random(["", "", "*", "+?", "{2}"])
    end
  end

  defp unit,
    do: Enum.random(~W"a b é . [ab] [^a] [.] [-a] [a-] [\-a] [a-z] \. \n - ^ $ \d \w \s [^\w]")
end
