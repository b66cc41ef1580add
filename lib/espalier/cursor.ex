defmodule Espalier.Cursor do
  @moduledoc false
  # An enumerable that is read one element at a time, and let go of before the next one is begun.

  # Elements that came already, and how to go on; `nil` after the end.
  @opaque t :: {list, (Enumerable.acc() -> Enumerable.result()) | nil}

  @doc "A cursor before the first element; nothing is read yet."
  @spec open(Enumerable.t()) :: t
  def open(enumerable) do
    {[], &Enumerable.reduce(enumerable, &1, fn element, come -> {:suspend, [element | come]} end)}
  end

  @doc "The next element. After a raise the enumerable has been let go of already."
  @spec next(t) ::
          {:element, term, t} | :ended | {:raised, Exception.kind(), term, Exception.stacktrace()}
  def next({[element | come], go_on}), do: {:element, element, {come, go_on}}
  def next({[], nil}), do: :ended

  def next({[], go_on}) do
    # Some streams, such as those of `Stream.take/2`, go on or end where they should pause.
    case go_on.({:cont, []}) do
      {:suspended, come, go_on} -> next({Enum.reverse(come), go_on})
      {_ended, come} -> next({Enum.reverse(come), nil})
    end
  catch
    kind, reason -> {:raised, kind, reason, __STACKTRACE__}
  end

  @doc "Lets go of the enumerable."
  @spec close(t) :: :ok
  def close({_come, nil}), do: :ok

  def close({_come, go_on}) do
    go_on.({:halt, []})
    :ok
  end
end
