defmodule Espalier.Deadline do
  @moduledoc false
  # The moment by which something has to be done.

  @typedoc "Of the monotonic clock, in milliseconds."
  @type t :: integer | :infinity

  @doc "The deadline of what may take so long from now on."
  @spec new(timeout) :: t
  def new(:infinity), do: :infinity
  def new(timeout), do: System.monotonic_time(:millisecond) + timeout

  # Of `receive`, with room for those who wait somewhat longer.
  @most 0x7FFFFFFF

  @doc "The milliseconds that are left, of which no more than can be waited for in one go."
  @spec left(t) :: timeout
  def left(:infinity), do: :infinity
  def left(deadline), do: (deadline - System.monotonic_time(:millisecond)) |> max(0) |> min(@most)
end
