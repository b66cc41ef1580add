defmodule Espalier.Schema.ElixirRegex.CharacterSet do
  @moduledoc false
  # A set of characters, and how patterns spell it.
  #
  # The spelling means the same in ECMA 262, in Rust's syntax and in PCRE: no `\d`, `\w` or `\s`, of which each of
  # them has an idea of its own.

  # `outside` are sets of whose complements the characters are, too.
  defstruct ranges: [], properties: [], outside: [], negated: false

  @type t :: %__MODULE__{
          ranges: [{char, char}],
          properties: [String.t()],
          outside: [t],
          negated: boolean
        }

  @last 0x10FFFF
  @syntax ~c"\\^$.|?*+()[]{}"
  @class_syntax ~c"\\]^[-"

  @spec any() :: t
  def any, do: of([{0, @last}])

  @spec of([{char, char}], [String.t()]) :: t
  def of(ranges, properties \\ []), do: %__MODULE__{ranges: ranges, properties: properties}

  @spec character(char) :: t
  def character(char), do: of([{char, char}])

  @spec negate(t) :: t
  def negate(set), do: %{set | negated: not set.negated}

  @doc "What is in one of the sets."
  @spec union([t]) :: t
  def union(sets) do
    Enum.reduce(sets, %__MODULE__{}, fn
      %{negated: true} = set, union ->
        %{union | outside: union.outside ++ [negate(set)]}

      set, union ->
        %{
          union
          | ranges: union.ranges ++ set.ranges,
            properties: union.properties ++ set.properties,
            outside: union.outside ++ set.outside
        }
    end)
  end

  @doc "The spelling: something that can be repeated as it stands, or not."
  @spec write(t) :: {:unit | :sequence, String.t()}
  def write(%{outside: [], negated: negated} = set) do
    case {ranges(set.ranges), set.properties, negated} do
      {[{0, @last}], _properties, false} -> {:unit, "[\\s\\S]"}
      {[{0, @last}], _properties, true} -> {:unit, "[^\\s\\S]"}
      {[{char, char}], [], false} -> {:unit, literal(char)}
      {[], [], false} -> {:unit, "[^\\s\\S]"}
      {[], [], true} -> {:unit, "[\\s\\S]"}
      {ranges, properties, negated} -> {:unit, class(ranges, properties, negated)}
    end
  end

  def write(%{ranges: [], properties: [], outside: [set], negated: negated}),
    do: write(%{set | negated: not negated})

  def write(%{negated: false} = set), do: {:unit, "(?:#{alternatives(set)})"}
  def write(set), do: {:sequence, "(?!#{alternatives(set)})[\\s\\S]"}

  defp alternatives(set) do
    within =
      if set.ranges == [] and set.properties == [],
        do: [],
        else: [%{set | outside: [], negated: false}]

    Enum.map_join(within ++ Enum.map(set.outside, &negate/1), "|", &(&1 |> write() |> elem(1)))
  end

  # As they were given, unless some have characters in common.
  defp ranges(ranges) do
    merged =
      ranges
      |> Enum.sort()
      |> Enum.reduce([], fn
        {first, last}, [{begin, until} | merged] when first <= until ->
          [{begin, max(last, until)} | merged]

        range, merged ->
          [range | merged]
      end)

    if length(merged) == length(ranges), do: ranges, else: Enum.reverse(merged)
  end

  # A hyphen is last, where it stands for itself.
  defp class(ranges, properties, negated) do
    {hyphens, others} = Enum.split_with(ranges, &(&1 == {?-, ?-}))
    begin = if negated, do: "[^", else: "["
    hyphen = if hyphens == [], do: "]", else: "-]"
    IO.iodata_to_binary([begin, Enum.map(others, &range/1), Enum.uniq(properties), hyphen])
  end

  defp range({char, char}), do: in_class(char)
  defp range({first, last}) when last == first + 1, do: in_class(first) <> in_class(last)
  defp range({first, last}), do: in_class(first) <> "-" <> in_class(last)

  defp in_class(char) when char in @class_syntax, do: <<?\\, char>>
  defp in_class(char), do: spelled(char)

  @doc "A character as a pattern of its own."
  @spec literal(char) :: String.t()
  def literal(char) when char in @syntax, do: <<?\\, char>>
  def literal(char), do: spelled(char)

  defp spelled(?\t), do: "\\t"
  defp spelled(?\n), do: "\\n"
  defp spelled(?\r), do: "\\r"

  defp spelled(char) when char < 0x20 or char in 0x7F..0x9F,
    do: "\\x" <> (char |> Integer.to_string(16) |> String.pad_leading(2, "0"))

  defp spelled(char), do: <<char::utf8>>
end
