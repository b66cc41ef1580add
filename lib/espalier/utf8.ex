defmodule Espalier.UTF8 do
  @moduledoc false
  # Text that arrives in pieces of bytes: a token may end in the middle of a character.

  @doc """
  The whole characters at the start of some bytes, and the beginning of a character that is left.

  Bytes that begin no character become U+FFFD.

      iex> Espalier.UTF8.split("Zo" <> <<0xC3>>)
      {"Zo", <<0xC3>>}
      iex> Espalier.UTF8.split(<<0xC3, 0xAB>>)
      {"ë", ""}
      iex> Espalier.UTF8.split(<<"a", 0xFF, "b">>)
      {"a\uFFFDb", ""}
  """
  @spec split(binary) :: {String.t(), binary}
  def split(bytes) do
    case :unicode.characters_to_binary(bytes) do
      text when is_binary(text) ->
        {text, ""}

      {:incomplete, text, rest} ->
        {text, rest}

      {:error, text, <<_byte, rest::binary>>} ->
        {more, rest} = split(rest)
        {text <> "\uFFFD" <> more, rest}
    end
  end
end
