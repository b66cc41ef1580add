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
    with {:ok, flags} <- Refusal.catching(fn -> Flags.new(regex) end),
         {:ok, _same} <- Regex.compile(Regex.source(regex), Regex.opts(regex)),
         {:ok, pattern} <-
           Refusal.catching(fn -> translated(Regex.source(regex), flags, scope, reading) end) do
      {:ok, pattern}
    else
      # A struct that nobody compiled.
      {:error, {reason, place}} ->
        detail = "#{reason} at byte #{place}"
        {:error, error(regex, :invalid_regex, "can't be compiled", detail)}

      {:error, detail} ->
        {:error, error(regex, :unsupported_regex, "can't be followed as it is written", detail)}
    end
  end

  defp translated(source, flags, scope, reading) do
    unless String.valid?(source), do: Refusal.refuse("bytes that are no text in UTF-8")

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

  defp error(regex, kind, what, detail) do
    message = "#{inspect(regex)} #{what}: #{detail}"
    %SchemaError{kind: kind, pattern: Regex.source(regex), detail: detail, message: message}
  end
end
