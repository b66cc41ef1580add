defmodule Espalier.Middleware.CircuitBreaker.Circuit do
  @moduledoc false
  # One circuit, as a value: times are milliseconds that the caller brings.

  # `state` is `:closed` with the times of recent failures, `{:open, until}`, or `{:half_open, probe}` where
  # `probe` is the reference of the request that tries, or `nil`. After `stale_at` it is as good as a new one.
  defstruct state: :closed, failures: [], stale_at: 0

  @type t :: %__MODULE__{
          state: :closed | {:open, until :: integer} | {:half_open, probe :: reference | nil},
          failures: [integer],
          stale_at: integer
        }

  @type options :: %{failures: pos_integer, window: pos_integer, open: pos_integer}

  @doc "Whether a request may go through, and whether it is the probe; `until` is `nil` while another one probes."
  @spec enter(t, integer, reference) :: {:pass | :probe, t} | {:refused, until :: integer | nil}
  def enter(%{state: :closed} = circuit, _now, _ref), do: {:pass, circuit}
  def enter(%{state: {:open, until}}, now, _ref) when now < until, do: {:refused, until}
  def enter(%{state: {:half_open, probe}}, _now, _ref) when probe != nil, do: {:refused, nil}
  def enter(circuit, _now, ref), do: {:probe, %{circuit | state: {:half_open, ref}}}

  @doc "What became of a request; those that began before the circuit changed don't count."
  @spec report(t, reference, :answered | :failed | :unknown, integer, options) :: t
  def report(%{state: {:half_open, ref}} = circuit, ref, outcome, now, options) do
    case outcome do
      :answered -> %__MODULE__{}
      :failed -> open(now, options)
      :unknown -> %{circuit | state: {:half_open, nil}}
    end
  end

  def report(%{state: :closed} = circuit, _ref, :failed, now, options) do
    failures = [now | Enum.take_while(circuit.failures, &(&1 > now - options.window))]

    if length(failures) < options.failures,
      do: %{circuit | failures: failures, stale_at: now + options.window},
      else: open(now, options)
  end

  def report(circuit, _ref, _outcome, _now, _options), do: circuit

  defp open(now, options) do
    until = now + options.open
    %__MODULE__{state: {:open, until}, stale_at: until + options.window}
  end

  @doc "The name of the state."
  @spec name(t) :: :closed | :open | :half_open
  def name(%{state: {name, _detail}}), do: name
  def name(%{state: name}), do: name
end
