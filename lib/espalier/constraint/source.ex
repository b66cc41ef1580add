defmodule Espalier.Constraint.Source do
  @moduledoc false
  # What a constraint is compiled from, with all that shapes it: equal sources make constraints that are the same.

  alias Espalier.Vocabulary

  @enforce_keys [:kind, :content, :limits, :vocabulary]
  defstruct @enforce_keys

  @typedoc """
  `content` is the pattern of a `:regex` with its syntax, the texts of a `:choice`, the text of a `:grammar` with its syntax, its
  start and how JSON in it may look, the parts of a `:sequence` with that, and for JSON the text of the schema, the
  documents that it refers to, and how values may look.
  """
  @type t :: %__MODULE__{
          kind: :json_schema | :regex | :grammar | :sequence | :choice,
          content:
            {String.t(), :rust | :ecma}
            | [binary]
            | {String.t(), map}
            | {String.t(), {:lark | :gbnf, String.t()}, map}
            | {String.t(), [{String.t(), String.t()}], map},
          limits: keyword,
          vocabulary: Vocabulary.t()
        }
end
