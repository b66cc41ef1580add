defmodule Espalier.Telemetry.EventsTest do
  # Listeners hear all processes.
  use ExUnit.Case, async: false

  alias Espalier.ConstraintCache
  alias Espalier.Middleware.CircuitBreaker
  alias Espalier.Model
  alias Espalier.StubBackend
  alias Espalier.Telemetry
  alias Espalier.Telemetry.Events
  alias Espalier.Testing
  alias Espalier.TransportError
  alias Espalier.Vocabulary

  # The events of what each test runs, whichever process emits them.
  setup do
    {:ok, seen} = Agent.start_link(fn -> MapSet.new() end)

    listener = fn event, measurements, metadata ->
      seen_keys = {event, keys(measurements), keys(metadata)}
      Agent.update(seen, &MapSet.put(&1, seen_keys))
    end

    Telemetry.add_sink(__MODULE__, listener)
    on_exit(fn -> Telemetry.remove_sink(__MODULE__) end)
    {:ok, seen: seen}
  end

  defp keys(map), do: map |> Map.keys() |> Enum.sort()
  defp documented(keys), do: keys |> Keyword.keys() |> Enum.sort()

  @schema [name: {:string, max_length: 2}]
  @right ~s({"name":"A"})
  @wrong ~s({"name":"Ada"})

  test "each event has exactly the keys of its documentation, and none is without it", %{
    seen: seen
  } do
    values()
    failures()
    readers_that_stop()
    batches()
    circuits()
    caches()
    models()

    table =
      for event <- Events.all(), into: MapSet.new() do
        {event.name, documented(event.measurements), documented(event.metadata)}
      end

    seen = Agent.get(seen, & &1)
    assert MapSet.difference(seen, table) |> MapSet.to_list() == []
    assert MapSet.difference(table, seen) |> MapSet.to_list() == []
  end

  defp values do
    Testing.stub([@right])
    {:ok, _value} = Espalier.generate(@schema, "?", backend: Testing)
    {:ok, _yes} = Espalier.generate({:choice, [:yes]}, "?", model: MyApp.Model)
    options = [model: MyApp.Model, temperature: 1, top_p: 0.9, top_k: 5, seed: 1]
    {:ok, _value} = Espalier.generate(@schema, "?", [telemetry_content: true] ++ options)
    Testing.stub([@wrong, @right])
    {:ok, _value} = Espalier.generate(@schema, "?", backend: Testing)
  end

  defp failures do
    Testing.stub([%TransportError{kind: :closed, url: ""}, @wrong, @wrong])
    options = [backend: Testing, retry_delay: 0, max_attempts: 2]
    {:error, _error} = Espalier.generate(@schema, "?", options)
    {:error, _error} = Espalier.generate(@schema, "?", model: MyApp.NoModel)
    raising = fn _request, _next -> raise "so" end
    catch_error(Espalier.generate(@schema, "?", backend: Testing, middleware: [raising]))
    error = {:error, %TransportError{kind: :closed, url: ""}}

    {:error, _error} =
      Espalier.generate(@schema, "?", backend: {StubBackend, events: [error]}, max_retries: 0)
  end

  defp readers_that_stop do
    for backend <- [[model: MyApp.Model], [backend: StubBackend]],
        do: @schema |> Espalier.stream("?", backend) |> Enum.take(1)

    Testing.stub([@wrong, @right])
    stream = Espalier.stream(@schema, "?", backend: Testing)
    Enum.find(stream, &match?({:attempt, _attempt}, &1))
  end

  defp batches do
    Espalier.generate_batch(["?", ""], {:choice, [:yes]}, model: MyApp.Model)
    items = Stream.map([1], fn 1 -> raise "so" end)
    catch_error(Espalier.generate_batch(items, {:choice, [:yes]}, model: MyApp.Model))
  end

  defp circuits do
    Testing.stub([%TransportError{kind: :closed, url: ""}])
    options = [backend: {Testing, id: :events}, max_retries: 0]
    breaker = {CircuitBreaker, failures: 1, open: 1}
    Espalier.generate(@schema, "?", [middleware: [breaker]] ++ options)
  end

  defp caches do
    start_supervised!({ConstraintCache, name: MyApp.Constraints, max_entries: 1})

    fetch =
      &ConstraintCache.fetch(MyApp.Constraints, {:regex, &1}, vocabulary: Vocabulary.bytes())

    for regex <- ["a", "a", "b"], do: {:ok, _constraint} = fetch.(regex)

    {:error, _error} =
      ConstraintCache.fetch(MyApp.Constraints, %{type: :no}, vocabulary: Vocabulary.bytes())
  end

  defp models do
    Process.flag(:trap_exit, true)
    {:ok, model} = Model.start_link(path: Model.tiny_path())
    {:ok, _yes} = Espalier.generate({:choice, [:yes, :no]}, "?", model: model)
    :ok = Model.stop(model)
    {:error, _error} = Model.start_link(path: "/nowhere")
  end
end
