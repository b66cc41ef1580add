defmodule Espalier.Profile.Unwrap do
  @moduledoc false
  # A text in pieces, without the object of one property that it is in.
  #
  # What may be the end of the object is held back until more comes: braces and white space.

  @spec stream(Enumerable.t(binary), String.t()) :: Enumerable.t(binary)
  def stream(pieces, wrapper) do
    start = Regex.compile!("\\A\\s*\\{\\s*\"#{Regex.escape(wrapper)}\"\\s*:\\s*")

    Stream.transform(pieces, fn -> {:before, ""} end, &step(&1, &2, start), &last/1, fn _state ->
      :ok
    end)
  end

  defp step(piece, {:before, held}, start) do
    text = held <> piece

    case Regex.run(start, text, return: :index) do
      [{0, length}] ->
        step(binary_part(text, length, byte_size(text) - length), {:within, ""}, start)

      nil ->
        {[], {:before, text}}
    end
  end

  defp step(piece, {:within, held}, _start) do
    text = held <> piece
    [{place, length}] = Regex.run(~r/[\s}]*\z/, text, return: :index)
    sure = binary_part(text, 0, place)
    {if(sure == "", do: [], else: [sure]), {:within, binary_part(text, place, length)}}
  end

  # A text without the wrapper is passed on as it is.
  defp last({:before, text}), do: {[text], nil}

  defp last({:within, held}) do
    rest = String.replace(held, ~r/\s*\}\s*\z/, "")
    {if(rest == "", do: [], else: [rest]), nil}
  end
end
