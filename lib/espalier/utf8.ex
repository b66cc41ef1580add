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
    if String.valid?(bytes), do: {bytes, ""}, else: split(bytes, "")
  end

  defp split("", text), do: {text, ""}

  defp split(<<character::utf8, rest::binary>>, text),
    do: split(rest, <<text::binary, character::utf8>>)

  defp split(<<_byte, rest::binary>> = bytes, text) do
    if byte_size(bytes) < 4 and
         match?({:incomplete, "", _}, :unicode.characters_to_binary(bytes)),
       do: {text, bytes},
       else: split(rest, <<text::binary, 0xFFFD::utf8>>)
  end
end
