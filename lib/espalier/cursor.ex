defmodule Espalier.Cursor do
  @moduledoc false
  # An enumerable that is read one element at a time, and let go of before the next one is begun.

  @opaque t :: (Enumerable.acc() -> Enumerable.result())

  @doc "A cursor before the first element; nothing is read yet."
  @spec open(Enumerable.t()) :: t
  def open(enumerable) do
    &Enumerable.reduce(enumerable, &1, fn element, [] -> {:suspend, [element]} end)
  end

  @doc "The next element. After a raise the enumerable has been let go of already."
  @spec next(t) ::
          {:element, term, t} | :ended | {:raised, Exception.kind(), term, Exception.stacktrace()}
  def next(cursor) do
    case cursor.({:cont, []}) do
      {:suspended, [element], cursor} -> {:element, element, cursor}
      # Some streams halt together with their last element.
      {_ended, [element]} -> {:element, element, fn _command -> {:done, []} end}
      {_ended, []} -> :ended
    end
  catch
    kind, reason -> {:raised, kind, reason, __STACKTRACE__}
  end

  @doc "Lets go of the enumerable."
  @spec close(t) :: :ok
  def close(cursor) do
    cursor.({:halt, []})
    :ok
  end
end
