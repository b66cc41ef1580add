defmodule Espalier.Sampling do
  @moduledoc """
  How a token is drawn from those that the constraint allows.

  By default none is drawn: the likeliest allowed token is taken, so the same prompt gives the same
  text. With a temperature above 0 the steps are, in this order: the constraint's mask, `logit_bias`, the
  penalties, `temperature`, `top_k`, `top_p`, `min_p`, `typical_p`, and a draw with `seed`.

  ## Options

  These are options of `Espalier.generate/3`.

  """

  @options [
    temperature: [
      type: {:range, 0, 100},
      default: 0.0,
      doc: "0 takes the likeliest token, 1 keeps the model's own distribution."
    ],
    top_k: [
      type: :pos_integer,
      doc: "Draw from so many of the likeliest tokens. From all if not given."
    ],
    top_p: [
      type: {:custom, "number above 0 and up to 1", &__MODULE__.share?/1},
      default: 1.0,
      doc: "Draw from the likeliest tokens that have this probability together."
    ],
    min_p: [
      type: {:range, 0, 1},
      default: 0.0,
      doc: "Draw from tokens with at least this share of the likeliest one's probability."
    ],
    typical_p: [
      type: {:custom, "number above 0 and up to 1", &__MODULE__.share?/1},
      default: 1.0,
      doc: """
      Draw from the tokens that have this probability together and are about as surprising as is expected, see \
      [Locally Typical Sampling](https://arxiv.org/abs/2202.00666).\
      """
    ],
    logit_bias: [
      type: {:custom, "map of token ids to numbers from -100 to 100", &__MODULE__.biases?/1},
      default: %{},
      doc:
        "Add to the scores of tokens, by their ids: 100 all but forces a token, -100 all but forbids it."
    ],
    repetition_penalty: [
      type: {:custom, "number above 0", &__MODULE__.above_zero?/1},
      default: 1.0,
      doc: "Divide the scores of tokens that were there already by this: above 1 repeats less."
    ],
    presence_penalty: [
      type: {:range, -2, 2},
      default: 0.0,
      doc: "Subtract this from the scores of tokens that were written already."
    ],
    frequency_penalty: [
      type: {:range, -2, 2},
      default: 0.0,
      doc: "Subtract this from the scores of tokens for each time they were written."
    ],
    stop: [
      type: {:custom, "list of texts that are not empty", &__MODULE__.stops?/1},
      default: [],
      doc: """
      Texts of which the first one ends the text before it. What a constraint holds ends only where it is a value: in a \
      JSON string they are part of it. A provider ends it wherever one stands. So a hosted model takes them only where it \
      is not asked for JSON: for a choice or a regular expression, in the modes `:prompt` and `:grammar`, or of a server \
      that writes such a text as it is. Elsewhere they are an `Espalier.OptionsError`.\
      """
    ],
    seed: [
      type: {:custom, "integer from 0 to 2^64 - 1", &__MODULE__.seed?/1},
      doc: "The seed of the draws. A random one if not given; `Espalier.Result` tells it."
    ]
  ]

  @moduledoc @moduledoc <> Espalier.Options.docs(@options)

  @enforce_keys Keyword.keys(@options)
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          temperature: float,
          top_k: pos_integer | nil,
          top_p: float,
          min_p: float,
          typical_p: float,
          logit_bias: %{non_neg_integer => number},
          repetition_penalty: float,
          presence_penalty: float,
          frequency_penalty: float,
          stop: [String.t()],
          seed: non_neg_integer
        }

  @doc "The schema of the options."
  @spec options() :: Espalier.Options.schema()
  def options, do: @options

  @doc """
  Sampling as checked options describe it; what is not among them is as by default.

      iex> Espalier.Sampling.new(Espalier.Options.validate!([seed: 7], Espalier.Sampling.options())).seed
      7
  """
  @spec new(keyword) :: t
  def new(options) do
    defaults = for {name, entry} <- @options, entry[:default], do: {name, entry[:default]}
    options = Keyword.merge(defaults, options)
    {whole, numbers} = Keyword.split(options, [:top_k, :seed, :logit_bias, :stop])
    seed = Keyword.get_lazy(whole, :seed, fn -> :rand.uniform(0x100000000) - 1 end)
    floats = for {name, number} <- numbers, do: {name, number / 1}
    struct!(__MODULE__, [top_k: whole[:top_k]] ++ Keyword.put(whole, :seed, seed) ++ floats)
  end

  @doc false
  def above_zero?(value), do: is_number(value) and value > 0

  @doc false
  def share?(value), do: above_zero?(value) and value <= 1

  @doc false
  def biases?(value) do
    is_map(value) and not is_struct(value) and
      Enum.all?(value, fn {id, bias} ->
        is_integer(id) and id in 0..0xFFFFFFFF and is_number(bias) and abs(bias) <= 100
      end)
  end

  @doc false
  def stops?(value) do
    is_list(value) and not List.improper?(value) and
      Enum.all?(value, &(is_binary(&1) and &1 != "" and String.valid?(&1)))
  end

  @doc false
  def seed?(value), do: is_integer(value) and value in 0..0xFFFFFFFFFFFFFFFF
end
