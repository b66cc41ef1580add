defmodule Espalier.Chunks do
  @moduledoc "Bytes cut at random places."

  @doc "The bytes in pieces, by the process's random seed."
  def cut(""), do: []

  def cut(bytes) do
    size = :rand.uniform(min(byte_size(bytes), Enum.random([1, 2, 5, 40])))
    <<piece::binary-size(size), rest::binary>> = bytes
    [piece | cut(rest)]
  end

  @doc "What a decoder makes of pieces, to the end."
  def decode(decoder, pieces), do: decode(decoder, pieces, [])

  defp decode(%module{} = decoder, [], events) do
    {:ok, last} = module.finish(decoder)
    events ++ last
  end

  defp decode(%module{} = decoder, [piece | pieces], events) do
    case module.decode(decoder, piece) do
      {:ok, more, decoder} -> decode(decoder, pieces, events ++ more)
      error -> error
    end
  end
end
