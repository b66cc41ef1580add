defmodule Espalier.Backends.Local.Tokens do
  @moduledoc false
  # The tokens that a model wrote, as events of a backend. Of a trace each token is an event of its own.

  alias Espalier.Backend
  alias Espalier.Generation
  alias Espalier.Vocabulary

  @doc "The events of tokens; `vocabulary` is that of the model where there is a trace."
  @spec events(Generation.event(), Vocabulary.t() | nil) :: [Backend.event()]
  def events({:tokens, ids, bytes, forced?, _choice}, nil), do: [{:tokens, ids, bytes, forced?}]

  def events({:tokens, ids, bytes, forced?, nil}, vocabulary),
    do: for({id, text} <- split(ids, bytes, vocabulary), do: {:tokens, [id], text, forced?})

  def events({:tokens, [id], bytes, forced?, choice}, vocabulary) do
    alternatives = Enum.map(choice.alternatives, &alternative(&1, vocabulary))
    choice = Map.merge(choice, %{alternatives: alternatives, size: vocabulary.size})
    [{:choice, choice}, {:tokens, [id], bytes, forced?}]
  end

  # What stops a text cuts it, maybe within a token, and those after that are no part of it.
  defp split([], _bytes, _vocabulary), do: []

  defp split([id | ids], bytes, vocabulary) do
    text = text(vocabulary, id)
    n_bytes = byte_size(text)

    case bytes do
      <<^text::binary-size(n_bytes), rest::binary>> -> [{id, text} | split(ids, rest, vocabulary)]
      "" -> []
      cut -> [{id, cut}]
    end
  end

  defp alternative(%{id: id, probability: probability, is_allowed: allowed?}, vocabulary),
    do: %{id: id, text: text(vocabulary, id), probability: probability, allowed?: allowed?}

  defp text(vocabulary, id), do: Vocabulary.token_bytes(vocabulary, id) || ""
end
