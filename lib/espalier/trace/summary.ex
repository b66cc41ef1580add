defmodule Espalier.Trace.Summary do
  @moduledoc false
  # What a trace comes to in a few numbers, and how likely is likely: for the terminal and the page alike.

  alias Espalier.Trace
  alias Espalier.Trace.Token
  alias Espalier.Trace.Visible
  alias Espalier.UTF8

  @typedoc "A token and its place, from 1."
  @type placed :: {pos_integer, Token.t()}

  @typedoc """
  `pieces?` says that they are no tokens but texts as a hosted backend sent them. `mean` and `lowest` are of the tokens whose probability is known. `steered` are those that the mask made the model
  write, the hardest first. `begun` is the start of the text that no token wrote: what an earlier attempt left.
  """
  @type t :: %{
          tokens: non_neg_integer,
          pieces?: boolean,
          forced: non_neg_integer,
          mean: float | nil,
          lowest: placed | nil,
          steered: [placed],
          begun: String.t()
        }

  # From here on a token is likely, fairly likely, and so on.
  @bounds [likely: 0.9, fair: 0.5, doubtful: 0.2, unlikely: 0.05]

  @type level :: :forced | :unknown | :likely | :fair | :doubtful | :unlikely | :improbable

  @doc "Sums up a trace."
  @spec new(Trace.t()) :: t
  def new(%Trace{tokens: tokens} = trace) do
    known =
      for {token, place} <- Enum.with_index(tokens, 1), token.probability, do: {place, token}

    steered = for {_place, token} = placed <- known, steered?(token), do: placed

    %{
      tokens: length(tokens),
      pieces?: tokens != [] and Enum.all?(tokens, &(&1.id == nil)),
      forced: Enum.count(tokens, & &1.forced?),
      mean: mean(known),
      lowest: Enum.min_by(known, fn {_place, token} -> token.probability end, fn -> nil end),
      steered: Enum.sort_by(steered, fn {_place, token} -> token.allowed_probability end),
      begun: begun(trace)
    }
  end

  defp mean([]), do: nil

  defp mean(known) do
    sum = known |> Enum.map(fn {_place, token} -> token.probability end) |> Enum.sum()
    sum / length(known)
  end

  # The tokens' bytes are put together to text in the same way as where the text was made.
  defp begun(trace) do
    {text, rest} = trace.tokens |> Enum.map_join(& &1.text) |> UTF8.split()
    written = if rest == "", do: text, else: text <> "\uFFFD"
    if String.ends_with?(trace.text, written), do: before(trace.text, written), else: ""
  end

  defp before(text, written), do: binary_part(text, 0, byte_size(text) - byte_size(written))

  @doc "How likely the model thought a token."
  @spec level(Token.t()) :: level
  def level(%Token{forced?: true}), do: :forced
  def level(%Token{probability: nil}), do: :unknown

  def level(%Token{probability: probability}) do
    Enum.find_value(@bounds, :improbable, fn {level, bound} ->
      if probability >= bound, do: level
    end)
  end

  @doc "The levels of probability, likeliest first, each with the bound that it is said by."
  @spec levels() :: [{level, String.t()}]
  def levels do
    from = for {level, bound} <- @bounds, do: {level, "≥ #{bound}"}
    from ++ [improbable: "below"]
  end

  @doc "Whether the mask made the model write what it mostly would not have."
  @spec steered?(Token.t()) :: boolean
  def steered?(%Token{allowed_probability: nil}), do: false
  def steered?(%Token{allowed_probability: probability}), do: probability < 0.5

  @doc "The likeliest token, if it is another one than came."
  @spec wanted(Token.t()) :: Token.alternative() | nil
  def wanted(%Token{alternatives: [%{id: likeliest} = wanted | _others], id: id})
      when likeliest != id,
      do: wanted

  def wanted(_token), do: nil

  @doc "The likeliest token that the mask forbade, if one is known."
  @spec forbidden(Token.t()) :: Token.alternative() | nil
  def forbidden(%Token{alternatives: alternatives}),
    do: Enum.find(alternatives, &(not &1.allowed?))

  @doc "How a token came about, in one word."
  @spec how(Token.t()) :: String.t()
  def how(%Token{forced?: true}), do: "forced"
  def how(%Token{id: nil}), do: "received"
  def how(%Token{}), do: "sampled"

  @doc """
  A token's bytes in one line: spaces can be seen, and a token without bytes is known by its id.

      iex> Espalier.Trace.Summary.label(%{id: 7, text: " so"})
      "␣so"
      iex> Espalier.Trace.Summary.label(%{id: 2, text: ""})
      "⟨2⟩"
  """
  @spec label(%{id: non_neg_integer | nil, text: binary}) :: String.t()
  def label(%{text: "", id: id}), do: "⟨#{id}⟩"
  def label(%{text: text}), do: text |> Visible.line() |> String.replace(" ", "␣")

  @doc """
  A probability in at most five characters.

      iex> Enum.map([1.0, 0.305, 0.0042, 0.0], &Espalier.Trace.Summary.probability/1)
      ["1.00", "0.31", "4e-03", "0.00"]
  """
  @spec probability(float) :: String.t()
  def probability(probability) when probability > 0 and probability < 0.005,
    do: :erlang.float_to_binary(probability, scientific: 0)

  def probability(probability), do: :erlang.float_to_binary(probability / 1, decimals: 2)

  @doc "A share of a whole in per cent."
  @spec percent(non_neg_integer, non_neg_integer) :: String.t()
  def percent(_part, 0), do: "0 %"
  def percent(part, whole), do: "#{round(100 * part / whole)} %"
end
