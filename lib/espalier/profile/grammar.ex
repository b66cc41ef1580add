defmodule Espalier.Profile.Grammar do
  @moduledoc false
  # A schema as the grammar that a server is to keep to.

  alias Espalier.Constraint
  alias Espalier.ConstraintCache
  alias Espalier.Schema
  alias Espalier.Vocabulary

  @doc """
  The grammar in GBNF, with the options of `Espalier.Schema.to_constraint/2` but for the vocabulary.

  What comes twice in a text is read as its last value, and validated as that.
  """
  @spec gbnf(Schema.t(), keyword) :: {:ok, String.t()} | {:error, Exception.t()}
  def gbnf(schema, options) do
    options = [vocabulary: Vocabulary.bytes()] ++ options

    with {:ok, constraint} <- ConstraintCache.fetch(schema, options),
         do: Constraint.to_gbnf(constraint, repeated_keys: :allow)
  end
end
