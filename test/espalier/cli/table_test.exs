defmodule Espalier.CLI.TableTest do
  use ExUnit.Case, async: true

  alias Espalier.CLI.Table

  # Each with its width in a terminal.
  @pieces [{"a", 1}, {"é", 1}, {"e\u0301", 1}, {"日", 2}, {"🙂", 2}, {"ß", 1}, {" ", 1}, {"한", 2}]

  defp random_text do
    pieces = for _ <- 1..:rand.uniform(12), do: Enum.random(@pieces)
    # What ends in spaces is no different from what doesn't.
    {Enum.map_join(pieces, &elem(&1, 0)) <> "x", Enum.sum(Enum.map(pieces, &elem(&1, 1))) + 1}
  end

  setup do
    :rand.seed(:exsss, {1, 2, 3})
    :ok
  end

  defp texts(lines), do: Enum.map(lines, &IO.iodata_to_binary/1)

  test "width/1 is that in a terminal" do
    for _ <- 1..200 do
      {text, width} = random_text()
      assert Table.width(text) == width
    end
  end

  test "the second column begins at the same place in all lines" do
    for _ <- 1..100 do
      firsts = for _ <- 1..5, do: random_text()
      rows = for {text, _width} <- firsts, do: [text, "|"]
      widest = firsts |> Enum.map(&elem(&1, 1)) |> Enum.max()

      for line <- rows |> Table.lines([]) |> texts() do
        [before, ""] = String.split(line, "|")
        assert Table.width(before) == widest + 2
      end
    end
  end

  test "no line is wider than the columns, and nothing is cut without need" do
    for _ <- 1..200 do
      rows = for _ <- 1..3, do: for(_ <- 1..3, do: elem(random_text(), 0))
      columns = 28 + :rand.uniform(20)
      whole = rows |> Table.lines([]) |> texts()
      lines = rows |> Table.lines(columns: columns) |> texts()
      assert Enum.all?(lines, &(Table.width(&1) <= columns))

      if Enum.all?(whole, &(Table.width(&1) <= columns)),
        do: assert(lines == whole),
        else: assert(Enum.any?(lines, &(&1 =~ "…")))
    end
  end

  test "colours change no width" do
    rows = [[{:red, "日本"}, {:green, "x"}], ["a", "y"]]
    plain = rows |> Table.lines(colors: false) |> texts()
    assert plain == ["日本  x", "a     y"]
    colored = rows |> Table.lines(colors: true) |> texts()
    assert Enum.map(colored, &String.replace(&1, ~r/\e\[\d+m/, "")) == plain
    refute colored == plain
  end

  test "what would move the cursor is spelled" do
    assert texts(Table.lines([["a\e[2J\r\n\u202E", <<0x9B>>]], [])) == [
             ~S(a\u{1B}[2J\u{D}\u{A}\u{202E}  <<155>>)
           ]
  end

  test "there may be nothing to show" do
    assert Table.lines([], columns: 80) == []
    assert texts(Table.lines([["", ""]], columns: 80)) == [""]
  end
end
