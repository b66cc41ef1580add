defmodule Espalier.Hub.Selection do
  @moduledoc false
  # Which files of a repository a model needs.

  alias Espalier.Hub.Fault
  alias Espalier.Hub.Settings
  alias Espalier.Hub.Split
  alias Espalier.Hub.Storage
  alias Espalier.HubError
  alias Espalier.JSON

  @index "model.safetensors.index.json"
  @weights "model.safetensors"
  @required ["config.json", "tokenizer.json"]
  @optional ["tokenizer_config.json", "generation_config.json", "chat_template.jinja"]

  # An index has about a hundred bytes for each tensor.
  @most_index_bytes 0x2000000

  @typedoc """
  `files` is what is needed, `index` one of them that names more, and `absent` what would be taken if it were there.
  `result` is the file that is the model, or `nil` if it is the folder.
  """
  @type t :: %{
          files: [String.t()],
          index: String.t() | nil,
          absent: [String.t()],
          result: String.t() | nil
        }

  @doc "What a folder of a model may have besides what it must."
  @spec optional() :: [String.t()]
  def optional, do: @optional

  @doc "What is needed of the files that there are."
  @spec select([String.t()], Settings.t()) :: {:ok, t} | {:error, HubError.t()}
  def select(files, %{file: nil} = settings) do
    cond do
      @index in files -> folder(files, @index, settings)
      @weights in files -> folder(files, nil, settings)
      true -> gguf(files, settings)
    end
  end

  def select(files, %{file: file} = settings) do
    if file in files,
      do: {:ok, alone(file)},
      else: error(settings, :file_not_found, file, nil)
  end

  # The index comes first, as it says what else to get.
  defp folder(files, index, settings) do
    case @required -- files do
      [] ->
        {found, absent} = Enum.split_with(@optional, &(&1 in files))
        weights = index || @weights

        {:ok,
         %{files: @required ++ found ++ [weights], index: index, absent: absent, result: nil}}

      [missing | _] ->
        error(settings, :no_model, nil, "#{missing} is missing")
    end
  end

  defp gguf(files, settings) do
    case files |> Enum.filter(&String.ends_with?(&1, ".gguf")) |> Split.models() do
      [file] ->
        {:ok, alone(file)}

      [] ->
        error(settings, :no_model, nil, "it has weights neither in safetensors nor in GGUF files")

      files ->
        error(settings, :ambiguous, nil, files |> Enum.join(", ") |> String.slice(0, 2000))
    end
  end

  defp alone(file) do
    files = Split.files(file)
    %{files: files, index: nil, absent: [], result: hd(files)}
  end

  @doc "The files with the weights, by an index that is there. Their names were not checked, and may be no texts."
  @spec shards(Path.t(), Settings.t()) :: {:ok, [term]} | {:error, HubError.t()}
  def shards(path, settings) do
    with {:ok, %{size: size}} when size <= @most_index_bytes <- File.stat(path),
         {:ok, text} <- File.read(path),
         {:ok, %{"weight_map" => %{} = map}} when map != %{} <- JSON.decode(text) do
      {:ok, map |> Map.values() |> Enum.uniq() |> Enum.sort()}
    else
      {:ok, %{size: size}} ->
        wrong(settings, "expected at most #{@most_index_bytes} bytes, got #{size}")

      {:ok, _other} ->
        wrong(settings, "expected an object \"weight_map\" of file names")

      {:error, error} when is_exception(error) ->
        wrong(settings, Exception.message(error))

      {:error, reason} ->
        Storage.error(settings, path, reason, @index)
    end
  end

  defp wrong(settings, detail), do: error(settings, :invalid_answer, @index, detail)

  defp error(settings, kind, file, detail),
    do: {:error, Fault.error(settings, file, kind, detail: detail)}
end
