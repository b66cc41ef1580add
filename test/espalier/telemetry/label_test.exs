defmodule Espalier.Telemetry.LabelTest do
  use ExUnit.Case, async: true

  alias Espalier.Telemetry.Label

  doctest Label

  @long 100_000

  test "any term is a short text" do
    terms = [
      self(),
      make_ref(),
      fn -> :ok end,
      1.5,
      [],
      [1 | 2],
      Enum.to_list(1..@long),
      Map.new(1..@long, &{&1, &1}),
      {:via, Registry, {MyApp.Registry, String.duplicate("x", @long)}},
      %URI{host: <<255>>},
      <<1::3>>,
      <<255, 254, "x">>,
      :binary.copy(<<0xF0, 0x9F>>, @long),
      String.duplicate("é", @long),
      String.to_atom(String.duplicate("é", 255))
    ]

    for term <- terms do
      text = Label.text(term)
      assert String.valid?(text), inspect(term, limit: 3)
      assert String.length(text) in 1..121, inspect(term, limit: 3)
    end
  end

  test "a text is cut between characters" do
    for n <- 1..4, character <- ["a", "é", "€", "😀"] do
      text = String.duplicate("a", n) <> String.duplicate(character, 200)
      label = Label.text(text)
      assert String.ends_with?(label, "…")
      assert String.starts_with?(text, String.trim_trailing(label, "…"))
    end
  end

  test "what fits is as it is" do
    for text <- ["", "a b\n\"\\", "日本", String.duplicate("é", 60)],
        do: assert(Label.text(text) == text)
  end
end
