defmodule Espalier.ConstraintCache.Key do
  @moduledoc false
  # What a constraint is found by: a hash of all that it depends on.

  alias Espalier.Constraint
  alias Espalier.Constraint.Source

  @type t :: <<_::256>>

  @doc "The key as long as the vocabulary lives. It does not keep it alive."
  @spec in_memory(Source.t()) :: t
  def in_memory(%Source{vocabulary: vocabulary} = source), do: hash([vocabulary.ref], source)

  @doc "The key in each VM: vocabularies are the same if their tokens are."
  @spec in_directory(Source.t()) :: t
  def in_directory(%Source{vocabulary: vocabulary} = source) do
    # What is stored says for which tokens it is, whatever else it says.
    stored = [""] |> Constraint.choice!(vocabulary: vocabulary) |> Constraint.serialize()
    hash([stored], source)
  end

  defp hash(vocabulary, %Source{kind: kind, content: content, limits: limits}) do
    meaning = [kind, content, limits | vocabulary]
    :crypto.hash(:sha256, :erlang.term_to_binary(meaning, [:deterministic]))
  end
end
