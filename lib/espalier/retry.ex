defmodule Espalier.Retry do
  @moduledoc false
  # Which errors pass by themselves, and how long to wait until the same is asked again.

  alias Espalier.Deadline
  alias Espalier.ModelError
  alias Espalier.ProviderError
  alias Espalier.Request
  alias Espalier.TransportError

  # Exponents beyond make no difference to any delay that can be waited for.
  @most_doublings 40

  @doc "Whether the same request may succeed a little later."
  @spec transient?(Exception.t()) :: boolean
  def transient?(%ProviderError{kind: kind}),
    do: kind in [:rate_limited, :overloaded, :unavailable]

  def transient?(%TransportError{kind: kind}), do: kind != :tls
  def transient?(%ModelError{kind: kind}), do: kind == :member_lost
  def transient?(_error), do: false

  @doc """
  The milliseconds to wait after an error and `retries` retries before it, if there is time for them.

  A provider that says when to come back is obeyed. Otherwise the delay is drawn from zero to a bound that
  doubles each time, so that many callers that failed together don't come back together.
  """
  @spec delay(Exception.t(), non_neg_integer, Request.t()) :: {:ok, non_neg_integer} | :too_late
  def delay(error, retries, request) do
    delay = asked_for(error) || jitter(bound(retries, request))
    if delay < Deadline.left(request.deadline), do: {:ok, delay}, else: :too_late
  end

  defp asked_for(%ProviderError{retry_after: retry_after}), do: retry_after
  defp asked_for(_error), do: nil

  defp bound(retries, request) do
    doubled = Bitwise.bsl(request.retry_delay, min(retries, @most_doublings))
    min(doubled, request.max_retry_delay)
  end

  defp jitter(bound), do: :rand.uniform(bound + 1) - 1
end
