defmodule Espalier.Telemetry.AggregatorTest do
  # What others do at the same time would be counted, too.
  use ExUnit.Case, async: false

  import ExUnit.CaptureLog

  alias Espalier.GenerationError
  alias Espalier.OptionsError
  alias Espalier.Telemetry
  alias Espalier.Telemetry.Aggregator
  alias Espalier.Telemetry.Metrics

  setup %{test: test} = context do
    options = [name: test] ++ Map.get(context, :options, [])
    pid = start_supervised!({Aggregator, options}, restart: :temporary)
    %{name: test, aggregator: pid, asked: %{backend: Some.Backend, model: test, schema: :fields}}
  end

  defp series(name, metric, model) do
    %{series: series} = name |> Aggregator.read() |> Enum.find(&(&1.name == metric))
    for one <- series, model == :all or {"model", to_string(model)} in one.labels, do: one
  end

  defp value(name, metric, model) do
    [%{value: value}] = series(name, metric, model)
    value
  end

  defp generate(asked, finish_reason) do
    span = Telemetry.start(:generate, fn -> asked end)
    Telemetry.stop(span, %{}, %{finish_reason: finish_reason, cached?: false})
  end

  test "a generation is counted by what became of it, and timed", context do
    %{name: name, asked: asked} = context
    generate(asked, :stop)
    generate(asked, :stop)
    generate(asked, :max_tokens)
    span = Telemetry.start(:generate, fn -> asked end)
    Telemetry.exception(span, %GenerationError{kind: :timeout}, %{attempts: 1}, %{})

    counts =
      for %{labels: labels, value: value} <- series(name, "espalier_generations_total", name),
          do: {Map.new(labels), value}

    own = %{"backend" => "Some.Backend", "model" => to_string(name), "schema" => "fields"}

    assert counts == [
             {Map.put(own, "outcome", "max_tokens"), 1},
             {Map.put(own, "outcome", "stop"), 2},
             {Map.put(own, "outcome", "timeout"), 1}
           ]

    assert %{count: 4, sum: seconds} = value(name, "espalier_generate_duration_seconds", name)
    assert seconds > 0
  end

  test "the metrics come in the order of the definitions, with what was not counted last",
       context do
    read = Aggregator.read(context.name)

    assert Enum.map(read, & &1.name) ==
             Enum.map(Metrics.all(), & &1.name) ++ ["espalier_dropped_series_total"]

    assert List.last(read).series == [%{labels: [], value: 0}]
  end

  test "times are told in seconds", %{name: name, asked: asked} do
    third = System.convert_time_unit(250, :millisecond, :native)
    metadata = Map.put(asked, :finish_reason, :stop)

    for _request <- 1..3 do
      Telemetry.event([:request, :stop], fn ->
        {%{duration: third, time_to_first_token: third}, metadata}
      end)
    end

    Telemetry.event([:retry], fn -> {%{delay: 1_500, retries: 1}, asked} end)

    assert %{count: 3, sum: 0.75, buckets: buckets} =
             value(name, "espalier_time_to_first_token_seconds", name)

    assert Enum.reject(buckets, &match?({_bound, 0}, &1)) == [{0.25, 3}]
    assert value(name, "espalier_retry_delay_seconds_total", name) == 1.5
  end

  test "a model is busy while it does something", %{name: name} do
    second = System.convert_time_unit(1, :second, :native)

    for {steps, running} <- [{3, 1}, {0, 1}, {2, 0}, {0, 0}] do
      Telemetry.event([:model_step], fn ->
        {%{duration: second, steps: steps, running: running}, %{model: name}}
      end)
    end

    assert value(name, "espalier_model_busy_seconds_total", name) == 3.0
  end

  test "a gauge is what was told last", %{name: name, asked: asked} do
    for {from, to, state} <- [
          {:closed, :open, 2},
          {:open, :half_open, 1},
          {:half_open, :closed, 0}
        ] do
      Telemetry.event([:circuit], fn ->
        {%{system_time: 0}, Map.merge(asked, %{from: from, to: to})}
      end)

      assert value(name, "espalier_circuit_state", name) == state
    end

    progress = fn running -> {%{done: 1, failed: 0, running: running}, asked} end
    Telemetry.event([:batch, :progress], fn -> progress.(7) end)
    Telemetry.event([:batch, :progress], fn -> progress.(3) end)
    assert value(name, "espalier_batch_items_running", name) == 3
    Telemetry.event([:batch, :stop], fn -> {%{duration: 5, done: 2, failed: 1}, asked} end)
    assert value(name, "espalier_batch_items_running", name) == 0
    assert value(name, "espalier_batch_items_total", name) == 2
    assert value(name, "espalier_batch_items_failed_total", name) == 1
  end

  test "many processes at once: nothing is lost", %{name: name} do
    {n_processes, n_events} = {40, 500}
    duration = System.convert_time_unit(3, :millisecond, :native)

    1..n_processes
    |> Enum.map(fn process ->
      Task.async(fn ->
        for event <- 1..n_events do
          metadata = %{backend: name, model: rem(process * event, 7), finish_reason: :stop}
          usage = %{completion_tokens: event, duration: duration, prompt_tokens: 1}
          Telemetry.event([:attempt, :stop], fn -> {usage, metadata} end)
        end
      end)
    end)
    |> Task.await_many(:infinity)

    own = fn metric ->
      for %{labels: labels, value: value} <- series(name, metric, :all),
          {"backend", to_string(name)} in labels,
          do: value
    end

    assert length(own.("espalier_attempts_total")) == 7
    assert Enum.sum(own.("espalier_attempts_total")) == n_processes * n_events
    written = n_processes * div(n_events * (n_events + 1), 2)
    assert Enum.sum(own.("espalier_completion_tokens_total")) == written
    histograms = own.("espalier_attempt_duration_seconds")

    assert Enum.sum(for h <- histograms, {0.00315, n} <- h.buckets, do: n) ==
             n_processes * n_events

    assert_in_delta Enum.sum(for h <- histograms, do: h.sum),
                    n_processes * n_events * 0.003,
                    1.0e-6
  end

  @tag options: [max_series: 10]
  test "there are no more series than allowed, however many labels come at once", %{name: name} do
    1..8
    |> Enum.map(fn process ->
      Task.async(fn ->
        for n <- 1..100 do
          Telemetry.event([:constraint_cache, :hit], fn -> {%{}, %{schema: {process, n}}} end)
        end
      end)
    end)
    |> Task.await_many(:infinity)

    read = Aggregator.read(name)
    {[dropped], counted} = Enum.split_with(read, &(&1.name == "espalier_dropped_series_total"))
    series = Enum.flat_map(counted, & &1.series)
    assert length(series) <= 10
    [%{value: n_dropped}] = dropped.series
    assert n_dropped >= 790

    # What is there already goes on.
    hits = fn ->
      for %{labels: [{"cache", _none}, {"schema", text}]} = one <-
            series(name, "espalier_constraint_cache_hits_total", :all),
          do: {text, one.value}
    end

    {text, before} = Enum.find(hits.(), fn {text, _} -> text =~ "," end)
    {schema, _} = Code.eval_string(text)
    Telemetry.event([:constraint_cache, :hit], fn -> {%{}, %{schema: schema}} end)
    assert {text, before + 1} in hits.()
  end

  test "labels are short texts, whatever a model is called", %{name: name} do
    models = [
      nil,
      self(),
      make_ref(),
      {:via, Registry, {A, "b"}},
      %{},
      [],
      "",
      "\"\\\n\0",
      <<255, 254, "x">>,
      String.duplicate("é", 10_000),
      :binary.copy(<<0xF0, 0x9F>>, 500),
      Enum.to_list(1..100_000),
      :"an atom\n",
      Elixir,
      1.5,
      fn -> :ok end,
      %URI{host: <<255>>}
    ]

    for model <- models do
      metadata = %{backend: name, model: model, schema: :s, error_kind: :none, reason: nil}
      assert :ok = Telemetry.event([:retry], fn -> {%{delay: 1}, metadata} end)
    end

    texts =
      for %{labels: labels} <- series(name, "espalier_retries_total", :all),
          {"backend", to_string(name)} in labels,
          {"model", text} <- labels,
          do: text

    assert length(texts) == length(models)
    for text <- texts, do: assert(String.valid?(text) and String.length(text) <= 121)
  end

  test "events that say less, or other things, do no harm", %{name: name} do
    log =
      capture_log(fn ->
        for %{name: [:espalier | event]} <- Telemetry.Events.all() do
          Telemetry.event(event, fn -> {%{}, %{}} end)
          junk = %{duration: :soon, bytes: 1.5, fixes: [:fence], delay: nil, running: "2"}
          Telemetry.event(event, fn -> {junk, %{to: :nowhere, model: %{}}} end)
        end

        Telemetry.event([:something_new], fn -> {%{duration: 1}, %{}} end)
      end)

    assert log == ""

    for metric <- Aggregator.read(name), %{value: value} <- metric.series do
      assert is_number(value) or is_map(value)
    end
  end

  test "one that was killed is told nothing, and counts from the start again", context do
    %{name: name, aggregator: pid, asked: asked} = context
    generate(asked, :stop)
    monitor = Process.monitor(pid)
    Process.exit(pid, :kill)
    assert_receive {:DOWN, ^monitor, :process, _pid, :killed}
    assert capture_log(fn -> generate(asked, :stop) end) == ""
    assert_raise ArgumentError, ~r/nothing counts/, fn -> Aggregator.read(name) end

    start_supervised!({Aggregator, name: name}, id: :again)
    generate(asked, :halted)
    assert value(name, "espalier_generations_total", name) == 1
  end

  test "one that was stopped listens no more", %{name: name} do
    listening? = fn ->
      List.keymember?(:persistent_term.get(Telemetry), {Aggregator, name}, 0)
    end

    assert listening?.()
    stop_supervised!(name)
    refute listening?.()
  end

  test "wrong options are errors" do
    assert {:error, %OptionsError{kind: :missing, option: :name}} = Aggregator.start_link([])
    assert {:error, %OptionsError{kind: :invalid}} = Aggregator.start_link(name: nil)
    assert {:error, %OptionsError{kind: :unknown}} = Aggregator.start_link(name: :a, max: 1)

    assert {:error, %OptionsError{kind: :invalid, option: :max_series}} =
             Aggregator.start_link(name: :a, max_series: 0)
  end
end
