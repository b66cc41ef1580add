defmodule Espalier.Hosted.Failure do
  @moduledoc false
  # Answers that are errors, as `Espalier.ProviderError`.

  alias Espalier.ProviderError
  alias Espalier.RefusalError

  @most_detail 500
  @request_ids ~w(x-request-id request-id apim-request-id)
  @months ~w(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec)

  @type answer :: %{
          provider: atom,
          status: pos_integer | nil,
          headers: [{String.t(), String.t()}]
        }

  @doc "The error of an answer, or of a part of one that is not the status's matter."
  @spec error(answer, Espalier.Hosted.Provider.fault()) :: ProviderError.t() | RefusalError.t()
  def error(answer, %{kind: kind} = fault) when kind in [:refused, :filtered],
    do: %RefusalError{kind: kind, provider: answer.provider, detail: text(fault[:detail])}

  def error(answer, fault) do
    %ProviderError{
      kind: fault[:kind] || kind(answer.status),
      provider: answer.provider,
      status: answer.status,
      code: text(fault[:code]),
      detail: text(fault[:detail]),
      retry_after: retry_after(answer.headers) || fault[:retry_after],
      request_id: Enum.find_value(@request_ids, &text(header(answer.headers, &1)))
    }
  end

  @doc "The kind of error that a status means."
  @spec kind(pos_integer | nil) :: ProviderError.kind()
  def kind(status) when status in [401, 403], do: :unauthorized
  def kind(402), do: :quota_exceeded
  def kind(404), do: :not_found
  def kind(429), do: :rate_limited
  def kind(status) when status in [503, 529], do: :overloaded
  def kind(status) when status in [408, 409], do: :unavailable
  def kind(status) when status in 300..499, do: :invalid_request
  def kind(_status), do: :unavailable

  defp text(text) when is_binary(text) and text != "" do
    text = if String.valid?(text), do: text, else: inspect(text)

    if String.length(text) > @most_detail,
      do: String.slice(text, 0, @most_detail) <> "…",
      else: text
  end

  defp text(_none), do: nil

  # Milliseconds, seconds or a date.
  defp retry_after(headers) do
    milliseconds(header(headers, "retry-after-ms"), 1) ||
      milliseconds(header(headers, "retry-after"), 1000) ||
      until(header(headers, "retry-after"))
  end

  defp milliseconds(nil, _unit), do: nil

  defp milliseconds(text, unit) do
    case Float.parse(text) do
      {number, ""} when number >= 0 and number < 1.0e9 -> ceil(number * unit)
      _other -> nil
    end
  end

  defp until(nil), do: nil

  defp until(text) do
    with [_all, day, month, year, time] <-
           Regex.run(~r/\A\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d:\d\d:\d\d) GMT\z/, text),
         index when index != nil <- Enum.find_index(@months, &(&1 == month)),
         month = (index + 1) |> Integer.to_string() |> String.pad_leading(2, "0"),
         {:ok, date, 0} <- DateTime.from_iso8601("#{year}-#{month}-#{day}T#{time}Z") do
      max(DateTime.diff(date, DateTime.utc_now(), :millisecond), 0)
    else
      _none -> nil
    end
  end

  defp header(headers, name) do
    with {_name, value} <- List.keyfind(headers, name, 0), do: value
  end
end
