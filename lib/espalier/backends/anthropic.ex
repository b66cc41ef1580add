defmodule Espalier.Backends.Anthropic do
  @moduledoc """
  The backend for Anthropic's Messages API.

  The model is the `:model` of `Espalier.generate/3`, a text:

      iex> Espalier.generate([name: :string, age: :integer], "Ada is 36.",
      ...>   backend: Espalier.Backends.Anthropic,
      ...>   model: "claude-haiku-4-5"
      ...> )
      {:ok, %{name: "Ada", age: 36}}

  with a key from the environment variable `ANTHROPIC_API_KEY`. Options are given beside the module,
  `backend: {Espalier.Backends.Anthropic, mode: :tool}`, or in the application environment:

      config :espalier, anthropic: [api_key: "...", receive_timeout: 30_000]

  ## Modes

    * `:json_schema` - the provider keeps to the schema (structured outputs)
    * `:tool` - a call of a tool, whose input is the value, is demanded: for models without structured outputs
    * `:strict_tool` - that, and the provider keeps to the schema
    * `:prompt` - the schema is in the prompt, in words, and that is all

  The value is validated in all of them. What is no object, a choice or a regular expression is asked for within an
  object, and taken out again.

  ## Messages

  System messages go where the provider has its place for them, before all others, and messages of the same role
  that follow each other become one.

  ## Sampling

  What was not given of `Espalier.Sampling` is not sent, so the provider's defaults hold. It has fields for
  `:temperature` (up to 1), `:top_p` and `:top_k`, which its newer models refuse, and for `:stop`. Anything else that was
  given is an `Espalier.OptionsError`, unless it is the value that changes nothing.

  The version of the API is 2023-06-01. Another one is a header,
  `headers: [{"anthropic-version", "2026-10-21"}]`.

  ## Thinking

  What a model thinks counts among its `:max_tokens`, and is no part of the text. If it is to think, raise those from
  their default.

  ## Options

  """

  @behaviour Espalier.Backend
  @behaviour Espalier.Hosted.Provider

  alias Espalier.Backends.Anthropic.Answer
  alias Espalier.Backends.Anthropic.Fault
  alias Espalier.Backends.Anthropic.Messages
  alias Espalier.Hosted
  alias Espalier.Hosted.Call
  alias Espalier.Hosted.RequestFields
  alias Espalier.Hosted.Shape
  alias Espalier.OptionsError
  alias Espalier.Profile
  alias Espalier.Sampling

  # 2026-10-21 is there too, and refuses all sampling, which older models still take.
  # (https://platform.claude.com/docs/en/api/versioning, as of November 2026)
  @version "2023-06-01"

  @tool "answer"
  @sampling %{
    temperature: "temperature",
    top_p: "top_p",
    top_k: "top_k",
    stop: "stop_sequences"
  }

  @options [
    mode: [
      type: {:in, [:json_schema, :tool, :strict_tool, :prompt]},
      default: :json_schema,
      doc: "What makes the model keep to the schema."
    ],
    thinking: [
      type: {:or, [{:in, [:adaptive, :disabled]}, {:tuple, [{:in, [:budget]}, :pos_integer]}]},
      doc: """
      Whether the model thinks first: as much as it sees fit, not at all, or with a budget of tokens, which is at \
      least 1024 and below `:max_tokens`. Each model takes only some of these, and with thinking no tool may be \
      demanded. The model's own way if not given.\
      """
    ],
    effort: [
      type: {:in, [:low, :medium, :high, :xhigh, :max]},
      doc: "How much work the model puts into thinking and writing, if it has such levels."
    ],
    betas: [
      type: {:list, :string},
      default: [],
      doc: "Names of beta features to turn on."
    ]
  ]

  @impl Espalier.Backend
  def stream(request), do: Hosted.stream(__MODULE__, request)

  @impl Espalier.Backend
  def secrets, do: Hosted.secrets()

  @impl Espalier.Backend
  def profile(options) do
    mode = Hosted.option(:anthropic, options, :mode, @options[:mode][:default])
    Profile.fetch!(profile_name(mode))
  end

  defp profile_name(:json_schema), do: :anthropic
  defp profile_name(:strict_tool), do: :anthropic_strict_tool
  defp profile_name(_mode), do: :none

  @impl Espalier.Hosted.Provider
  def name(_options), do: :anthropic

  @impl Espalier.Hosted.Provider
  def options, do: @options

  @impl Espalier.Hosted.Provider
  def defaults(_name), do: [base_url: "https://api.anthropic.com"]

  @impl Espalier.Hosted.Provider
  def key_variable(_name), do: "ANTHROPIC_API_KEY"

  @impl Espalier.Hosted.Provider
  def call(request, options) do
    with {:ok, model} <- RequestFields.model(request),
         {:ok, sampling} <- sampling(request.sampling_options),
         {:ok, shape} <- shape(request, options[:mode]),
         {:ok, messages} <- Messages.fields(request.prompt, shape.instruction) do
      streamed? = streamed?(request, options[:mode])

      body =
        %{"model" => model, "max_tokens" => request.max_tokens}
        |> Map.merge(messages)
        |> Map.merge(sampling)
        |> Map.merge(fields(options[:mode], shape.schema))
        |> Map.merge(thinking(options[:thinking]))
        |> put_effort(options[:effort])
        |> Map.merge(if streamed?, do: %{"stream" => true}, else: %{})

      {:ok,
       %Call{
         provider: :anthropic,
         url: options[:base_url] <> "/v1/messages",
         headers: headers(options),
         body: body,
         framing: if(streamed?, do: :sse, else: :json),
         shape: shape,
         state: Answer.new(options[:mode])
       }}
    end
  end

  @impl Espalier.Hosted.Provider
  defdelegate read(part, state), to: Answer

  @impl Espalier.Hosted.Provider
  defdelegate fault(json), to: Fault

  # A whole answer has a tool's input as JSON and not as a text: decimals would lose digits.
  defp streamed?(request, mode), do: request.streamed or mode in [:tool, :strict_tool]

  defp headers(options) do
    betas =
      if options[:betas] == [],
        do: [],
        else: [{"anthropic-beta", Enum.join(options[:betas], ",")}]

    [{"x-api-key", options[:api_key]}, {"anthropic-version", @version} | betas]
  end

  defp sampling(given) do
    case Enum.find(given, fn {option, value} -> not taken?(option, value) end) do
      nil ->
        fields = for {option, value} <- given, name = @sampling[option], do: {name, value}
        {:ok, Map.new(fields)}

      {:temperature, value} ->
        expected = "number from 0 to 1"
        error = %OptionsError{kind: :invalid, provider: :anthropic, option: :temperature}
        {:error, %{error | expected: expected, got: value}}

      {option, value} ->
        {:error, Hosted.unsupported(:anthropic, option, value)}
    end
  end

  defp taken?(:temperature, value), do: value <= 1
  defp taken?(option, _value) when is_map_key(@sampling, option), do: true
  defp taken?(option, value), do: value == Sampling.options()[option][:default]

  defp thinking(nil), do: %{}

  defp thinking({:budget, budget}),
    do: %{"thinking" => %{"type" => "enabled", "budget_tokens" => budget}}

  defp thinking(type), do: %{"thinking" => %{"type" => type}}

  defp put_effort(body, nil), do: body

  defp put_effort(body, effort) do
    output = Map.get(body, "output_config", %{})
    Map.put(body, "output_config", Map.put(output, "effort", effort))
  end

  defp shape(request, :prompt), do: Shape.told(request)

  # That a root other than an object is taken is stated nowhere.
  defp shape(request, mode), do: Shape.new(request, profile_name(mode), root: :object)

  defp fields(:prompt, nil), do: %{}

  defp fields(:json_schema, schema),
    do: %{"output_config" => %{"format" => %{"type" => "json_schema", "schema" => schema}}}

  defp fields(:tool, schema) do
    description = "Takes the answer as its input."

    %{
      "tools" => [%{"name" => @tool, "description" => description, "input_schema" => schema}],
      "tool_choice" => %{"type" => "tool", "name" => @tool, "disable_parallel_tool_use" => true}
    }
  end

  defp fields(:strict_tool, schema) do
    %{"tools" => [tool]} = fields = fields(:tool, schema)
    %{fields | "tools" => [Map.put(tool, "strict", true)]}
  end

  @moduledoc @moduledoc <> Espalier.Options.docs(Espalier.Hosted.options(@options))
end
