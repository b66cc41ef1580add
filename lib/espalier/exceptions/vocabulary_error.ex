defmodule Espalier.VocabularyError do
  @moduledoc """
  Tokens, a tokenizer file or a rank file that can't be used as a vocabulary.

  `:kind` is `:invalid_vocabulary` or `:invalid_tokenizer`, where `:detail` says what is the matter, or
  `:limit_exceeded`, where `:limit` is the name of one of the `Espalier.Limits` and `:value` its value.

      iex> {:error, error} = Espalier.Vocabulary.from_tokens(["a", "b"], eos_ids: [2])
      iex> error.kind
      :invalid_vocabulary
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          detail: String.t() | nil,
          limit: String.t() | nil,
          value: non_neg_integer | nil
        }

  defexception [:kind, :message, :detail, :limit, :value]
end
