defmodule Espalier.CursorTest do
  use ExUnit.Case, async: true

  alias Espalier.Cursor

  defp read(cursor, most) when most > 0 do
    case Cursor.next(cursor) do
      {:element, element, cursor} -> [element | read(cursor, most - 1)]
      :ended -> []
      {:raised, _kind, %{message: message}, _stacktrace} -> [message]
    end
  end

  defp read(cursor, 0) do
    Cursor.close(cursor)
    []
  end

  # Tells when it is let go of.
  defp resource(elements) do
    Stream.resource(
      fn -> elements end,
      fn
        [:raise | _] -> raise "no"
        [element | elements] -> {[element], elements}
        [] -> {:halt, []}
      end,
      fn _elements -> send(self(), :closed) end
    )
  end

  test "reads what Enum reads, as far as it is asked to" do
    for enumerable <- [
          [],
          [1, 2, 3],
          1..4,
          %{a: 1},
          Stream.take(1..9, 3),
          Stream.take_while(1..9, &(&1 < 4)),
          Stream.flat_map(1..3, &[&1, &1]),
          Stream.concat(Stream.take([1, 2], 1), resource([5, 6])),
          Stream.zip(1..3, resource([1, 2, 3, 4])),
          Stream.chunk_every(1..5, 2),
          resource([1, [2], nil])
        ],
        most <- 0..10 do
      assert enumerable |> Cursor.open() |> read(most) == Enum.take(enumerable, most)
    end
  end

  test "lets go once: at the end, when it is closed, and after a raise" do
    for {elements, most, expected} <- [
          {[1, 2], 9, [1, 2]},
          {[1, 2], 1, [1]},
          {[1, :raise], 9, [1, "no"]}
        ] do
      assert elements |> resource() |> Cursor.open() |> read(most) == expected
      assert_received :closed
      refute_received :closed
    end
  end
end
