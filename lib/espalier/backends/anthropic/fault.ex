defmodule Espalier.Backends.Anthropic.Fault do
  @moduledoc false
  # Errors as the Messages API says them, in bodies and in streams.
  # (https://platform.claude.com/docs/en/api/errors, as of November 2026)

  # In the midst of a stream there is no status to tell.
  @kinds %{
    "invalid_request_error" => :invalid_request,
    "request_too_large" => :invalid_request,
    "authentication_error" => :unauthorized,
    "permission_error" => :unauthorized,
    "billing_error" => :quota_exceeded,
    "not_found_error" => :not_found,
    "conflict_error" => :unavailable,
    "rate_limit_error" => :rate_limited,
    "overloaded_error" => :overloaded,
    "timeout_error" => :unavailable,
    "api_error" => :unavailable
  }

  @doc "What is wrong, if this JSON is an error."
  @spec fault(term) :: Espalier.Hosted.Provider.fault() | nil
  def fault(%{"error" => %{} = error}) do
    fault = %{code: error["type"], detail: error["message"]}

    case kind(error["type"], error["message"]) do
      nil -> fault
      kind -> Map.put(fault, :kind, kind)
    end
  end

  def fault(%{"error" => error}) when is_binary(error), do: %{detail: error}
  def fault(_json), do: nil

  # Both come as requests that are invalid. (https://github.com/anthropics/claude-code/issues/58367 and /66314,
  # May and June 2026)
  defp kind(type, message) when is_binary(message) do
    cond do
      message =~ "blocked by content filtering policy" -> :filtered
      message =~ "credit balance is too low" -> :quota_exceeded
      true -> @kinds[type]
    end
  end

  defp kind(type, _no_message), do: @kinds[type]
end
