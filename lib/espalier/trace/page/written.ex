defmodule Espalier.Trace.Page.Written do
  @moduledoc false
  # What a model wrote, as elements.

  import Espalier.Trace.Page.Markup

  alias Espalier.Trace.Page.Markup
  alias Espalier.Trace.Summary
  alias Espalier.Trace.Visible

  @typep token :: %{id: non_neg_integer | nil, text: binary}

  @doc "Bytes in the lines that they are."
  @spec text(binary) :: Markup.content()
  def text(bytes), do: bytes |> Visible.pieces() |> Enum.map(&piece/1)

  defp piece({:mark, _mark, "\n"} = piece), do: [in_line(piece), "\n"]
  defp piece(piece), do: in_line(piece)

  defp in_line({:plain, text}), do: text
  defp in_line({:mark, mark, _bytes}), do: tag(:i, [], mark)

  @doc "A token as a part of its text. A special one has no bytes, and is seen all the same."
  @spec token(token) :: Markup.content()
  def token(%{text: ""} = token), do: tag(:i, [], Summary.label(token))
  def token(%{text: bytes}), do: text(bytes)

  @doc "A token in one line."
  @spec code(token) :: Markup.element()
  def code(%{text: ""} = token), do: tag(:code, [], token(token))
  def code(%{text: bytes}), do: tag(:code, [], bytes |> Visible.pieces() |> Enum.map(&in_line/1))

  @doc "A link to a token's row in the table; the script shows it in the panel instead."
  @spec link(Summary.placed()) :: Markup.element()
  def link({place, token}), do: tag(:a, [href: "#row-#{place}"], ["#{place}: ", code(token)])
end
