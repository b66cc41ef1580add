defmodule Espalier.Vocabulary do
  @moduledoc """
  The tokens of a language model: ids, the bytes of each, and the ids that end a sequence.

  A constraint is compiled for a vocabulary. A served model has its own, see
  `Espalier.Model.vocabulary/1`; for a model that runs elsewhere `load/2` has that of a file, the same one for all who
  ask. Others are made from

    * a list of tokens, `from_tokens/2`
    * the text of the tokenizer file of a Hugging Face model, `from_tokenizer_json/2`
    * that of a tiktoken rank file, `from_tiktoken/2`

  and a vocabulary that was made before is read by `deserialize/1`.

  ## Examples

      iex> {:ok, vocabulary} = Espalier.Vocabulary.from_tokens(["yes", "no", ""], eos_ids: [2])
      iex> vocabulary
      #Espalier.Vocabulary<size: 3, eos_ids: [2], ...>
      iex> Espalier.Vocabulary.token_bytes(vocabulary, 1)
      "no"

  It is immutable, lives outside of the process heaps, and is freed when nothing refers to it. Making
  one takes some tenths of a second from a rank file and up to some seconds from a large `tokenizer.json`, and
  constraints are kept for one vocabulary: make it once and share it, or let `load/2` do that.
  """

  alias Espalier.{
    Error,
    Limits,
    Native,
    Options,
    SerializationError,
    VocabularyCache,
    VocabularyError
  }

  @typedoc "`size` is the number of ids: they run from 0 to one less."
  @type t :: %__MODULE__{ref: reference, size: pos_integer, eos_ids: [non_neg_integer]}

  @derive {Inspect, except: [:ref]}
  @enforce_keys [:ref, :size, :eos_ids]
  defstruct [:ref, :size, :eos_ids]

  @ids {:list, {:range, 0, 0xFFFFFFFF}}
  @load_options [
    format: [
      type: {:in, [:tokenizer_json, :tiktoken, :serialized]},
      doc: "What the file is. By default its first bytes tell."
    ],
    max_file_bytes: [
      type: :pos_integer,
      default: 67_108_864,
      doc: "The most bytes of the file."
    ]
  ]
  @from_tokens_options [
                         eos_ids: [
                           type: @ids,
                           required: true,
                           doc: "The ids that end a sequence."
                         ],
                         special_ids: [
                           type: @ids,
                           default: [],
                           doc:
                             "Other ids that no constraint allows, because their text has no meaning as text."
                         ]
                       ] ++ Limits.vocabulary_option()
  @from_tokenizer_json_options [
                                 eos_tokens: [
                                   type: {:list, :string},
                                   required: true,
                                   doc:
                                     "The texts of the tokens that end a sequence, such as `\"</s>\"` or `\"<|im_end|>\"`."
                                 ],
                                 forced_tokens: [
                                   type: {:in, [:tokenizer, :longest]},
                                   default: :tokenizer,
                                   doc: """
                                   How forced tokens are spelled: as the tokenizer does, or by the longest tokens that \
                                   fit. These some models have seen less often, but without its tokenizer a vocabulary \
                                   takes about a quarter of the memory. With `:longest` the default limits hold, too.\
                                   """
                                 ]
                               ] ++ Limits.vocabulary_option()
  @from_tiktoken_options [
                           special_tokens: [
                             type: {:list, {:tuple, [:string, {:range, 0, 0xFFFFFFFF}]}},
                             default: [],
                             doc:
                               "The special tokens, each with its id: rank files don't have them."
                           ],
                           eos_ids: [
                             type: @ids,
                             required: true,
                             doc: "The ids that end a sequence."
                           ]
                         ] ++ Limits.vocabulary_option()

  @doc """
  The vocabulary of a file: one for the same content and the same options in the whole VM.

  The file is a `tokenizer.json`, a tiktoken rank file, or what `serialize/1` wrote. The first who asks has it made, and
  all who ask meanwhile wait for that. `Espalier.VocabularyCache` says what is kept, and for how long.

      Espalier.Vocabulary.load("priv/o200k_base.tiktoken", eos_ids: [199_999])

      iex> path = Path.join(Espalier.Model.tiny_path(), "tokenizer.json")
      iex> {:ok, vocabulary} = Espalier.Vocabulary.load(path, eos_tokens: ["<|end|>"])
      iex> Espalier.Vocabulary.load(path, eos_tokens: ["<|end|>"]) == {:ok, vocabulary}
      true
      iex> {:error, error} = Espalier.Vocabulary.load("/nowhere/tokenizer.json", eos_tokens: ["<|end|>"])
      iex> {error.kind, error.path, error.detail}
      {:not_found, "/nowhere/tokenizer.json", "no such file or directory"}

  ## Options

  #{Options.docs(@load_options)}
  The others are those of `from_tokenizer_json/2` for a `tokenizer.json` and of `from_tiktoken/2` for a rank file. A
  serialised vocabulary has none.
  """
  @spec load(String.t(), keyword) :: {:ok, t} | {:error, VocabularyError.t() | Exception.t()}
  def load(path, options \\ []), do: VocabularyCache.fetch(path, options)

  @doc "Like `load/2`, but returns the vocabulary and raises the error."
  @spec load!(String.t(), keyword) :: t
  def load!(path, options \\ []), do: path |> load(options) |> Error.bang!()

  @doc """
  Makes a vocabulary from the bytes of each token; the place in the list is the id.

  Tokens need not be valid UTF-8. An empty one is an id without text, which is never allowed; ids that
  end a sequence are allowed where the text may end.

  It should be able to spell every byte, as those of models are. Otherwise there may be dead ends: behind a token that is
  allowed nothing is, where no token has the byte that has to come.

  ## Options

  #{Options.docs(@from_tokens_options)}
  ## Examples

      iex> {:error, error} = Espalier.Vocabulary.from_tokens(["a", "b"], eos_ids: [2])
      iex> error.message
      "invalid vocabulary: id 2 is outside of the 2 tokens"
  """
  @spec from_tokens([binary], keyword) :: {:ok, t} | {:error, VocabularyError.t() | Exception.t()}
  def from_tokens(tokens, options) do
    with {:ok, options} <- Options.validate(options, @from_tokens_options) do
      tokens
      |> check_tokens()
      |> Native.vocabulary_from_tokens(
        options[:eos_ids],
        options[:special_ids],
        options[:limits]
      )
      |> wrap()
    end
  end

  @doc "Like `from_tokens/2`, but returns the vocabulary and raises the error."
  @spec from_tokens!([binary], keyword) :: t
  def from_tokens!(tokens, options), do: tokens |> from_tokens(options) |> Error.bang!()

  @doc """
  Makes a vocabulary from the text of a `tokenizer.json`.

  Byte-level and SentencePiece-like tokenizers are understood, with their added tokens.

  ## Options

  #{Options.docs(@from_tokenizer_json_options)}
  ## Examples

      "tokenizer.json" |> File.read!() |> Espalier.Vocabulary.from_tokenizer_json(eos_tokens: ["</s>"])
  """
  @spec from_tokenizer_json(binary, keyword) ::
          {:ok, t} | {:error, VocabularyError.t() | Exception.t()}
  def from_tokenizer_json(text, options) when is_binary(text) do
    with {:ok, options} <- Options.validate(options, @from_tokenizer_json_options) do
      text
      |> Native.vocabulary_from_tokenizer_json(options[:eos_tokens], options[:limits])
      |> wrap()
      |> spell(options[:forced_tokens])
    end
  end

  defp spell({:ok, vocabulary}, :longest), do: vocabulary |> serialize() |> deserialize()
  defp spell(result, _forced_tokens), do: result

  @doc "Like `from_tokenizer_json/2`, but returns the vocabulary and raises the error."
  @spec from_tokenizer_json!(binary, keyword) :: t
  def from_tokenizer_json!(text, options) do
    text |> from_tokenizer_json(options) |> Error.bang!()
  end

  @doc """
  Makes a vocabulary from the text of a tiktoken rank file: a token in base64 and its id in each line.

  ## Options

  #{Options.docs(@from_tiktoken_options)}
  ## Examples

      iex> ranks = "YQ== 0\\nYg== 1\\nYWI= 2\\n"
      iex> {:ok, vocabulary} =
      ...>   Espalier.Vocabulary.from_tiktoken(ranks, special_tokens: [{"<|end|>", 3}], eos_ids: [3])
      iex> Espalier.Vocabulary.token_bytes(vocabulary, 2)
      "ab"
  """
  @spec from_tiktoken(binary, keyword) :: {:ok, t} | {:error, VocabularyError.t() | Exception.t()}
  def from_tiktoken(ranks, options) when is_binary(ranks) do
    with {:ok, options} <- Options.validate(options, @from_tiktoken_options) do
      ranks
      |> Native.vocabulary_from_tiktoken(
        options[:special_tokens],
        options[:eos_ids],
        options[:limits]
      )
      |> wrap()
    end
  end

  @doc "Like `from_tiktoken/2`, but returns the vocabulary and raises the error."
  @spec from_tiktoken!(binary, keyword) :: t
  def from_tiktoken!(ranks, options), do: ranks |> from_tiktoken(options) |> Error.bang!()

  @doc """
  The vocabulary as a binary, for `deserialize/1` at the next start.
  """
  @spec serialize(t) :: binary
  def serialize(%__MODULE__{ref: ref}), do: Native.vocabulary_serialize(ref)

  @doc """
  Loads a vocabulary that `serialize/1` wrote, in less time than it takes to make one.

  The tokenizer of `from_tokenizer_json/2` is not part of it: forced tokens of the vocabulary that is
  loaded are the longest ones that fit, which some models have seen less often. Masks are the same, and so
  is the vocabulary to `Espalier.Constraint.deserialize/2`. The default limits hold, whatever it was made
  with.

  ## Examples

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["yes", "no", ""], eos_ids: [2])
      iex> bytes = Espalier.Vocabulary.serialize(vocabulary)
      iex> {:ok, loaded} = Espalier.Vocabulary.deserialize(bytes)
      iex> Espalier.Vocabulary.token_bytes(loaded, 1)
      "no"
      iex> {:error, error} = Espalier.Vocabulary.deserialize(binary_part(bytes, 0, 30))
      iex> {error.kind, error.part}
      {:invalid_serialized, "length"}
  """
  @spec deserialize(binary) :: {:ok, t} | {:error, SerializationError.t() | VocabularyError.t()}
  def deserialize(bytes) when is_binary(bytes),
    do: bytes |> Native.vocabulary_deserialize() |> wrap()

  @doc "Like `deserialize/1`, but returns the vocabulary and raises the error."
  @spec deserialize!(binary) :: t
  def deserialize!(bytes), do: bytes |> deserialize() |> Error.bang!()

  @doc """
  The vocabulary of single bytes, whose ids are the bytes themselves; 256 ends a sequence. It is made once.

  With it a matcher reads texts, whatever a model's tokens are:

      iex> constraint = Espalier.Constraint.regex!("[a-z]+", vocabulary: Espalier.Vocabulary.bytes())
      iex> constraint |> Espalier.Matcher.new() |> Espalier.Matcher.accept_text("hello")
      :ok
  """
  @spec bytes() :: t
  def bytes do
    with nil <- :persistent_term.get(__MODULE__, nil),
         do: :global.trans({__MODULE__, self()}, &make_bytes/0, [node()])
  end

  # Several processes may ask at first.
  defp make_bytes do
    with nil <- :persistent_term.get(__MODULE__, nil) do
      tokens = for(byte <- 0..255, do: <<byte>>) ++ [""]
      vocabulary = from_tokens!(tokens, eos_ids: [256])
      :persistent_term.put(__MODULE__, vocabulary)
      vocabulary
    end
  end

  @doc "The bytes of a token, `\"\"` for an id without text, or `nil` for an id that there is not."
  @spec token_bytes(t, non_neg_integer) :: binary | nil
  def token_bytes(%__MODULE__{ref: ref}, id), do: Native.vocabulary_token_bytes(ref, id)

  @doc false
  # The options of a file, by its format.
  @spec options(:any | :tokenizer_json | :tiktoken | :serialized) :: Options.schema()
  def options(:any), do: @load_options
  def options(:tokenizer_json), do: @from_tokenizer_json_options
  def options(:tiktoken), do: @from_tiktoken_options
  def options(:serialized), do: []

  @doc false
  @spec vocabulary?(term) :: boolean
  def vocabulary?(term), do: is_struct(term, __MODULE__)

  @doc false
  # A reference that does not keep the vocabulary alive: it works as long as somebody else has it.
  @spec to_weak(t) :: binary
  def to_weak(%__MODULE__{ref: ref}), do: :erlang.term_to_binary(ref)

  @doc false
  @spec from_weak(binary) :: {:ok, t} | :none
  def from_weak(weak) do
    {:ok, weak |> :erlang.binary_to_term() |> new()}
  rescue
    ArgumentError -> :none
  end

  @doc false
  @spec new(reference) :: t
  def new(ref) do
    %{size: size, eos_ids: eos_ids} = Native.vocabulary_info(ref)
    %__MODULE__{ref: ref, size: size, eos_ids: eos_ids}
  end

  defp wrap({:ok, ref}), do: {:ok, new(ref)}

  defp wrap({:error, {:invalid_tokenizer, message, details}}) do
    {:error,
     %VocabularyError{kind: :invalid_tokenizer, message: message, detail: details[:detail]}}
  end

  defp wrap({:error, {:limit_exceeded, message, details}}) do
    fields = [limit: details[:limit], value: details[:value]]
    {:error, struct(VocabularyError, [kind: :limit_exceeded, message: message] ++ fields)}
  end

  defp wrap(error), do: Error.wrap(error)

  defp check_tokens(tokens) do
    if is_list(tokens) and not List.improper?(tokens) and Enum.all?(tokens, &is_binary/1) do
      tokens
    else
      raise ArgumentError, "expected a list of binaries as tokens, got: #{inspect(tokens)}"
    end
  end
end
