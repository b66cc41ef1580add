defmodule Espalier.Schema.RustRegex do
  @moduledoc false
  # Expressions in the syntax of Rust's crate `regex` as those of ECMA 262, which match the same texts.
  #
  # What both read alike stays as it is written, but for the dot. Anything else the engine writes anew.

  alias Espalier.Constraint

  # The `alternatives` of a group are as those of the whole. Classes of Rust may have classes, and operators between
  # them; its dot is all but a line feed, where that of ECMA 262 leaves out the other ends of lines, too.
  @common """
  \\A (?:\\(\\?s\\))? (?<alternatives>
    (?:
      (?: [^\\\\^$.*+?()\\[\\]{}|] | \\. | \\\\[\\\\^$.*+?()\\[\\]{}|\\/nrtfv]
        | \\[ \\^?+ -?+ (?: (?<unit> [^\\[\\]\\\\&~-] | \\\\[\\\\^$.*+?()\\[\\]{}|\\/nrtfv-] ) (?: -(?&unit) )?+ )++ -?+ \\]
        | \\( (?: \\?: | \\?<[A-Za-z_][A-Za-z0-9_]*> )?+ (?&alternatives) \\)
      )
      (?: (?: [*+?] | \\{[0-9]{1,4}(?:,[0-9]{0,4})?\\} ) \\?? )?+
    | \\^ | \\$ | \\|
    )*+
  ) \\z
  """

  @doc "The expression in the syntax of ECMA 262."
  @spec to_ecma(String.t()) :: {:ok, String.t()} | {:error, Exception.t()}
  def to_ecma(source) do
    if source =~ Regex.compile!(@common, [:extended, :unicode, :dotall]),
      do: {:ok, with_dots(source)},
      else: Constraint.to_regex({:regex, source})
  end

  defp with_dots("(?s)" <> source), do: dots(source, "[\\s\\S]")
  defp with_dots(source), do: dots(source, "[^\\n]")

  defp dots(source, dot) do
    Regex.replace(~r/\\.|\[(?:\\.|[^\]\\])*+\]|\./su, source, fn
      "." -> dot
      other -> other
    end)
  end
end
