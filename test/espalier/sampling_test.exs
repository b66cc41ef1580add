defmodule Espalier.SamplingTest do
  use ExUnit.Case, async: true

  alias Espalier.Options
  alias Espalier.Sampling

  doctest Sampling

  test "whole numbers become floats, and top_k stays off if it is not given" do
    options = Options.validate!([temperature: 1, top_p: 1, seed: 0], Sampling.options())
    assert %Sampling{temperature: 1.0, top_p: 1.0, top_k: nil, seed: 0} = Sampling.new(options)
  end

  test "every option is documented with its module" do
    {:docs_v1, _, _, _, %{"en" => text}, _, _} = Code.fetch_docs(Sampling)
    for {name, _entry} <- Sampling.options(), do: assert(text =~ "`#{inspect(name)}`")
  end
end
