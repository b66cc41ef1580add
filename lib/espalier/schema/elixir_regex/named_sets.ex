defmodule Espalier.Schema.ElixirRegex.NamedSets do
  @moduledoc false
  # The sets of characters that have a name in PCRE: `\w`, `[[:alpha:]]`, `\p{Lu}`.
  #
  # With the flag `u` they are sets of Unicode, without it these are their ASCII characters.

  alias Espalier.Schema.ElixirRegex.CharacterSet
  alias Espalier.Schema.ElixirRegex.PCRE

  @type reading :: :unicode | :ascii

  @horizontal [{?\t, ?\t}, {?\s, ?\s}]
  @horizontal_unicode @horizontal ++
                        [{0xA0, 0xA0}, {0x1680, 0x1680}, {0x180E, 0x180E}, {0x2000, 0x200A}] ++
                        [{0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}]
  @vertical [{?\n, ?\r}]
  @vertical_unicode @vertical ++ [{0x85, 0x85}, {0x2028, 0x2029}]
  @control [{0, 0x1F}, {0x7F, 0x7F}]
  # Characters of formats that are not visible.
  @hidden [{0x61C, 0x61C}, {0x2066, 0x2069}]
  @signs Enum.map(~c"$+<=>^`|~", &{&1, &1})

  @doc "The set of an escape: `d`, `D`, `w` and so on."
  @spec escape(char, reading) :: CharacterSet.t()
  def escape(letter, reading) when letter in ~c"DWSHV",
    do: CharacterSet.negate(escape(letter + 0x20, reading))

  def escape(?d, :unicode), do: CharacterSet.of([], ["\\p{Nd}"])
  def escape(?d, :ascii), do: CharacterSet.of([{?0, ?9}])
  def escape(?h, :unicode), do: CharacterSet.of(@horizontal_unicode)
  def escape(?h, :ascii), do: CharacterSet.of(@horizontal)
  def escape(?v, :unicode), do: CharacterSet.of(@vertical_unicode)
  def escape(?v, :ascii), do: CharacterSet.of(@vertical)

  def escape(?s, :unicode),
    do: CharacterSet.of([{?\t, ?\r}, {0x85, 0x85}, {0x180E, 0x180E}], ["\\p{Z}"])

  def escape(?s, :ascii), do: CharacterSet.of([{?\t, ?\r}, {?\s, ?\s}])
  def escape(?w, :ascii), do: CharacterSet.of([{?0, ?9}, {?A, ?Z}, {?_, ?_}, {?a, ?z}])

  def escape(?w, :unicode) do
    marks = if PCRE.since?({10, 43}), do: ["\\p{Mn}", "\\p{Pc}"], else: []
    CharacterSet.of([{?_, ?_}], ["\\p{L}", "\\p{N}" | marks])
  end

  @doc "The set of a POSIX class. Its letters have no case where the flag `i` is set."
  @spec posix(String.t(), reading, caseless? :: boolean) :: CharacterSet.t()
  def posix(name, reading, true) when name in ["lower", "upper"], do: posix("alpha", reading)
  def posix(name, reading, _caseless?), do: posix(name, reading)

  defp posix("word", reading), do: escape(?w, reading)
  defp posix("digit", reading), do: escape(?d, reading)
  defp posix("space", reading), do: escape(?s, reading)
  defp posix("blank", reading), do: escape(?h, reading)
  defp posix("ascii", :ascii), do: CharacterSet.of([{0, 0x7F}])
  # As Erlang's tables have it.
  defp posix("ascii", :unicode), do: CharacterSet.of([{0, 0xFF}])
  defp posix("xdigit", _reading), do: CharacterSet.of([{?0, ?9}, {?A, ?F}, {?a, ?f}])
  defp posix("cntrl", :ascii), do: CharacterSet.of(@control)
  defp posix("cntrl", :unicode), do: CharacterSet.of([{0x80, 0x9F} | @control])
  defp posix("alpha", :ascii), do: CharacterSet.of([{?A, ?Z}, {?a, ?z}])
  defp posix("alpha", :unicode), do: CharacterSet.of([], ["\\p{L}"])
  defp posix("lower", :ascii), do: CharacterSet.of([{?a, ?z}])
  defp posix("lower", :unicode), do: CharacterSet.of([], ["\\p{Ll}"])
  defp posix("upper", :ascii), do: CharacterSet.of([{?A, ?Z}])
  defp posix("upper", :unicode), do: CharacterSet.of([], ["\\p{Lu}"])
  defp posix("alnum", :ascii), do: CharacterSet.of([{?0, ?9}, {?A, ?Z}, {?a, ?z}])
  defp posix("alnum", :unicode), do: CharacterSet.of([], ["\\p{L}", "\\p{N}"])
  defp posix("graph", :ascii), do: CharacterSet.of([{?!, ?~}])
  defp posix("graph", :unicode), do: visible([{0x180E, 0x180E} | @hidden], ["\\p{Z}"])
  defp posix("print", :ascii), do: CharacterSet.of([{?\s, ?~}])
  defp posix("print", :unicode), do: visible(@hidden, ["\\p{Zl}", "\\p{Zp}"])
  defp posix("punct", :ascii), do: CharacterSet.of([{?!, ?/}, {?:, ?@}, {?[, ?`}, {?{, ?~}])

  defp posix("punct", :unicode), do: CharacterSet.of(@signs, ["\\p{P}"])

  defp visible(hidden, spaces),
    do: CharacterSet.negate(CharacterSet.of(hidden, ["\\p{Cc}", "\\p{Cn}", "\\p{Co}" | spaces]))

  @categories ~w(C Cc Cf Cn Co L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs)

  @doc "The set of a property by its name, `nil` for one that is not known."
  @spec property(String.t(), caseless? :: boolean) :: CharacterSet.t() | nil
  def property(name, caseless?) when name in ["Lu", "Ll", "Lt"] do
    if caseless? and PCRE.since?({10, 0}),
      do: property("L&", true),
      else: CharacterSet.of([], ["\\p{#{name}}"])
  end

  def property(name, _caseless?) when name in @categories,
    do: CharacterSet.of([], ["\\p{#{name}}"])

  def property("Any", _caseless?), do: CharacterSet.any()
  def property("L&", _caseless?), do: CharacterSet.of([], ["\\p{Lu}", "\\p{Ll}", "\\p{Lt}"])
  def property("Xan", _caseless?), do: posix("alnum", :unicode)
  def property("Xwd", _caseless?), do: escape(?w, :unicode)
  def property(name, _caseless?) when name in ["Xsp", "Xps"], do: escape(?s, :unicode)

  def property("Xuc", _caseless?),
    do: CharacterSet.of([{?$, ?$}, {?@, ?@}, {?`, ?`}, {0xA0, 0xD7FF}, {0xE000, 0x10FFFF}])

  # A script. PCRE and ECMA 262 have the names of Unicode.
  def property(name, _caseless?) do
    if name =~ ~r/\A[A-Z][a-z]+(?:_[A-Z][a-z]+)*\z/ do
      key = if PCRE.since?({10, 40}), do: "scx", else: "Script"
      CharacterSet.of([], ["\\p{#{key}=#{name}}"])
    end
  end
end
