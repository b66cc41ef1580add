defmodule Espalier.SoakTest do
  # What is left is counted for the whole VM.
  use ExUnit.Case, async: false

  alias Espalier.Model
  alias Espalier.Native
  alias Espalier.Soak

  # Far more than what grows now and then, far less than these requests take.
  @most_growth 16_000_000

  # Few enough that they are there before anything is counted.
  @kv_cache_bytes 2_000_000

  # The thread that frees what is large starts with the first such thing.
  setup_all do
    Soak.load_and_stop(2)
  end

  test "many callers, of whom some go away at random, leave nothing" do
    options = [path: Model.tiny_path(), max_kv_cache_bytes: @kv_cache_bytes]
    model = {Model, options} |> start_supervised!() |> Model.fetch!()
    soak = Soak.new(model)
    Soak.run(soak, 1..200, 32)
    before = Soak.level(model)

    outcomes = Soak.run(soak, 201..500, 32)
    assert outcomes |> Map.values() |> Enum.sum() == 300
    for outcome <- [:finished, :halted, :timeout, :killed, :wrong], do: assert(outcomes[outcome])

    assert_nothing_left(before, Soak.level(model))
    assert Native.model_activity(model.ref).kv_cache_bytes in 1..@kv_cache_bytes
  end

  test "models that are loaded, and stopped or killed, leave nothing" do
    other = [path: Model.tiny_path()] |> then(&start_supervised!({Model, &1})) |> Model.fetch!()
    Soak.load_and_stop(10)
    before = Soak.level(other)
    Soak.load_and_stop(20)
    assert_nothing_left(before, Soak.level(other))
  end

  defp assert_nothing_left(before, left) do
    # Others may have ended meanwhile.
    for {what, n} <- before.counts, do: assert({what, left.counts[what]} <= {what, n})
    assert left.vm - before.vm < @most_growth
    if left.resident, do: assert(left.resident - before.resident < @most_growth)
  end
end
