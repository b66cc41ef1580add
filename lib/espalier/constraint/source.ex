defmodule Espalier.Constraint.Source do
  @moduledoc false
  # What a constraint is compiled from, with all that shapes it: equal sources make constraints that are the same.

  alias Espalier.Vocabulary

  @enforce_keys [:kind, :content, :limits, :vocabulary]
  defstruct @enforce_keys

  @typedoc """
  `content` is the pattern of a `:regex`, the texts of a `:choice`, the parts of a `:sequence` with how values may look, and
  for JSON the text of the schema, the
  documents that it refers to, and how values may look.
  """
  @type t :: %__MODULE__{
          kind: :json_schema | :regex | :choice | :sequence,
          content:
            String.t()
            | [binary]
            | {String.t(), map}
            | {String.t(), [{String.t(), String.t()}], map},
          limits: keyword,
          vocabulary: Vocabulary.t()
        }
end
