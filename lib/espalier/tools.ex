defmodule Espalier.Tools do
  @moduledoc """
  Calls of tools, as open models write them: which tool, and its arguments.

  `parts/2` makes a text of parts of a list of tools, in the style that a family of models was trained to write. Only tools of
  the list can be called, and their arguments satisfy their parameters, exactly. What is called is captured as `:calls`, a
  list of `{name, value}`.

      iex> tools = [
      ...>   %{name: "find", description: "Finds a person", parameters: [name: :string]},
      ...>   %{name: "weather", parameters: [city: {:enum, [:lisbon, :ghent]}]}
      ...> ]
      iex> schema = {:sequence, Espalier.Tools.parts(tools, style: :hermes)}
      iex> text = ~s(Let me see.\\n<tool_call>\\n{"name": "weather", "arguments": {"city":"ghent"}}\\n</tool_call>)
      iex> Espalier.Schema.read(schema, text)
      {:ok, %{calls: [{"weather", %{city: :ghent}}]}}

  The prompt has to tell the model of the tools: `definitions/1` are they for the option `:tools` of `Espalier.generate/3`,
  which the chat template puts into words.

      Espalier.generate(schema, "Where is Ada?", model: MyApp.Model, tools: Espalier.Tools.definitions(tools), whitespace: :spaced)

  ## Styles

  | style | a call | families |
  | --- | --- | --- |
  | `:hermes` | `<tool_call>`, `{"name": "find", "arguments": {}}`, `</tool_call>`, each on a line of its own, among free text | Hermes 2 and 3, Qwen 2.5 and 3 |
  | `:llama3` | `{"name": "find", "parameters": {}}`, which is the whole text | Llama 3.1 to 3.3 |
  | `:mistral` | `[TOOL_CALLS]` and a list, `[{"name": "find", "arguments": {}}]`, behind free text | Mistral models up to the tokenizer's version 7 |
  | `:mistral_v11` | `[TOOL_CALLS]find{}` for each, behind free text | those from version 11 on |
  | `:mistral_v13` | `[TOOL_CALLS]find[ARGS]{}` for each, behind free text | those from version 13 on |
  | `:deepseek_v3` | `<｜tool▁calls▁begin｜>`, for each `<｜tool▁call▁begin｜>function<｜tool▁sep｜>find`, a line with three backticks and `json`, the arguments, three backticks and `<｜tool▁call▁end｜>`, and `<｜tool▁calls▁end｜>`, behind free text | DeepSeek V3, R1 |
  | `:deepseek_v3_1` | the same with `<｜tool▁call▁begin｜>find<｜tool▁sep｜>{}<｜tool▁call▁end｜>` | DeepSeek V3.1 |
  | `:harmony` | `<|channel|>commentary to=functions.find <|constrain|>json<|message|>{}`, maybe behind an analysis | gpt-oss |

  What is between brackets in these is a special token where the model has one of the name.

  The sources, as of November 2026: the README of
  [Hermes-Function-Calling](https://github.com/NousResearch/Hermes-Function-Calling) and the chat templates of
  [Qwen](https://huggingface.co/Qwen/Qwen3-8B/blob/main/tokenizer_config.json); the prompt formats of
  [Llama](https://github.com/meta-llama/llama-models/blob/main/models/llama3_1/prompt_format.md);
  [mistral-common](https://github.com/mistralai/mistral-common), whose tokenizers have versions; the chat templates of
  [DeepSeek V3](https://huggingface.co/deepseek-ai/DeepSeek-V3/blob/main/tokenizer_config.json) and
  [V3.1](https://huggingface.co/deepseek-ai/DeepSeek-V3.1); the format of
  [harmony](https://github.com/openai/harmony/blob/main/docs/format.md).
  """

  alias Espalier.Error
  alias Espalier.JSON
  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Schema.Form
  alias Espalier.Tools.Style
  alias Espalier.Tools.Tool

  @options [
    style: [
      type: {:in, Style.names()},
      required: true,
      doc: "How calls are written."
    ],
    min: [
      type: :non_neg_integer,
      default: 0,
      doc: "The least number of calls. In the style `:llama3` there is always one."
    ],
    max: [
      type: :pos_integer,
      doc:
        "The most calls; as many as the model likes if not given. In `:llama3` and `:harmony` it is one."
    ]
  ]

  @typedoc """
  A tool, with no other keys than these.

    * `name` - 1 to 64 letters of ASCII, digits, `_` and `-`: what hosted providers take, too. No two tools have the same
    * `description` - a text, for the prompt
    * `parameters` - a schema of its arguments, which gives JSON objects and nothing else: a schema module, a keyword list
      of fields, or a JSON Schema that says so, as `"type": "object"` does. An empty one, `%{}`, takes any object
  """
  @type tool :: %{
          required(:name) => String.t(),
          required(:parameters) => Espalier.Schema.t(),
          optional(:description) => String.t()
        }

  @doc """
  The parts of texts that call tools, for `{:sequence, parts}`.

  ## Options

  #{Options.docs(@options)}
  Tools and options that are wrong raise an `Espalier.OptionsError`, and parameters that are no schema an
  `Espalier.SchemaError` that names their tool.
  """
  @spec parts([tool], keyword) :: [term]
  def parts(tools, options) do
    options = options |> Options.validate(@options) |> Error.bang!()
    tools = Tool.list!(tools)
    check_single!(options)
    check_order!(options)
    limits = for name <- [:min, :max], count = options[name], into: %{}, do: {name, count}
    Style.parts(options[:style], tools, limits)
  end

  @doc """
  The tools as the option `:tools` of `Espalier.generate/3` takes them, with parameters in JSON Schema.

      iex> [tool] = Espalier.Tools.definitions([%{name: "find", parameters: [name: :string]}])
      iex> {tool.name, tool.parameters["required"]}
      {"find", ["name"]}
  """
  @spec definitions([tool]) :: [map]
  def definitions(tools), do: tools |> Tool.list!() |> Enum.map(&definition/1)

  # Text in these styles ends with its call.
  defp check_single!(options) do
    for name <- [:min, :max], options[:style] in [:llama3, :harmony], (options[name] || 0) > 1 do
      expected = "1 at most in the style #{inspect(options[:style])}"
      raise OptionsError, kind: :invalid, option: name, expected: expected, got: options[name]
    end
  end

  defp check_order!(options) do
    max = options[:max]

    if max != nil and max < options[:min] do
      expected = ":min, which is #{options[:min]}, or more"
      raise OptionsError, kind: :invalid, option: :max, expected: expected, got: max
    end
  end

  defp definition(tool) do
    schema = tool.parameters |> Form.to_json_schema() |> Error.bang!()
    %{tool | parameters: schema |> JSON.encode!() |> JSON.decode!()}
  end
end
