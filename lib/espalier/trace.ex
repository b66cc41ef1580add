defmodule Espalier.Trace do
  @moduledoc """
  How a text came about, token by token: which tokens the constraint forced, how likely the model thought the others,
  and where the mask made it write what it would not have.

  A generation with `trace: true` has one in its result:

      {:ok, result} = Espalier.generate_result(Ticket, text, model: MyApp.Model, trace: true)
      Espalier.Trace.print(result.trace)
      Espalier.Trace.write_html(result.trace, "trace.html")

  A model that reads of an order NF-20417 would begin with the N, and a schema that asks for digits forbids that:

      iex> schema = [order_id: {:string, format: "^[0-9]{5}$"}]
      iex> {:ok, result} = Espalier.generate_result(schema, "My order number is NF-20417.", model: MyApp.Model, trace: true)
      iex> inspect(result.trace)
      "#Espalier.Trace<:fields, 15 tokens, 10 forced>"
      iex> for %{alternatives: [wanted | _others]} = token <- result.trace.tokens, not wanted.allowed?, do: {token.text, wanted.text}
      [{"2", "N"}]

  `print/2` shows the text in colours, and what it comes to. Of the same trace, without colours and without what explains
  the columns:

      :fields by Espalier.Backends.Local, model: MyApp.Model

      {│"│order│_│id│"│:│"│2│0│4│1│7│"│}

          token  how          p  allowed  mask kept  wanted instead
       1  {      forced
       2  "      forced
       3  order  forced
       4  _      forced
       5  id     forced
       6  "      forced
       7  :      forced
       8  "      forced
       9  2      sampled  8e-06       10      2e-05  1.00 ✗ N
      10  0      sampled   0.94       10       0.96
      11  4      sampled   1.00       10       1.00
      12  1      sampled   1.00       10       1.00
      13  7      sampled   1.00       10       1.00
      14  "      forced
      15  }      forced

      15 tokens of a vocabulary of 2560, 10 of them forced (67 %), ended by the model
      probability: mean 0.79, lowest 8e-06 at 9 ‹2›
      usage: completion_tokens 15, forced_tokens 10, prompt_tokens 19, steps 5
      the mask kept less than half of the probability at 1 of them:
        at 9 ‹2›: kept 2e-05, forbade ‹N› (1.00)

  Line ends and tabs are shown as ⏎ and ⇥, bytes that are no text as `\\xNN`, and other characters that can't be seen
  as `\\u{NN}`, so that nothing that a model wrote acts on the terminal or the page.

  The fields:

    * `backend`, `model` - who wrote it
    * `schema` - the schema's name as in `Espalier.Telemetry`
    * `text` - the whole text, what an earlier attempt began included
    * `size` - how many tokens the vocabulary has; `nil` where that is not known
    * `usage` - what was counted, as in `Espalier.Result`
    * `finish_reason` - `:stop` when the model ended the text, `:max_tokens` when the limit did, `nil` when neither did
    * `error` - why the text was refused; `nil` if it was not
    * `tokens` - see `Espalier.Trace.Token`; of a hosted backend the pieces of text as they came
  """

  alias Espalier.Options
  alias Espalier.Trace.Page
  alias Espalier.Trace.Terminal
  alias Espalier.Trace.Token

  @type t :: %__MODULE__{
          backend: module,
          model: term,
          schema: atom,
          text: String.t(),
          size: non_neg_integer | nil,
          usage: Espalier.Result.usage(),
          finish_reason: :stop | :max_tokens | nil,
          error: Exception.t() | nil,
          tokens: [Token.t()]
        }

  @enforce_keys [:backend, :model, :schema, :text, :usage, :tokens]
  defstruct @enforce_keys ++ [:size, :finish_reason, :error]

  @format_options [
    colors: [
      type: :boolean,
      doc:
        "Whether to use colours. By default where `IO.ANSI.enabled?/0` says that there are some."
    ],
    width: [
      type: :pos_integer,
      doc: "How many columns there are. By default as many as the device has, or 80."
    ],
    details: [
      type: :boolean,
      doc: "Whether to write a table of the tokens, too. By default where there are no colours."
    ]
  ]

  @print_options [
    device: [type: :any, default: :stdio, doc: "Where to write, as for `IO.write/2`."]
  ]

  @doc """
  Writes a trace to the terminal.

  Forced tokens are grey, others from green (likely) to red (improbable), and those are underlined where the
  mask kept less than half of the probability. Without colours a table says the same.

  ## Options

  #{Options.docs(@print_options ++ @format_options)}
  """
  @spec print(t, keyword) :: :ok
  def print(%__MODULE__{} = trace, options \\ []) do
    {device, options} =
      options |> Options.validate!(@print_options ++ @format_options) |> Keyword.pop!(:device)

    IO.write(
      device,
      formatted(trace, Keyword.put_new_lazy(options, :width, fn -> columns(device) end))
    )
  end

  @doc "What `print/2` writes; it takes the same options but `:device`, and the `:width` is 80 by default."
  @spec format(t, keyword) :: iodata
  def format(%__MODULE__{} = trace, options \\ []),
    do: formatted(trace, Options.validate!(options, @format_options))

  @doc "A trace as one HTML page that needs nothing else: it can be opened from a file, and shown anywhere."
  @spec to_html(t) :: String.t()
  def to_html(%__MODULE__{} = trace), do: trace |> Page.document() |> IO.iodata_to_binary()

  @doc "Writes the page of `to_html/1` to a file, in place of what is there."
  @spec write_html(t, Path.t()) :: :ok | {:error, File.Error.t()}
  def write_html(%__MODULE__{} = trace, path) do
    with {:error, reason} <- File.write(path, Page.document(trace)) do
      {:error,
       %File.Error{reason: reason, action: "write to file", path: IO.chardata_to_string(path)}}
    end
  end

  defp formatted(trace, options) do
    colors? = Keyword.get_lazy(options, :colors, &IO.ANSI.enabled?/0)
    defaults = %{colors: colors?, width: 80, details: not colors?}
    Terminal.format(trace, Map.merge(defaults, Map.new(options)))
  end

  defp columns(:stdio), do: columns(:standard_io)
  defp columns(:stderr), do: columns(:standard_error)

  defp columns(device) do
    case :io.columns(device) do
      {:ok, columns} -> columns
      {:error, _none} -> 80
    end
  end

  defimpl Inspect do
    import Inspect.Algebra

    def inspect(trace, options) do
      tokens = length(trace.tokens)
      forced = Enum.count(trace.tokens, & &1.forced?)
      refused = if trace.error, do: ", refused", else: ""

      concat([
        "#Espalier.Trace<",
        to_doc(trace.schema, options),
        ", #{tokens} tokens, #{forced} forced#{refused}>"
      ])
    end
  end
end
