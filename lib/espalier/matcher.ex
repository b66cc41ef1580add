defmodule Espalier.Matcher do
  @moduledoc """
  The way of one text along a constraint, for a generation loop of your own.

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["a", "b", "ab", ""], eos_ids: [3])
      iex> constraint = Espalier.Constraint.regex!("(ab)+", vocabulary: vocabulary)
      iex> matcher = Espalier.Matcher.new(constraint)
      iex> Espalier.Matcher.allowed_tokens(matcher)
      {:ok, [0, 2]}
      iex> Espalier.Matcher.accept_token(matcher, 2)
      :ok
      iex> Espalier.Matcher.allowed_tokens(matcher)
      {:ok, [0, 2, 3]}
      iex> Espalier.Matcher.accepting?(matcher)
      true
      iex> inspect(matcher)
      ~s{#Espalier.Matcher<regex, text: "ab", next: ["a", "ab", the end]>}

  At each step `compute_mask/1` says which tokens may come next and `accept_token/2` takes one of them;
  `advance/2` does both in one call. There are four questions about the end, and no others:

  | question | function |
  | --- | --- |
  | may the text end here? | `accepting?/1`; exactly then an end-of-sequence token is allowed |
  | must it end here? | `must_stop?/1`: nothing else is allowed |
  | has it ended? | `finished?/1`: an end-of-sequence token was accepted |
  | what is forced from here? | `forced_tokens/1`: the only continuation |

  Every allowed token can be completed to a text that the constraint accepts, if the vocabulary can spell it: each that
  has a token for every byte can, as those of models do. In one made by hand with `Espalier.Vocabulary.from_tokens/2` a
  text may lead to where nothing is allowed.

  A matcher is a reference to something that changes, not a value: `fork/1` makes another one that goes on from there.
  Several processes may use one; their calls take turns. A refused step is an `Espalier.MatcherError` and changes
  nothing.
  """

  alias Espalier.{Constraint, Error, MatcherError, Native, Packed}

  @type t :: %__MODULE__{ref: reference, constraint: Constraint.t()}

  @typedoc """
  One bit for each id: bit `rem(id, 8)`, from the least significant, of byte `div(id, 8)`. The binary is
  padded with zeros to a multiple of four bytes.
  """
  @type mask :: binary

  @typedoc "Token ids, as a list or as a binary of little-endian 32-bit numbers."
  @type tokens :: [non_neg_integer] | binary

  @enforce_keys [:ref, :constraint]
  defstruct [:ref, :constraint]

  # The largest number that native code is asked for. No id and no count of steps is as large.
  @largest 0xFFFFFFFF

  @doc "Makes a matcher that stands at the start of the constraint."
  @spec new(Constraint.t()) :: t
  def new(%Constraint{} = constraint) do
    ref = constraint.ref |> Native.matcher_new() |> Error.wrap() |> Error.bang!()
    %__MODULE__{ref: ref, constraint: constraint}
  end

  @doc "The tokens that may come next, as a mask. After the end it is empty."
  @spec compute_mask(t) :: {:ok, mask} | {:error, Exception.t()}
  def compute_mask(%__MODULE__{ref: ref}),
    do: ref |> Native.matcher_compute_mask() |> Error.wrap()

  @doc "Like `compute_mask/1`, but returns the mask and raises the error."
  @spec compute_mask!(t) :: mask
  def compute_mask!(matcher), do: matcher |> compute_mask() |> Error.bang!()

  @doc "The tokens that may come next, as a list of ids in ascending order."
  @spec allowed_tokens(t) :: {:ok, [non_neg_integer]} | {:error, Exception.t()}
  def allowed_tokens(matcher) do
    with {:ok, mask} <- compute_mask(matcher), do: {:ok, Packed.bits(mask)}
  end

  @doc """
  Accepts a token.

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["a", "b", ""], eos_ids: [2])
      iex> matcher = Espalier.Matcher.new(Espalier.Constraint.choice!(["b"], vocabulary: vocabulary))
      iex> {:error, error} = Espalier.Matcher.accept_token(matcher, 0)
      iex> {error.kind, error.bytes, error.n_allowed}
      {:token_not_allowed, "a", 1}
  """
  @spec accept_token(t, non_neg_integer) :: :ok | {:error, Exception.t()}
  def accept_token(%__MODULE__{ref: ref}, token) do
    ref |> Native.matcher_accept_token(id(token)) |> Error.wrap() |> told(token)
  end

  @doc "Like `accept_token/2`, but raises the error."
  @spec accept_token!(t, non_neg_integer) :: :ok
  def accept_token!(matcher, token), do: matcher |> accept_token(token) |> Error.bang!()

  @doc """
  Accepts tokens, up to the first that is refused: the error's `index` is its place, and those before it
  stay accepted.
  """
  @spec accept_tokens(t, tokens) :: :ok | {:error, Exception.t()}
  def accept_tokens(%__MODULE__{ref: ref}, tokens) do
    result = ref |> Native.matcher_accept_tokens(pack(tokens)) |> Error.wrap()

    with {:error, %MatcherError{kind: :unknown_token, index: index}} when is_list(tokens) <-
           result,
         do: told(result, Enum.at(tokens, index))
  end

  @doc "Like `accept_tokens/2`, but raises the error."
  @spec accept_tokens!(t, tokens) :: :ok
  def accept_tokens!(matcher, tokens), do: matcher |> accept_tokens(tokens) |> Error.bang!()

  @doc """
  Accepts bytes, which need not be whole tokens, as one step.

  A refused text changes nothing; the error's `offset` is that of the first refused byte. Special tokens are no text, and
  their names, which `text/1` has, are refused where such a token is meant: take these by `accept_token/2`.
  """
  @spec accept_text(t, binary) :: :ok | {:error, Exception.t()}
  def accept_text(%__MODULE__{ref: ref}, text) when is_binary(text) do
    ref |> Native.matcher_accept_text(text) |> Error.wrap()
  end

  def accept_text(%__MODULE__{}, other),
    do: raise(ArgumentError, "expected a text or other bytes, got: #{inspect(other)}")

  @doc "Like `accept_text/2`, but raises the error."
  @spec accept_text!(t, binary) :: :ok
  def accept_text!(matcher, text), do: matcher |> accept_text(text) |> Error.bang!()

  @doc "Accepts a token and gives the mask after it: one call for one step of a generation loop."
  @spec advance(t, non_neg_integer) :: {:ok, mask} | {:error, Exception.t()}
  def advance(%__MODULE__{ref: ref}, token) do
    ref |> Native.matcher_advance(id(token)) |> Error.wrap() |> told(token)
  end

  @doc "Like `advance/2`, but returns the mask and raises the error."
  @spec advance!(t, non_neg_integer) :: mask
  def advance!(matcher, token), do: matcher |> advance(token) |> Error.bang!()

  @doc "How many of the tokens could be accepted one after the other, for speculative decoding."
  @spec validate_tokens(t, tokens) :: {:ok, non_neg_integer} | {:error, Exception.t()}
  def validate_tokens(%__MODULE__{ref: ref}, tokens) do
    ref |> Native.matcher_validate_tokens(pack(tokens)) |> Error.wrap()
  end

  @doc "Takes back the last `n` steps; a step is a token or a text that was accepted."
  @spec rollback(t, non_neg_integer) :: :ok | {:error, Exception.t()}
  def rollback(%__MODULE__{ref: ref}, n) when is_integer(n) and n >= 0,
    do: ref |> Native.matcher_rollback(min(n, @largest)) |> Error.wrap() |> told(n)

  def rollback(%__MODULE__{}, other),
    do: raise(ArgumentError, "expected a number of steps, got: #{inspect(other)}")

  @doc "Like `rollback/2`, but raises the error."
  @spec rollback!(t, non_neg_integer) :: :ok
  def rollback!(matcher, n), do: matcher |> rollback(n) |> Error.bang!()

  @doc "Takes everything back, so that it stands at the start again."
  @spec reset(t) :: :ok | {:error, Exception.t()}
  def reset(%__MODULE__{ref: ref}), do: ref |> Native.matcher_reset() |> Error.wrap()

  @doc "Like `reset/1`, but raises the error."
  @spec reset!(t) :: :ok
  def reset!(matcher), do: matcher |> reset() |> Error.bang!()

  @doc """
  Another matcher, which stands where this one does: for two continuations of one text.

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["a", "b", ""], eos_ids: [2])
      iex> matcher = Espalier.Matcher.new(Espalier.Constraint.regex!("a[ab]+", vocabulary: vocabulary))
      iex> :ok = Espalier.Matcher.accept_token(matcher, 0)
      iex> {:ok, other} = Espalier.Matcher.fork(matcher)
      iex> :ok = Espalier.Matcher.accept_token(other, 1)
      iex> {Espalier.Matcher.text(matcher), Espalier.Matcher.text(other)}
      {{:ok, "a"}, {:ok, "ab"}}
  """
  @spec fork(t) :: {:ok, t} | {:error, Exception.t()}
  def fork(%__MODULE__{ref: ref} = matcher) do
    with {:ok, fork} <- ref |> Native.matcher_fork() |> Error.wrap(),
         do: {:ok, %{matcher | ref: fork}}
  end

  @doc "Like `fork/1`, but returns the matcher and raises the error."
  @spec fork!(t) :: t
  def fork!(matcher), do: matcher |> fork() |> Error.bang!()

  @doc """
  The bytes of what was accepted and not taken back; they may end inside of a character. For special tokens there are
  their names.
  """
  @spec text(t) :: {:ok, binary} | {:error, Exception.t()}
  def text(%__MODULE__{ref: ref}), do: ref |> Native.matcher_text() |> Error.wrap()

  @doc "Like `text/1`, but returns the bytes and raises the error."
  @spec text!(t) :: binary
  def text!(matcher), do: matcher |> text() |> Error.bang!()

  @doc "Whether the text may end here."
  @spec accepting?(t) :: boolean
  def accepting?(matcher), do: matcher |> status() |> elem(0)

  @doc "Whether the text must end here: nothing but an end-of-sequence token is allowed."
  @spec must_stop?(t) :: boolean
  def must_stop?(matcher), do: matcher |> status() |> elem(1)

  @doc "Whether an end-of-sequence token was accepted."
  @spec finished?(t) :: boolean
  def finished?(matcher), do: matcher |> status() |> elem(2)

  @doc """
  The tokens of the only continuation, in the tokenizer's own spelling.

  Empty where there is a choice, and it never holds an end-of-sequence token.
  """
  @spec forced_tokens(t) :: {:ok, [non_neg_integer]} | {:error, Exception.t()}
  def forced_tokens(%__MODULE__{ref: ref}) do
    with {:ok, packed} <- ref |> Native.matcher_forced_tokens() |> Error.wrap() do
      {:ok, Packed.unpack(packed)}
    end
  end

  defp status(%__MODULE__{ref: ref}) do
    ref |> Native.matcher_status() |> Error.wrap() |> Error.bang!()
  end

  defp pack(ids) when is_list(ids), do: ids |> Enum.map(&id/1) |> Packed.pack()
  defp pack(packed), do: Packed.pack(packed)

  defp id(id) when is_integer(id) and id >= 0, do: min(id, @largest)
  defp id(other), do: raise(ArgumentError, "expected a token id, got: #{inspect(other)}")

  # With the number that was asked for, which native code may not have seen.
  defp told({:error, %MatcherError{kind: kind} = error}, number) when number > @largest do
    message =
      String.replace(error.message, Integer.to_string(@largest), Integer.to_string(number))

    case kind do
      :unknown_token -> {:error, %{error | token: number, message: message}}
      :rollback_too_far -> {:error, %{error | requested: number, message: message}}
      _other -> {:error, error}
    end
  end

  defp told(result, _number), do: result
end

defimpl Inspect, for: Espalier.Matcher do
  alias Espalier.Matcher
  alias Espalier.Vocabulary

  @all [limit: :infinity, printable_limit: :infinity]

  # So much of the text so far is shown, from its end on, and so many of the tokens that may come.
  @characters 60
  @tokens 8

  def inspect(%{constraint: constraint} = matcher, _options) do
    shown =
      with {:ok, text} <- Matcher.text(matcher),
           {:ok, ids} <- Matcher.allowed_tokens(matcher) do
        "text: #{text(text)}, next: #{next(ids, matcher, constraint.vocabulary)}"
      else
        {:error, error} -> Exception.message(error)
      end

    "#Espalier.Matcher<#{constraint.kind}, #{shown}>"
  end

  # A character that has only begun is shown by its bytes.
  defp text(text) do
    case :unicode.characters_to_binary(text) do
      {:incomplete, whole, begun} -> "#{characters(whole)} <> #{Kernel.inspect(begun)}"
      {:error, _whole, _bytes} -> bytes(text)
      whole -> characters(whole)
    end
  end

  defp characters(text) do
    shown = text |> String.slice(-@characters, @characters) |> Kernel.inspect(@all)
    if String.length(text) > @characters, do: "..." <> shown, else: shown
  end

  defp bytes(bytes) when byte_size(bytes) <= @characters, do: Kernel.inspect(bytes, @all)

  defp bytes(bytes),
    do: "..." <> (bytes |> binary_part(byte_size(bytes), -@characters) |> Kernel.inspect(@all))

  defp next([], matcher, _vocabulary),
    do: if(Matcher.finished?(matcher), do: "nothing, it has ended", else: "nothing")

  defp next(ids, _matcher, vocabulary) when length(ids) <= @tokens,
    do: "[" <> Enum.map_join(ids, ", ", &token(&1, vocabulary)) <> "]"

  defp next(ids, matcher, _vocabulary) do
    the_end = if Matcher.accepting?(matcher), do: ", the end among them", else: ""
    "#{length(ids)} tokens#{the_end}"
  end

  # A special token has no text.
  defp token(id, vocabulary) do
    bytes = Vocabulary.token_bytes(vocabulary, id)

    cond do
      id in vocabulary.eos_ids -> "the end"
      bytes == "" -> "the token #{id}"
      true -> Kernel.inspect(bytes, @all)
    end
  end
end
