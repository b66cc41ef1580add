defmodule Espalier.Hub.Settings do
  @moduledoc false
  # What a download goes by: the options that were given, or what the environment variables of the hub's own clients say.

  alias Espalier.Error
  alias Espalier.Hosted
  alias Espalier.HTTP
  alias Espalier.HTTP.Head
  alias Espalier.Hub.Name
  alias Espalier.Hub.Progress
  alias Espalier.HubError
  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Secret

  @secrets [:token]
  @base_url "https://huggingface.co"
  @true_values ~w(1 ON YES TRUE)

  @options [
    revision: [
      type: :string,
      default: "main",
      doc: "A branch, a tag or a commit. What a commit names never changes."
    ],
    file: [
      type: :string,
      doc: """
      The name of one file in the repository, which is all that is downloaded: one of several GGUF files, for example. \
      Of a model that is split into several, all come.\
      """
    ],
    offline: [
      type: :boolean,
      doc: """
      Whether only what is in the cache is used and nothing is asked for. If not given, it is what `HF_HUB_OFFLINE` \
      says, which is `1` for true.\
      """
    ],
    cache_dir: [
      type: :string,
      doc: """
      The folder of the cache, by default that of `HF_HUB_CACHE`, or `hub` in that of `HF_HOME`, or \
      `~/.cache/huggingface/hub`.\
      """
    ],
    token: [
      type: {:custom, "text, or a function that gives it", &__MODULE__.token?/1},
      secret: true,
      doc: """
      The token for what is private or gated, or a function without arguments that gives it. It is shown nowhere, and \
      sent to the hub alone. If not given, it is that of `HF_TOKEN`, or of the file that the hub's own login writes.\
      """
    ],
    base_url: [
      type: {:custom, "URL of http or https without credentials", &Hosted.Settings.base_url?/1},
      secret: true,
      doc: "Where the hub is. If not given, it is `HF_ENDPOINT`, or `#{@base_url}`."
    ],
    progress: [
      type: {:or, [:boolean, {:custom, "function of a map", &Progress.function?/1}]},
      default: false,
      doc: """
      Whether standard error shows how far it is, by a bar in a terminal and by lines elsewhere. A function is called \
      instead, with a map of `:repository`, `:file`, `:done` and `:total` (bytes of all files that are downloaded), and \
      `:elapsed` (milliseconds).\
      """
    ],
    max_retries: [
      type: :non_neg_integer,
      default: 5,
      doc:
        "How often in a row a request is repeated that brought nothing, after a failure that passes."
    ],
    retry_delay: [
      type: :non_neg_integer,
      default: 500,
      doc: """
      The most milliseconds to wait before the first retry. It doubles each time, up to ten seconds. A hub that says \
      when to come back is obeyed, if that is within a minute.\
      """
    ]
  ]

  # A server that says nothing for so long is asked again.
  @receive_timeout [
    type: :timeout,
    default: 30_000,
    doc: "The most milliseconds from one part of an answer to the next."
  ]

  @enforce_keys [
    :repository,
    :revision,
    :file,
    :offline?,
    :cache_dir,
    :base_url,
    :token,
    :options
  ]
  defstruct @enforce_keys

  @typedoc "`options` are those of HTTP, of the retries and of the progress."
  @type t :: %__MODULE__{
          repository: String.t(),
          revision: String.t(),
          file: String.t() | nil,
          offline?: boolean,
          cache_dir: Path.t(),
          base_url: String.t(),
          token: (() -> String.t()) | nil,
          options: keyword
        }

  @doc "The schema of the options."
  @spec options() :: Options.schema()
  def options, do: @options ++ Keyword.put(HTTP.options(), :receive_timeout, @receive_timeout)

  @doc "The options with those that are secret as functions."
  @spec hide(keyword) :: keyword
  def hide(options), do: Secret.hide(options, @secrets)

  @doc "The settings for a repository."
  @spec new(term, keyword) :: {:ok, t} | {:error, OptionsError.t() | HubError.t()}
  def new(repository, given) do
    with {:ok, options} <- Options.validate(given, options()),
         :ok <- check_names(repository, options),
         {:ok, base_url} <- base_url(options[:base_url]),
         {:ok, token} <- token(hide(options)[:token]) do
      {:ok,
       %__MODULE__{
         repository: repository,
         revision: options[:revision],
         file: options[:file],
         offline?: Keyword.get_lazy(options, :offline, &offline?/0),
         cache_dir: Path.expand(options[:cache_dir] || cache_dir()),
         base_url: base_url,
         token: token,
         options: options |> Keyword.delete(:token) |> Keyword.put(:deadline, :infinity)
       }}
    end
  end

  defp check_names(repository, options) do
    names = [
      {"repository", repository, &Name.repository?/1},
      {"revision", options[:revision], &Name.revision?/1},
      {"file", options[:file], &(&1 == nil or Name.file?(&1))}
    ]

    Enum.find_value(names, :ok, fn {what, name, valid?} ->
      unless valid?.(name), do: invalid(repository, "the #{what} #{Error.show(name)}")
    end)
  end

  defp invalid(repository, detail) do
    repository = if Name.repository?(repository), do: repository, else: Error.show(repository)
    {:error, %HubError{kind: :invalid_name, repository: repository, detail: detail}}
  end

  defp base_url(nil) do
    url = variable("HF_ENDPOINT") || @base_url

    if Hosted.Settings.base_url?(url),
      do: {:ok, String.trim_trailing(url, "/")},
      else: wrong(:base_url, "URL of http or https without credentials in HF_ENDPOINT")
  end

  defp base_url(url), do: {:ok, String.trim_trailing(url, "/")}

  # It is read once, so that it is the one that was checked.
  defp token(nil) do
    case variable("HF_TOKEN") || variable("HUGGING_FACE_HUB_TOKEN") || token_in_file() do
      nil -> {:ok, nil}
      token -> token(fn -> token end)
    end
  end

  defp token(given) do
    with token when is_binary(token) <- given.(),
         token when token != "" <- String.trim(token),
         true <- Head.header?({"x", token}) do
      {:ok, fn -> token end}
    else
      _wrong -> wrong(:token, "text, or a function that gives it")
    end
  end

  defp token_in_file do
    path = variable("HF_TOKEN_PATH") || Path.join(home(), "token")

    with false <- true?("HF_HUB_DISABLE_IMPLICIT_TOKEN"),
         {:ok, text} <- File.read(Path.expand(path)),
         token when token != "" <- String.trim(text) do
      token
    else
      _none -> nil
    end
  end

  defp wrong(option, expected),
    do: {:error, %OptionsError{kind: :invalid, option: option, expected: expected, got: :hidden}}

  defp offline?, do: true?("HF_HUB_OFFLINE") or true?("TRANSFORMERS_OFFLINE")

  defp cache_dir do
    variable("HF_HUB_CACHE") || variable("HUGGINGFACE_HUB_CACHE") || Path.join(home(), "hub")
  end

  defp home do
    variable("HF_HOME") || Path.join(variable("XDG_CACHE_HOME") || "~/.cache", "huggingface")
  end

  @doc "Whether an environment variable says yes."
  @spec true?(String.t()) :: boolean
  def true?(name), do: String.upcase(variable(name) || "") in @true_values

  # An empty one is as none.
  defp variable(name) do
    with "" <- System.get_env(name, ""), do: nil
  end

  @doc false
  def token?(value), do: is_function(value, 0) or is_binary(value)
end
