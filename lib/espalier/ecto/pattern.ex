defmodule Espalier.Ecto.Pattern do
  @moduledoc false
  # The regular expressions of Elixir (PCRE) that JSON Schema (ECMA 262) can read.
  #
  # `:exact` ones mean the same, or no more, to both. `:near` ones differ beyond ASCII: without the flag
  # `u` PCRE sees bytes where ECMA sees characters, and the two disagree about what a space or a word is.

  alias Espalier.Schema.Type

  @escapes ~r/\A(?:[dDwWsSbBtnrf]|[^A-Za-z0-9]|x[0-9A-Fa-f]{2}|p\{[A-Z][a-z]?\})/u
  @near_unicode ~r/\\[WDsSbB]/
  @near_bytes ~r/\\[WDsSbBp]|\[\^|(?<!\\)\.|[^\x00-\x7F]/u

  @doc "The source of an expression for JSON Schema."
  @spec translate(Regex.t()) :: {:exact | :near, String.t()} | :error
  def translate(regex) do
    source = regex |> Regex.source() |> anchored()

    cond do
      not Type.regex?(regex) -> :error
      foreign_escape?(source) or foreign_syntax?(plain(source)) -> :error
      source =~ near(regex) -> {:near, source}
      true -> {:exact, source}
    end
  end

  # Without the flag `m`, which no expression here has, these mean the same or less.
  defp anchored(source) do
    source |> String.replace(~r/\A\\A/, "^") |> String.replace(~r/(?<!\\)\\[zZ]\z/, "$")
  end

  defp foreign_escape?(source) do
    ~r/\\(?=(.{0,6}))/us
    |> Regex.scan(String.replace(source, "\\\\", "\\."), capture: [1])
    |> Enum.any?(fn [rest] -> not (rest =~ @escapes) end)
  end

  # Without escapes, classes and counts: what is left is syntax and letters.
  defp plain(source) do
    source
    |> String.replace(~r/\\[px](?:\{[^}]*\}|[0-9A-Fa-f]{2})|\\./us, "a")
    |> String.replace(~r/\[\^?[^\]\[]+\]/u, "a")
    |> String.replace(~r/\{[0-9]+(?:,[0-9]*)?\}/, "*")
  end

  defp foreign_syntax?(plain),
    do: plain =~ ~r/[\[\]{}]|[*+?]\+|\(\*|\(\?(?![:=!]|<[=!]|<[A-Za-z_]\w*>)/

  defp near(regex) do
    case Regex.opts(regex) do
      unicode when unicode in ["u", [:unicode], [:unicode, :ucp], [:ucp, :unicode]] ->
        @near_unicode

      _bytes ->
        @near_bytes
    end
  end
end
