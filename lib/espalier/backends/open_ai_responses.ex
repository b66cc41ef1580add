defmodule Espalier.Backends.OpenAIResponses do
  @moduledoc """
  The backend for OpenAI's Responses API, which its reasoning models are made for.

  The model is the `:model` of `Espalier.generate/3`, a text:

      iex> Espalier.generate([name: :string, age: :integer], "Ada is 36.",
      ...>   backend: {Espalier.Backends.OpenAIResponses, reasoning_effort: :low},
      ...>   model: "gpt-5-mini"
      ...> )
      {:ok, %{name: "Ada", age: 36}}

  with a key from the environment variable `OPENAI_API_KEY`. Options are given beside the module as here, or in
  the application environment under the name of the dialect, which is that of `Espalier.Backends.OpenAI`, too:

      config :espalier, openai: [api_key: "...", receive_timeout: 30_000]

  OpenAI does not keep what it is sent for later calls unless `store: true` asks for that. The tokens of reasoning
  count among the `:max_tokens`: where these were used up before the value, it is cut off.

  ## Dialects

  | dialect | who | key |
  | --- | --- | --- |
  | `:openai` | OpenAI | `OPENAI_API_KEY` |
  | `:azure` | Azure, at the `:base_url` of a resource, `https://NAME.openai.azure.com/openai/v1`; with an `:api_version` it is `https://NAME.openai.azure.com` | `AZURE_OPENAI_API_KEY` |
  | `:compatible` | any other, at a `:base_url` | none needed |

  ## Modes

    * `:json_schema` - the provider keeps to the schema, with `strict`
    * `:tool` - a call of a function, whose arguments are the value, is demanded
    * `:json_object` - the provider keeps to JSON; the schema is in the prompt, in words
    * `:prompt` - the schema is in the prompt, and that is all
    * `:grammar` - a call of a tool is demanded, whose text the provider holds to a regular expression or a
      grammar

  The value is validated in all of them. But for the last two, a choice and a regular expression are asked for as a text
  within an object, which is taken out again.

  ## Grammars

  With `mode: :grammar` the text of `{:regex, source}`, `{:choice, list}` and `{:grammar, text}` is what the model
  writes, without an object around it:

      Espalier.generate({:regex, "[A-Z]{3}-[0-9]{4}"}, "Make up a ticket number.",
        backend: {Espalier.Backends.OpenAIResponses, mode: :grammar},
        model: "gpt-5-mini"
      )

  Models from GPT-5 on have such tools. Their expressions are in the syntax of Espalier's own, but for

    * lazy quantifiers (`a*?`, and the flag `U`): the greedy ones match the same, as the whole text has to match
    * word boundaries (`\\b`), and anchors anywhere but at the ends of the whole expression or of its alternatives
    * verbose mode, the flag `x`

  An expression with one of these is an `Espalier.SchemaError` of the kind `:unsupported_regex`, and is not sent; the
  mode `:json_schema` may take it. One that is too complex for OpenAI is an `Espalier.ProviderError` of the kind
  `:invalid_request`. So is a grammar with what OpenAI's Lark does not have: templates, `%json`, `%override` and
  `%extend`. Schemas of JSON, and grammars in GBNF or with another start than `start`, are an `Espalier.OptionsError` in this mode.

  ## Sampling

  The API has `:temperature` and `:top_p`, which reasoning models do not take. What was not given is not sent. What
  was given and has no field there is an `Espalier.OptionsError`, unless it is the value that changes nothing.

  ## Options

  """

  @behaviour Espalier.Backend
  @behaviour Espalier.Hosted.Provider

  alias Espalier.Backends.OpenAI.Access
  alias Espalier.Backends.OpenAI.Dialect
  alias Espalier.Backends.OpenAI.Grammar
  alias Espalier.Backends.OpenAIResponses.Answer
  alias Espalier.Hosted
  alias Espalier.Hosted.Call
  alias Espalier.Hosted.RequestFields
  alias Espalier.Hosted.Shape
  alias Espalier.Image
  alias Espalier.Profile
  alias Espalier.Prompt

  # https://platform.openai.com/docs/api-reference/responses/create, as of November 2026.
  @sampling [:temperature, :top_p]
  @efforts [:none, :minimal, :low, :medium, :high, :xhigh, :max]

  @options [
             mode: [
               type: {:in, [:json_schema, :tool, :json_object, :prompt, :grammar]},
               default: :json_schema,
               doc: "What makes the model keep to the schema."
             ],
             reasoning_effort: [
               type: {:in, @efforts},
               doc: """
               How much the model reasons before it answers. Which of these a model takes is in OpenAI's \
               documentation of it; its own default if not given.\
               """
             ],
             store: [
               type: :boolean,
               default: false,
               doc: "Whether the provider keeps the answer, where it can be looked up afterwards."
             ]
           ] ++ Access.options([:openai, :azure, :compatible])

  @impl Espalier.Backend
  def stream(request), do: Hosted.stream(__MODULE__, request)

  @impl Espalier.Backend
  def secrets, do: Hosted.secrets()

  @impl Espalier.Backend
  def profile(options) do
    mode = Hosted.option(name(options), options, :mode, @options[:mode][:default])
    Profile.fetch!(if mode in [:json_schema, :tool], do: :open_ai_strict, else: :none)
  end

  @impl Espalier.Hosted.Provider
  defdelegate name(options), to: Access

  @impl Espalier.Hosted.Provider
  def options, do: @options

  @impl Espalier.Hosted.Provider
  defdelegate defaults(name), to: Access

  @impl Espalier.Hosted.Provider
  defdelegate key_variable(name), to: Access

  @impl Espalier.Hosted.Provider
  def call(request, options) do
    sampling_fields = Map.take(Dialect.fetch!(options[:dialect]).sampling, @sampling)

    with {:ok, model} <- RequestFields.model(request),
         {:ok, url} <- Access.url(options, "/responses", "/openai/responses"),
         {:ok, sampling} <- RequestFields.sampling(request, options[:dialect], sampling_fields),
         {:ok, fields, shape} <- shape(request, options[:mode], options[:dialect]) do
      prompt = Prompt.instructed(request.prompt, shape.instruction)

      body =
        %{"model" => model, "input" => input(prompt)}
        |> Map.merge(%{"max_output_tokens" => request.max_tokens, "store" => options[:store]})
        |> Map.merge(sampling)
        |> Map.merge(reasoning(options[:reasoning_effort]))
        |> Map.merge(fields)
        |> Map.merge(if request.streamed, do: %{"stream" => true}, else: %{})

      {:ok,
       %Call{
         provider: options[:dialect],
         url: url,
         headers: Access.headers(options),
         body: body,
         framing: if(request.streamed, do: :sse, else: :json),
         shape: shape,
         state: Answer.new(options[:dialect], options[:mode])
       }}
    end
  end

  @impl Espalier.Hosted.Provider
  defdelegate read(part, state), to: Answer

  @impl Espalier.Hosted.Provider
  defdelegate fault(json), to: Answer

  defp reasoning(nil), do: %{}
  defp reasoning(effort), do: %{"reasoning" => %{"effort" => effort}}

  # The fields that make the value's shape known, and that.
  defp shape(request, :grammar, provider) do
    with {:ok, grammar} <- Grammar.tool(request.schema, provider) do
      shape = Shape.named(request)
      {:ok, grammar_fields(shape.name, grammar), shape}
    end
  end

  defp shape(request, mode, _provider) do
    with {:ok, shape} <- new_shape(request, mode), do: {:ok, fields(mode, shape), shape}
  end

  defp new_shape(request, :prompt), do: Shape.told(request)

  defp new_shape(request, :json_object),
    do: Shape.new(request, :none, root: :object)

  defp new_shape(request, _mode), do: Shape.new(request, :open_ai_strict, root: :object)

  defp fields(:json_schema, shape) do
    format = %{"type" => "json_schema", "name" => shape.name, "strict" => true}
    %{"text" => %{"format" => Map.put(format, "schema", shape.schema)}}
  end

  defp fields(:json_object, _shape), do: %{"text" => %{"format" => %{"type" => "json_object"}}}
  defp fields(:prompt, _shape), do: %{}

  defp fields(:tool, shape) do
    choice = %{"type" => "function", "name" => shape.name}
    called(Map.merge(choice, %{"strict" => true, "parameters" => shape.schema}), choice)
  end

  defp grammar_fields(name, grammar) do
    choice = %{"type" => "custom", "name" => name}

    format = %{
      "type" => "grammar",
      "syntax" => grammar.syntax,
      "definition" => grammar.definition
    }

    called(
      Map.merge(choice, %{"description" => grammar.description, "format" => format}),
      choice
    )
  end

  defp called(tool, choice),
    do: %{"tools" => [tool], "tool_choice" => choice, "parallel_tool_calls" => false}

  defp input({:text, text}), do: [item("user", text)]
  defp input({:messages, messages}), do: for({role, content} <- messages, do: item(role, content))

  defp item(role, text) when is_binary(text), do: %{"role" => role, "content" => text}
  defp item(role, parts), do: %{"role" => role, "content" => Enum.map(parts, &part(&1, role))}

  defp part(%Image{} = image, _role),
    do: %{"type" => "input_image", "detail" => "auto", "image_url" => Image.to_url(image)}

  defp part(text, "assistant"), do: %{"type" => "output_text", "text" => text}
  defp part(text, _role), do: %{"type" => "input_text", "text" => text}

  @moduledoc @moduledoc <> Espalier.Options.docs(Espalier.Hosted.options(@options))
end
