defmodule Espalier.UTF8Test do
  use ExUnit.Case, async: true

  alias Espalier.UTF8

  doctest UTF8

  test "characters of any length survive every cut" do
    text = "aë€😀z"

    for cut <- 0..byte_size(text) do
      <<head::binary-size(cut), tail::binary>> = text
      {first, rest} = UTF8.split(head)
      {second, ""} = UTF8.split(rest <> tail)
      assert String.valid?(first)
      assert first <> second == text
    end
  end

  test "bytes that are no text, however many, are replaced one by one" do
    n = 1_000_000
    {text, ""} = UTF8.split(:binary.copy(<<0xFF>>, n))
    assert text == String.duplicate("\uFFFD", n)
    assert UTF8.split(<<0xE2, "a", 0xF0, 0x9F, 0x98>>) == {"\uFFFDa", <<0xF0, 0x9F, 0x98>>}
    assert UTF8.split(<<0xFF, 0xFE, "a", 0xC3>>) == {"\uFFFD\uFFFDa", <<0xC3>>}
  end
end
