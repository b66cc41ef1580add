defmodule Espalier.Result do
  @moduledoc """
  A finished generation: the value, and how it came about.

    * `value` - what `Espalier.generate/3` returns
    * `text` - what the model wrote
    * `fixes` - what had to be done to the text to read it, as in `Espalier.Reply`; nothing where tokens are
      constrained
    * `finish_reason` - `:stop` when the model or the constraint ended the text, `:max_tokens` when the limit did:
      a local model's text was brought to a valid end before it
    * `usage` - what was counted in all attempts, see `t:usage/0`
    * `seed` - the seed of the random choices: with a local model the same one gives the same text again. A
      hosted one gets it only if it was given
    * `attempts` - what was tried, the last one with this value, see `t:attempt/0`
    * `retries` - how often a request was repeated after a failure that passes
    * `cached?` - whether the text is that of an earlier generation, see `Espalier.Cache`; then nothing was tried
      or counted
    * `captures` - the named parts of a text of parts, see `Espalier.Schema`: names, texts and values in the order of the
      text
    * `reasoning` - what the model thought before it wrote the text, if it told: a local one with
      `:max_reasoning_tokens`, a hosted one if its provider passes it on. `nil` otherwise
    * `trace` - how the text of the last attempt came about, if `trace: true` was among the options, see
      `Espalier.Trace`

  With its seed a value comes again:

      iex> {:ok, result} = Espalier.generate_result([score: {:integer, min: 0, max: 9}], "Nine!", model: MyApp.Model, temperature: 1)
      iex> {:ok, again} = Espalier.generate_result([score: {:integer, min: 0, max: 9}], "Nine!", model: MyApp.Model, temperature: 1, seed: result.seed)
      iex> again.text == result.text
      true
  """

  alias Espalier.Trace

  @typedoc """
  Counts of tokens.

  `completion_tokens` is all that was written. Of a local model `forced_tokens` of them had no alternative, or none
  that `:max_tokens` left, and cost no choice of the model, and `steps` is how often the model ran. `cached_tokens` are those of the prompt that the
  model, or the provider, had read before for other requests. `reasoning_tokens` are those of the completion that are no
  part of the text, of a hosted model if the provider tells; what it does not tell of the first two is 0.
  """
  @type usage :: %{
          required(:prompt_tokens) => non_neg_integer,
          required(:completion_tokens) => non_neg_integer,
          optional(:forced_tokens) => non_neg_integer,
          optional(:steps) => non_neg_integer,
          optional(:cached_tokens) => non_neg_integer,
          optional(:reasoning_tokens) => non_neg_integer
        }

  @typedoc """
  What a model wrote, and why it was refused, or how the backend failed; `nil` if there is nothing wrong.
  `fixes` were made to read the text, see `Espalier.Reply`.

  `retries` of the request were needed to come so far. Of a backend that failed no usage is known. `trace` is there
  if it was asked for.
  """
  @type attempt :: %{
          text: String.t(),
          error: Exception.t() | nil,
          fixes: [Espalier.Reply.fix()],
          usage: usage,
          backend: module,
          model: term,
          retries: non_neg_integer,
          trace: Trace.t() | nil
        }

  @type t :: %__MODULE__{
          value: term,
          text: String.t(),
          fixes: [Espalier.Reply.fix()],
          finish_reason: :stop | :max_tokens,
          usage: usage,
          seed: non_neg_integer,
          attempts: [attempt],
          retries: non_neg_integer,
          cached?: boolean,
          captures: [%{name: atom, text: String.t(), value: term}],
          reasoning: String.t() | nil,
          trace: Trace.t() | nil
        }

  @no_usage %{
    prompt_tokens: 0,
    completion_tokens: 0,
    forced_tokens: 0,
    steps: 0,
    cached_tokens: 0,
    reasoning_tokens: 0
  }

  @doc false
  # The usage with all counts, 0 where nothing is known.
  @spec counts(map) :: usage
  def counts(usage), do: Map.merge(@no_usage, usage)

  @enforce_keys [
    :value,
    :text,
    :fixes,
    :finish_reason,
    :usage,
    :seed,
    :attempts,
    :retries,
    :cached?
  ]
  defstruct @enforce_keys ++ [:reasoning, :trace, captures: []]
end
