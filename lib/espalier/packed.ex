defmodule Espalier.Packed do
  @moduledoc false
  # Token ids as one binary, four bytes each, little-endian: how they cross to native code.

  @max_id 0xFFFFFFFF

  @spec pack([non_neg_integer] | binary) :: binary
  def pack(packed) when is_binary(packed) and rem(byte_size(packed), 4) == 0, do: packed
  def pack(ids) when is_list(ids), do: for(id <- ids, into: <<>>, do: pack_id(id))

  def pack(other) do
    raise ArgumentError, "expected a list of token ids or a packed binary, got: #{inspect(other)}"
  end

  @spec unpack(binary) :: [non_neg_integer]
  def unpack(packed), do: for(<<id::little-32 <- packed>>, do: id)

  @doc "The numbers of the bits that are set."
  @spec bits(binary) :: [non_neg_integer]
  def bits(mask) do
    for {word, index} <- mask |> unpack() |> Enum.with_index(),
        word != 0,
        bit <- 0..31,
        Bitwise.band(word, Bitwise.bsl(1, bit)) != 0,
        do: index * 32 + bit
  end

  defp pack_id(id) when is_integer(id) and id in 0..@max_id, do: <<id::little-32>>
  defp pack_id(id), do: raise(ArgumentError, "expected a token id, got: #{inspect(id)}")
end
