defmodule Espalier.Reply.Literal do
  @moduledoc false
  # Values without quotes: numbers in the spellings of programming languages, and words.

  @json ~r/\A-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\z/
  @decimal ~r/\A([+-]?)([0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?\z/
  @grouped ~r/\A[+-]?[0-9]+(_[0-9]+)+\z/
  @hexadecimal ~r/\A([+-]?)0[xX]([0-9a-fA-F]{1,256})\z/

  @words %{
    "true" => {"true", []},
    "false" => {"false", []},
    "null" => {"null", []},
    "none" => {"null", [:python_literal]},
    "nil" => {"null", [:python_literal]},
    "undefined" => {"null", [:undefined]},
    "nan" => {"null", [:not_a_number]},
    "inf" => {"null", [:not_a_number]},
    "infinity" => {"null", [:not_a_number]}
  }

  @doc "The characters up to the next that can't be of a number or a word, and what is left."
  @spec take(binary) :: {binary, binary}
  def take(text) do
    length = length(text, 0)
    <<word::binary-size(length), rest::binary>> = text
    {word, rest}
  end

  defp length(<<0xE2, 0x80, _rest::binary>>, length), do: length
  defp length(<<"\u00A0", _rest::binary>>, length), do: length
  defp length(<<"\u3000", _rest::binary>>, length), do: length

  defp length(<<byte, rest::binary>>, length)
       when byte in ?a..?z or byte in ?A..?Z or byte in ?0..?9 or byte in [?_, ?$, ?+, ?-, ?.] or
              byte >= 0x80,
       do: length(rest, length + 1)

  defp length(_text, length), do: length

  @doc "A number, or a word that means a value, as JSON."
  @spec read(binary) :: {:ok, binary, [atom]} | :error
  def read(word) do
    if digits?(word), do: {:ok, word, []}, else: word_or_number(word)
  end

  # Most numbers are plain ones.
  defp digits?(<<first, rest::binary>>) when first in ?1..?9, do: all_digits?(rest)
  defp digits?(_word), do: false

  defp all_digits?(<<digit, rest::binary>>) when digit in ?0..?9, do: all_digits?(rest)
  defp all_digits?(rest), do: rest == ""

  defp word_or_number(word) do
    case known(word) do
      {:ok, {json, [_fix] = fixes}} -> {:ok, json, fixes}
      {:ok, {^word, []}} -> {:ok, word, []}
      {:ok, {json, []}} -> {:ok, json, [:python_literal]}
      :error -> number(word)
    end
  end

  defp known(<<sign, "inf", _rest::binary>> = word) when sign in [?+, ?-], do: unsigned(word)
  defp known(<<sign, "Inf", _rest::binary>> = word) when sign in [?+, ?-], do: unsigned(word)
  defp known(word) when byte_size(word) <= 9, do: Map.fetch(@words, String.downcase(word, :ascii))
  defp known(_word), do: :error

  defp unsigned(<<_sign, word::binary>>), do: known(word)

  defp number(word) do
    cond do
      word =~ @json -> {:ok, word, []}
      match = Regex.run(@hexadecimal, word) -> hexadecimal(match)
      word =~ @grouped -> word |> String.replace("_", "") |> number() |> fixed()
      match = Regex.run(@decimal, word) -> match |> tl() |> padded() |> decimal()
      true -> :error
    end
  end

  defp fixed({:ok, json, _fixes}), do: {:ok, json, [:number_format]}
  defp fixed(:error), do: :error

  defp hexadecimal([_all, sign, digits]) do
    {:ok, sign(sign) <> Integer.to_string(String.to_integer(digits, 16)), [:number_format]}
  end

  defp padded(parts), do: Enum.take(parts ++ ["", "", ""], 4)

  defp decimal([_sign, "", fraction, _exponent]) when fraction in ["", "."], do: :error

  defp decimal([sign, whole, fraction, exponent]) do
    if octal?(whole, fraction <> exponent) do
      :error
    else
      whole = whole |> String.trim_leading("0") |> default("0")
      fraction = if fraction == ".", do: ".0", else: fraction
      {:ok, sign(sign) <> whole <> fraction <> exponent, [:number_format]}
    end
  end

  # Some languages read `010` as eight. Where they don't, or read the same number, it is clear what it is.
  defp octal?(<<"0", _digits::binary>> = whole, ""), do: whole =~ ~r/\A0+[1-7][0-7]+\z/
  defp octal?(_whole, _rest), do: false

  defp default("", default), do: default
  defp default(text, _default), do: text

  defp sign("-"), do: "-"
  defp sign(_plus), do: ""
end
