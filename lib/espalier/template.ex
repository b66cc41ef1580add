defmodule Espalier.Template do
  @moduledoc """
  Prompts with places to fill in, written in EEx.

      defmodule MyApp.Prompts do
        import Espalier.Template

        deftemplate :topic, "What is the topic of this message?\\n<%= @message %>"
      end

      text = MyApp.Prompts.topic(message: "Where is my parcel?")
      Espalier.generate({:choice, [:shipping, :billing]}, text, model: MyApp.Model)

  `deftemplate/2` compiles the text together with the module. `compile!/1` makes a template of a text
  that is only there at run time:

      iex> template = Espalier.Template.compile!("<%= @greeting %>, <%= String.upcase(@name) %>!")
      iex> Espalier.Template.render(template, greeting: "Hello", name: "Ada")
      {:ok, "Hello, ADA!"}

  The assigns of a template are those that it uses, each of which must be given, `nil` if need be:

      iex> template = Espalier.Template.compile!("Dear <%= @name %>")
      iex> {:error, error} = Espalier.Template.render(template, nmae: "Ada")
      iex> Exception.message(error)
      "assign :name not found. Did you mean it by :nmae?"

  ## Examples for the model

  `messages/3` renders a template as messages: what the model is to do, some answers to learn from, and
  at last the text to answer.

      iex> template = Espalier.Template.compile!("Message: <%= @message %>")
      iex> Espalier.Template.messages(template, [message: "My invoice is wrong."],
      ...>   system: "Name the topic.",
      ...>   examples: [{[message: "Where is my parcel?"], "shipping"}]
      ...> )
      {:ok,
       [
         %{role: :system, content: "Name the topic."},
         %{role: :user, content: "Message: Where is my parcel?"},
         %{role: :assistant, content: "shipping"},
         %{role: :user, content: "Message: My invoice is wrong."}
       ]}

  ## A template is code

  EEx runs the Elixir in a template: a template is as trusted as the program, and no part of it may
  come from a user or a model. Their texts are assigns. An assign is put in as it is, and nothing in it
  is run or escaped:

      iex> template = Espalier.Template.compile!("Summarize: <%= @text %>")
      iex> Espalier.Template.render!(template, text: "<%= System.halt() %>")
      "Summarize: <%= System.halt() %>"
  """

  alias Espalier.Error
  alias Espalier.InputError
  alias Espalier.Inputs
  alias Espalier.Options

  @enforce_keys [:assigns, :function]
  defstruct [:assigns, :function]

  @typedoc "`assigns` are the names that it uses, in the order of their first use."
  @type t :: %__MODULE__{assigns: [atom], function: (map -> String.t())}

  @typedoc "The terms to fill in: texts, or whatever else EEx writes as text."
  @type assigns :: keyword | %{optional(atom) => term}

  @type message :: %{role: :system | :user | :assistant, content: String.t()}

  @messages_options [
    system: [type: :string, doc: "What the model is to do. It is a text, no template."],
    examples: [
      type: {:list, {:tuple, [:any, :string]}},
      default: [],
      doc: "Pairs `{assigns, answer}`, each of which becomes a user's and an assistant's message."
    ]
  ]

  @doc """
  Defines a template of the module: `name/1` renders it and `name/0` is the template itself.

      deftemplate :topic, "Message: <%= @message %>"

      topic(message: "Hello")
      #=> "Message: Hello"

      Espalier.Template.messages!(topic(), [message: "Hello"], system: "Name the topic.")

  The text may be any expression that can be evaluated while the module is compiled. `name/1` raises an
  `Espalier.InputError` for assigns that the template does not take.
  """
  defmacro deftemplate(name, text) do
    quote bind_quoted: [name: name, text: text] do
      @spec unquote(name)(Espalier.Template.assigns()) :: String.t()
      def unquote(name)(assigns), do: Espalier.Template.render!(unquote(name)(), assigns)

      @doc "The template of `#{name}/1`."
      @spec unquote(name)() :: Espalier.Template.t()
      def unquote(name)(), do: unquote(Espalier.Template.__quoted__(text, __ENV__))
    end
  end

  @doc """
  Makes a template of a trusted text at run time.

  A text that is no EEx, or no Elixir within it, raises what the compiler raises.
  """
  @spec compile!(String.t()) :: t
  def compile!(text) do
    {template, _bindings} =
      text |> __quoted__(%{__ENV__ | file: "nofile", line: 1}) |> Code.eval_quoted()

    template
  end

  @doc false
  # The code that makes the template.
  @spec __quoted__(String.t(), Macro.Env.t()) :: Macro.t()
  def __quoted__(text, env) do
    body = EEx.compile_string(text, file: env.file, line: env.line)

    quote do
      %Espalier.Template{
        assigns: unquote(used_assigns(body)),
        function: fn var!(assigns) ->
          _ = var!(assigns)
          unquote(body)
        end
      }
    end
  end

  # EEx has made a call of each `@name`.
  defp used_assigns(body) do
    {_body, names} =
      Macro.prewalk(body, [], fn
        {{:., _, [_engine, :fetch_assign!]}, _, [_assigns, name]} = call, names ->
          {call, [name | names]}

        other, names ->
          {other, names}
      end)

    names |> Enum.reverse() |> Enum.uniq()
  end

  @doc "The text of a template with the assigns filled in."
  @spec render(t, assigns) :: {:ok, String.t()} | {:error, InputError.t()}
  def render(%__MODULE__{} = template, assigns) do
    with {:ok, assigns} <- Inputs.new(assigns, :assign, template.assigns, template.assigns) do
      {:ok, template.function.(assigns)}
    end
  end

  @doc "Like `render/2`, but returns the text and raises the error."
  @spec render!(t, assigns) :: String.t()
  def render!(template, assigns), do: template |> render(assigns) |> Error.bang!()

  @doc """
  The messages that ask for an answer to the rendered template.

  ## Options

  #{Options.docs(@messages_options)}
  """
  @spec messages(t, assigns, keyword) :: {:ok, [message]} | {:error, Exception.t()}
  def messages(%__MODULE__{} = template, assigns, options \\ []) do
    with {:ok, options} <- Options.validate(options, @messages_options),
         {:ok, text} <- render(template, assigns),
         {:ok, examples} <- render_examples(template, options[:examples]) do
      {:ok, system(options[:system]) ++ examples ++ [%{role: :user, content: text}]}
    end
  end

  @doc "Like `messages/3`, but returns the messages and raises the error."
  @spec messages!(t, assigns, keyword) :: [message]
  def messages!(template, assigns, options \\ []),
    do: template |> messages(assigns, options) |> Error.bang!()

  defp system(nil), do: []
  defp system(text), do: [%{role: :system, content: text}]

  defp render_examples(template, examples) do
    Enum.reduce_while(examples, {:ok, []}, fn {assigns, answer}, {:ok, messages} ->
      case render(template, assigns) do
        {:ok, text} ->
          pair = [%{role: :user, content: text}, %{role: :assistant, content: answer}]
          {:cont, {:ok, messages ++ pair}}

        {:error, error} ->
          {:halt, {:error, error}}
      end
    end)
  end
end
