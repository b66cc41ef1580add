defmodule Espalier.Trace.Visible do
  @moduledoc false
  # Bytes that a model wrote as text that is safe to show: what moves a cursor, turns the direction of writing, can't be
  # seen or is no text becomes a mark. Plain text and marks together stand for each byte, in order.

  @typedoc "A mark is what is shown instead of some bytes."
  @type piece :: {:plain, String.t()} | {:mark, String.t(), bytes :: binary}

  # Format characters, separators of lines and noncharacters, as Unicode lists them.
  defguardp is_unseen(c)
            when c in 0x80..0x9F or c == 0xAD or c in 0x600..0x605 or c == 0x61C or c == 0x6DD or
                   c == 0x70F or c in 0x890..0x891 or c == 0x8E2 or c == 0x180E or
                   c in 0x200B..0x200F or c in 0x2028..0x202E or c in 0x2060..0x206F or
                   c in 0xFDD0..0xFDEF or c == 0xFEFF or c in 0xFFF9..0xFFFB or
                   c in [0x110BD, 0x110CD] or c in 0x13430..0x1343F or c in 0x1BCA0..0x1BCA3 or
                   c in 0x1D173..0x1D17A or c in 0xE0000..0xE0FFF or rem(c, 0x10000) >= 0xFFFE

  @doc """
  The plain text and the marks that stand for some bytes.

      iex> Espalier.Trace.Visible.pieces("a\\n" <> <<0xC3>>)
      [{:plain, "a"}, {:mark, "⏎", "\\n"}, {:mark, "\\\\xC3", <<0xC3>>}]
  """
  @spec pieces(binary) :: [piece]
  def pieces(bytes), do: bytes |> pieces("", []) |> Enum.reverse()

  defp pieces("", plain, pieces), do: flush(plain, pieces)

  defp pieces(<<c::utf8, rest::binary>>, plain, pieces) do
    case mark(c) do
      nil -> pieces(rest, <<plain::binary, c::utf8>>, pieces)
      mark -> pieces(rest, "", [{:mark, mark, <<c::utf8>>} | flush(plain, pieces)])
    end
  end

  defp pieces(<<byte, rest::binary>>, plain, pieces),
    do: pieces(rest, "", [{:mark, "\\x" <> hex(byte), <<byte>>} | flush(plain, pieces)])

  defp flush("", pieces), do: pieces
  defp flush(plain, pieces), do: [{:plain, plain} | pieces]

  defp mark(?\n), do: "⏎"
  defp mark(?\t), do: "⇥"
  defp mark(c) when c < 0x20 or c == 0x7F, do: "\\u{#{hex(c)}}"
  defp mark(c) when is_unseen(c), do: "\\u{#{hex(c)}}"
  defp mark(_c), do: nil

  defp hex(number), do: number |> Integer.to_string(16) |> String.pad_leading(2, "0")

  @doc """
  Some bytes in one line of text.

      iex> Espalier.Trace.Visible.line("a b\\e[0m")
      "a b\\\\u{1B}[0m"
  """
  @spec line(binary) :: String.t()
  def line(bytes), do: bytes |> pieces() |> Enum.map_join(&shown/1)

  @doc "What is shown for a piece."
  @spec shown(piece) :: String.t()
  def shown({:plain, text}), do: text
  def shown({:mark, text, _bytes}), do: text
end
