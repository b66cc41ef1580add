defmodule Espalier.SoakTest do
  # What is left is counted for the whole VM.
  use ExUnit.Case, async: false

  alias Espalier.Model
  alias Espalier.Soak

  # Far more than what grows now and then, far less than these requests take.
  @most_growth 16_000_000

  test "many callers, of whom some go away at random, leave nothing" do
    model = [path: Model.tiny_path()] |> then(&start_supervised!({Model, &1})) |> Model.fetch!()
    Soak.run(model, 1..400, 32)
    before = Soak.level(model)

    outcomes = Soak.run(model, 401..1_000, 32)
    assert outcomes |> Map.values() |> Enum.sum() == 600
    for outcome <- [:finished, :halted, :timeout, :killed, :wrong], do: assert(outcomes[outcome])

    left = Soak.level(model)
    assert left.counts == before.counts
    assert left.vm - before.vm < @most_growth
    if left.resident, do: assert(left.resident - before.resident < @most_growth)
  end
end
