defmodule Espalier.Reply.Escaped do
  @moduledoc false
  # JSON that was escaped as a whole: `{\"a\": 1}` as in a JSON string, `{&quot;a&quot;: 1}` as in HTML.

  @entity ~r/&(quot|amp|lt|gt|apos|#34|#39|#x22|#x27|#X22|#X27);/
  @entities %{
    "quot" => "\"",
    "amp" => "&",
    "lt" => "<",
    "gt" => ">",
    "apos" => "'",
    "#34" => "\"",
    "#39" => "'"
  }

  @doc "How the value that begins here is escaped."
  @spec kind(binary) :: :double_encoded | :html_entities | nil
  def kind(<<byte, rest::binary>>) when byte in [?{, ?[], do: first_quote(rest, 64)

  defp first_quote(_text, 0), do: nil
  defp first_quote("\\\"" <> _rest, _left), do: :double_encoded
  defp first_quote("&quot;" <> _rest, _left), do: :html_entities
  defp first_quote("&#" <> _rest, _left), do: :html_entities

  defp first_quote(<<?\\, letter, rest::binary>>, left) when letter in [?n, ?r, ?t],
    do: first_quote(rest, left - 1)

  defp first_quote(<<byte, rest::binary>>, left)
       when byte in [?\s, ?\t, ?\r, ?\n, ?{, ?[],
       do: first_quote(rest, left - 1)

  defp first_quote(_text, _left), do: nil

  @doc "The text without that escaping."
  @spec undo(binary, :double_encoded | :html_entities) :: binary
  def undo(text, :html_entities), do: Regex.replace(@entity, text, &entity/2)

  def undo(text, :double_encoded),
    do: text |> unescape(text, 0, []) |> Enum.reverse() |> IO.iodata_to_binary()

  defp entity(_all, name) do
    Map.get_lazy(@entities, name, fn ->
      if String.ends_with?(name, "22"), do: "\"", else: "'"
    end)
  end

  # Escapes by code point are left for the strings in it.
  defp unescape(<<?\\, byte, rest::binary>>, run, length, done) when byte != ?u,
    do: unescape(rest, rest, 0, [character(byte), binary_part(run, 0, length) | done])

  defp unescape(<<_byte, rest::binary>>, run, length, done),
    do: unescape(rest, run, length + 1, done)

  defp unescape("", run, length, done), do: [binary_part(run, 0, length) | done]

  defp character(?n), do: "\n"
  defp character(?r), do: "\r"
  defp character(?t), do: "\t"
  defp character(byte) when byte in [?", ?\\, ?/], do: <<byte>>
  defp character(byte), do: <<?\\, byte>>
end
