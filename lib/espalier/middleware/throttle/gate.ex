defmodule Espalier.Middleware.Throttle.Gate do
  @moduledoc false
  # How many requests run and were made, as a value: times are microseconds that the caller brings.

  # The bucket is one number: when it is full again. Each request puts that off by its share of the interval.
  defstruct running: 0, full_at: nil

  @type t :: %__MODULE__{running: non_neg_integer, full_at: integer | nil}

  @type limits :: %{
          at_once: pos_integer | nil,
          rate: {pos_integer, milliseconds :: pos_integer} | nil
        }

  @doc "Lets one request through, or tells why not, and for a rate when to ask again."
  @spec enter(t, limits, integer) ::
          {:ok, t} | {:full, :at_once} | {:full, :rate, wait :: integer}
  def enter(%{running: running}, %{at_once: most}, _now) when most != nil and running >= most,
    do: {:full, :at_once}

  def enter(gate, %{rate: nil}, _now), do: {:ok, %{gate | running: gate.running + 1}}

  def enter(gate, %{rate: {requests, milliseconds}}, now) do
    interval = milliseconds * 1000
    full_at = max(gate.full_at || now, now) + div(interval, requests)
    wait = full_at - interval - now

    if wait > 0,
      do: {:full, :rate, wait},
      else: {:ok, %{gate | running: gate.running + 1, full_at: full_at}}
  end

  @doc "A request has ended."
  @spec leave(t) :: t
  def leave(gate), do: %{gate | running: gate.running - 1}

  @doc "Whether the gate is as good as a new one."
  @spec new?(t, integer) :: boolean
  def new?(gate, now), do: gate.running == 0 and (gate.full_at == nil or gate.full_at <= now)
end
