defmodule Espalier.ProviderError do
  @moduledoc """
  A provider's answer that is an error, or none that its protocol knows.

  | kind | meaning | statuses |
  | --- | --- | --- |
  | `:unauthorized` | the key is missing, wrong, or not enough for this | 401, 403 |
  | `:quota_exceeded` | there is no credit left; waiting does not help | 402, 429 with such a code |
  | `:not_found` | no such model, deployment or path | 404 |
  | `:invalid_request` | the provider does not take the request: `detail` has its reason | 400, 413, 422 and others |
  | `:rate_limited` | too many requests or tokens: `retry_after` is the wait that it asks for | 429 |
  | `:overloaded` | the provider has no capacity at the moment | 503, 529 |
  | `:unavailable` | the provider failed | 408, 409 and other 5xx |
  | `:invalid_response` | the body is not what the protocol says: `detail` | |

  Of these `:rate_limited`, `:overloaded` and `:unavailable` pass, and are tried again.

    * `provider` - who answered, for example `:openai`
    * `status` - of HTTP; `nil` where the error came in the midst of a stream
    * `code` - the provider's own name of the error, if it has one
    * `detail` - the provider's message, cut off where it is long
    * `retry_after` - milliseconds, if the provider said so
    * `request_id` - by which the provider knows the request, if it said so

  The message says what is known:

      iex> error = %Espalier.ProviderError{kind: :rate_limited, provider: :openai, status: 429, retry_after: 2000, detail: "Slow down."}
      iex> Exception.message(error)
      "openai: rate limited (status 429, retry after 2000 ms): Slow down."
  """

  @type kind ::
          :unauthorized
          | :quota_exceeded
          | :not_found
          | :invalid_request
          | :rate_limited
          | :overloaded
          | :unavailable
          | :invalid_response

  @type t :: %__MODULE__{
          kind: kind,
          provider: atom,
          status: pos_integer | nil,
          code: String.t() | nil,
          detail: String.t() | nil,
          retry_after: non_neg_integer | nil,
          request_id: String.t() | nil
        }

  defexception [:kind, :provider, :status, :code, :detail, :retry_after, :request_id]

  @impl true
  def message(error) do
    facts =
      [
        error.status && "status #{error.status}",
        error.code,
        error.retry_after && "retry after #{error.retry_after} ms",
        error.request_id && "request #{error.request_id}"
      ]
      |> Enum.filter(& &1)
      |> Enum.join(", ")

    kind = error.kind |> Atom.to_string() |> String.replace("_", " ")
    facts = if facts == "", do: "", else: " (#{facts})"
    detail = if error.detail, do: ": #{error.detail}", else: ""
    "#{error.provider}: #{kind}#{facts}#{detail}"
  end
end
