defmodule Espalier.Telemetry.PrometheusTest do
  # What others do at the same time would be counted, too.
  use ExUnit.Case, async: false

  alias Espalier.OptionsError
  alias Espalier.Telemetry
  alias Espalier.Telemetry.Aggregator
  alias Espalier.Telemetry.Metrics
  alias Espalier.Telemetry.Prometheus

  doctest Prometheus

  setup %{test: test} = context do
    start_supervised!({Prometheus, [name: test] ++ Map.get(context, :options, [])})
    %{name: test}
  end

  @hostile [
    "",
    "\"",
    "\\",
    "\\\"",
    "\n",
    "a\r\nb",
    "} 1\nespalier_forged_total 1\n",
    "\\n",
    <<0, 1, 2>>,
    <<255, 254, "x">>,
    <<0xE2, 0x82>>,
    "日本語 € 👩‍👩‍👧",
    "\u2028\u202E",
    String.duplicate("\"\\\n", 100_000),
    String.duplicate("é", 100_000),
    {:via, Registry, {MyApp.Registry, "a\"b\n"}},
    %{"a" => "\\"},
    nil,
    :"odd \"atom\"\n"
  ]

  # Every metric, with odd labels everywhere.
  defp tell_all do
    for model <- @hostile, %{name: [:espalier | event]} <- Telemetry.Events.all() do
      Telemetry.event(event, fn -> {measurements(), metadata(model)} end)
    end
  end

  defp measurements do
    for %{measurements: keys} <- Telemetry.Events.all(), {key, _} <- keys, into: %{} do
      {key, :rand.uniform(3_000_000_000)}
    end
    |> Map.merge(%{batch_size: 2.5, tokens_per_second: 1.0e22})
  end

  defp metadata(model) do
    for %{metadata: keys} <- Telemetry.Events.all(), {key, _} <- keys, into: %{}, do: {key, model}
  end

  # Read back by the rules of the format, and not with the functions that wrote it.
  defp parse(text) do
    assert String.valid?(text)
    assert String.ends_with?(text, "\n")

    for line <- String.split(text, "\n", trim: true), not String.starts_with?(line, "#") do
      assert [_, name, labels, value] =
               Regex.run(
                 ~r/\A([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\[\\"n])*",?)+)\})? (\S+)\z/,
                 line
               ),
             "no sample: #{line}"

      labels =
        for [_, label, value] <- Regex.scan(~r/([a-z_]+)="((?:[^"\\]|\\[\\"n])*)"/, labels) do
          {label, Regex.replace(~r/\\(.)/, value, fn _, c -> if c == "n", do: "\n", else: c end)}
        end

      assert {number, ""} = Float.parse(value)
      {name, labels, number}
    end
  end

  test "what is read is what was counted, whatever labels say", %{name: name} do
    tell_all()

    Telemetry.event([:circuit], fn ->
      {%{}, %{backend: B, model: "m", from: :closed, to: :open}}
    end)

    samples = name |> Prometheus.scrape() |> parse()
    values = Map.new(samples, fn {name, labels, number} -> {{name, labels}, number} end)
    assert map_size(values) == length(samples)

    for metric <- Aggregator.read(name), %{labels: labels, value: value} <- metric.series do
      got = fn suffix, labels -> Map.fetch!(values, {metric.name <> suffix, labels}) end

      if metric.kind == :histogram do
        assert got.("_count", labels) == value.count
        assert got.("_sum", labels) == value.sum
        assert got.("_bucket", labels ++ [{"le", "+Inf"}]) == value.count

        for {bound, sum} <- cumulative(value.buckets), bound in [0.0001, 0.25, 5.0, 1000.0] do
          assert got.("_bucket", labels ++ [{"le", decimal(bound)}]) == sum
        end
      else
        assert got.("", labels) == value
      end
    end

    names = samples |> Enum.map(&elem(&1, 0)) |> MapSet.new()

    for %{name: name, kind: kind} <- Metrics.all() do
      suffix = if kind == :histogram, do: "_count", else: ""
      assert (name <> suffix) in names
    end

    refute "espalier_forged_total" in names
  end

  defp cumulative(buckets) do
    Enum.scan(buckets, fn {bound, n}, {_bound, sum} -> {bound, sum + n} end)
  end

  defp decimal(bound), do: :erlang.float_to_binary(bound, [:compact, decimals: 5])

  test "bounds are written as decimals", %{name: name} do
    tell_all()

    bounds =
      for {"espalier_generate_duration_seconds_bucket", labels, _n} <-
            name |> Prometheus.scrape() |> parse(),
          {"le", bound} <- labels,
          uniq: true,
          do: bound

    assert Enum.join(bounds, " ") ==
             "0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 " <>
               "1.0 2.5 5.0 10.0 25.0 50.0 100.0 250.0 500.0 1000.0 +Inf"
  end

  test "labels come as they are, cut where they are long", %{name: name} do
    for model <- ["a\"b\\c\nd", String.duplicate("é", 500)] do
      Telemetry.event([:retry], fn -> {%{delay: 0}, %{backend: __MODULE__, model: model}} end)
    end

    models =
      for {"espalier_retries_total", labels, 1.0} <- name |> Prometheus.scrape() |> parse(),
          {"backend", inspect(__MODULE__)} in labels,
          {"model", model} <- labels,
          do: model

    assert Enum.sort(models) == Enum.sort(["a\"b\\c\nd", String.duplicate("é", 60) <> "…"])
  end

  test "each family has its help and its type once, before its samples", %{name: name} do
    tell_all()
    lines = name |> Prometheus.scrape() |> String.split("\n", trim: true)

    families =
      lines
      |> Enum.chunk_while(
        [],
        fn
          "# HELP" <> _ = line, [] -> {:cont, [line]}
          "# HELP" <> _ = line, family -> {:cont, Enum.reverse(family), [line]}
          line, family -> {:cont, [line | family]}
        end,
        &{:cont, Enum.reverse(&1), []}
      )

    for [help, type | samples] <- families do
      [name] = Regex.run(~r/\A# HELP (\S+) \S.*\.\z/, help, capture: :all_but_first)
      assert type =~ ~r/\A# TYPE #{name} (counter|gauge|histogram)\z/
      assert samples != []
      for sample <- samples, do: assert(sample =~ ~r/\A#{name}(_bucket|_sum|_count)?[ {]/)
    end
  end

  @tag :promtool
  test "promtool finds nothing to say", %{name: name} do
    tell_all()
    path = Path.join(System.tmp_dir!(), "espalier_metrics_#{System.unique_integer([:positive])}")
    File.write!(path, Prometheus.scrape(name))
    on_exit(fn -> File.rm(path) end)
    assert {"", 0} = System.shell("promtool check metrics < #{path}", stderr_to_stdout: true)
  end

  @tag options: [max_series: 1]
  test "what was not counted is told", %{name: name} do
    tell_all()

    samples = name |> Prometheus.scrape() |> parse()
    assert {"espalier_dropped_series_total", [], n} = List.last(samples)
    assert n > 0
  end

  test "before anything happened there is text, too", %{name: name} do
    samples = name |> Prometheus.scrape() |> parse()
    assert {"espalier_dropped_series_total", [], 0.0} in samples
  end

  test "where nothing counts it says so" do
    assert_raise ArgumentError, ~r/nothing counts events by the name :nobody/, fn ->
      Prometheus.scrape(:nobody)
    end
  end

  test "the name is that of the module where none is given" do
    start_supervised!(Prometheus)
    assert Prometheus.scrape() =~ "espalier_dropped_series_total 0"
  end

  test "options that are none are errors" do
    assert {:error, %OptionsError{kind: :unknown, suggestion: :max_series}} =
             Prometheus.start_link(max_serie: 3)
  end
end
