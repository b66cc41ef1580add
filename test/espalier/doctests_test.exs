defmodule Echo do
  @moduledoc "The backend in the documentation of `Espalier.Backend`."
  @behaviour Espalier.Backend

  @impl true
  def stream(%Espalier.Request{prompt: {:text, text}}) do
    usage = %{prompt_tokens: 0, completion_tokens: 0, forced_tokens: 0, steps: 0}
    {:ok, [{:tokens, [], text, false}, {:done, %{finish_reason: :stop, usage: usage}}]}
  end
end

defmodule Show do
  @moduledoc "The backend in the documentation of `Espalier.Request`."
  @behaviour Espalier.Backend

  @impl true
  def stream(request) do
    usage = %{prompt_tokens: 0, completion_tokens: 0, forced_tokens: 0, steps: 0}
    text = inspect({request.prompt, request.max_tokens})
    {:ok, [{:tokens, [], text, false}, {:done, %{finish_reason: :stop, usage: usage}}]}
  end
end

defmodule Espalier.DoctestsTest do
  @moduledoc "The examples of modules whose tests are elsewhere."
  use ExUnit.Case, async: true

  doctest Espalier.Backend
  doctest Espalier.Backends.Local
  doctest Espalier.Hub
  doctest Espalier.Image
  doctest Espalier.Request
  doctest Espalier.Result

  doctest Espalier.CastError
  doctest Espalier.ChangesetError
  doctest Espalier.CircuitOpenError
  doctest Espalier.GenerationError
  doctest Espalier.HubError
  doctest Espalier.InputError
  doctest Espalier.JSONError
  doctest Espalier.MatcherError
  doctest Espalier.ModelError
  doctest Espalier.NativeError
  doctest Espalier.OptionsError
  doctest Espalier.ProviderError
  doctest Espalier.RefusalError
  doctest Espalier.SchemaError
  doctest Espalier.SerializationError
  doctest Espalier.ThrottleError
  doctest Espalier.TransportError
  doctest Espalier.VocabularyError
end
