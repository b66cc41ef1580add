defmodule Espalier.Model do
  @moduledoc """
  A language model served in this VM.

  A model is a child of your supervisor, and generations name it:

      children = [
        {Espalier.Model, name: MyApp.Model, path: "/models/SmolLM2-135M-Instruct"}
      ]

      Espalier.generate(schema, prompt, model: MyApp.Model)

  `:path` is the folder of a model as it comes from Hugging Face, of one of the families Llama (SmolLM 2 among them),
  Mistral, Qwen 2 and 3, Phi 3 and 4, Gemma 2 and 3 and SmolLM 3: `config.json`, `tokenizer.json` and weights in
  safetensors files; or it is a GGUF file, of a model that was split the first one. Of models that see, which are Gemma 3
  and Mistral Small 3.1, the part for texts is served. With the name of a repository
  there instead, the model is downloaded unless it is in the cache, see `Espalier.Hub`:

      {Espalier.Model, name: MyApp.Model, repository: "HuggingFaceTB/SmolLM2-135M-Instruct"}

  The tiny model that is shipped with Espalier, for trying things out and for tests, is at `tiny_path/0`:

      iex> {:ok, pid} = Espalier.Model.start_link(path: Espalier.Model.tiny_path())
      iex> {:ok, model} = Espalier.Model.fetch(pid)
      iex> {:ok, tokens} = Espalier.Model.encode(model, "a ticket")
      iex> Espalier.Model.decode(model, tokens)
      {:ok, "a ticket"}

  One native thread owns the weights and advances all running generations together, so a hundred
  callers share one model; see `:max_batch_size`. None of them goes through this process, which only
  holds the model: when it ends, the thread ends after the step that it is in, and running generations
  fail with an `Espalier.ModelError` of kind `:stopped`.

  ## On a graphics processor

  A model computes on the CPU unless `:device` names a graphics processor. The native library is built for these by cargo
  features: `metal` for Apple's, on macOS, and `cuda` for NVIDIA's, where there is the CUDA toolkit. The environment
  variable `ESPALIER_NIF_FEATURES` names them when Espalier is compiled, or the configuration does:

      # in config/config.exs; then: mix deps.compile espalier --force
      config :espalier, nif_features: [:cuda]

      {Espalier.Model, name: MyApp.Model, path: "/models/Qwen3-8B", device: :cuda}

  A device that the library wasn't built for, that isn't there or that has no room for the model is an
  `Espalier.ModelError` of kind `:device_unavailable`.

  Everything works there as on the CPU. But sums are taken in an order that depends on how many generations run, so the
  same seed can give another text in other company. Memory for keys and values is taken when the model is loaded, all that
  `:max_kv_cache_bytes` says.

  ## Who goes first

  Where more requests come than advance together, those of the highest `:priority` of `Espalier.generate/3` run first.
  Among equals callers take turns: one request of each, in the order in which they came, so that who sends a thousand at
  once doesn't hold up who sends one. A caller is the process that asks, or, where that is a task, the one that began it
  all: the last of `$callers` in the dictionary of the process, which `Task` and `Task.Supervisor` set. So a batch is
  one caller, and so is a `GenServer` that asks for many others. Where the KV cache has no room left, it is the
  request of the lowest priority that joined last which waits, and goes on later with the same text.

  ## What callers see of each other

  A text never depends on others, but how soon it comes does, and what was read once is not read again for anybody. The
  `cached_tokens` of `t:Espalier.Result.usage/0`, or just the time to the first token, tell whether someone sent a prompt
  with the same beginning a while ago. Where tenants must not learn that of each other, give each a model of its own.

  ## On several nodes

  Models with the same name on connected nodes are a group, as soon as they run: there is nothing to set up but the
  nodes. A request that names `{:group, name}` goes to the member with the fewest requests that run or wait, on this node
  if that is one of them. So does one that names just `name`, on a node that has no such model; where there is one, its
  name means that one.

      Espalier.generate(schema, prompt, model: {:group, MyApp.Model})

  Everything works as with a model of this node, streams too. The schema is compiled where the model is, and needs no
  modules there, as it is sent as JSON Schema. (A compiled `Espalier.Constraint` can't be sent.) When the caller ends, or
  its node, its generation ends. When a member or its node is lost, its callers are told at once: that is an
  `Espalier.ModelError` of kind `:member_lost`, and `:max_retries` of `Espalier.generate/3` says how often the request goes to
  another one. `members/1` says who is there.

  Nodes with another version of Espalier are no members. Nothing checks that all members have the same weights: the same
  seed gives the same text wherever they have.

  Nodes that are connected trust each other: each can run anything on the others, and what they send, prompts and texts
  among it, is readable on the network unless the
  [distribution uses TLS](https://www.erlang.org/doc/apps/ssl/ssl_distribution.html). Connect nodes of your own only.
  """

  use GenServer

  alias Espalier.{Error, Hub, Matcher, ModelError, Native, Options, OptionsError, Packed}
  alias Espalier.{Prompt, Telemetry, Vocabulary}
  alias Espalier.Model.Balancer
  alias Espalier.Model.Conversation
  alias Espalier.Model.Group
  alias Espalier.Model.Meter

  @typedoc """
  A running model. `vocabulary` is what constraints for it are compiled for, `max_batch_size` as given to
  `start_link/1`; `name` is what its events call it: the name, or the process without one.
  """
  @type t :: %__MODULE__{
          pid: pid,
          name: term,
          ref: reference,
          vocabulary: Vocabulary.t(),
          info: info,
          max_batch_size: pos_integer
        }

  @typedoc """
  What a model is: `parameters` is the number of its weights, `size` the number of ids that it knows,
  `max_length` the length of its context, prompt and answer together, in tokens: its own, or what the KV cache has room for.
  `reasoning` has the tags between which the model thinks before it answers, as `{"<think>", "</think>"}`, if it was trained
  to: they are in its chat template and tokens of their own.
  """
  @type info :: %{
          architecture: String.t(),
          parameters: pos_integer,
          layers: pos_integer,
          hidden_size: pos_integer,
          size: pos_integer,
          max_length: pos_integer,
          has_chat_template: boolean,
          reasoning: {String.t(), String.t()} | nil
        }

  @typedoc "A model, or the name or process of one."
  @type server :: t | GenServer.server()

  @derive {Inspect, except: [:ref]}
  @enforce_keys [:pid, :name, :ref, :vocabulary, :info, :max_batch_size]
  defstruct @enforce_keys

  @typedoc """
  A model of a group. `load` is the number of requests that run or wait there, as far as this node knows: others tell it
  twice a second. `max_batch_size` is `nil` until it was told.
  """
  @type member :: %{
          node: node,
          pid: pid,
          load: non_neg_integer,
          max_batch_size: pos_integer | nil
        }

  @registry Espalier.Model.Registry

  # How often `[:espalier, :model_step]` is told.
  @tell_milliseconds 1_000

  @hub_options Hub.Settings.options()

  @start_options [
    path: [
      type: :string,
      doc: "The folder with the model's files, or a GGUF file, the first one of several."
    ],
    repository: [
      type: :string,
      doc: """
      The name of a repository in the Hugging Face hub, which is given instead of the path. The first time, \
      `start_link/1` lasts as long as the download.\
      """
    ],
    device: [
      type:
        {:custom, ":cpu, :metal, :cuda, {:metal, index} or {:cuda, index}", &__MODULE__.device?/1},
      default: :cpu,
      doc: """
      Where the model computes, see [above](#module-on-a-graphics-processor). Without an index it is the first processor of \
      that kind.\
      """
    ],
    quantization: [
      type: {:in, [:automatic, :none, :q8_0]},
      default: :automatic,
      doc: """
      In how many bits matrices are held. `:automatic` keeps those of a GGUF file that is quantised, and rounds weights \
      of safetensors files that are in 16 bits to 8, with a scale for 32 of them, but for models of less than 16 MiB \
      and on graphics processors. `:q8_0` rounds all to these, `:none` holds all as f32.\
      """
    ],
    name: [
      type: {:custom, "atom, {:global, term} or {:via, module, term}", &__MODULE__.name?/1},
      doc: "A name, as for any `GenServer`, which is also that of its group on connected nodes."
    ],
    max_batch_size: [
      type: :pos_integer,
      default: 8,
      doc: """
      How many generations advance together. Further ones wait: those of higher `:priority` go first, and among equals \
      callers take turns, see "Who goes first" above.\
      """
    ],
    max_kv_cache_bytes: [
      type: :pos_integer,
      doc: """
      The most bytes of keys and values, of all generations together. What was read is kept within them, so that a \
      prompt which begins as another one did is not read again. By default enough for `:max_batch_size` whole contexts, \
      but for no more than 32,768 tokens, and no more than 4 GiB. No request can be longer than what fits.\
      """
    ],
    n_threads: [
      type: {:custom, "integer from 1 to 1024", &__MODULE__.n_threads?/1},
      doc: """
      Threads that share the arithmetic of a step: by default one for each core, and at most 8. They \
      have work while several generations run or a prompt is read; the steps of a single text are too \
      small to share, except in large models. Give fewer where the VM has other work to do.\
      """
    ]
  ]

  @doc """
  Loads a model and serves it as long as the process lives.

  It returns when the model is loaded. A model that can't be loaded is an `Espalier.ModelError`, and one that can't be
  had from the hub an `Espalier.HubError`.

  ## Options

  #{Options.docs(@start_options)}
  With `:repository` there are those of a download, too:

  #{Options.docs(@hub_options)}
  """
  @spec start_link(keyword) :: {:ok, pid} | {:error, Exception.t() | {:already_started, pid}}
  def start_link(options) do
    with {:ok, hub, options} <- split(options),
         {:ok, options} <- Options.validate(options, @start_options),
         :ok <- check_source(options, hub) do
      GenServer.start_link(__MODULE__, {options, hub}, Keyword.take(options, [:name]))
    end
  end

  @doc false
  def name?({:via, module, _term}), do: is_atom(module)
  def name?({:global, _term}), do: true
  def name?(name), do: is_atom(name) and name != :undefined

  @doc false
  def device?({kind, index}), do: kind in [:metal, :cuda] and is_integer(index) and index >= 0
  def device?(kind), do: kind in [:cpu, :metal, :cuda]

  @doc false
  def n_threads?(value), do: value in 1..1024

  defp split(options) do
    with {:ok, _options} <- Options.validate(options, @start_options ++ @hub_options) do
      {hub, options} = Keyword.split(options, Keyword.keys(@hub_options))
      {:ok, Hub.Settings.hide(hub), options}
    end
  end

  defp check_source(options, hub) do
    case {options[:path], options[:repository], hub} do
      {nil, nil, _hub} ->
        {:error,
         %OptionsError{kind: :missing, option: :path, expected: "a path or a :repository"}}

      {nil, _repository, _hub} ->
        :ok

      {_path, nil, []} ->
        :ok

      {_path, nil, [{option, value} | _]} ->
        not_beside_path(option, value)

      {_path, repository, _hub} ->
        not_beside_path(:repository, repository)
    end
  end

  defp not_beside_path(option, value) do
    expected = "none beside :path"
    {:error, %OptionsError{kind: :invalid, option: option, expected: expected, got: value}}
  end

  @doc false
  def child_spec(options) do
    if Keyword.keyword?(options) do
      # A supervisor's reports show them.
      options = Hub.Settings.hide(options)
      %{id: options[:name] || __MODULE__, start: {__MODULE__, :start_link, [options]}}
    else
      %{id: __MODULE__, start: {__MODULE__, :start_link, [options]}}
    end
  end

  @doc "The folder of the tiny model that is shipped with Espalier."
  @spec tiny_path() :: Path.t()
  def tiny_path, do: Application.app_dir(:espalier, "priv/models/espalier-tiny")

  @doc """
  The model that runs under a name or process.

  It is looked up and not asked for, so it does not wait for anything.

      iex> {:error, error} = Espalier.Model.fetch(MyApp.NoModel)
      iex> Exception.message(error)
      "no model is running as MyApp.NoModel"
  """
  @spec fetch(server) :: {:ok, t} | {:error, ModelError.t()}
  def fetch(%__MODULE__{} = model), do: {:ok, model}

  def fetch(server) do
    with pid when is_pid(pid) <- whereis(server),
         [{^pid, model}] <- Registry.lookup(@registry, pid),
         true <- Process.alive?(pid) do
      {:ok, model}
    else
      _not_here -> {:error, not_running(server)}
    end
  end

  @doc "Like `fetch/1`, but returns the model and raises the error."
  @spec fetch!(server) :: t
  def fetch!(server), do: server |> fetch() |> Error.bang!()

  @doc """
  The models with that name on this node and on connected ones, in no order.

      iex> [member] = Espalier.Model.members(MyApp.Model)
      iex> {member.node, member.pid} == {node(), Process.whereis(MyApp.Model)}
      true
      iex> Espalier.Model.members(MyApp.NoModel)
      []
  """
  @spec members(name :: term) :: [member]
  def members(name), do: Balancer.members(name)

  @doc "Stops a model. Running generations fail with an `Espalier.ModelError` of kind `:stopped`."
  @spec stop(server) :: :ok | {:error, ModelError.t()}
  def stop(server) do
    with {:ok, model} <- fetch(server) do
      Native.model_stop(model.ref)
      GenServer.stop(model.pid)
    end
  catch
    # Another one stopped it meanwhile.
    :exit, _reason -> {:error, not_running(server)}
  end

  @doc "The token ids of a text. Special tokens that are written in it count as such; none is added."
  @spec encode(server, String.t()) :: {:ok, [non_neg_integer]} | {:error, Exception.t()}
  def encode(server, text) do
    with {:ok, model} <- fetch(server),
         {:ok, packed} <- model.ref |> Native.model_encode(text) |> Error.wrap() do
      {:ok, Packed.unpack(packed)}
    end
  end

  @doc "The text of token ids, without special tokens."
  @spec decode(server, Matcher.tokens()) :: {:ok, String.t()} | {:error, Exception.t()}
  def decode(server, tokens) do
    with {:ok, model} <- fetch(server) do
      model.ref |> Native.model_decode(Packed.pack(tokens)) |> Error.wrap()
    end
  end

  @render_options Conversation.options() ++
                    [
                      add_generation_prompt: [
                        type: :boolean,
                        default: true,
                        doc: "Whether the prompt ends where the model's answer begins."
                      ],
                      now: [
                        type: {:custom, "a NaiveDateTime", &Conversation.time?/1},
                        doc:
                          "What a template that asks for the time is told. The local time if not given."
                      ]
                    ]

  @doc """
  The prompt that asks for the next answer in a conversation, by the model's own chat template.

  Messages are those of `Espalier.generate/3`, or tuples of a role and a content. A model without a template is an
  `Espalier.GenerationError` of kind `:no_chat_template`, and what a template refuses one of kind
  `:invalid_chat_template`.

  A generation asks a model that thinks, see `t:info/0`, not to: the variable `enable_thinking` is false unless it is
  given, and a section that the prompt has begun is closed.

      iex> messages = [%{role: :system, content: "Be brief."}, %{role: :user, content: "Hello"}]
      iex> Espalier.Model.render(MyApp.Model, messages)
      {:ok, "<|user|>Be brief.\\nHello<|assistant|>"}

  ## Options

  #{Options.docs(@render_options)}
  """
  @spec render(server, [map | {role :: String.t(), content :: String.t()}], keyword) ::
          {:ok, String.t()} | {:error, Exception.t()}
  def render(server, messages, options \\ []) do
    with {:ok, options} <- Options.validate(options, @render_options),
         {:ok, model} <- fetch(server),
         {:ok, {:messages, messages}} <- messages(messages),
         {:ok, conversation} <- Conversation.new(messages, options) do
      model.ref |> Native.model_render(conversation) |> Error.wrap()
    end
  end

  defp messages(messages) when is_list(messages) do
    messages
    |> Enum.map(fn
      {role, content} -> %{role: role, content: content}
      message -> message
    end)
    |> Prompt.new()
  end

  defp messages(other), do: Prompt.new(%{messages: other})

  @impl true
  def init({options, hub}) do
    with {:ok, path} <- path(options, hub),
         {:ok, model} <- load(path, options) do
      {:ok, _registry} = Registry.register(@registry, self(), model)
      Group.join(options[:name])
      tell_later()
      {:ok, Meter.new(model.ref, model.name)}
    else
      {:error, error} -> {:stop, error}
    end
  end

  defp path(options, hub) do
    case options[:repository] do
      nil -> {:ok, options[:path]}
      repository -> Hub.download(repository, hub)
    end
  end

  @impl true
  def handle_info(:tell, meter) do
    tell_later()
    {:noreply, Meter.tell(meter)}
  end

  def handle_info(_not_ours, meter), do: {:noreply, meter}

  @impl true
  def terminate(_reason, meter), do: Meter.tell(meter)

  defp tell_later, do: Process.send_after(self(), :tell, @tell_milliseconds)

  defp load(path, options) do
    metadata = fn -> %{model: options[:name], path: path} end

    {kind, index} = device = device(options[:device])

    native_options = %{
      device: {kind, at_once(index)},
      max_batch_size: at_once(options[:max_batch_size]),
      n_threads: options[:n_threads],
      quantization: options[:quantization],
      max_kv_cache_bytes: options[:max_kv_cache_bytes] && at_once(options[:max_kv_cache_bytes])
    }

    load = fn ->
      case path |> Native.model_load(native_options) |> Error.wrap() do
        {:ok, ref} -> {:ok, new(ref, options)}
        {:error, error} -> {:error, advise(error, device)}
      end
    end

    Telemetry.span(:model_load, metadata, load, &loaded/1)
  end

  defp device({_kind, _index} = device), do: device
  defp device(kind), do: {kind, 0}

  defp advise(%ModelError{kind: :device_unavailable} = error, {kind, _index}) do
    if Atom.to_string(kind) in String.split(error.expected, ", ") do
      error
    else
      advice =
        "compile Espalier with ESPALIER_NIF_FEATURES=#{kind}, or config :espalier, nif_features: [#{inspect(kind)}]"

      %{error | message: error.message <> "; " <> advice}
    end
  end

  defp advise(error, _device), do: error

  # More than there can be make no difference.
  defp at_once(number), do: min(number, 0x7FFFFFFFFFFFFFFF)

  defp loaded(%{info: info}) do
    measurements = %{parameters: info.parameters, vocabulary_size: info.size}
    {measurements, %{architecture: info.architecture}}
  end

  defp new(ref, options) do
    %__MODULE__{
      pid: self(),
      name: options[:name] || self(),
      ref: ref,
      vocabulary: ref |> Native.model_vocabulary() |> Vocabulary.new(),
      info: Native.model_info(ref),
      max_batch_size: options[:max_batch_size]
    }
  end

  defp whereis(server) do
    GenServer.whereis(server)
  rescue
    _no_name in [ArgumentError, FunctionClauseError] -> nil
  end

  defp not_running(server) do
    detail = inspect(server)
    message = "no model is running as #{detail}"
    %ModelError{kind: :not_running, message: message, detail: detail}
  end
end
