defmodule Espalier.Dashboard.WindowTest do
  # All aggregators are told of all events.
  use ExUnit.Case, async: false

  alias Espalier.ConstraintCache
  alias Espalier.Dashboard.Loaded
  alias Espalier.Dashboard.Reading
  alias Espalier.Dashboard.Snapshot
  alias Espalier.Dashboard.Trail
  alias Espalier.Dashboard.Window
  alias Espalier.JSON
  alias Espalier.Model
  alias Espalier.Telemetry
  alias Espalier.Telemetry.Aggregator
  alias Espalier.Telemetry.Label
  alias Espalier.Vocabulary

  @aggregator __MODULE__.Aggregator
  @trail __MODULE__.Trail

  @target %{backend: Espalier.Backends.OpenAI, model: "large", schema: :fields}

  setup do
    start_supervised!({Aggregator, name: @aggregator})
    start_supervised!({Trail, @trail})
    :ok
  end

  defp read, do: Reading.new(Aggregator.read(@aggregator), Trail.read(@trail), Loaded.read())

  # A window at each of the times, before which a function emits what it likes.
  defp window(times, emit) do
    Enum.reduce(times, Window.new(read(), 0), fn time, window ->
      emit.(time)
      Window.add(window, read(), time)
    end)
  end

  defp snapshot(window), do: window |> Snapshot.new() |> JSON.encode!() |> JSON.decode!()

  defp native(seconds), do: round(seconds * System.convert_time_unit(1, :second, :native))

  defp generated(seconds, more \\ %{}) do
    Telemetry.event([:generate, :stop], fn ->
      {%{duration: native(seconds)}, @target |> Map.put(:finish_reason, :stop) |> Map.merge(more)}
    end)
  end

  defp failed(event, more) do
    error = %{kind: :error, reason: Espalier.ValidationError, error_kind: :schema, stacktrace: []}

    Telemetry.event([event, :exception], fn ->
      {%{duration: 1}, @target |> Map.merge(error) |> Map.merge(more)}
    end)
  end

  describe "before the first event" do
    test "nothing is known, and that is told" do
      snapshot = 1..3 |> window(fn _ -> :ok end) |> snapshot()
      assert snapshot["quiet"]

      for {_name, figure} <- snapshot["figures"] do
        assert %{"value" => nil, "history" => [nil, nil, nil]} = figure
      end

      for table <- ~w(traffic answers refusals circuits errors), do: assert(snapshot[table] == [])
      assert snapshot["batches"] == %{"count" => 0, "rows" => []}
      assert %{"hits" => nil, "hit_rate" => nil} = snapshot["cache"]
    end

    test "there is a snapshot before the first second has passed" do
      assert %{"seconds" => 0} = read() |> Window.new(7.5) |> snapshot()
    end
  end

  describe "rates" do
    test "add up to what was counted, however long the seconds are" do
      :rand.seed(:exsss, {1, 2, 3})

      for _ <- 1..20 do
        before = read().counts.generations || 0
        times = Enum.scan(1..30, fn _, time -> time + 0.2 + :rand.uniform() * 3 end)
        window = window(times, fn _ -> for _ <- 1..:rand.uniform(9), do: generated(0.1) end)
        lengths = Enum.zip_with(times, [0 | times], &(&1 - &2))
        rates = for figures <- Window.history(window), do: figures.generations
        sum = rates |> Enum.zip_with(lengths, &(&1 * &2)) |> Enum.sum()
        assert_in_delta sum, read().counts.generations - before, 1.0e-6
      end
    end

    test "are now those of ten seconds" do
      window =
        window(1..40, fn time -> if time in 31..35, do: for(_ <- 1..4, do: generated(0.1)) end)

      assert Window.now(window).generations == 2.0
      assert List.last(Window.history(window)).generations == 0
    end

    test "of what begins in the midst of it begin at nothing" do
      window =
        window(1..20, fn time ->
          if time > 10,
            do:
              Telemetry.event([:attempt, :stop], fn ->
                {%{duration: 1, completion_tokens: 50}, @target}
              end)
        end)

      assert List.duplicate(nil, 10) ++ List.duplicate(50.0, 10) ==
               for(figures <- Window.history(window), do: figures.output_tokens)
    end
  end

  describe "percentiles" do
    test "are those of the last minute" do
      window =
        window(1..70, fn time ->
          for _ <- 1..3, do: generated(if time <= 5, do: 90, else: 0.01)
        end)

      %{"latency" => %{"generation" => told}} = snapshot(window)
      for key <- ~w(p50 p90 p99), do: assert_in_delta(told[key], 0.01, 0.0025)
      assert_in_delta Enum.at(Window.history(window), 4).latency_p50, 90, 25
    end

    test "are near those of the durations themselves" do
      :rand.seed(:exsss, {4, 5, 6})
      durations = for _ <- 1..2_000, do: :math.exp(:rand.normal() * 1.5 - 1)

      window =
        durations
        |> Enum.chunk_every(50)
        |> Enum.with_index(1)
        |> Enum.reduce(Window.new(read(), 0), fn {some, time}, window ->
          Enum.each(some, &generated/1)
          Window.add(window, read(), time)
        end)

      sorted = Enum.sort(durations)
      %{"traffic" => [traffic]} = snapshot(window)

      for {key, q} <- [{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}] do
        exact = Enum.at(sorted, round(q * 2_000) - 1)
        assert_in_delta traffic[key], exact, exact / 4
      end
    end

    test "are not there where nothing happened for a minute" do
      window = window(1..65, fn time -> if time == 1, do: generated(1) end)
      assert Enum.at(Window.history(window), 0).latency_p50 != nil
      assert Window.now(window).latency_p50 == nil
    end
  end

  test "it has five minutes and no more" do
    window = window(1..400, fn _ -> :ok end)
    assert length(Window.history(window)) == 300
    assert length(window.readings) <= 62
    assert round(Window.duration(window)) == 400
  end

  describe "local models" do
    test "tell what they do, and nothing when they are gone" do
      {:ok, model} = Espalier.Model.start_link(name: :a_model, path: Espalier.Model.tiny_path())

      step = fn running ->
        told = %{
          duration: native(1),
          running: running,
          queue_length: 2,
          batch_size: 1.5,
          kv_cache_bytes: 2_048
        }

        times = %{forward_time: native(0.75), mask_time: native(0.25), tokens_per_second: 80.0}
        Telemetry.event([:model_step], fn -> {Map.merge(told, times), %{model: :a_model}} end)
      end

      window = window(1..12, fn _ -> step.(3) end)
      now = Window.now(window)
      assert %{running: 3, queue_length: 2, batch_size: 1.5, kv_cache_bytes: 2_048} = now
      assert_in_delta now.forward_time, 0.75, 1.0e-6
      assert_in_delta now.mask_time, 0.25, 1.0e-6
      row = window |> snapshot() |> Map.fetch!("models") |> Enum.find(&(&1["name"] == "a_model"))

      assert %{
               "running" => 3,
               "tokens_per_second" => 80.0,
               "max_batch_size" => 8,
               "parameters" => 2_115_264
             } = row

      GenServer.stop(model)
      window = Window.add(window, read(), 13)
      assert Window.now(window).running == nil
      refute "a_model" in Enum.map(snapshot(window)["models"], & &1["name"])
    end
  end

  describe "first attempts" do
    test "are counted apart from those that repair" do
      attempt = fn number, event ->
        metadata = Map.merge(@target, %{attempt: number, finish_reason: :stop})

        if event == :stop,
          do: Telemetry.event([:attempt, :stop], fn -> {%{duration: 1}, metadata} end),
          else: failed(:attempt, metadata)
      end

      window =
        window(1..4, fn _ ->
          attempt.(1, :stop)
          attempt.(1, :exception)
          attempt.(2, :exception)
          attempt.(3, :stop)
        end)

      assert Window.now(window).first_attempts == 0.5
      answers = Map.new(snapshot(window)["answers"], &{&1["what"], {&1["count"], &1["share"]}})
      assert answers["Attempts"] == {16, nil}
      assert answers["First attempts that hold"] == {4, 0.5}
    end

    test "that were refused are told by kind, the most frequent first" do
      for {kind, n} <- [missing: 2, schema: 5],
          _ <- 1..n,
          do: failed(:validate, %{error_kind: kind})

      refusals = read() |> Window.new(0) |> snapshot() |> Map.fetch!("refusals")

      assert refusals == [
               %{"kind" => "schema", "count" => 5},
               %{"kind" => "missing", "count" => 2}
             ]
    end
  end

  test "circuits that are open come first" do
    for {model, states} <- [
          {"a", [:open, :half_open, :closed]},
          {"b", [:open]},
          {"c", [:open, :half_open]}
        ],
        state <- states do
      Telemetry.event([:circuit], fn ->
        {%{system_time: 1}, %{backend: nil, model: model, from: nil, to: state}}
      end)
    end

    circuits = read() |> Window.new(0) |> snapshot() |> Map.fetch!("circuits")

    assert [{"b", "open"}, {"c", "half_open"}, {"a", "closed"}] ==
             for(c <- circuits, do: {c["model"], c["state"]})
  end

  test "the constraint cache's hits are those of the last minute, its rate that of all" do
    told = fn event ->
      Telemetry.event([:constraint_cache, event], fn -> {%{system_time: 1}, @target} end)
    end

    window = window(1..70, fn time -> told.(if time <= 5, do: :miss, else: :hit) end)
    assert Window.now(window).cache_hits == 1.0
    assert %{"hits" => 65, "misses" => 5, "hit_rate" => rate} = snapshot(window)["cache"]
    assert_in_delta rate, 65 / 70, 0.001
  end

  test "what the constraint cache holds is known without its events" do
    ConstraintCache.fetch!([dashboard: :integer], vocabulary: Vocabulary.bytes())
    %{entries: entries, bytes: bytes} = ConstraintCache.stats()
    assert entries > 0
    cache = read() |> Window.new(0) |> snapshot() |> Map.fetch!("cache")
    assert %{"entries" => ^entries, "bytes" => ^bytes} = cache

    ConstraintCache.clear()
    cache = read() |> Window.new(0) |> snapshot() |> Map.fetch!("cache")
    assert %{"entries" => 0, "bytes" => 0} = cache
  end

  test "a model has the name of its events, however it was named" do
    start_supervised!({Registry, keys: :unique, name: __MODULE__.Names})
    names = [__MODULE__.Model, {:global, __MODULE__}, {:via, Registry, {__MODULE__.Names, 1}}]

    for name <- names, do: start_supervised!({Model, name: name, path: Model.tiny_path()})
    pid = start_supervised!({Model, path: Model.tiny_path()})
    gone = {:via, Registry, {__MODULE__.Names, 2}}

    for {name, running} <- Enum.with_index(names ++ [pid, gone], 1) do
      Telemetry.event([:model_step], fn -> {%{running: running}, %{model: name}} end)
    end

    window = Window.new(read(), 0)

    running =
      for model <- snapshot(window)["models"], into: %{}, do: {model["name"], model["running"]}

    for {name, running_there} <- Enum.with_index(names ++ [pid], 1),
        do: assert({name, running[Label.text(name)]} == {name, running_there})

    # The last one doesn't run.
    assert Window.now(window).running == 10
  end

  test "of many backends and models the busiest are told" do
    for n <- 1..60, _ <- 1..n, do: generated(0.1, %{model: "model #{n}"})
    traffic = read() |> Window.new(0) |> snapshot() |> Map.fetch!("traffic")
    assert Enum.map(traffic, & &1["model"]) == for(n <- 60..41, do: "model #{n}")
  end

  test "whatever terms the metadata has, there is a snapshot" do
    terms =
      [<<255, 0>>, String.duplicate("ü\u2028\"<b>", 5_000), self(), make_ref(), {:via, :a, <<1>>}] ++
        [%{a: [1 | 2]}, fn -> 1 end, 'abc', 1.5, "", nil, true, [], %URI{}]

    window =
      window(1..length(terms), fn time ->
        term = Enum.at(terms, time - 1)

        odd = %{
          backend: term,
          model: term,
          schema: term,
          error_kind: term,
          reason: term,
          total: nil,
          to: term,
          telemetry_span_context: make_ref()
        }

        generated(1, odd)

        for event <- [:generate, :attempt, :request, :validate, :batch, :compile, :model_load],
            do: failed(event, odd)

        Telemetry.event([:circuit], fn -> {%{system_time: 1}, odd} end)
        Telemetry.event([:model_step], fn -> {%{duration: 1, running: term}, %{model: term}} end)

        Telemetry.event([:batch, :start], fn -> {%{}, odd} end)
      end)

    snapshot = snapshot(window)
    assert length(snapshot["errors"]) == 50
    assert Enum.all?(snapshot["errors"], &(byte_size(&1["model"] || "") < 200))
  end
end
