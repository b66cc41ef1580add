# Writes the shipped model as a GGUF file, for llama.cpp and whatever is built on it.
#
#     mix run tools/gguf/export.exs espalier-tiny.gguf

for file <- ~w(format safetensors llama), do: Code.require_file("#{file}.exs", __DIR__)

case System.argv() do
  [path] ->
    {metadata, tensors} = GGUF.Llama.read(Espalier.Model.tiny_path())
    File.write!(path, GGUF.Format.encode(metadata, tensors))
    IO.puts("#{path}: #{length(tensors)} tensors, #{File.stat!(path).size} bytes")

  _other ->
    IO.puts(:stderr, "usage: mix run tools/gguf/export.exs FILE")
    exit({:shutdown, 1})
end
