defmodule Espalier.Hosted.Call do
  @moduledoc false
  # A request as a provider wants it.
  #
  #   * `provider` - the name for errors
  #   * `body` - a term for `Espalier.JSON.encode/1`
  #   * `framing` - how the answer comes: one JSON text (`:json`), server-sent events (`:sse`), or a JSON text a
  #     line (`:ndjson`)
  #   * `shape` - how the value's text is found in what is written
  #   * `state` - what the provider keeps while it reads the answer

  # Headers may have secrets, and the body has the prompt.
  @derive {Inspect, except: [:headers, :body]}
  @enforce_keys [:provider, :url, :body, :framing, :shape]
  defstruct @enforce_keys ++ [headers: [], state: nil]

  @type t :: %__MODULE__{
          provider: atom,
          url: String.t(),
          headers: [Espalier.HTTP.header()],
          body: term,
          framing: :json | :sse | :ndjson,
          shape: Espalier.Hosted.Shape.t(),
          state: term
        }
end
