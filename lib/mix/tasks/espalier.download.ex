defmodule Mix.Tasks.Espalier.Download do
  @shortdoc "Downloads a model from the Hugging Face hub"

  alias Espalier.CLI
  alias Espalier.CLI.Switches

  @switches [
    repository: [
      type: :string,
      value: "NAME",
      required: true,
      doc: "the repository, as `namespace/name`"
    ],
    revision: [
      type: :string,
      value: "REVISION",
      doc: "a branch, a tag or a commit, `main` by default"
    ],
    file: [
      type: :string,
      value: "FILE",
      doc: "one file of the repository, as one of several GGUF files"
    ],
    cache_dir: [
      type: :string,
      value: "DIR",
      doc: "the folder of the cache, by default that of the hub's own clients"
    ],
    base_url: [
      type: :string,
      value: "URL",
      doc: "where the hub is, by default that of `HF_ENDPOINT` or https://huggingface.co"
    ],
    offline: [type: :boolean, doc: "only look into the cache"],
    progress: [
      type: :boolean,
      doc: "whether standard error shows how far it is; by default if a terminal shows it"
    ]
  ]

  @moduledoc """
  Downloads what is needed of a model, unless it is in the cache, and prints its path.

      $ mix espalier.download --repository HuggingFaceTB/SmolLM2-135M-Instruct
      /home/ada/.cache/huggingface/hub/models--HuggingFaceTB--SmolLM2-135M-Instruct/snapshots/12fd25f77366fa6b3b4b768ec3050bf629380bac

  The path is what the `:path` of an `Espalier.Model` takes. The cache is that of the hub's own clients, and their
  environment variables are read, see `Espalier.Hub`. A token is taken from `HF_TOKEN` or from the file that their login
  writes. There is no switch for it, as command lines are seen by others.

  The exit status is 0, 1 for what can't be downloaded, and 2 if the command line is wrong.

  ## Options

  #{Switches.docs(@switches)}
  """

  use Mix.Task

  alias Espalier.Hub

  @command %{name: "mix espalier.download", help: @moduledoc, switches: @switches}

  @impl true
  def run(arguments), do: CLI.run(@command, arguments, &download/1)

  defp download(options) do
    CLI.start(:espalier)
    {repository, options} = Keyword.pop!(options, :repository)
    options = Keyword.put_new_lazy(options, :progress, &terminal?/0)
    with {:ok, path} <- Hub.download(repository, options), do: CLI.puts(path)
  end

  # The path is written when the bar is done.
  defp terminal?, do: match?({:ok, _columns}, :io.columns(:standard_error))
end
