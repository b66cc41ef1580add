defmodule Espalier.HubError do
  @moduledoc """
  Files of a model that could not be had from the Hugging Face hub.

  | kind | meaning |
  | --- | --- |
  | `:invalid_name` | a repository, revision or file that can't have this name: `detail` |
  | `:repository_not_found` | there is none of this name, or it is private and the token does not open it |
  | `:revision_not_found` | the repository has no such branch, tag or commit |
  | `:file_not_found` | the repository has no such file |
  | `:no_model` | the repository has no files of a model that can be loaded: `detail` says what is missing |
  | `:ambiguous` | several GGUF files, of which one has to be named by `:file`: `detail` lists them |
  | `:gated` | its terms have to be agreed to on the hub's page, by the owner of the token |
  | `:unauthorized` | the token is missing, wrong, or not enough for this |
  | `:rate_limited` | too many requests: `retry_after` is the wait that the hub asks for |
  | `:unavailable` | the hub, or what it hands files out by, failed |
  | `:connection` | no answer, or only a part of one: `detail` |
  | `:untrusted` | TLS failed, or the certificate can't be trusted: `detail` |
  | `:redirect` | a redirect that leads away from https, in a circle, or nowhere: `detail` |
  | `:invalid_answer` | an answer that is not what the hub's protocol says: `detail` |
  | `:checksum` | what came has not the checksum that the hub names |
  | `:not_cached` | a file is not in the cache, and nothing may be downloaded |
  | `:storage` | a file of the cache can't be written or read, as when the disk is full: `path`, `detail` |

  Of these `:rate_limited`, `:unavailable` and `:connection` pass, and were tried again as often as `:max_retries` says.

    * `repository`, `revision` - as they were given
    * `file` - its name in the repository, `nil` if it is about none
    * `status` - of HTTP, `nil` without an answer
    * `path` - in the cache
    * `retry_after` - milliseconds, if the hub said so
    * `detail` - what else is known, cut off where it is long

  The message says what to do:

      iex> error = %Espalier.HubError{kind: :not_cached, repository: "org/model", file: "config.json"}
      iex> Exception.message(error)
      "org/model: config.json is not in the cache; download it without :offline and HF_HUB_OFFLINE first"
  """

  @type kind ::
          :invalid_name
          | :repository_not_found
          | :revision_not_found
          | :file_not_found
          | :no_model
          | :ambiguous
          | :gated
          | :unauthorized
          | :rate_limited
          | :unavailable
          | :connection
          | :untrusted
          | :redirect
          | :invalid_answer
          | :checksum
          | :not_cached
          | :storage

  @type t :: %__MODULE__{
          kind: kind,
          repository: String.t(),
          revision: String.t() | nil,
          file: String.t() | nil,
          status: pos_integer | nil,
          path: Path.t() | nil,
          retry_after: non_neg_integer | nil,
          detail: String.t() | nil
        }

  defexception [:kind, :repository, :revision, :file, :status, :path, :retry_after, :detail]

  @impl true
  def message(error) do
    facts =
      [
        error.status && "status #{error.status}",
        error.retry_after && "retry after #{error.retry_after} ms",
        error.path
      ]
      |> Enum.filter(& &1)
      |> Enum.join(", ")

    facts = if facts == "", do: "", else: " (#{facts})"
    detail = if error.detail, do: ": #{error.detail}", else: ""
    "#{error.repository}: #{what(error)}#{facts}#{detail}"
  end

  defp what(%{kind: :invalid_name}), do: "invalid name"

  defp what(%{kind: :repository_not_found}),
    do: "no such repository; if it is private, give a token that may read it"

  defp what(%{kind: :revision_not_found} = error), do: "no revision #{error.revision}"
  defp what(%{kind: :file_not_found} = error), do: "no file #{error.file}"
  defp what(%{kind: :no_model}), do: "no model that can be loaded"
  defp what(%{kind: :ambiguous}), do: "several GGUF files; name one of them by :file"

  defp what(%{kind: :gated} = error) do
    "access is gated; agree to the terms at https://huggingface.co/#{error.repository} and give your token"
  end

  defp what(%{kind: :unauthorized}),
    do: "not authorized; give a token that may read it by :token or HF_TOKEN"

  defp what(%{kind: :rate_limited}),
    do: "too many requests; wait, or give a token for higher limits"

  defp what(%{kind: :unavailable} = error), do: "can't be had#{of(error)} at the moment"
  defp what(%{kind: :connection} = error), do: "no whole answer#{of(error)}"
  defp what(%{kind: :untrusted} = error), do: "no trusted connection#{of(error)}"
  defp what(%{kind: :redirect} = error), do: "a redirect that is not followed#{of(error)}"
  defp what(%{kind: :invalid_answer} = error), do: "not an answer of a hub#{of(error)}"

  defp what(%{kind: :checksum} = error),
    do: "what came#{of(error)} has a wrong checksum and was deleted; try again"

  defp what(%{kind: :not_cached} = error) do
    what = error.file || "what is needed"
    "#{what} is not in the cache; download it without :offline and HF_HUB_OFFLINE first"
  end

  defp what(%{kind: :storage} = error), do: "the cache can't be used#{of(error)}"

  defp of(%{file: nil}), do: ""
  defp of(%{file: file}), do: " for #{file}"
end
