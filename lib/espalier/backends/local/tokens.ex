defmodule Espalier.Backends.Local.Tokens do
  @moduledoc false
  # The tokens that a model wrote, as events of a backend. In a trace each token comes by itself.

  alias Espalier.Backend
  alias Espalier.Generation
  alias Espalier.Vocabulary

  @doc "The events of tokens; `vocabulary` is that of the model."
  @spec events(Generation.event(), Vocabulary.t()) :: [Backend.event()]
  def events({:tokens, ids, bytes, forced?, nil}, _vocabulary),
    do: [{:tokens, ids, bytes, forced?}]

  def events({:tokens, [id], bytes, forced?, choice}, vocabulary) do
    alternatives = Enum.map(choice.alternatives, &alternative(&1, vocabulary))
    choice = Map.merge(choice, %{alternatives: alternatives, size: vocabulary.size})
    [{:choice, choice}, {:tokens, [id], bytes, forced?}]
  end

  defp alternative(%{id: id, probability: probability, is_allowed: allowed?}, vocabulary),
    do: %{id: id, text: text(vocabulary, id), probability: probability, allowed?: allowed?}

  defp text(vocabulary, id), do: Vocabulary.token_bytes(vocabulary, id) || ""
end
