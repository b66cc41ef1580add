defmodule Espalier.Backends.OpenAI.Dialect do
  @moduledoc false
  # Who speaks OpenAI's protocol, and what each takes otherwise, from their documentation as of November 2026.
  #
  #   * `url`, `key` - the default address, and the variable of the environment that has the key
  #   * `limit` - the field for the most tokens
  #   * `sampling` - the fields for options of `Espalier.Sampling`; others are refused
  #   * `profile` - what it takes of a schema, see `Espalier.Profile`
  #   * `format` - how a schema is the `response_format`, see `response_format/3`
  #   * `text` - the fields that enforce a regular expression or a choice, see `text_fields/2`
  #   * `custom_tools?` - whether there are tools with a grammar
  #   * `tool_choice` - how the one tool is demanded: by its name, or with `required`
  #   * `stream_usage?` - whether usage has to be asked for when streaming; who needn't may refuse the question
  #   * `more` - fields of every request

  alias Espalier.Backends.OpenAI.Grammar
  alias Espalier.Schema.Form

  @openai %{
    url: nil,
    key: nil,
    limit: "max_tokens",
    sampling: %{
      temperature: "temperature",
      top_p: "top_p",
      presence_penalty: "presence_penalty",
      frequency_penalty: "frequency_penalty",
      logit_bias: "logit_bias",
      stop: "stop",
      seed: "seed"
    },
    profile: :open_ai_strict,
    format: :json_schema,
    text: nil,
    custom_tools?: false,
    tool_choice: :named,
    stream_usage?: true,
    more: %{}
  }

  @served Map.merge(@openai.sampling, %{
            top_k: "top_k",
            min_p: "min_p",
            repetition_penalty: "repetition_penalty"
          })

  @dialects [
    # https://platform.openai.com/docs/api-reference/chat/create
    openai: %{
      @openai
      | url: "https://api.openai.com/v1",
        key: "OPENAI_API_KEY",
        limit: "max_completion_tokens",
        custom_tools?: true
    },
    # https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
    azure: %{
      @openai
      | key: "AZURE_OPENAI_API_KEY",
        limit: "max_completion_tokens",
        custom_tools?: true
    },
    # https://docs.vllm.ai/en/latest/features/structured_outputs/
    vllm: %{
      @openai
      | url: "http://localhost:8000/v1",
        sampling: @served,
        profile: :vllm,
        text: :structured_outputs
    },
    # Before 0.12, by the same page.
    vllm_guided: %{
      @openai
      | url: "http://localhost:8000/v1",
        sampling: @served,
        profile: :vllm,
        text: :guided
    },
    # https://docs.sglang.io/docs/advanced_features/structured_outputs.md
    sglang: %{
      @openai
      | url: "http://localhost:30000/v1",
        sampling: @served,
        profile: :sglang,
        text: :regex
    },
    # https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md; it takes a tool by name for "auto".
    llama_cpp: %{
      @openai
      | url: "http://localhost:8080/v1",
        sampling:
          Map.put(%{@served | repetition_penalty: "repeat_penalty"}, :typical_p, "typical_p"),
        profile: :llama_cpp,
        text: :gbnf,
        tool_choice: :required
    },
    # https://llama-cpp-python.readthedocs.io/en/latest/server/, and the server of version 0.3.36 itself, which
    # ignores unknown fields, among them `max_completion_tokens`, and "required".
    llama_cpp_python: %{
      @openai
      | url: "http://localhost:8000/v1",
        sampling: %{@served | repetition_penalty: "repeat_penalty"},
        profile: :llama_cpp_python,
        format: :json_object,
        text: :gbnf
    },
    # https://docs.mistral.ai/api/endpoint/chat; unknown fields are refused.
    mistral: %{
      @openai
      | url: "https://api.mistral.ai/v1",
        key: "MISTRAL_API_KEY",
        sampling: %{Map.delete(@openai.sampling, :logit_bias) | seed: "random_seed"},
        profile: :mistral,
        stream_usage?: false
    },
    # https://console.groq.com/docs/api-reference#chat-create; no model takes the penalties.
    groq: %{
      @openai
      | url: "https://api.groq.com/openai/v1",
        key: "GROQ_API_KEY",
        limit: "max_completion_tokens",
        sampling: Map.take(@openai.sampling, [:temperature, :top_p, :stop, :seed]),
        profile: :groq
    },
    # https://openrouter.ai/docs/structured-outputs; only providers that know all fields are asked.
    openrouter: %{
      @openai
      | url: "https://openrouter.ai/api/v1",
        key: "OPENROUTER_API_KEY",
        sampling: @served,
        more: %{"provider" => %{"require_parameters" => true}}
    },
    # Whoever else: the fields that all know.
    compatible: @openai
  ]

  @type t :: map

  @spec names() :: [atom]
  def names, do: Keyword.keys(@dialects)

  @spec fetch!(atom) :: t
  def fetch!(name), do: Keyword.fetch!(@dialects, name)

  @doc "The `response_format` that makes a server keep to a schema."
  @spec response_format(t, name :: String.t(), schema :: term) :: map
  def response_format(%{format: :json_schema}, name, schema) do
    format = %{"name" => name, "strict" => true, "schema" => schema}
    %{"type" => "json_schema", "json_schema" => format}
  end

  def response_format(%{format: :json_object}, _name, schema),
    do: %{"type" => "json_object", "schema" => schema}

  @doc "The fields that make a server write a text of the form as it is, `nil` if it has none for that."
  @spec text_fields(t, Form.t()) :: map | nil
  def text_fields(%{text: :structured_outputs}, %{kind: :regex, content: source}),
    do: %{"structured_outputs" => %{"regex" => source}}

  def text_fields(%{text: :structured_outputs}, %{kind: :choice} = form),
    do: %{"structured_outputs" => %{"choice" => texts(form)}}

  def text_fields(%{text: :guided}, %{kind: :regex, content: source}),
    do: %{"guided_regex" => source}

  def text_fields(%{text: :guided}, %{kind: :choice} = form),
    do: %{"guided_choice" => texts(form)}

  def text_fields(%{text: :regex}, %{kind: :regex, content: source}), do: %{"regex" => source}

  def text_fields(%{text: :regex}, %{kind: :choice} = form),
    do: %{"regex" => "(" <> Grammar.choice(texts(form)) <> ")"}

  def text_fields(%{text: :gbnf}, %{kind: :choice} = form),
    do: %{"grammar" => "root ::= " <> Enum.map_join(texts(form), " | ", &literal/1)}

  def text_fields(dialect, %{kind: :grammar, content: {text, :gbnf, "root"}}),
    do: grammar_fields(dialect, text)

  def text_fields(_dialect, _form), do: nil

  @doc "The fields that make a server write a text of a grammar in GBNF with the rule `root`, `nil` if it has none."
  @spec grammar_fields(t, gbnf :: String.t()) :: map | nil
  def grammar_fields(%{text: :gbnf}, gbnf), do: %{"grammar" => gbnf}

  def grammar_fields(%{text: :structured_outputs}, gbnf),
    do: %{"structured_outputs" => %{"grammar" => gbnf}}

  def grammar_fields(%{text: :guided}, gbnf), do: %{"guided_grammar" => gbnf}
  def grammar_fields(%{text: :regex}, gbnf), do: %{"ebnf" => gbnf}
  def grammar_fields(%{text: nil}, _gbnf), do: nil

  defp texts(%{content: pairs}), do: Enum.map(pairs, &elem(&1, 0))

  defp literal(text) do
    escaped = Regex.replace(~r/[\\"\x00-\x1F]/, text, &escaped/1)
    ~s("#{escaped}")
  end

  defp escaped("\\"), do: ~S(\\)
  defp escaped("\""), do: ~S(\")
  defp escaped(<<control>>), do: "\\x" <> Base.encode16(<<control>>)
end
