defmodule Espalier.Reply.Candidate do
  @moduledoc """
  A JSON value that a reply may stand for.

    * `text` - strict JSON
    * `fixes` - what had to be done to the reply for it, in the order of the table in `Espalier.Reply`

        iex> Espalier.Reply.candidates("[1, 2,]")
        [%Espalier.Reply.Candidate{text: "[1,2]", fixes: [:trailing_comma]}]
  """

  @enforce_keys [:text]
  defstruct [:text, fixes: []]

  @type t :: %__MODULE__{text: String.t(), fixes: [Espalier.Reply.fix()]}
end
