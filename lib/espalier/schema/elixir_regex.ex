defmodule Espalier.Schema.ElixirRegex do
  @moduledoc false
  # Elixir's regular expressions as patterns of ECMA 262, which match the same texts.
  #
  # What is not regular, and what PCRE takes for bytes and not for characters, is refused. Two versions of Unicode may
  # tell apart what a property such as `\p{L}` has.
  #
  #   * `Parser` with `Escape`, `CharacterClass`, `NamedSets` and `CaseVariants` - what the pattern says
  #   * `Bytes` and `ByteLanguage` - whether it says that of characters, too
  #   * `Writer` with `CharacterSet` - how ECMA 262 says it

  alias Espalier.Schema.ElixirRegex.ByteLanguage
  alias Espalier.Schema.ElixirRegex.Flags
  alias Espalier.Schema.ElixirRegex.Parser
  alias Espalier.Schema.ElixirRegex.Pattern
  alias Espalier.Schema.ElixirRegex.Refusal
  alias Espalier.Schema.ElixirRegex.Writer
  alias Espalier.SchemaError

  @typedoc """
  Of a text that it matches as a `:whole`, or `:anywhere` in it, as JSON Schema has it. There a `$` at the end is the
  end of the text, and not also the place before a last newline.
  """
  @type scope :: :whole | :anywhere

  @doc "The pattern that matches the same texts."
  @spec translate(Regex.t(), scope) :: {:ok, String.t()} | {:error, SchemaError.t()}
  def translate(regex, scope) do
    translate(regex, scope, fn flags -> if flags.unicode, do: :unicode, else: :bytes end)
  end

  @doc "The same, but without the flag `u` bytes are taken for characters, which is near."
  @spec translate_near(Regex.t(), scope) :: {:ok, String.t()} | {:error, SchemaError.t()}
  def translate_near(regex, scope) do
    translate(regex, scope, fn flags -> if flags.unicode, do: :unicode, else: :near end)
  end

  defp translate(regex, scope, reading) do
    with {:error, detail} <- Refusal.catching(fn -> translated(regex, scope, reading) end),
         do: {:error, error(regex, detail)}
  end

  defp translated(regex, scope, reading) do
    source = Regex.source(regex)
    unless String.valid?(source), do: Refusal.refuse("bytes that are no text in UTF-8")
    flags = Flags.new(regex)

    if flags.firstline and scope == :anywhere,
      do: Refusal.refuse("the flag f, where the expression may match anywhere")

    pattern = %Pattern{source: source, flags: flags, reading: reading.(flags)}
    node = pattern |> Parser.parse() |> at_ends(scope)
    if pattern.reading == :bytes, do: ByteLanguage.check!(node, scope)
    Writer.write(node, pattern)
  end

  # At the ends of a whole text these mean no more.
  defp at_ends(node, :whole) do
    node
    |> at(:last, %{last_line_end: :end, line_end: :end})
    |> at(:first, %{line_start: :start})
  end

  defp at_ends(node, :anywhere), do: at(node, :last, %{last_line_end: :end})

  defp at({:edge, edge}, _end, edges), do: {:edge, Map.get(edges, edge, edge)}
  defp at({:group, kind, node}, an_end, edges), do: {:group, kind, at(node, an_end, edges)}

  defp at({:branches, nodes}, an_end, edges),
    do: {:branches, Enum.map(nodes, &at(&1, an_end, edges))}

  defp at({:sequence, [_ | _] = nodes}, :first, edges),
    do: {:sequence, List.update_at(nodes, 0, &at(&1, :first, edges))}

  defp at({:sequence, [_ | _] = nodes}, :last, edges),
    do: {:sequence, List.update_at(nodes, -1, &at(&1, :last, edges))}

  defp at(node, _end, _edges), do: node

  defp error(regex, detail) do
    message = "#{inspect(regex)} can't be followed as it is written: #{detail}"

    %SchemaError{
      kind: :unsupported_regex,
      pattern: Regex.source(regex),
      detail: detail,
      message: message
    }
  end
end
