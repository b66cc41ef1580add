defmodule Espalier.Model.FilesTest do
  use ExUnit.Case, async: true

  alias Espalier.Model
  alias Espalier.ModelError
  alias Espalier.OptionsError

  @moduletag :tmp_dir

  for file <- ~w(format safetensors llama),
      do: Code.require_file("../../../tools/gguf/#{file}.exs", __DIR__)

  @schema [name: {:string, max_length: 20}, city: {:string, max_length: 20}]
  @prompt "Please add Omar Reed of Sallow Energy in Lisbon."

  defp gguf(folder) do
    {metadata, tensors} = GGUF.Llama.read(Model.tiny_path())
    path = Path.join(folder, "tiny.gguf")
    File.write!(path, GGUF.Format.encode(metadata, tensors))
    path
  end

  defp serve(options), do: start_supervised!({Model, options}, id: make_ref())

  test "a GGUF file, or a folder of one, is the model that its folder of safetensors is", %{
    tmp_dir: folder
  } do
    path = gguf(folder)
    ask = &Espalier.generate_result(@schema, @prompt, model: &1, temperature: 1, seed: 4)
    {:ok, expected} = ask.(MyApp.Model)

    for path <- [path, folder] do
      model = serve(path: path)
      assert {:ok, %{text: text, usage: usage}} = ask.(model)
      assert {text, usage} == {expected.text, expected.usage}
      assert Model.fetch!(model).info == Model.fetch!(MyApp.Model).info
    end
  end

  test "a model in eight bits writes values, the same for the same seed, alone and beside others" do
    model = serve(path: Model.tiny_path(), quantization: :q8_0)
    ask = &Espalier.generate(@schema, @prompt, model: model, temperature: 1, seed: &1)
    alone = for seed <- 1..8, do: ask.(seed)
    assert [{:ok, %{name: "Omar Reed"}} | _] = [Espalier.generate(@schema, @prompt, model: model)]

    beside =
      1..8
      |> Task.async_stream(ask, max_concurrency: 8, timeout: 60_000)
      |> Enum.map(&elem(&1, 1))

    assert beside == alone
  end

  test "what can't be held or read so is told", %{tmp_dir: folder} do
    Process.flag(:trap_exit, true)
    path = gguf(folder)
    wrong = [path: path, quantization: :q3]
    assert {:error, %OptionsError{option: :quantization}} = Model.start_link(wrong)
    File.write!(path, binary_part(File.read!(path), 0, 10_000))
    assert {:error, %ModelError{} = error} = Model.start_link(path: path)
    assert Exception.message(error) =~ "tiny.gguf"
  end
end
