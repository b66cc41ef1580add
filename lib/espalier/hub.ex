defmodule Espalier.Hub do
  @moduledoc """
  Models from the [Hugging Face hub](https://huggingface.co), by the name of their repository.

      {:ok, path} = Espalier.Hub.download("HuggingFaceTB/SmolLM2-135M-Instruct")

  A served model does so by itself, and nothing is ever downloaded unless a repository was named:

      children = [
        {Espalier.Model, name: MyApp.Model, repository: "HuggingFaceTB/SmolLM2-135M-Instruct"}
      ]

  From the command line it is `mix espalier.download`.

  ## What is downloaded

  Of a repository with safetensors: `config.json`, `tokenizer.json`, the weights in one file or in all that
  `model.safetensors.index.json` lists, and, where they are there, `tokenizer_config.json`, `generation_config.json` and
  `chat_template.jinja`. The path is that of their folder. Of one with GGUF files it is the only one, or that which
  `:file` names, and the path is the file's; a model that is split into several is one, and the path is that of the first
  file. A file counts when its checksum is that which the hub names.

  ## The cache

  It is that of the hub's own clients, by default `~/.cache/huggingface/hub`: what Python has downloaded is found, and
  the other way round. What is there is not downloaded again; the hub is only asked which commit the revision is now. If
  it can't be reached, the commit of the last download is taken and a warning is logged. A `:revision` that is a commit
  needs no hub at all once its files are there.

  A download that was broken off goes on where it was. Several may run at once, in one VM or in many.

      iex> options = [offline: true, cache_dir: Path.join(System.tmp_dir!(), "empty-cache")]
      iex> {:error, error} = Espalier.Hub.download("HuggingFaceTB/SmolLM2-135M-Instruct", options)
      iex> error.kind
      :not_cached
  """

  alias Espalier.Error
  alias Espalier.Hub.Download
  alias Espalier.Hub.Settings
  alias Espalier.HubError
  alias Espalier.OptionsError
  alias Espalier.Telemetry

  @doc """
  The path of a model's files in the cache, which are downloaded if they are not there.

  What fails is an `Espalier.HubError`.

  ## Options

  #{Espalier.Options.docs(Settings.options())}
  """
  @spec download(String.t(), keyword) ::
          {:ok, Path.t()} | {:error, HubError.t() | OptionsError.t()}
  def download(repository, options \\ []) do
    with {:ok, settings} <- Settings.new(repository, options),
         {:ok, download} <- observed(settings) do
      {:ok, download.path}
    end
  end

  @doc "Like `download/2`, but returns the path and raises the error."
  @spec download!(String.t(), keyword) :: Path.t()
  def download!(repository, options \\ []), do: repository |> download(options) |> Error.bang!()

  defp observed(settings) do
    metadata = fn -> Map.take(settings, [:repository, :revision]) end
    Telemetry.span(:download, metadata, fn -> Download.run(settings) end, &told/1)
  end

  defp told(download), do: {Map.take(download, [:files, :bytes]), Map.take(download, [:commit])}
end
