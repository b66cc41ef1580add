defmodule Espalier.Backend do
  @moduledoc """
  What can generate: the behaviour behind the `:backend` option of `Espalier.generate/3`.

    * `Espalier.Backends.Local` - a model served by `Espalier.Model`, the default
    * `Espalier.Backends.OpenAI` - a hosted model, at OpenAI or at whoever speaks its protocol
    * `Espalier.Backends.OpenAIResponses` - one of OpenAI's, by its newer API
    * `Espalier.Backends.Anthropic` - one of Anthropic's
    * `Espalier.Backends.Gemini` - one of Google's
    * `Espalier.Backends.Ollama` - a model that Ollama serves
    * `Espalier.Testing` - replies what a test says

  A backend turns a request into a lazy stream of events. Nothing is asked of a model before the
  stream is read, and when the reader stops early the backend stops too.

      defmodule Echo do
        @behaviour Espalier.Backend

        @impl true
        def stream(%Espalier.Request{prompt: {:text, text}}) do
          usage = %{prompt_tokens: 0, completion_tokens: 0, forced_tokens: 0, steps: 0}
          {:ok, [{:tokens, [], text, false}, {:done, %{finish_reason: :stop, usage: usage}}]}
        end
      end

      iex> Espalier.generate({:regex, ".*"}, "Hello", backend: Echo)
      {:ok, "Hello"}

  Checking the text against the schema, casting it to the schema's value, asking again, putting split characters
  together and telemetry are done once, for every backend, by the caller of `c:stream/1`. A backend asks once, and
  keeps to the request's `timeout`.
  """

  alias Espalier.OptionsError
  alias Espalier.Profile
  alias Espalier.Request
  alias Espalier.Result
  alias Espalier.Trace

  @typedoc """
  What happens during a generation, in this order: any number of `:reasoning` and `:tokens`, then `:done` or `:error`.

  The text of `:tokens` may begin or end in the middle of a character. `forced?` says that there was
  no alternative to them. What a model writes to think, before its text or beside it, is `:reasoning`. A backend that
  does not see tokens gives no ids. `:text` is the text of the value where
  that is not the one that was written, and `:node` the node of Erlang that wrote it.

  If the request's `trace` is true, a backend that sees how tokens are chosen tells it: `:choice` comes before the
  `:tokens` that it is about, which are one token then. Its fields are those of `Espalier.Trace.Token`, and `size`, the
  number of tokens that there are.
  """
  @type event ::
          {:tokens, ids :: [non_neg_integer], text :: binary, forced? :: boolean}
          | {:reasoning, ids :: [non_neg_integer], text :: binary}
          | {:choice,
             %{
               probability: float,
               allowed_probability: float,
               allowed: pos_integer,
               alternatives: [Trace.Token.alternative()],
               size: pos_integer
             }}
          | {:done,
             %{
               required(:finish_reason) => :stop | :max_tokens,
               required(:usage) => Result.usage(),
               optional(:text) => String.t(),
               optional(:node) => node
             }}
          | {:error, Exception.t()}

  @doc "The events of a generation."
  @callback stream(Request.t()) :: {:ok, Enumerable.t(event)} | {:error, Exception.t()}

  @doc """
  Whether every text is a value of the schema by the way it is written. If not, as by default, each is
  checked.
  """
  @callback exact?() :: boolean

  @doc """
  The names of options that are never shown.

  Such an option comes to `c:stream/1` as a function that gives its value, so that no inspected request, error or
  log has it. None by default.
  """
  @callback secrets() :: [atom]

  @doc """
  What the provider's mode for structured output supports, given the options of the backend, for
  `Espalier.explain/2`.
  """
  @callback profile(options :: keyword) :: Profile.t() | nil

  @doc """
  How many requests to a model are best made at once, given the options of the backend: what a batch does by
  default. `nil`, where that can't be told, stands for 8.
  """
  @callback max_concurrency(model :: term, options :: keyword) :: pos_integer | nil

  # Does ahead of time what all requests share that have this schema, model and options for texts.
  @doc false
  @callback compile(Request.t()) :: :ok | {:error, Exception.t()}

  @optional_callbacks compile: 1, exact?: 0, max_concurrency: 2, profile: 1, secrets: 0

  @max_concurrency 8

  @doc false
  # `backend` is what the option `:backend` takes; of a list any one may write the text.
  @spec exact?(module | {module, keyword} | [module | {module, keyword}]) :: boolean
  def exact?(backends) when is_list(backends), do: Enum.all?(backends, &exact?/1)

  def exact?({backend, _options}), do: exact?(backend)

  def exact?(backend), do: exports?(backend, :exact?) and backend.exact?()

  @doc false
  # Whether each module generates; what the options have is not shown, as there may be keys.
  @spec check(module | {module, keyword} | [module | {module, keyword}]) ::
          :ok | {:error, OptionsError.t()}
  def check(backends) do
    modules = for backend <- List.wrap(backends), do: module(backend)

    case Enum.find(modules, &(not exports?(&1, :stream, 1))) do
      nil -> :ok
      module -> {:error, no_backend(module)}
    end
  end

  defp module({module, _options}), do: module
  defp module(module), do: module

  defp no_backend(module) do
    there? = Code.ensure_loaded?(module)
    behaviour = "a module with the behaviour Espalier.Backend"
    expected = if there?, do: behaviour, else: behaviour <> " (there is no such module)"
    %OptionsError{kind: :invalid, option: :backend, expected: expected, got: module}
  end

  @doc false
  @spec secrets(module) :: [atom]
  def secrets(backend), do: if(exports?(backend, :secrets), do: backend.secrets(), else: [])

  @doc false
  @spec compile(Request.t()) :: :ok | {:error, Exception.t()}
  def compile(%{backend: backend} = request) do
    if exports?(backend, :compile, 1) do
      backend.compile(request)
    else
      expected = "false, as #{inspect(backend)} compiles nothing"
      {:error, %OptionsError{kind: :invalid, option: :compile, expected: expected, got: true}}
    end
  end

  @doc false
  @spec max_concurrency(Request.target()) :: pos_integer
  def max_concurrency(%{backend: backend} = target) do
    known? = exports?(backend, :max_concurrency, 2)
    told = if known?, do: backend.max_concurrency(target.model, target.backend_options)
    told || @max_concurrency
  end

  @doc false
  # Of a list any one may write the text, so no mode is sure.
  @spec profile(module | {module, keyword} | [module | {module, keyword}]) :: Profile.t() | nil
  def profile([backend]), do: profile(backend)
  def profile(backends) when is_list(backends), do: nil

  def profile({backend, options}),
    do: if(exports?(backend, :profile, 1), do: backend.profile(options))

  def profile(backend), do: profile({backend, []})

  @doc false
  @spec exports?(module, atom, arity) :: boolean
  def exports?(backend, name, arity \\ 0),
    do: Code.ensure_loaded?(backend) and function_exported?(backend, name, arity)
end
