defmodule Espalier.Schema.RustRegex do
  @moduledoc false
  # Expressions in the syntax of Rust's crate `regex` as those of ECMA 262, which match the same texts.
  #
  # What both read alike stays as it is written, but for the dot and named classes, which have other characters there. An
  # expression with anything else the engine writes anew.

  alias Espalier.Constraint

  @most_bytes 4_000
  @most_named 50

  @doc "The expression in the syntax of ECMA 262."
  @spec to_ecma(String.t()) :: {:ok, String.t()} | {:error, Exception.t()}
  def to_ecma(source) do
    if short?(source) and common?(source),
      do: {:ok, spelled(source)},
      else: Constraint.to_regex({:regex, source})
  end

  # The `alternatives` of a group are as those of the whole. Classes of Rust may have classes, and operators between
  # them; its dot is all but a line feed, where that of ECMA 262 leaves out the other ends of lines, too.
  defp common?(source) do
    source =~ ~r"""
    \A (?:\(\?s\))? (?<alternatives>
      (?:
        (?: [^\\^$.*+?()\[\]{}|] | \. | \\[\\^$.*+?()\[\]{}|\/nrtfvdwsDWS]
          | \[ \^?+ -?+ (?: \\[dws] | (?<unit> [^\[\]\\&~-] | \\[\\^$.*+?()\[\]{}|\/nrtfv-] ) (?: -(?&unit) )?+ )++ -?+ \]
          | \( (?: \?: | \?<[A-Za-z_][A-Za-z0-9_]*> )?+ (?&alternatives) \)
        )
        (?: (?: [*+?] | \{[0-9]{1,4}(?:,[0-9]{0,4})?\} ) \?? )?+
      | \^ | \$ | \|
      )*+
    ) \z
    """xsu
  end

  # What is large is left to the engine, which has limits. A named class becomes some kilobytes.
  defp short?(source) do
    byte_size(source) <= @most_bytes and
      length(Regex.scan(~r/\\[dwsDWS]/, source)) <= @most_named
  end

  defp spelled("(?s)" <> source), do: spelled(source, "[\\s\\S]")
  defp spelled(source), do: spelled(source, "[^\\n]")

  defp spelled(source, dot) do
    Regex.replace(~r/\\.|\[(?:\\.|[^\]\\])*+\]|\./su, source, fn
      "." -> dot
      "[" <> _ = class -> Regex.replace(~r/\\./su, class, &(&1 |> named() |> within()))
      other -> named(other)
    end)
  end

  # As characters of this version of Unicode.
  defp named(<<?\\, letter>> = escape) when letter in ~c"dwsDWS",
    do: Constraint.to_regex!({:regex, escape})

  defp named(other), do: other

  defp within("[" <> class), do: String.trim_trailing(class, "]")
  defp within(other), do: other
end
