defmodule Espalier.Hub.Fault do
  @moduledoc false
  # Failures as `Espalier.HubError`.

  alias Espalier.Hub.Settings
  alias Espalier.HubError
  alias Espalier.TransportError

  @most_detail 500

  # What the hub calls them in a header.
  @codes %{
    "RepoNotFound" => :repository_not_found,
    "RevisionNotFound" => :revision_not_found,
    "EntryNotFound" => :file_not_found,
    "GatedRepo" => :gated
  }

  @doc "The error of a status that the hub answered with to a question about a file, or about the repository."
  @spec answer(Settings.t(), String.t() | nil, pos_integer, [{String.t(), String.t()}]) ::
          HubError.t()
  def answer(settings, file, status, headers) do
    kind = @codes[header(headers, "x-error-code")] || kind(status, file)

    error(settings, file, kind,
      status: status,
      retry_after: if(status == 429, do: retry_after(headers)),
      detail: text(header(headers, "x-error-message"))
    )
  end

  defp kind(status, _file) when status in [401, 403], do: :unauthorized
  defp kind(404, nil), do: :repository_not_found
  defp kind(404, _file), do: :file_not_found
  defp kind(429, _file), do: :rate_limited
  defp kind(status, _file) when status == 408 or status >= 500, do: :unavailable
  defp kind(_status, _file), do: :invalid_answer

  @doc "The error of another host, which hands out what the hub points at for a while."
  @spec elsewhere(Settings.t(), String.t() | nil, pos_integer) :: HubError.t()
  def elsewhere(settings, file, status),
    do: error(settings, file, :unavailable, status: status)

  @doc "The error of a connection."
  @spec transport(Settings.t(), String.t() | nil, TransportError.t()) :: HubError.t()
  def transport(settings, file, transport) do
    kind = if transport.kind == :tls, do: :untrusted, else: :connection
    error(settings, file, kind, detail: Exception.message(transport))
  end

  @doc "An error with what is known of the request."
  @spec error(Settings.t(), String.t() | nil, HubError.kind(), keyword) :: HubError.t()
  def error(settings, file, kind, more \\ []) do
    struct!(
      %HubError{
        kind: kind,
        repository: settings.repository,
        revision: settings.revision,
        file: file
      },
      more
    )
  end

  # In seconds, or as the hub's own header has it: `"api";r=0;t=55`.
  defp retry_after(headers) do
    seconds =
      with nil <- Regex.run(~r/\A\d{1,9}\z/, header(headers, "retry-after") || ""),
           [_all, seconds] <-
             Regex.run(~r/;\s*t=(\d{1,9})(?:;|,|\z)/, header(headers, "ratelimit") || "") do
        [seconds]
      end

    with [seconds] <- seconds, do: String.to_integer(seconds) * 1000
  end

  @doc "The value of a header."
  @spec header([{String.t(), String.t()}], String.t()) :: String.t() | nil
  def header(headers, name) do
    with {_name, value} <- List.keyfind(headers, name, 0), do: value
  end

  defp text(nil), do: nil

  defp text(text) do
    text = if String.printable?(text), do: text, else: inspect(text)
    String.slice(text, 0, @most_detail)
  end
end
