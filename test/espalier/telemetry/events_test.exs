defmodule Espalier.Telemetry.EventsTest do
  # Listeners hear all processes.
  use ExUnit.Case, async: false

  @compile {:no_warn_undefined, :telemetry}
  @telemetry? Code.ensure_loaded?(:telemetry)

  alias Espalier.ConstraintCache
  alias Espalier.Hub
  alias Espalier.HubServer
  alias Espalier.Middleware.CircuitBreaker
  alias Espalier.Model
  alias Espalier.StubBackend
  alias Espalier.Telemetry
  alias Espalier.Telemetry.Events
  alias Espalier.Testing
  alias Espalier.TransportError
  alias Espalier.Vocabulary
  alias Espalier.VocabularyCache

  # The events of what the test runs, whichever process emits them: as a listener gets them, and as `:telemetry` hands
  # them on where it is there.
  setup do
    {:ok, seen} = Agent.start_link(fn -> %{listener: MapSet.new(), telemetry: MapSet.new()} end)

    see = fn by, event, measurements, metadata ->
      keys = {event, keys(measurements), keys(metadata)}
      Agent.update(seen, &Map.update!(&1, by, fn events -> MapSet.put(events, keys) end))
    end

    Telemetry.add_sink(__MODULE__, &see.(:listener, &1, &2, &3))
    on_exit(fn -> Telemetry.remove_sink(__MODULE__) end)
    if @telemetry?, do: attach(see)
    {:ok, seen: seen}
  end

  defp attach(see) do
    names = for event <- Events.all(), do: event.name
    :ok = :telemetry.attach_many("events", names, &__MODULE__.handle/4, see)
    on_exit(fn -> :telemetry.detach("events") end)
  end

  def handle(event, measurements, metadata, see),
    do: see.(:telemetry, event, measurements, metadata)

  defp keys(map), do: map |> Map.keys() |> Enum.sort()
  defp documented(keys), do: keys |> Keyword.keys() |> Enum.sort()

  @schema [name: {:string, max_length: 2}]
  @right ~s({"name":"A"})
  @wrong ~s({"name":"Ada"})

  @tag :tmp_dir
  test "each event has exactly the keys of its documentation, and none is without it", context do
    %{seen: seen} = context
    values()
    failures()
    readers_that_stop()
    batches()
    circuits()
    constraints()
    vocabularies()
    downloads(context)
    models()

    table =
      for event <- Events.all(), into: MapSet.new() do
        {event.name, documented(event.measurements), documented(event.metadata)}
      end

    for {by, seen} <- Agent.get(seen, & &1), by == :listener or @telemetry? do
      assert {by, MapSet.to_list(MapSet.difference(seen, table))} == {by, []}
      assert {by, MapSet.to_list(MapSet.difference(table, seen))} == {by, []}
    end
  end

  test "each event that the code names is in the table, and each of the table in the code" do
    source = Enum.map_join(Path.wildcard("lib/espalier/**/*.ex"), &File.read!/1)

    spans =
      for [_, name] <- Regex.scan(~r/Telemetry\.(?:start|span)\(\s*:(\w+)/, source), do: [name]

    within = for [_, name] <- Regex.scan(~r/Telemetry\.within\([^,]+, :(\w+)/, source), do: name
    events = for [_, name] <- Regex.scan(~r/Telemetry\.event\(\[:(\w+)/, source), do: [name]

    documented =
      for %{name: [:espalier, group | _rest]} <- Events.all(),
          uniq: true,
          do: [Atom.to_string(group)]

    assert Enum.sort(Enum.uniq(spans ++ events)) == Enum.sort(documented)
    assert within == ["progress"]
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

  defp constraints do
    start_supervised!({ConstraintCache, name: MyApp.Constraints, max_entries: 1})

    fetch =
      &ConstraintCache.fetch(MyApp.Constraints, {:regex, &1}, vocabulary: Vocabulary.bytes())

    for regex <- ["a", "a", "b"], do: {:ok, _constraint} = fetch.(regex)

    {:error, _error} =
      ConstraintCache.fetch(MyApp.Constraints, %{type: :no}, vocabulary: Vocabulary.bytes())
  end

  defp vocabularies do
    start_supervised!({VocabularyCache, name: MyApp.Vocabularies, max_entries: 1})
    path = Path.join(Model.tiny_path(), "tokenizer.json")
    fetch = &VocabularyCache.fetch(MyApp.Vocabularies, path, &1)

    for ends <- ["<|end|>", "<|end|>", "a"],
        do: {:ok, _vocabulary} = fetch.(eos_tokens: [ends])

    {:error, _error} = fetch.(eos_tokens: ["no such token"])
  end

  defp downloads(%{tmp_dir: folder}) do
    hub = HubServer.start_link("org/model", %{"model.gguf" => "weights"})
    options = [base_url: hub.url, cache_dir: folder]
    {:ok, _path} = Hub.download("org/model", options)
    {:error, _error} = Hub.download("org/other", options)
  end

  defp models do
    Process.flag(:trap_exit, true)
    {:ok, model} = Model.start_link(path: Model.tiny_path())
    {:ok, _yes} = Espalier.generate({:choice, [:yes, :no]}, "?", model: model)
    :ok = Model.stop(model)
    {:error, _error} = Model.start_link(path: "/nowhere")
  end
end
