defmodule Espalier.Schema.ElixirRegex.Writer do
  @moduledoc false
  # Patterns of ECMA 262.

  alias Espalier.Schema.ElixirRegex.CharacterSet
  alias Espalier.Schema.ElixirRegex.NamedSets
  alias Espalier.Schema.ElixirRegex.Parser
  alias Espalier.Schema.ElixirRegex.Pattern

  @doc "The pattern that matches where the node does."
  @spec write(Parser.parsed(), Pattern.t()) :: String.t()
  def write({:set, set, _reach}, _pattern), do: set |> CharacterSet.write() |> elem(1)
  def write({:sequence, nodes}, pattern), do: Enum.map_join(nodes, &write(&1, pattern))
  def write({:branches, nodes}, pattern), do: Enum.map_join(nodes, "|", &write(&1, pattern))
  def write({:group, :capture, node}, pattern), do: "(#{write(node, pattern)})"
  def write({:group, :plain, node}, pattern), do: "(?:#{write(node, pattern)})"

  def write({:look, direction, negated?, node}, pattern) do
    behind = if direction == :behind, do: "<"
    "(?#{behind}#{if negated?, do: "!", else: "="}#{write(node, pattern)})"
  end

  def write({:edge, edge}, pattern), do: edge(edge, pattern.flags.newline)

  # That of ECMA 262 knows the words of ASCII.
  def write({:boundary, negated?}, %{reading: :unicode}) do
    {:unit, word} = ?w |> NamedSets.escape(:unicode) |> CharacterSet.write()
    {same, other} = if negated?, do: {"=", "!"}, else: {"!", "="}
    "(?:(?<=#{word})(?#{same}#{word})|(?<!#{word})(?#{other}#{word}))"
  end

  def write({:boundary, negated?}, _pattern), do: if(negated?, do: "\\B", else: "\\b")

  def write({:repeat, node, least, most}, pattern) do
    cond do
      takes_characters?(node) -> unit(node, pattern) <> quantifier(least, most)
      least == 0 -> ""
      true -> write(node, pattern)
    end
  end

  # ECMA 262 can't repeat an assertion, and to repeat it says nothing more.
  defp takes_characters?({:set, _set, _reach}), do: true
  defp takes_characters?({:group, _kind, node}), do: takes_characters?(node)
  defp takes_characters?({:repeat, node, _least, _most}), do: takes_characters?(node)

  defp takes_characters?({kind, nodes}) when kind in [:sequence, :branches],
    do: Enum.any?(nodes, &takes_characters?/1)

  defp takes_characters?(_assertion), do: false

  defp unit({:group, _kind, _node} = group, pattern), do: write(group, pattern)

  defp unit({:set, set, _reach}, _pattern) do
    case CharacterSet.write(set) do
      {:unit, text} -> text
      {:sequence, text} -> "(?:#{text})"
    end
  end

  defp edge(:start, _newline), do: "^"
  defp edge(:end, _newline), do: "$"
  defp edge(:last_line_end, :lf), do: "(?=\\n?$)"
  defp edge(:last_line_end, :anycrlf), do: "(?=\\r?\\n?$)"
  defp edge(:line_start, newline), do: "(?:^|(?<=#{newline(newline)})(?!$))"
  defp edge(:line_end, newline), do: "(?=#{newline(newline)}|$)"

  defp newline(:lf), do: "\\n"
  defp newline(:anycrlf), do: "[\\n\\r]"

  defp quantifier(0, :infinity), do: "*"
  defp quantifier(1, :infinity), do: "+"
  defp quantifier(0, 1), do: "?"
  defp quantifier(n, n), do: "{#{n}}"
  defp quantifier(least, :infinity), do: "{#{least},}"
  defp quantifier(least, most), do: "{#{least},#{most}}"
end
