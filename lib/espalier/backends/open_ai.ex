defmodule Espalier.Backends.OpenAI do
  @moduledoc """
  The backend for OpenAI's Chat Completions, and for whoever speaks that protocol.

  The model is the `:model` of `Espalier.generate/3`, a text:

      iex> Espalier.generate([name: :string, age: :integer], "Ada is 36.",
      ...>   backend: Espalier.Backends.OpenAI,
      ...>   model: "gpt-4.1-mini"
      ...> )
      {:ok, %{name: "Ada", age: 36}}

  with a key from the environment variable `OPENAI_API_KEY`. Options are given beside the module,
  `backend: {Espalier.Backends.OpenAI, dialect: :groq}`, or in the application environment under the name of the
  dialect:

      config :espalier, openai: [api_key: "...", receive_timeout: 30_000]

  ## Dialects

  | dialect | who | key |
  | --- | --- | --- |
  | `:openai` | OpenAI | `OPENAI_API_KEY` |
  | `:azure` | Azure, at the `:base_url` of a resource, `https://NAME.openai.azure.com/openai/v1`; with an `:api_version` it is `https://NAME.openai.azure.com`, and the model the name of a deployment | `AZURE_OPENAI_API_KEY` |
  | `:groq`, `:mistral`, `:openrouter` | these providers | `GROQ_API_KEY`, `MISTRAL_API_KEY`, `OPENROUTER_API_KEY` |
  | `:vllm`, `:sglang`, `:llama_cpp` | servers of one's own, on this machine if there is no `:base_url` | none needed |
  | `:llama_cpp_python` | the server of llama-cpp-python, which is another than llama.cpp's own | none needed |
  | `:vllm_guided` | vLLM before 0.12 | none needed |
  | `:compatible` | any other, at a `:base_url` | none needed |

  ## Modes

    * `:json_schema` - the provider keeps to the schema, with `strict`
    * `:tool` - a call of a function, whose arguments are the value, is demanded
    * `:json_object` - the provider keeps to JSON; the schema is in the prompt, in words
    * `:prompt` - the schema is in the prompt, and that is all
    * `:grammar` at OpenAI and Azure - a call of a tool is demanded, whose text the provider holds to a regular
      expression or a grammar: for `{:regex, source}`, `{:choice, list}` and `{:grammar, text}` in Lark, with models from
      GPT-5 on. What they can't have is in `Espalier.Backends.OpenAIResponses`
    * `:grammar` at vLLM, SGLang and llama.cpp - the server keeps to a grammar that is made of the schema, whatever that
      is, see `Espalier.Constraint.to_gbnf/2`. So it keeps to all keywords, and to those that its own way to read schemas
      leaves out. The schema is in the prompt, too

  The value is validated in all of them. But for `:prompt` and `:grammar`, a choice, a regular expression and a grammar in GBNF are
  sent to vLLM, SGLang and llama.cpp as such, if the server has a field for it; to others a choice and an expression
  are sent as a text within an object, which is taken out again, and a grammar is an `Espalier.SchemaError` of the kind
  `:unsupported_by_provider`.

  ## Sampling

  What was not given of `Espalier.Sampling` is not sent, so the provider's defaults hold. What was given and has no
  field there is an `Espalier.OptionsError`, unless it is the value that changes nothing.

  ## Options

  """

  @behaviour Espalier.Backend
  @behaviour Espalier.Hosted.Provider

  alias Espalier.Backends.OpenAI.Access
  alias Espalier.Backends.OpenAI.Answer
  alias Espalier.Backends.OpenAI.Dialect
  alias Espalier.Backends.OpenAI.Grammar
  alias Espalier.Hosted
  alias Espalier.Hosted.Call
  alias Espalier.Hosted.RequestFields
  alias Espalier.Hosted.Shape
  alias Espalier.Image
  alias Espalier.Profile
  alias Espalier.Prompt

  @options [
             mode: [
               type: {:in, [:json_schema, :tool, :json_object, :prompt, :grammar]},
               default: :json_schema,
               doc: "What makes the model keep to the schema."
             ]
           ] ++ Access.options(Dialect.names())

  @impl Espalier.Backend
  def stream(request), do: Hosted.stream(__MODULE__, request)

  @impl Espalier.Backend
  def secrets, do: Hosted.secrets()

  @impl Espalier.Backend
  def profile(options) do
    name = name(options)
    dialect = Dialect.fetch!(name)

    case Hosted.option(name, options, :mode, @options[:mode][:default]) do
      mode when mode in [:json_schema, :tool] -> Profile.fetch!(dialect.profile)
      :grammar when dialect.text != nil -> Profile.fetch!(:gbnf)
      _other -> Profile.fetch!(:none)
    end
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
    dialect = Dialect.fetch!(options[:dialect])

    with {:ok, model} <- RequestFields.model(request),
         {:ok, url} <- Access.url(options, "/chat/completions", deployment_path(model)),
         {:ok, sampling} <-
           RequestFields.sampling(request, options[:dialect], dialect.sampling),
         {:ok, fields, shape} <- shape(request, dialect, options) do
      body =
        %{"model" => model, dialect.limit => request.max_tokens}
        |> Map.merge(dialect.more)
        |> Map.merge(sampling)
        |> Map.put(
          "messages",
          request.prompt |> Prompt.instructed(shape.instruction) |> messages()
        )
        |> Map.merge(fields)
        |> Map.merge(streaming(request, dialect))

      {:ok,
       %Call{
         provider: options[:dialect],
         url: url,
         headers: Access.headers(options),
         body: body,
         framing: if(request.streamed, do: :sse, else: :json),
         shape: shape,
         state: %Answer{
           provider: options[:dialect],
           max_tokens: request.max_tokens,
           call?: options[:mode] == :grammar and dialect.custom_tools?
         }
       }}
    end
  end

  @impl Espalier.Hosted.Provider
  defdelegate read(part, state), to: Answer

  @impl Espalier.Hosted.Provider
  defdelegate fault(json), to: Answer

  defp deployment_path(model) do
    deployment = URI.encode(model, &URI.char_unreserved?/1)
    "/openai/deployments/#{deployment}/chat/completions"
  end

  defp streaming(%{streamed: false}, _dialect), do: %{}
  defp streaming(_request, %{stream_usage?: false}), do: %{"stream" => true}

  defp streaming(_request, _dialect),
    do: %{"stream" => true, "stream_options" => %{"include_usage" => true}}

  # The fields that make the value's shape known, and that.
  defp shape(request, dialect, options) do
    case {options[:mode], dialect} do
      {:grammar, %{custom_tools?: true}} -> grammar(request, options[:dialect])
      {:grammar, %{text: nil}} -> {:error, Hosted.unsupported(options[:dialect], :mode, :grammar)}
      {:grammar, dialect} -> gbnf(request, dialect)
      {:json_schema, dialect} -> json_schema(request, dialect)
      {mode, dialect} -> mode_shape(request, dialect, mode)
    end
  end

  defp json_schema(request, dialect) do
    case Dialect.text_fields(dialect, request.schema) do
      nil -> mode_shape(request, dialect, :json_schema)
      fields -> {:ok, fields, Shape.named(request)}
    end
  end

  defp grammar(request, provider) do
    with {:ok, grammar} <- Grammar.tool(request.schema, provider) do
      shape = Shape.named(request)
      {:ok, grammar_fields(shape.name, grammar), shape}
    end
  end

  defp gbnf(request, dialect) do
    with {:ok, gbnf} <- Profile.Grammar.gbnf(request.schema, request.text_options),
         {:ok, shape} <- Shape.told(request),
         do: {:ok, Dialect.grammar_fields(dialect, gbnf), shape}
  end

  # https://github.com/openai/openai-python, `types/chat/chat_completion_custom_tool_param.py`, as of August 2026:
  # there is one level more than in the Responses API.
  defp grammar_fields(name, grammar) do
    definition = %{"syntax" => grammar.syntax, "definition" => grammar.definition}
    tool = %{"name" => name, "description" => grammar.description}
    tool = Map.put(tool, "format", %{"type" => "grammar", "grammar" => definition})

    %{
      "tools" => [%{"type" => "custom", "custom" => tool}],
      "tool_choice" => %{"type" => "custom", "custom" => %{"name" => name}},
      "parallel_tool_calls" => false
    }
  end

  defp mode_shape(request, dialect, mode) do
    with {:ok, shape} <- new_shape(request, dialect, mode),
         do: {:ok, fields(mode, shape, dialect), shape}
  end

  defp new_shape(request, _dialect, :prompt), do: Shape.told(request)

  defp new_shape(request, _dialect, :json_object),
    do: Shape.new(request, :none, root: :object)

  defp new_shape(request, dialect, :json_schema), do: Shape.new(request, dialect.profile)
  defp new_shape(request, dialect, :tool), do: Shape.new(request, dialect.profile, root: :object)

  defp fields(:json_schema, shape, dialect),
    do: %{"response_format" => Dialect.response_format(dialect, shape.name, shape.schema)}

  defp fields(:tool, shape, dialect) do
    function = %{"name" => shape.name, "strict" => true, "parameters" => shape.schema}

    %{
      "tools" => [%{"type" => "function", "function" => function}],
      "tool_choice" => tool_choice(dialect, shape.name)
    }
  end

  defp fields(:json_object, _shape, _dialect),
    do: %{"response_format" => %{"type" => "json_object"}}

  defp fields(:prompt, _shape, _dialect), do: %{}

  defp tool_choice(%{tool_choice: :required}, _name), do: "required"

  defp tool_choice(_dialect, name),
    do: %{"type" => "function", "function" => %{"name" => name}}

  defp messages({:text, text}), do: [message("user", text)]
  defp messages({:messages, messages}), do: for({role, text} <- messages, do: message(role, text))

  defp message(role, content), do: %{"role" => role, "content" => content(content)}

  defp content(text) when is_binary(text), do: text
  defp content(parts), do: Enum.map(parts, &part/1)

  defp part(%Image{} = image),
    do: %{"type" => "image_url", "image_url" => %{"url" => Image.to_url(image)}}

  defp part(text), do: %{"type" => "text", "text" => text}

  @moduledoc @moduledoc <> Espalier.Options.docs(Espalier.Hosted.options(@options))
end
