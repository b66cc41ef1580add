defmodule Espalier.Hub.Retry do
  @moduledoc false
  # Asking again after failures that pass.

  alias Espalier.Hub.Settings
  alias Espalier.HubError

  @transient [:rate_limited, :unavailable, :connection]

  # The hub may ask for more, and gets an error then.
  @most_wait 60_000
  @most_delay 10_000

  @doc "Whether the same may succeed a little later."
  @spec transient?(HubError.t()) :: boolean
  def transient?(%HubError{kind: kind}), do: kind in @transient

  @doc """
  Calls a function until it succeeds, fails for good, or has failed too often in a row.

  `position` tells how much was got so far; a failure after which that has grown is the first in a row again.
  """
  @spec run(Settings.t(), (() -> result), (() -> integer)) :: result
        when result: {:ok, term} | {:error, Exception.t()}
  def run(settings, function, position \\ fn -> 0 end), do: run(settings, function, position, 0)

  defp run(settings, function, position, failures) do
    before = position.()

    with {:error, error} <- function.(),
         failures = if(position.() > before, do: 0, else: failures),
         {:ok, wait} <- wait(error, failures, settings.options) do
      Process.sleep(wait)
      run(settings, function, position, failures + 1)
    end
  end

  defp wait(error, failures, options) do
    wait = error.retry_after || jitter(options[:retry_delay], failures)

    if transient?(error) and failures < options[:max_retries] and wait <= @most_wait,
      do: {:ok, wait},
      else: {:error, error}
  end

  # Many clients that failed together don't come back together.
  defp jitter(delay, failures) do
    bound = delay |> Bitwise.bsl(min(failures, 10)) |> min(@most_delay)
    :rand.uniform(bound + 1) - 1
  end
end
