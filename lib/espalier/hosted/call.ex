defmodule Espalier.Hosted.Call do
  @moduledoc false
  # A request as a provider wants it.
  #
  #   * `provider` - the name for errors
  #   * `body` - a term for `Espalier.JSON.encode/1`
  #   * `framing` - how the answer comes: one JSON text (`:json`), server-sent events (`:sse`), or a JSON text a
  #     line (`:ndjson`)
  #   * `adapted` - the schema that was sent, if that is another than the request's
  #   * `state` - what the provider keeps while it reads the answer

  # Headers may have secrets, and the body has the prompt.
  @derive {Inspect, except: [:headers, :body]}
  @enforce_keys [:provider, :url, :body, :framing]
  defstruct @enforce_keys ++ [headers: [], adapted: nil, state: nil]

  @type t :: %__MODULE__{
          provider: atom,
          url: String.t(),
          headers: [Espalier.HTTP.header()],
          body: term,
          framing: :json | :sse | :ndjson,
          adapted: Espalier.Profile.Adapted.t() | nil,
          state: term
        }
end
