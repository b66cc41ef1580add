defmodule Espalier.Schema.WholeTest do
  use ExUnit.Case, async: true

  alias Espalier.JSON
  alias Espalier.Schema
  alias Espalier.Schema.Whole

  @count String.to_integer(System.get_env("ESPALIER_CASES", "600"))

  test "is plain where that means the same" do
    for {source, pattern} <- [
          {"[0-9]{3}", "^[0-9]{3}$"},
          {"^[0-9]{3}$", "^[0-9]{3}$"},
          {"^a", "^a$"},
          {"a$", "^a$"},
          {"", "^$"},
          {"^$", "^$"},
          {"a|b", "^(a|b)$"},
          {"^a$|^b$", "^(^a$|^b$)$"},
          {"(a|b)c", "^(a|b)c$"},
          {"^(a|b)$", "^(a|b)$"},
          {"(?:a|b)c", "^(?:a|b)c$"},
          {"[|]", "^[|]$"},
          {"[^|(]", "^[^|(]$"},
          {"[\\]|]", "^[\\]|]$"},
          {"a\\|b", "^a\\|b$"},
          {"[(]a|b", "^([(]a|b)$"},
          {"\\(?a|b\\)?", "^(\\(?a|b\\)?)$"},
          {"\\(?[0-9]+\\)?", "^\\(?[0-9]+\\)?$"},
          {"a\\$", "^a\\$$"},
          {"a\\\\$", "^a\\\\$"},
          {"[$", "^(?:[$)$"},
          {"[]|a", "^([]|a)$"},
          {"\\^a", "^\\^a$"},
          {"(?=a|b)[a-z]+", "^(?=a|b)[a-z]+$"},
          {"(?<x>a|b)|c", "^((?<x>a|b)|c)$"},
          {"(?<!a|b)c", "^(?<!a|b)c$"},
          {"é|ß", "^(é|ß)$"},
          # These are the old way, for flags, references and what is broken.
          {"(?s).*", "^(?:(?s).*)$"},
          {"(?m)a|b", "^(?:(?m)a|b)$"},
          {"(?i:a)|b", "^(?:(?i:a)|b)$"},
          {"(?x)a # |", "^(?:(?x)a # |)$"},
          {"(a)\\1|b", "^(?:(a)\\1|b)$"},
          {"(a", "^(?:(a)$"},
          {"a\\", "^(?:a\\)$"},
          {"*a", "^(?:*a)$"},
          {"?", "^(?:?)$"},
          {"^*a", "^^*a$"}
        ] do
      assert {source, Whole.pattern(source)} == {source, pattern}
    end
  end

  test "what is broken stays broken" do
    for source <- ~w/a)|(b a)(b ) ( (a [a a\\ a|b\\ * +a a|( ^a)$/ do
      schema = JSON.encode!(%{"pattern" => Whole.pattern(source)})
      assert {^source, {:error, _error}} = {source, JSON.validate(schema, ~s("a"))}
    end

    assert {:error, %Espalier.SchemaError{}} = Schema.read([code: {:regex, "a)|(b"}], ~s({}))
  end

  test "matches the texts that PCRE matches as a whole" do
    :rand.seed(:exsss, 23)

    for _ <- 1..@count do
      source = source(3)
      whole = Regex.compile!("\\A(?:#{source})\\z", [:dollar_endonly])
      schema = JSON.encode!(%{"pattern" => Whole.pattern(source)})

      for text <- texts() do
        valid? = JSON.validate(schema, JSON.encode!(text)) == {:ok, []}
        assert {source, text, valid?} == {source, text, text =~ whole}
      end
    end
  end

  # Texts of few characters, so that many match.
  @letters ~w/a b | ( $ ^ ]/

  defp texts,
    do: for(n <- [0, 1, 1, 2, 2, 3, 4], do: Enum.join(some(n, fn -> Enum.random(@letters) end)))

  defp source(depth) do
    case :rand.uniform(10) do
      n when n <= 3 and depth > 0 -> source(depth - 1) <> "|" <> source(depth - 1)
      n when n <= 6 and depth > 0 -> source(depth - 1) <> source(depth - 1)
      7 when depth > 0 -> Enum.random(["(", "(?:", "(?=", "(?!"]) <> source(depth - 1) <> ")"
      8 when depth > 0 -> "(#{source(depth - 1)})" <> Enum.random(~w(* + ? {2} {1,2}))
      9 -> Enum.random(["^", "$", ""])
      _n -> atom() <> Enum.random(["", "", "*", "+?", "{2}"])
    end
  end

  defp atom do
    Enum.random(
      ~w/a b . [ab] [^a] [|] [(] [)$] [\\]|] [^\\]] [$^] \\| \\( \\) \\$ \\^ \\[ \\] \\x61 \\w \\\\/
    )
  end

  defp some(n, fun), do: for(_ <- Enum.take(1..4, n), do: fun.())
end
