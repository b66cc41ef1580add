defmodule Espalier.Trace.Token do
  @moduledoc """
  One token of an `Espalier.Trace`.

    * `id` - its number in the vocabulary; `nil` for a piece of text of a hosted backend
    * `text` - its bytes. They may be a part of a character in UTF-8, and a special token has none
    * `forced?` - whether the constraint left no choice, so that the model was not asked
    * `allowed` - how many tokens the mask allowed: all of the vocabulary without a constraint
    * `probability` - what the model gave it among all tokens, before the mask, the penalties and the temperature
    * `allowed_probability` - what the model gave to all allowed tokens together. Near 1 the mask changed nothing, near
      0 it made the model write what it would not have
    * `alternatives` - the model's likeliest tokens, likeliest first, at most 5; the token itself may be among them

  Probabilities are from 0 to 1. `allowed`, `probability` and `allowed_probability` are `nil`, and there are no
  alternatives, where the token was forced or the backend doesn't tell.

      iex> %Espalier.Trace.Token{id: 90, text: "{", forced?: true}.alternatives
      []
  """

  @typedoc "A token that the model could have written, and whether the mask allowed it."
  @type alternative :: %{
          id: non_neg_integer,
          text: binary,
          probability: float,
          allowed?: boolean
        }

  @type t :: %__MODULE__{
          id: non_neg_integer | nil,
          text: binary,
          forced?: boolean,
          allowed: pos_integer | nil,
          probability: float | nil,
          allowed_probability: float | nil,
          alternatives: [alternative]
        }

  @enforce_keys [:text]
  defstruct [
    :id,
    :text,
    :allowed,
    :probability,
    :allowed_probability,
    forced?: false,
    alternatives: []
  ]
end
