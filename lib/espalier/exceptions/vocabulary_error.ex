defmodule Espalier.VocabularyError do
  @moduledoc """
  Tokens, a tokenizer file or a rank file that can't be used as a vocabulary.

  | kind | meaning |
  | --- | --- |
  | `:invalid_vocabulary`, `:invalid_tokenizer` | what it is made of can't be used: `detail` |
  | `:limit_exceeded` | it is too much: `limit` is the name of one of the `Espalier.Limits`, or `"max_file_bytes"`, and `value` its value |
  | `:not_found` | a file is missing or can't be read: `detail` |
  | `:file_changed` | a file was written to while it was read, again and again |

  `path` is the file of `Espalier.Vocabulary.load/2`.

      iex> {:error, error} = Espalier.Vocabulary.from_tokens(["a", "b"], eos_ids: [2])
      iex> error.kind
      :invalid_vocabulary
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          detail: String.t() | nil,
          limit: String.t() | nil,
          value: non_neg_integer | nil,
          path: String.t() | nil
        }

  defexception [:kind, :message, :detail, :limit, :value, :path]
end
