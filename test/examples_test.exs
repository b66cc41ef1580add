defmodule Espalier.ExamplesTest do
  @moduledoc "Every script of `examples/` runs with the shipped model and prints something."
  use ExUnit.Case

  import ExUnit.CaptureIO

  # A script without arguments, whatever the tests were started with.
  setup do
    arguments = System.argv()
    System.argv([])
    on_exit(fn -> System.argv(arguments) end)
  end

  for path <- Path.wildcard(Path.expand("../examples/*.exs", __DIR__)) do
    test Path.basename(path) do
      assert capture_io(fn -> Code.require_file(unquote(path)) end) != ""
    end
  end
end
