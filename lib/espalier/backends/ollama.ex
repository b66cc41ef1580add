defmodule Espalier.Backends.Ollama do
  @moduledoc """
  The backend for models that Ollama serves, on this machine or another.

  The model is the `:model` of `Espalier.generate/3`, a name as in `ollama list`:

      iex> Espalier.generate([name: :string, age: :integer], "Ada is 36.",
      ...>   backend: Espalier.Backends.Ollama,
      ...>   model: "llama3.2"
      ...> )
      {:ok, %{name: "Ada", age: 36}}

  No key is needed. Options are given beside the module, `backend: {Espalier.Backends.Ollama, num_ctx: 16_384}`, or in
  the application environment:

      config :espalier, ollama: [base_url: "http://gpu.local:11434", keep_alive: "30m"]

  With an `:api_key` it goes to Ollama's cloud or to a proxy that wants one.

  ## Modes

    * `:json_schema` - the server keeps to the schema, with the grammar that it makes of it. Its cloud does not
    * `:json_object` - the server keeps to JSON
    * `:prompt` - only the prompt says what to write

  The model isn't told by the server what it has to keep to, so the schema is put into the prompt as well, see
  `:schema_in_prompt`. The value is validated in all modes. A choice and a regular expression are sent as a text within
  an object, which is taken out again.

  ## Limits

  A prompt that is longer than the context is an error, and not cut in silence: `:num_ctx` makes the context longer.
  What a model thinks counts among `:max_tokens`, and models that can think do: allow more, or turn it off with
  `think: false`.

  ## Sampling

  What was not given of `Espalier.Sampling` is not sent, so the defaults of the model hold. A `:seed` of more than 32
  bits is an `Espalier.OptionsError`.

  ## Options

  """

  @behaviour Espalier.Backend
  @behaviour Espalier.Hosted.Provider

  alias Espalier.Backends.Ollama.Answer
  alias Espalier.Backends.Ollama.Messages
  alias Espalier.Hosted
  alias Espalier.Hosted.Call
  alias Espalier.Hosted.RequestFields
  alias Espalier.Hosted.Shape
  alias Espalier.Profile

  @options [
    mode: [
      type: {:in, [:json_schema, :json_object, :prompt]},
      default: :json_schema,
      doc: "What makes the model keep to the schema."
    ],
    schema_in_prompt: [
      type: :boolean,
      default: true,
      doc: """
      Whether the schema is put into the prompt, in words: after the first system message, or after the first of the \
      user where there is none, so that a system prompt of the model itself stays.\
      """
    ],
    think: [
      type: {:in, [true, false, :low, :medium, :high, :max]},
      doc: "Whether a model thinks before it writes, or how much. As the model does if not given."
    ],
    keep_alive: [
      type: {:or, [:integer, :string]},
      doc: """
      How long the model stays loaded after the request: seconds, forever if negative, or a text with a unit, as \
      `"10m"`. What the server was told if not given.\
      """
    ],
    num_ctx: [
      type: :pos_integer,
      doc: "The most tokens of prompt and answer together. The server's default if not given."
    ]
  ]

  # https://github.com/ollama/ollama/blob/main/api/types.go, August 2026
  @sampling %{
    temperature: "temperature",
    top_k: "top_k",
    top_p: "top_p",
    min_p: "min_p",
    typical_p: "typical_p",
    repetition_penalty: "repeat_penalty",
    presence_penalty: "presence_penalty",
    frequency_penalty: "frequency_penalty",
    stop: "stop",
    seed: "seed"
  }

  # llama.cpp has 32 bits for it, and the greatest number means a random one.
  @most_seed 0xFFFFFFFE

  @impl Espalier.Backend
  def stream(request), do: Hosted.stream(__MODULE__, request)

  @impl Espalier.Backend
  def secrets, do: Hosted.secrets()

  @impl Espalier.Backend
  def profile(options) do
    mode = Hosted.option(:ollama, options, :mode, @options[:mode][:default])
    Profile.fetch!(if mode == :json_schema, do: :ollama, else: :none)
  end

  @impl Espalier.Hosted.Provider
  def name(_options), do: :ollama

  @impl Espalier.Hosted.Provider
  def options, do: @options

  @impl Espalier.Hosted.Provider
  def defaults(_name), do: [base_url: "http://localhost:11434"]

  @impl Espalier.Hosted.Provider
  def key_variable(_name), do: nil

  @impl Espalier.Hosted.Provider
  def call(request, options) do
    with {:ok, model} <- RequestFields.model(request),
         {:ok, sampling} <- RequestFields.sampling(request, :ollama, @sampling, @most_seed),
         {:ok, shape} <- shape(request, options[:mode]),
         instruction = if(options[:schema_in_prompt], do: shape.instruction),
         {:ok, messages} <- Messages.new(request.prompt, instruction) do
      body = %{
        "model" => model,
        "messages" => messages,
        "stream" => request.streamed,
        # Whether messages that don't fit into the context are left out.
        "truncate" => false,
        "options" => Map.merge(sampling, limits(request, options))
      }

      {:ok,
       %Call{
         provider: :ollama,
         url: options[:base_url] <> "/api/chat",
         headers: RequestFields.bearer(options[:api_key]),
         body:
           body
           |> Map.merge(format(options[:mode], shape.schema))
           |> Map.merge(given(options, [:think, :keep_alive])),
         framing: if(request.streamed, do: :ndjson, else: :json),
         shape: shape
       }}
    end
  end

  @impl Espalier.Hosted.Provider
  defdelegate read(part, state), to: Answer

  @impl Espalier.Hosted.Provider
  defdelegate fault(json), to: Answer

  defp limits(request, options),
    do: options |> given([:num_ctx]) |> Map.put("num_predict", request.max_tokens)

  defp given(options, names) do
    for {name, value} <- Keyword.take(options, names), into: %{}, do: {to_string(name), value}
  end

  defp shape(request, :prompt), do: Shape.told(request)
  defp shape(request, :json_object), do: Shape.new(request, :none)
  defp shape(request, :json_schema), do: Shape.new(request, :ollama, told: true)

  defp format(:prompt, _schema), do: %{}
  defp format(:json_object, _schema), do: %{"format" => "json"}
  defp format(:json_schema, schema), do: %{"format" => schema}

  @moduledoc @moduledoc <> Espalier.Options.docs(Espalier.Hosted.options(@options))
end
