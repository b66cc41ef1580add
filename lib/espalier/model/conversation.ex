defmodule Espalier.Model.Conversation do
  @moduledoc false
  # What a model's chat template is given, for `Espalier.Native.model_render/2`.

  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.OptionsError
  alias Espalier.Prompt
  alias Espalier.Prompt.Tools

  @options [
    tools: [
      type: {:custom, "a list of maps", &__MODULE__.tools?/1},
      doc: """
      The tools that the chat template tells the model of: maps with a `:name` that no other has, and with or without a \
      `:description` and `:parameters`, a schema. What the model writes follows the schema of the generation alone.\
      """
    ],
    template_variables: [
      type: {:custom, "a map with atoms or texts as keys", &__MODULE__.variables?/1},
      default: %{},
      doc: """
      Variables of the model's chat template, such as `%{enable_thinking: false}`. What a template doesn't know changes \
      nothing.\
      """
    ]
  ]

  @doc "The options that a generation has, too."
  @spec options() :: Espalier.Options.schema()
  def options, do: @options

  @doc false
  def tools?(tools),
    do: is_list(tools) and not List.improper?(tools) and Enum.all?(tools, &is_map/1)

  @doc false
  def variables?(variables) do
    is_map(variables) and not is_struct(variables) and
      Enum.all?(Map.keys(variables), &(is_atom(&1) or is_binary(&1)))
  end

  @doc false
  def time?(now), do: is_struct(now, NaiveDateTime)

  @doc "The conversation, with checked options of `Espalier.Model.render/3`."
  @spec new([Prompt.message()], keyword) :: {:ok, map} | {:error, Exception.t()}
  def new(messages, options) do
    with {:ok, messages} <- Prompt.texts(messages),
         {:ok, tools} <- Tools.new(options[:tools]),
         {:ok, variables} <- variables(options[:template_variables]) do
      now = options[:now] || NaiveDateTime.local_now()

      {:ok,
       %{
         messages: messages |> Enum.map(&object/1) |> JSON.encode!(),
         tools: tools && JSON.encode!(tools),
         variables: variables,
         add_generation_prompt: Keyword.get(options, :add_generation_prompt, true),
         now: NaiveDateTime.diff(now, ~N[1970-01-01 00:00:00])
       }}
    end
  end

  defp object({role, content}), do: object({role, content, []})

  defp object({role, content, fields}),
    do: %Object{members: [{"role", role}, {"content", content} | fields]}

  defp variables(variables) do
    with {:error, _no_json} <- JSON.encode(variables) do
      expected = "a map with values that JSON has"

      {:error,
       %OptionsError{
         kind: :invalid,
         option: :template_variables,
         expected: expected,
         got: variables
       }}
    end
  end
end
