defmodule Espalier.Request do
  @moduledoc """
  One generation as it is asked of a backend: a schema, a prompt, and checked options.

    * `schema` - pass it to `Espalier.Schema.to_constraint/2` or `Espalier.Schema.to_json_schema/1`
    * `prompt` - `{:text, text}`, or `{:messages, [{role, content}]}`, where a content is a text, or a list of
      texts and `Espalier.Image`s. A message that has more is `{role, content, fields}`, see `t:Espalier.prompt/0`:
      fields are pairs of a name and a JSON value, as `{"tool_call_id", "1"}`
    * `backend`, `backend_options` - the module that generates, and what was given for it alone
    * `text_options` - those of `Espalier.Constraint.json_schema/2` that were given
    * `sampling` - an `Espalier.Sampling`
    * `sampling_options` - those of its options that were given
    * `model`, `max_tokens`, `max_reasoning_tokens`, `priority`, `template`, `tools`, `template_variables`, `timeout` - options of
      `Espalier.generate/3`; `timeout` is what is left of
      it when the request is made
    * `caller` - the process that asks, or the one that began it as a task
    * `trace` - whether `:choice` events are wanted, see `t:Espalier.Backend.event/0`
    * `attempt` - the number of the attempt, from 1
    * `streamed` - whether someone reads the tokens as they come; otherwise they may all come at the end

  The other fields are for what is around the call of a backend, see `Espalier.Middleware`.

  A backend gets it, so this one shows what there is:

      defmodule Show do
        @behaviour Espalier.Backend

        @impl true
        def stream(request) do
          usage = %{prompt_tokens: 0, completion_tokens: 0, forced_tokens: 0, steps: 0}
          text = inspect({request.prompt, request.max_tokens})
          {:ok, [{:tokens, [], text, false}, {:done, %{finish_reason: :stop, usage: usage}}]}
        end
      end

      iex> messages = [%{role: :user, content: "Hello"}]
      iex> Espalier.generate({:regex, ".*"}, messages, backend: Show, max_tokens: 9)
      {:ok, ~S({{:messages, [{"user", "Hello"}]}, 9})}
  """

  alias Espalier.Backend
  alias Espalier.Backends.Local
  alias Espalier.Deadline
  alias Espalier.JSON.Documents
  alias Espalier.Middleware
  alias Espalier.Model.Conversation
  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Prompt
  alias Espalier.Sampling
  alias Espalier.Schema.Form
  alias Espalier.Secret

  @text_options [
    whitespace: [
      type:
        {:or, [{:in, [:compact, :spaced, :any]}, {:tuple, [{:in, [:max]}, :non_neg_integer]}]},
      doc: "White space between the parts of a JSON value, as in `Espalier.Constraint`."
    ],
    property_order: [
      type: {:in, [:schema, :any]},
      doc: "The order of the keys in JSON objects, as in `Espalier.Constraint`."
    ],
    numbers: [
      type: {:in, [:plain, :any]},
      doc: "How JSON numbers are spelled, as in `Espalier.Constraint`."
    ],
    escapes: [
      type: {:in, [:minimal, :any]},
      doc: "How characters of JSON strings are spelled, as in `Espalier.Constraint`."
    ],
    format: [
      type: {:in, [:assert, :ignore]},
      doc: "Whether strings have the format that the schema names, as in `Espalier.Constraint`."
    ],
    documents: [
      type: {:custom, "a map of JSON Schemas by URI", &Documents.documents?/1},
      doc: "Other schemas that a JSON Schema refers to, as in `Espalier.Constraint`."
    ]
  ]

  @options [
             model: [
               type: :any,
               doc: """
               The served model: its name, its process, an `Espalier.Model`, or `{:group, name}`, which is any one of \
               that name on the connected nodes. A hosted one is named by a text.\
               """
             ],
             max_tokens: [
               type: :pos_integer,
               default: 512,
               doc: "The most tokens to write. Near the end the value is brought to a close."
             ],
             max_reasoning_tokens: [
               type: :non_neg_integer,
               default: 0,
               doc: """
               The most tokens that a local model may think before it writes, if it was trained to. They don't count among \
               `:max_tokens`, and no rule of the schema holds for them. With 0 the model is asked not to think. What it \
               thought is `reasoning` in the `Espalier.Result`. Hosted models have options of their backends instead.\
               """
             ],
             priority: [
               type: {:custom, "integer from -1000 to 1000", &__MODULE__.priority?/1},
               default: 0,
               doc: """
               Of the requests that wait for a place in a local model's batch, those of the highest priority run first. Among \
               equals, callers take turns: a caller is the outermost process of `$callers`, so that tasks count as who began \
               them, or else the process itself. See `Espalier.Model`.\
               """
             ],
             timeout: [
               type: :timeout,
               default: 60_000,
               doc: "The most milliseconds for the whole generation."
             ],
             max_attempts: [
               type: :pos_integer,
               default: 3,
               doc: """
               How often a value may be asked for. A text that is refused is asked for again, with what is wrong: \
               after the prompt come the text and a message. Of a local model that happens only where a function \
               of yours refuses a value. Another backend of a list counts, too.\
               """
             ],
             max_total_tokens: [
               type: :pos_integer,
               doc: """
               No value is asked for again when the attempts so far took so many tokens, those of their prompts \
               among them. No such bound if not given.\
               """
             ],
             max_retries: [
               type: :non_neg_integer,
               default: 2,
               doc: """
               How often a request may be repeated that failed in a way that passes: a rate limit, a server without \
               capacity, a connection that broke. It counts for the whole generation. Neither what was refused nor \
               what is wrong with the request is repeated.\
               """
             ],
             retry_delay: [
               type: :non_neg_integer,
               default: 500,
               doc: """
               The most milliseconds to wait before the first retry; it doubles with each. How long is drawn at \
               random below it. A provider that says how long to wait is obeyed, and where the time allowed does \
               not last so long, its error is returned at once.\
               """
             ],
             max_retry_delay: [
               type: :non_neg_integer,
               default: 10_000,
               doc: "Beyond so many milliseconds the delay doubles no more."
             ],
             on_truncation: [
               type:
                 {:or,
                  [{:in, [:error, :continue]}, {:tuple, [{:in, [:max_tokens]}, :pos_integer]}]},
               default: :error,
               doc: """
               What to do, once, where a text is cut off at `:max_tokens` before it is a value: `:error` returns an \
               `Espalier.GenerationError`, `{:max_tokens, n}` asks again with so many, `:continue` asks for the \
               rest, which a local model does not need. It counts among the attempts.\
               """
             ],
             partial: [
               type: :boolean,
               default: false,
               doc:
                 "Whether `Espalier.stream/3` also yields what is there of a JSON value, as `{:partial, value}`."
             ],
             strict: [
               type: :boolean,
               default: false,
               doc: """
               Whether a text is taken as it is or refused. Otherwise one that no constraint held is read with \
               patience, see `Espalier.Reply`; the result tells what was done to it.\
               """
             ],
             lossy: [
               type: :boolean,
               default: false,
               doc: """
               Whether a part of the value may be lost rather than ask again: texts and lists that are too long \
               are cut, unknown keys left out, see `Espalier.Reply`.\
               """
             ],
             trace: [
               type: :boolean,
               default: false,
               doc: """
               Whether the result has the `Espalier.Trace` of its text: how each token was chosen. With a local model a \
               step takes somewhat longer then.\
               """
             ],
             telemetry_content: [
               type: :boolean,
               default: false,
               doc: """
               Whether the events of `Espalier.Telemetry` have the prompt and the text. They are sent to wherever \
               events go: think of whose data they are.\
               """
             ],
             template: [
               type: :boolean,
               default: true,
               doc: "Whether a prompt goes through the model's chat template, if it has one."
             ],
             backend: [
               type:
                 {:custom,
                  "a module with the behaviour Espalier.Backend, {module, options} or a list of them",
                  &__MODULE__.backends?/1},
               default: Local,
               secret: true,
               doc: """
               What generates, see `Espalier.Backend`. Of a list the next one is asked where one can't: it does not \
               answer, its circuit is open, its key or quota is not enough, it has no such model or can't take the \
               request. A refusal is not taken to another one. The options may have a `:model` for this backend.\
               """
             ],
             cache: [
               type: :any,
               doc: "The name or process of an `Espalier.Cache`. None if not given."
             ],
             cache_random: [
               type: :boolean,
               default: false,
               doc: "Whether the cache remembers texts that are drawn at random, too."
             ],
             middleware: [
               type: {:list, :any},
               default: [],
               doc: "Functions around each request to a backend, see `Espalier.Middleware`."
             ]
           ] ++ Conversation.options() ++ Sampling.options() ++ @text_options

  @enforce_keys [
    :schema,
    :prompt,
    :backend,
    :sampling,
    :max_tokens,
    :max_attempts,
    :on_truncation,
    :partial,
    :strict,
    :lossy,
    :max_retries,
    :retry_delay,
    :max_retry_delay,
    :timeout,
    :template
  ]
  defstruct @enforce_keys ++
              [
                :model,
                :max_total_tokens,
                :cache,
                :asked,
                :tools,
                template_variables: %{},
                cache_random: false,
                backend_options: [],
                sampling_options: [],
                fallbacks: [],
                middleware: [],
                text_options: [],
                written: "",
                attempt: 1,
                priority: 0,
                max_reasoning_tokens: 0,
                caller: nil,
                trace: false,
                telemetry_content: false,
                streamed: false,
                deadline: :infinity
              ]

  @typedoc "A backend of a list, as the fields of a request that it sets."
  @type target :: %{backend: module, backend_options: keyword, model: term}

  @type t :: %__MODULE__{
          schema: Espalier.Schema.t() | Form.t(),
          prompt: Prompt.t(),
          backend: module,
          backend_options: keyword,
          model: term,
          sampling: Sampling.t(),
          sampling_options: keyword,
          max_tokens: pos_integer,
          max_attempts: pos_integer,
          on_truncation: :error | :continue | {:max_tokens, pos_integer},
          partial: boolean,
          strict: boolean,
          lossy: boolean,
          max_total_tokens: pos_integer | nil,
          max_retries: non_neg_integer,
          retry_delay: non_neg_integer,
          max_retry_delay: non_neg_integer,
          timeout: timeout,
          deadline: Deadline.t(),
          template: boolean,
          tools: [map] | nil,
          template_variables: %{optional(atom | String.t()) => term},
          fallbacks: [target],
          middleware: [Middleware.t()],
          cache: GenServer.server() | nil,
          cache_random: boolean,
          text_options: keyword,
          written: String.t(),
          attempt: pos_integer,
          priority: integer,
          max_reasoning_tokens: non_neg_integer,
          caller: pid | nil,
          trace: boolean,
          telemetry_content: boolean,
          asked: Prompt.t() | nil,
          streamed: boolean
        }

  @doc false
  @spec options() :: Options.schema()
  def options, do: @options

  @doc false
  # What the caller does not say, the application environment may. Defaults of the sampling are filled in by
  # `Sampling.new/1`, so that it can be seen what was given.
  @spec validate(term) :: {:ok, keyword} | {:error, OptionsError.t()}
  def validate(options) do
    defaults = :espalier |> Application.get_all_env() |> Keyword.take(Keyword.keys(@options))
    options = if Keyword.keyword?(options), do: Keyword.merge(defaults, options), else: options

    with {:ok, options} <-
           Options.validate(options, without_defaults(@options, Sampling.options())),
         :ok <- Backend.check(options[:backend]),
         do: {:ok, options}
  end

  defp without_defaults(schema, without) do
    for {name, entry} <- schema do
      {name,
       if(Keyword.has_key?(without, name), do: Keyword.delete(entry, :default), else: entry)}
    end
  end

  @doc false
  @spec new(Espalier.Schema.t(), term, keyword) :: {:ok, t} | {:error, Exception.t()}
  def new(schema, prompt, options) do
    with {:ok, form} <- Form.new(schema),
         {:ok, prompt} <- Prompt.new(prompt),
         {:ok, middleware} <- Middleware.new(options[:middleware]) do
      {text_options, options} = Keyword.split(options, Keyword.keys(@text_options))
      {sampling, options} = Keyword.split(options, Keyword.keys(Sampling.options()))
      [target | fallbacks] = targets(options)

      made = [
        schema: form,
        prompt: prompt,
        caller: caller(),
        fallbacks: fallbacks,
        middleware: middleware,
        sampling: Sampling.new(sampling),
        sampling_options: sampling,
        text_options: text_options
      ]

      {:ok, struct!(__MODULE__, options |> Keyword.merge(made) |> Enum.concat(target))}
    end
  end

  @doc false
  # The backends that checked options name, the first one to ask first.
  @spec targets(keyword) :: [target]
  def targets(options),
    do: options[:backend] |> List.wrap() |> Enum.map(&target(&1, options[:model]))

  # Tasks count as the process that began them.
  defp caller, do: List.last([self() | Process.get(:"$callers", [])])

  defp target(backend, model) do
    {backend, options} = hide(backend)
    {model, options} = Keyword.pop(options, :model, model)
    %{backend: backend, backend_options: options, model: model}
  end

  @doc false
  # What the option `:backend` takes, with functions in the place of secrets.
  @spec hide(module | {module, keyword}) :: {module, keyword}
  @spec hide([module | {module, keyword}]) :: [{module, keyword}]
  def hide(backends) when is_list(backends), do: Enum.map(backends, &hide/1)

  def hide({backend, options}), do: {backend, Secret.hide(options, Backend.secrets(backend))}
  def hide(backend), do: {backend, []}

  @doc false
  # Whom a request asks: what is counted for each backend and model is counted for those that are equal in this.
  # Options may hold secrets, which are not kept.
  @spec destination(t) :: term
  def destination(%__MODULE__{} = request),
    do: {request.backend, request.model, :erlang.phash2(request.backend_options, 0x100000000)}

  @doc false
  def priority?(value), do: is_integer(value) and value in -1000..1000

  @doc false
  def backends?([_ | _] = backends),
    do: not List.improper?(backends) and Enum.all?(backends, &backend?/1)

  def backends?(backend), do: backend?(backend)

  defp backend?({module, options}), do: backend?(module) and Keyword.keyword?(options)
  defp backend?(module), do: is_atom(module) and module not in [nil, true, false]
end
