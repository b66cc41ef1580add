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
  | `:vllm_guided` | vLLM before 0.12 | none needed |
  | `:compatible` | any other, at a `:base_url` | none needed |

  ## Modes

    * `:json_schema` - the provider keeps to the schema, with `strict`
    * `:tool` - a call of a function, whose arguments are the value, is demanded
    * `:json_object` - the provider keeps to JSON; the schema is in the prompt, in words
    * `:prompt` - the schema is in the prompt, and that is all

  The value is validated in all of them. A choice and a regular expression are sent to vLLM, SGLang and llama.cpp
  as such, if the server has a field for it; to others as a text within an object, which is taken out again.

  ## Sampling

  What was not given of `Espalier.Sampling` is not sent, so the provider's defaults hold. What was given and has no
  field there is an `Espalier.OptionsError`, unless it is the value that changes nothing.

  ## Options

  """

  @behaviour Espalier.Backend
  @behaviour Espalier.Hosted.Provider

  alias Espalier.Backends.OpenAI.Answer
  alias Espalier.Backends.OpenAI.Dialect
  alias Espalier.Hosted
  alias Espalier.Hosted.Call
  alias Espalier.Hosted.Shape
  alias Espalier.Image
  alias Espalier.JSON
  alias Espalier.OptionsError
  alias Espalier.Profile
  alias Espalier.Sampling
  alias Espalier.Schema.Form

  @options [
    dialect: [
      type: {:in, Dialect.names()},
      default: :openai,
      doc: "Who answers."
    ],
    mode: [
      type: {:in, [:json_schema, :tool, :json_object, :prompt]},
      default: :json_schema,
      doc: "What makes the model keep to the schema."
    ],
    organization: [type: :string, doc: "The organization that is charged."],
    project: [type: :string, doc: "The project that is charged."],
    api_version: [
      type: :string,
      doc: "The version of Azure's API, as `2024-10-21`, where it is that of deployments."
    ]
  ]

  @impl Espalier.Backend
  def stream(request), do: Hosted.stream(__MODULE__, request)

  @impl Espalier.Backend
  def secrets, do: Hosted.secrets()

  @impl Espalier.Backend
  def profile(options) do
    name = name(options)
    mode = Hosted.option(name, options, :mode, @options[:mode][:default])

    Profile.fetch!(
      if mode in [:json_schema, :tool], do: Dialect.fetch!(name).profile, else: :none
    )
  end

  @impl Espalier.Hosted.Provider
  # What is no dialect is told when the options are checked.
  def name(options) do
    dialect = Keyword.get(options, :dialect, :openai)
    if dialect in Dialect.names(), do: dialect, else: :openai
  end

  @impl Espalier.Hosted.Provider
  def options, do: @options

  @impl Espalier.Hosted.Provider
  def defaults(name) do
    case Dialect.fetch!(name).url do
      nil -> []
      url -> [base_url: url]
    end
  end

  @impl Espalier.Hosted.Provider
  def key_variable(name), do: Dialect.fetch!(name).key

  @impl Espalier.Hosted.Provider
  def call(request, options) do
    dialect = Dialect.fetch!(options[:dialect])

    with {:ok, model} <- model(request.model),
         {:ok, url} <- url(options, model),
         {:ok, sampling} <- sampling(request, dialect, options[:dialect]),
         {:ok, shape, state, adapted} <- shape(request, dialect, options[:mode]) do
      {messages, shape} = Map.pop!(shape, "messages")

      body =
        %{"model" => model, "messages" => messages, dialect.limit => request.max_tokens}
        |> Map.merge(dialect.more)
        |> Map.merge(sampling)
        |> Map.merge(shape)
        |> Map.merge(streaming(request, dialect))

      {:ok,
       %Call{
         provider: options[:dialect],
         url: url,
         headers: headers(options),
         body: body,
         framing: if(request.streamed, do: :sse, else: :json),
         adapted: adapted,
         state: %{state | provider: options[:dialect]}
       }}
    end
  end

  @impl Espalier.Hosted.Provider
  defdelegate read(part, state), to: Answer

  @impl Espalier.Hosted.Provider
  defdelegate fault(json), to: Answer

  defp model(model) when is_binary(model) and model != "", do: {:ok, model}

  defp model(nil), do: {:error, %OptionsError{kind: :missing, option: :model, expected: "text"}}

  defp model(model),
    do: {:error, %OptionsError{kind: :invalid, option: :model, expected: "text", got: model}}

  defp url(options, model) do
    case {options[:base_url], options[:api_version]} do
      {nil, _version} ->
        {:error, %OptionsError{kind: :missing, option: :base_url, expected: "URL"}}

      {url, nil} ->
        {:ok, String.trim_trailing(url, "/") <> "/chat/completions"}

      {url, version} ->
        deployment_url(options[:dialect], String.trim_trailing(url, "/"), model, version)
    end
  end

  defp deployment_url(:azure, url, model, version) do
    deployment = URI.encode(model, &URI.char_unreserved?/1)
    query = URI.encode_query("api-version": version)
    {:ok, "#{url}/openai/deployments/#{deployment}/chat/completions?#{query}"}
  end

  defp deployment_url(dialect, _url, _model, version),
    do: {:error, Hosted.unsupported(dialect, :api_version, version)}

  defp headers(options) do
    names = [organization: "openai-organization", project: "openai-project"]
    more = for {option, name} <- names, value = options[option], do: {name, value}
    authorization(options[:api_key], options[:dialect]) ++ more
  end

  defp authorization(nil, _dialect), do: []
  defp authorization(key, :azure), do: [{"api-key", key}]
  defp authorization(key, _dialect), do: [{"authorization", fn -> "Bearer " <> key.() end}]

  defp streaming(%{streamed: false}, _dialect), do: %{}
  defp streaming(_request, %{stream_usage?: false}), do: %{"stream" => true}

  defp streaming(_request, _dialect),
    do: %{"stream" => true, "stream_options" => %{"include_usage" => true}}

  defp sampling(request, dialect, name) do
    fields =
      for {option, value} <- request.sampling_options,
          option == :temperature or value != neutral(option),
          do: {option, dialect.sampling[option], value}

    case List.keyfind(fields, nil, 1) do
      nil -> {:ok, Map.new(fields, fn {_option, field, value} -> {field, value} end)}
      {option, nil, value} -> {:error, Hosted.unsupported(name, option, value)}
    end
  end

  defp neutral(option), do: Sampling.options()[option][:default]

  # The fields that make the value's shape known, what to keep while the answer is read, and the schema that was
  # sent, if it is another than the request's.
  defp shape(request, _dialect, :prompt), do: told(request, Form.describe(request.schema))

  defp shape(request, _dialect, :json_object) do
    with {:ok, shape} <- Shape.new(request, :none, :object),
         words =
           if(shape.wrapper, do: in_words(shape.schema), else: Form.describe(request.schema)),
         {:ok, fields, state, nil} <- told(request, words) do
      fields = Map.put(fields, "response_format", %{"type" => "json_object"})
      {:ok, fields, %{state | wrapper: shape.wrapper}, nil}
    end
  end

  defp shape(request, dialect, :tool) do
    with {:ok, shape} <- Shape.new(request, dialect.profile, :object) do
      name = name_of(request)
      function = %{"name" => name, "strict" => true, "parameters" => shape.schema}

      fields = %{
        "messages" => messages(request.prompt),
        "tools" => [%{"type" => "function", "function" => function}],
        "tool_choice" => tool_choice(dialect, name)
      }

      {:ok, fields, %Answer{wrapper: shape.wrapper}, shape.adapted}
    end
  end

  defp shape(request, dialect, :json_schema) do
    case Dialect.text_fields(dialect, request.schema) do
      nil -> json_schema(request, dialect)
      fields -> {:ok, Map.put(fields, "messages", messages(request.prompt)), %Answer{}, nil}
    end
  end

  defp json_schema(request, dialect) do
    with {:ok, shape} <- Shape.new(request, dialect.profile),
         {:ok, fields, state, nil} <- prompted(request, dialect) do
      format = %{
        "type" => "json_schema",
        "json_schema" => %{
          "name" => name_of(request),
          "strict" => true,
          "schema" => shape.schema
        }
      }

      fields = Map.put(fields, "response_format", format)
      {:ok, fields, %{state | wrapper: shape.wrapper}, shape.adapted}
    end
  end

  # Some servers hold the model to the schema and don't show it to the model.
  defp prompted(request, dialect) do
    if dialect.profile |> Profile.fetch!() |> Profile.rule(:prompt),
      do: told(request, Form.describe(request.schema)),
      else: {:ok, %{"messages" => messages(request.prompt)}, %Answer{}, nil}
  end

  defp tool_choice(%{tool_choice: :required}, _name), do: "required"

  defp tool_choice(_dialect, name),
    do: %{"type" => "function", "function" => %{"name" => name}}

  defp in_words(schema) do
    with {:ok, text} <- JSON.encode(schema),
         do: {:ok, "A JSON value that this JSON Schema admits: " <> text}
  end

  # The schema goes before all else.
  defp told(request, {:ok, words}) do
    instruction = "Answer with nothing but the following, without code fences.\n\n" <> words

    messages =
      case messages(request.prompt) do
        [%{"role" => "system", "content" => content} | messages] when is_binary(content) ->
          [message("system", content <> "\n\n" <> instruction) | messages]

        messages ->
          [message("system", instruction) | messages]
      end

    {:ok, %{"messages" => messages}, %Answer{}, nil}
  end

  defp told(_request, error), do: error

  defp messages({:text, text}), do: [message("user", text)]
  defp messages({:messages, messages}), do: for({role, text} <- messages, do: message(role, text))

  defp message(role, content), do: %{"role" => role, "content" => content(content)}

  defp content(text) when is_binary(text), do: text
  defp content(parts), do: Enum.map(parts, &part/1)

  defp part(%Image{} = image),
    do: %{"type" => "image_url", "image_url" => %{"url" => Image.to_url(image)}}

  defp part(text), do: %{"type" => "text", "text" => text}

  # At most 64 letters, digits, underscores and hyphens.
  defp name_of(%{schema: form}) do
    last = form |> Form.name() |> inspect() |> String.split(".") |> List.last()

    case String.replace(last, ~r/[^A-Za-z0-9_-]/, "") do
      "" -> "value"
      name -> String.slice(name, 0, 64)
    end
  end

  @moduledoc @moduledoc <> Espalier.Options.docs(Espalier.Hosted.options(@options))
end
