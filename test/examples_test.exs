defmodule Espalier.ExamplesTest do
  @moduledoc "Every script of `examples/` runs with the shipped model and prints something."
  use ExUnit.Case, async: true

  import ExUnit.CaptureIO

  for path <- Path.wildcard(Path.expand("../examples/*.exs", __DIR__)) do
    test Path.basename(path) do
      assert capture_io(fn -> Code.require_file(unquote(path)) end) != ""
    end
  end
end
