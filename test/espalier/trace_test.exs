defmodule Espalier.TraceTest do
  use ExUnit.Case, async: true

  import Espalier.Traces

  alias Espalier.Columns
  alias Espalier.GenerationError
  alias Espalier.OptionsError
  alias Espalier.Trace
  alias Espalier.Trace.Token

  doctest Espalier.Trace
  doctest Espalier.Trace.Token
  doctest Espalier.Trace.Page.Markup
  doctest Espalier.Trace.Summary
  doctest Espalier.Columns
  doctest Espalier.Trace.Visible

  @sgr ~r/\e\[[0-9;]*m/

  defp text(trace, options), do: trace |> Trace.format(options) |> IO.iodata_to_binary()

  describe "format/2" do
    test "shows every byte of the text, in order" do
      each_random(fn trace ->
        tokens = Enum.reject(trace.tokens, &(&1.text == "" or &1.text =~ "\\x41"))
        trace = trace(tokens ++ [sampled(".")])
        shown = text(trace, colors: true, width: 13, details: false)
        [_heading, body | _rest] = String.split(shown, "\n\n")
        body = body |> String.replace(@sgr, "") |> String.replace("\n", "")
        assert unmarked(body) == Enum.map_join(trace.tokens, & &1.text)
      end)
    end

    test "sends no control character to the terminal but line ends and codes of colours" do
      for colors? <- [true, false], details? <- [true, false] do
        each_random(fn trace ->
          shown = text(trace, colors: colors?, details: details?)
          plain = if colors?, do: String.replace(shown, @sgr, ""), else: shown
          assert String.valid?(plain)

          refute String.replace(plain, "\n", "") =~ ~r/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
        end)
      end
    end

    test "wraps at the width" do
      each_random(fn trace ->
        shown = text(%{trace | error: nil}, colors: true, width: 20, details: false)
        [_heading, body | _rest] = String.split(shown, "\n\n")

        for line <- String.split(body, "\n"),
            do: assert(line |> String.replace(@sgr, "") |> Columns.width() <= 20)
      end)
    end

    test "has a row for each token, with what is known of it" do
      shown = text(trace([forced("{"), steered(), sampled("}")]), colors: false)
      assert shown =~ ~r/^1 +\{ +forced$/m
      assert shown =~ ~r/^2 +no +sampled +0\.04 +12 +0\.10 +0\.80 ✗ ␣Yes$/m
      assert shown =~ ~r/^3 +\} +sampled +0\.50 +12 +0\.90$/m
    end

    test "has its columns below each other, however wide characters are" do
      for colors? <- [true, false] do
        shown = text(trace([forced("日本"), forced("ab")]), colors: colors?, details: true)
        plain = String.replace(shown, @sgr, "")
        assert plain =~ "\n1  日本   forced\n2  ab     forced\n"
      end
    end

    test "sums up" do
      shown = text(trace([forced("{"), steered(), sampled("}")]), colors: true, details: false)

      assert shown =~
               "3 tokens of a vocabulary of 2048, 1 of them forced (33 %), ended by the model"

      assert shown =~ "mean 0.27, lowest 0.04 at 2 ‹no›"
      assert shown =~ "at 2 ‹no›: kept 0.10, forbade ‹␣Yes› (0.80)"
    end

    test "underlines what the mask steered, and nothing else" do
      lines = text(trace([forced("a"), sampled("b"), steered()]), colors: true)
      [_heading, body | _rest] = String.split(lines, "\n\n")
      assert [underlined] = Regex.scan(~r/\e\[4m([^\e]*)/, body, capture: :all_but_first)
      assert underlined == ["no"]
    end

    test "shows what an earlier attempt began, and that none of these tokens wrote" do
      shown = text(trace([sampled("cd")], text: "abcd"), colors: false)
      assert shown =~ "ab│cd\n"
    end

    test "shows the pieces of a hosted backend, which tells no more" do
      pieces = [%Token{text: "{\"a\""}, %Token{text: ":1}"}]
      shown = text(trace(pieces, size: nil), colors: false)
      assert shown =~ "{\"a\"│:1}\n"
      assert shown =~ "2 pieces, ended by the model"
      refute shown =~ "probability"
    end

    test "knows tokens where all were forced, though the vocabulary's size is not known" do
      shown = text(trace([forced("a"), forced("b")], size: nil), colors: false)
      assert shown =~ "2 tokens, 2 of them forced (100 %), ended by the model"
    end

    test "shows a trace without tokens" do
      error = %GenerationError{kind: :truncated, message: "cut\e[0m off"}
      shown = text(trace([], error: error, finish_reason: :max_tokens), colors: false)
      assert shown =~ "0 tokens of a vocabulary of 2048, cut off at max_tokens"
      assert shown =~ "refused: cut\\u{1B}[0m off"
    end

    test "takes no option that it does not know" do
      assert_raise OptionsError, "unknown option :colour. Did you mean :colors?", fn ->
        Trace.format(trace([]), colour: true)
      end

      assert_raise OptionsError, fn -> Trace.format(trace([]), width: 0) end
    end
  end

  describe "print/2" do
    test "writes what format/2 gives to a device" do
      {:ok, device} = StringIO.open("")
      trace = trace([forced("{"), steered(), sampled("é"), sampled("}")])
      assert Trace.print(trace, device: device, colors: false) == :ok
      assert {"", written} = StringIO.contents(device)
      assert written == text(trace, colors: false, width: 80)
    end
  end

  test "inspect/2 is short" do
    tokens = for _ <- 1..1000, do: sampled("word")
    assert inspect(trace(tokens)) == "#Espalier.Trace<:fields, 1000 tokens, 0 forced>"

    assert inspect(trace([forced("a")], error: random_error())) ==
             "#Espalier.Trace<:fields, 1 tokens, 1 forced, refused>"
  end
end
