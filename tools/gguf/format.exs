defmodule GGUF.Format do
  @moduledoc """
  The GGUF file format, version 3: typed metadata, a table of tensors, and their numbers.

  All numbers are little-endian. The format is described at
  https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (read in November 2026).
  """

  @typedoc "A value of the metadata, with its type. `:i32s` and `:strings` are arrays."
  @type value ::
          {:u32, non_neg_integer}
          | {:f32, float}
          | {:bool, boolean}
          | {:string, String.t()}
          | {:i32s, [integer]}
          | {:strings, [String.t()]}

  @typedoc "Numbers as 32-bit floats, row by row. The shape is rows and columns, or only a length."
  @type tensor :: %{name: String.t(), shape: [pos_integer], data: binary}

  @types %{u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9}
  @f32_tensor 0
  @alignment 32

  @doc "The bytes of a file."
  @spec encode([{String.t(), value}], [tensor]) :: iodata
  def encode(metadata, tensors) do
    {infos, data, _offset} = Enum.reduce(tensors, {[], [], 0}, &add_tensor/2)
    counts = <<length(tensors)::little-64, length(metadata)::little-64>>
    head = IO.iodata_to_binary(["GGUF", <<3::little-32>>, counts, entries(metadata), infos])
    [head, padding(byte_size(head)), data]
  end

  defp add_tensor(%{name: name, shape: shape, data: bytes}, {infos, data, offset}) do
    # The dimension whose numbers are neighbours comes first.
    dimensions = for size <- Enum.reverse(shape), do: <<size::little-64>>
    kind = <<@f32_tensor::little-32, offset::little-64>>
    info = [string(name), <<length(shape)::little-32>>, dimensions, kind]
    padding = padding(byte_size(bytes))
    size = byte_size(bytes) + byte_size(padding)
    {[infos, info], [data, bytes, padding], offset + size}
  end

  defp entries(metadata), do: for({key, value} <- metadata, do: [string(key), typed(value)])

  defp typed({:i32s, items}), do: array(:i32, items)
  defp typed({:strings, items}), do: array(:string, items)
  defp typed({type, value}), do: [type(type), plain(type, value)]

  defp array(type, items) do
    [type(:array), type(type), <<length(items)::little-64>>, Enum.map(items, &plain(type, &1))]
  end

  defp type(type), do: <<Map.fetch!(@types, type)::little-32>>

  defp plain(:u32, value), do: <<value::little-32>>
  defp plain(:i32, value), do: <<value::little-signed-32>>
  defp plain(:f32, value), do: <<value::little-float-32>>
  defp plain(:bool, true), do: <<1>>
  defp plain(:bool, false), do: <<0>>
  defp plain(:string, value), do: string(value)

  defp string(text), do: [<<byte_size(text)::little-64>>, text]

  defp padding(size), do: :binary.copy(<<0>>, rem(@alignment - rem(size, @alignment), @alignment))
end
