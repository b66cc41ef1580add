defmodule Espalier.TransportError do
  @moduledoc """
  No answer, or only a part of one, came from a server. It is tried again.

  | kind | meaning |
  | --- | --- |
  | `:connect` | no connection: `detail` has the reason |
  | `:tls` | the server's certificate can't be trusted, or TLS failed; this one is not tried again |
  | `:timeout` | nothing came for the time allowed |
  | `:closed` | the connection ended in the midst of the answer |
  | `:protocol` | what came is not HTTP as it has to be: `detail` |

  `url` is where the request went, without a query and credentials.

      iex> error = %Espalier.TransportError{kind: :connect, url: "http://127.0.0.1:9/v1", detail: "connection refused"}
      iex> Exception.message(error)
      "no connection to http://127.0.0.1:9/v1: connection refused"
  """

  @type t :: %__MODULE__{
          kind: :connect | :tls | :timeout | :closed | :protocol,
          url: String.t(),
          detail: String.t() | nil
        }

  defexception [:kind, :url, :detail]

  @impl true
  def message(%{kind: kind, url: url, detail: detail}) do
    what =
      case kind do
        :connect -> "no connection to #{url}"
        :tls -> "no trusted connection to #{url}"
        :timeout -> "no answer from #{url} in time"
        :closed -> "#{url} closed the connection before its answer was whole"
        :protocol -> "no answer in HTTP from #{url}"
      end

    if detail, do: "#{what}: #{detail}", else: what
  end
end
