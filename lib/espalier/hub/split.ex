defmodule Espalier.Hub.Split do
  @moduledoc false
  # The names of a GGUF file that llama.cpp split: `NAME-00001-of-00003.gguf` is the first of three.

  @name ~r/\A(.*)-(\d{5})-of-(\d{5})\.gguf\z/s

  @doc "The files that a model has, the first one first, by the name of any; the file itself if it was not split."
  @spec files(String.t()) :: [String.t(), ...]
  def files(file) do
    with [_all, name, number, count] <- Regex.run(@name, file),
         count = String.to_integer(count),
         true <- String.to_integer(number) in 1..count//1 do
      for number <- 1..count, do: "#{name}-#{padded(number)}-of-#{padded(count)}.gguf"
    else
      _not_split -> [file]
    end
  end

  defp padded(number), do: number |> Integer.to_string() |> String.pad_leading(5, "0")

  @doc "Without the files that are later parts of others."
  @spec models([String.t()]) :: [String.t()]
  def models(files), do: files |> Enum.map(&hd(files(&1))) |> Enum.uniq()
end
