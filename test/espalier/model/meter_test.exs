defmodule Espalier.Model.MeterTest do
  # Listeners hear all processes.
  use ExUnit.Case, async: false

  alias Espalier.Model
  alias Espalier.Model.Meter
  alias Espalier.Native
  alias Espalier.Telemetry

  setup do
    test = self()

    Telemetry.add_sink(__MODULE__, fn
      [:espalier, :model_step], measurements, %{model: :measured} ->
        send(test, {:told, measurements})

      _event, _measurements, _metadata ->
        :ok
    end)

    on_exit(fn -> Telemetry.remove_sink(__MODULE__) end)
    model = [path: Model.tiny_path()] |> then(&start_supervised!({Model, &1})) |> Model.fetch!()
    %{model: model, meter: Meter.new(model.ref, :measured)}
  end

  defp generate(model) do
    {:ok, result} = Espalier.generate_result([name: :string], "My name is Ada.", model: model)
    wait_until_idle(model)
    result.usage
  end

  # A text is complete a moment before its place in the batch is free.
  defp wait_until_idle(model) do
    if Native.model_activity(model.ref).running > 0, do: wait_until_idle(model)
  end

  test "what was done is told, then once that nothing is done any more", context do
    %{model: model, meter: meter} = context
    meter = Meter.tell(meter)
    refute_received {:told, _measurements}

    for _round <- 1..2, reduce: meter do
      meter ->
        usage = generate(model)
        meter = Meter.tell(meter)
        assert_received {:told, measurements}
        assert Map.take(measurements, Map.keys(usage)) == Map.take(usage, Map.keys(measurements))
        assert measurements.tokens_per_second > 0

        meter = Meter.tell(meter)
        assert_received {:told, measurements}
        assert %{steps: 0, running: 0, queue_length: 0, duration: duration} = measurements
        assert measurements.tokens_per_second == 0
        assert measurements.batch_size == 0
        assert duration > 0

        meter = meter |> Meter.tell() |> Meter.tell()
        refute_received {:told, _measurements}
        meter
    end
  end

  test "of a model that was stopped nothing goes on", %{model: model, meter: meter} do
    _usage = generate(model)
    Model.stop(model)
    meter |> Meter.tell() |> Meter.tell()
    assert_received {:told, %{steps: steps}} when steps > 0
    assert_received {:told, %{running: 0, tokens_per_second: per_second}} when per_second == 0
  end
end
