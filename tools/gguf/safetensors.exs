defmodule GGUF.Safetensors do
  @moduledoc "Reads a safetensors file: a JSON header that says where the numbers of each tensor are."

  @doc "The tensors of a file by name, with their numbers as 32-bit floats."
  @spec read(Path.t()) :: %{String.t() => %{shape: [pos_integer], data: binary}}
  def read(path) do
    <<size::little-64, header::binary-size(size), data::binary>> = File.read!(path)

    for {name, info} <- Espalier.JSON.decode!(header), name != "__metadata__", into: %{} do
      [first, last] = info["data_offsets"]
      numbers = binary_part(data, first, last - first)
      {name, %{shape: info["shape"], data: to_f32(numbers, info["dtype"])}}
    end
  end

  # A bf16 is the upper half of an f32.
  defp to_f32(numbers, "BF16"),
    do: for(<<half::binary-2 <- numbers>>, into: "", do: <<0, 0, half::binary>>)

  defp to_f32(numbers, "F32"), do: numbers
end
