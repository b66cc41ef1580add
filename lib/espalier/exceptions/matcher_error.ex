defmodule Espalier.MatcherError do
  @moduledoc """
  A step that a matcher refuses. The matcher is as it was before.

  A step that would take too much is an `Espalier.SchemaError` of the kind `:limit_exceeded`, and changes
  nothing either.

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:token_not_allowed` | the token can't come next | `token`, `bytes`, `n_allowed` (how many can), `allowed` (the first few of those) |
  | `:unknown_token` | no such id in the vocabulary | `token`, `vocabulary_size` |
  | `:text_not_allowed` | the text can't come next | `offset` of the first refused byte |
  | `:finished` | the end-of-sequence token was accepted already | |
  | `:rollback_too_far` | fewer steps were accepted | `requested`, `accepted` |

  `index` is set by `Espalier.Matcher.accept_tokens/2`: the place of the refused token in the list;
  the tokens before it stay accepted.

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["yes", "no", ""], eos_ids: [2])
      iex> constraint = Espalier.Constraint.choice!(["yes", "no"], vocabulary: vocabulary)
      iex> {:error, error} = constraint |> Espalier.Matcher.new() |> Espalier.Matcher.accept_text("yet")
      iex> {error.kind, error.offset}
      {:text_not_allowed, 2}
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          token: non_neg_integer | nil,
          bytes: String.t() | nil,
          n_allowed: non_neg_integer | nil,
          allowed: [non_neg_integer] | nil,
          vocabulary_size: non_neg_integer | nil,
          offset: non_neg_integer | nil,
          requested: non_neg_integer | nil,
          accepted: non_neg_integer | nil,
          index: non_neg_integer | nil
        }

  defexception [
    :kind,
    :message,
    :token,
    :bytes,
    :n_allowed,
    :allowed,
    :vocabulary_size,
    :offset,
    :requested,
    :accepted,
    :index
  ]
end
