defmodule Espalier.Dashboard.TrailTest do
  # All trails are told of all events.
  use ExUnit.Case, async: false

  alias Espalier.Dashboard.Trail
  alias Espalier.Telemetry

  @batch %{backend: Espalier.Testing, model: "large", schema: :fields, total: 9}

  setup do
    start_supervised!({Trail, __MODULE__})
    :ok
  end

  defp trail, do: Trail.read(__MODULE__)

  defp tell(event, measurements \\ %{}, metadata),
    do: Telemetry.event(event, fn -> {measurements, metadata} end)

  # A process that reads a batch, and does what it is told.
  defp reader(metadata) do
    test = self()

    spawn(fn ->
      metadata = Map.put(metadata, :telemetry_span_context, make_ref())
      tell([:batch, :start], metadata)
      send(test, {:begun, self()})
      obey(test, metadata)
    end)
  end

  defp obey(test, metadata) do
    receive do
      {event, measurements} -> tell([:batch, event], measurements, metadata)
    end

    send(test, :obeyed)
    obey(test, metadata)
  end

  defp do_so(reader, event, measurements) do
    send(reader, {event, measurements})
    assert_receive :obeyed
  end

  describe "batches" do
    test "are there from their start to their end" do
      reader = reader(@batch)
      assert_receive {:begun, ^reader}
      assert [%{done: 0, failed: 0, running: 0, total: 9, schema: "fields"}] = trail().batches
      do_so(reader, :progress, %{done: 3, failed: 1, running: 2})
      assert [%{done: 3, failed: 1, running: 2, model: "large"}] = trail().batches
      do_so(reader, :stop, %{done: 3, failed: 1})
      assert trail().batches == []
    end

    test "that were begun before are there from their next item on" do
      reader = reader(@batch)
      assert_receive {:begun, ^reader}
      stop_supervised!(Trail)
      start_supervised!({Trail, __MODULE__})
      assert trail().batches == []
      do_so(reader, :progress, %{done: 5, failed: 0, running: 1})
      assert [%{done: 5, total: 9}] = trail().batches
    end

    test "end with their readers" do
      readers = for _ <- 1..3, do: reader(@batch)
      for reader <- readers, do: assert_receive({:begun, ^reader})
      assert length(trail().batches) == 3
      Process.exit(hd(readers), :kill)
      await(fn -> length(trail().batches) == 2 end)
      for reader <- tl(readers), do: do_so(reader, :progress, %{done: 1, failed: 0, running: 0})
      assert [1, 1] = Enum.map(trail().batches, & &1.done)
    end

    test "are as many as there is room for" do
      readers = for _ <- 1..300, do: reader(@batch)
      for reader <- readers, do: assert_receive({:begun, ^reader})
      assert length(trail().batches) in 50..150
      for reader <- readers, do: do_so(reader, :stop, %{done: 0, failed: 0})
      assert trail().batches == []
    end
  end

  describe "errors" do
    defp fail(model),
      do:
        tell(
          [:generate, :exception],
          Map.merge(@batch, %{model: model, reason: Espalier.CastError, error_kind: :rejected})
        )

    test "are the last fifty, newest first" do
      for n <- 1..1_000, do: fail("model #{n}")
      assert Enum.map(trail().errors, & &1.model) == for(n <- 1_000..951, do: "model #{n}")

      assert %{reason: "Espalier.CastError", kind: "rejected", where: "generate"} =
               hd(trail().errors)
    end

    test "of many processes at once are whole" do
      1..20
      |> Enum.map(fn n -> Task.async(fn -> for m <- 1..200, do: fail("model #{n} #{m}") end) end)
      |> Task.await_many()

      errors = trail().errors
      assert length(errors) == 50
      assert errors |> Enum.map(& &1.model) |> Enum.uniq() |> length() == 50
    end

    test "have neither messages nor content" do
      secret = %{
        content: %{prompt: "secret"},
        stacktrace: [{:secret, 1, ["secret"], []}],
        message: "secret"
      }

      tell(
        [:request, :exception],
        @batch |> Map.merge(secret) |> Map.merge(%{attempt: 2, reason: Espalier.CastError})
      )

      assert [%{where: "request 2", kind: nil} = error] = trail().errors
      refute inspect(error) =~ "secret"
    end
  end

  test "without its table nothing is noted, and nobody is told" do
    log =
      ExUnit.CaptureLog.capture_log(fn ->
        Process.exit(Process.whereis(__MODULE__), :kill)
        for _ <- 1..100, do: tell([:generate, :exception], @batch)
      end)

    refute log =~ "ArgumentError"
    refute log =~ "told no more"
    # It may have begun again while those were told.
    await(fn -> Process.whereis(__MODULE__) != nil end)
    tell([:generate, :exception], %{@batch | model: "after"})
    assert [%{model: "after"} | _earlier] = trail().errors
  end

  defp await(true?) do
    unless true?.() do
      Process.sleep(10)
      await(true?)
    end
  end
end
