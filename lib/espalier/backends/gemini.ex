defmodule Espalier.Backends.Gemini do
  @moduledoc """
  The backend for Google's Gemini API.

  The model is the `:model` of `Espalier.generate/3`, a text:

      iex> Espalier.generate([name: :string, age: :integer], "Ada is 36.",
      ...>   backend: Espalier.Backends.Gemini,
      ...>   model: "gemini-3.5-flash"
      ...> )
      {:ok, %{name: "Ada", age: 36}}

  with a key from the environment variable `GEMINI_API_KEY`. Options are given beside the module,
  `backend: {Espalier.Backends.Gemini, mode: :schema}`, or in the application environment:

      config :espalier, gemini: [api_key: "...", receive_timeout: 30_000]

  ## Modes

    * `:json_schema` - Gemini keeps to the JSON Schema, as far as it knows its keywords
    * `:schema` - for older models: Gemini keeps to a schema of OpenAPI, which can say less. What it can't say is left
      to validation; an `Espalier.SchemaError` tells what can't be put into one at all
    * `:json_object` - Gemini keeps to JSON; the schema is in the prompt, in words
    * `:prompt` - the schema is in the prompt, and that is all

  The value is validated in all of them. A choice and a regular expression are sent as a text within an object, which
  is taken out again.

  ## Thinking

  What a model thinks counts among `:max_tokens`. One that thinks by default may spend them all before it writes:
  allow more, or ask for less with `:thinking`.

  ## Sampling

  What was not given of `Espalier.Sampling` is not sent, so Gemini's defaults hold. `:min_p`, `:repetition_penalty` and
  a `:seed` of more than 31 bits have no field there: they are an `Espalier.OptionsError`.

  ## Options

  """

  @behaviour Espalier.Backend
  @behaviour Espalier.Hosted.Provider

  alias Espalier.Backends.Gemini.Answer
  alias Espalier.Backends.Gemini.Contents
  alias Espalier.Backends.Gemini.OpenAPI
  alias Espalier.Hosted
  alias Espalier.Hosted.Call
  alias Espalier.Hosted.RequestFields
  alias Espalier.Hosted.Shape
  alias Espalier.Profile

  @options [
    mode: [
      type: {:in, [:json_schema, :schema, :json_object, :prompt]},
      default: :json_schema,
      doc: "What makes the model keep to the schema."
    ],
    thinking: [
      type: {:or, [{:in, [:minimal, :low, :medium, :high]}, :non_neg_integer]},
      doc: """
      How much a model thinks: a level for Gemini 3 and later, the most tokens for earlier models. 0 turns it off \
      where the model allows that. The model's own default if not given.\
      """
    ]
  ]

  # https://github.com/googleapis/python-genai, google/genai/models.py, August 2026
  @sampling %{
    temperature: "temperature",
    top_p: "topP",
    top_k: "topK",
    presence_penalty: "presencePenalty",
    frequency_penalty: "frequencyPenalty",
    stop: "stopSequences",
    seed: "seed"
  }

  # The field is an int32.
  @most_seed 0x7FFFFFFF

  @impl Espalier.Backend
  def stream(request), do: Hosted.stream(__MODULE__, request)

  @impl Espalier.Backend
  def secrets, do: Hosted.secrets()

  @impl Espalier.Backend
  def profile(options) do
    Profile.fetch!(
      case Hosted.option(:gemini, options, :mode, @options[:mode][:default]) do
        :json_schema -> :gemini_json_schema
        :schema -> :gemini_schema
        _other -> :none
      end
    )
  end

  @impl Espalier.Hosted.Provider
  def name(_options), do: :gemini

  @impl Espalier.Hosted.Provider
  def options, do: @options

  @impl Espalier.Hosted.Provider
  def defaults(_name), do: [base_url: "https://generativelanguage.googleapis.com/v1beta"]

  @impl Espalier.Hosted.Provider
  def key_variable(_name), do: "GEMINI_API_KEY"

  @impl Espalier.Hosted.Provider
  def call(request, options) do
    with {:ok, model} <- RequestFields.model(request),
         {:ok, sampling} <- RequestFields.sampling(request, :gemini, @sampling, @most_seed),
         {:ok, shape} <- shape(request, options[:mode]),
         {:ok, format} <- format(options[:mode], shape.schema) do
      config =
        %{"maxOutputTokens" => request.max_tokens}
        |> Map.merge(sampling)
        |> Map.merge(thinking(options[:thinking]))
        |> Map.merge(format)

      body =
        request.prompt |> Contents.new(shape.instruction) |> Map.put("generationConfig", config)

      {:ok,
       %Call{
         provider: :gemini,
         url: url(options[:base_url], model, request.streamed),
         # A key in the URL would be in logs.
         headers: [{"x-goog-api-key", options[:api_key]}],
         body: body,
         framing: if(request.streamed, do: :sse, else: :json),
         shape: shape,
         state: %Answer{}
       }}
    end
  end

  @impl Espalier.Hosted.Provider
  defdelegate read(part, state), to: Answer

  @impl Espalier.Hosted.Provider
  defdelegate fault(json), to: Answer

  # A tuned model has a path of its own, `tunedModels/NAME`.
  defp url(base_url, model, streamed?) do
    path = if model =~ "/", do: model, else: "models/" <> model
    path = URI.encode(path, &(&1 == ?/ or URI.char_unreserved?(&1)))
    method = if streamed?, do: "streamGenerateContent?alt=sse", else: "generateContent"
    "#{base_url}/#{path}:#{method}"
  end

  defp thinking(nil), do: %{}
  defp thinking(tokens) when is_integer(tokens), do: thinking_config("thinkingBudget", tokens)

  defp thinking(level),
    do: thinking_config("thinkingLevel", level |> Atom.to_string() |> String.upcase())

  defp thinking_config(field, value), do: %{"thinkingConfig" => %{field => value}}

  defp shape(request, :prompt), do: Shape.told(request)
  defp shape(request, :json_object), do: Shape.new(request, :none)
  defp shape(request, :json_schema), do: Shape.new(request, :gemini_json_schema)
  defp shape(request, :schema), do: Shape.new(request, :gemini_schema)

  defp format(:prompt, _schema), do: {:ok, %{}}
  defp format(:json_object, _schema), do: json(%{})
  defp format(:json_schema, schema), do: json(%{"responseJsonSchema" => schema})

  defp format(:schema, schema) do
    with {:ok, schema} <- OpenAPI.schema(schema), do: json(%{"responseSchema" => schema})
  end

  defp json(fields), do: {:ok, Map.put(fields, "responseMimeType", "application/json")}

  @moduledoc @moduledoc <> Espalier.Options.docs(Espalier.Hosted.options(@options))
end
