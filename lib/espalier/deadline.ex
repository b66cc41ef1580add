defmodule Espalier.Deadline do
  @moduledoc false
  # The moment by which something has to be done.

  @typedoc "Of the monotonic clock, in milliseconds."
  @type t :: integer | :infinity

  @doc "The deadline of what may take so long from now on."
  @spec new(timeout) :: t
  def new(:infinity), do: :infinity
  def new(timeout), do: System.monotonic_time(:millisecond) + timeout

  @doc "The milliseconds that are left."
  @spec left(t) :: timeout
  def left(:infinity), do: :infinity
  def left(deadline), do: max(deadline - System.monotonic_time(:millisecond), 0)
end
