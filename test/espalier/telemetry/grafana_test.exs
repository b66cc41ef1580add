defmodule Espalier.Telemetry.GrafanaTest do
  @moduledoc "What the dashboard for Grafana asks for is there."
  use ExUnit.Case, async: true

  alias Espalier.Telemetry.Metrics

  @path Application.app_dir(:espalier, "priv/grafana/espalier.json")
  @width 24

  setup_all do
    {:ok, dashboard} = @path |> File.read!() |> Espalier.JSON.decode(objects: :maps)
    panels = dashboard["panels"]
    targets = for panel <- panels, target <- panel["targets"] || [], do: {panel, target}
    %{dashboard: dashboard, panels: panels, targets: targets}
  end

  # By the name of each sample, its labels.
  defp exported do
    samples =
      for definition <- Metrics.all(), suffix <- suffixes(definition.kind) do
        labels = for {label, _keys, _text} <- definition.tags, do: Atom.to_string(label)
        le = if suffix == "_bucket", do: ["le"], else: []
        {definition.name <> suffix, labels ++ le ++ ["instance"]}
      end

    Map.new([{"espalier_dropped_series_total", []} | samples])
  end

  defp suffixes(:histogram), do: ["_bucket", "_sum", "_count"]
  defp suffixes(_kind), do: [""]

  test "each metric is one that is exported, with the labels it is asked by", %{targets: targets} do
    exported = exported()
    assert targets != []

    for {panel, %{"expr" => expression}} <- targets do
      where = "#{panel["title"]}: #{expression}"
      selectors = Regex.scan(~r/(espalier_\w+)(?:\{([^}]*)\})?/, expression)
      assert selectors != [], where

      for [_, metric | matchers] <- selectors do
        assert labels = exported[metric], where
        used = for [_, label] <- Regex.scan(~r/(\w+)(?:=|!)~?"/, Enum.join(matchers)), do: label
        assert used -- labels == [], where
      end

      groups = Regex.scan(~r/ by \(([^)]*)\) \((?:\w+\()?(espalier_\w+)/, expression)
      assert length(groups) == length(String.split(expression, " by ")) - 1, where

      for [_, labels, metric] <- groups,
          do: assert(String.split(labels, ", ") -- exported[metric] == [], where)
    end
  end

  # Nobody looks at these over time.
  @not_shown ["espalier_model_parameters", "espalier_validated_bytes_total"]

  test "each metric is in a panel", %{targets: targets} do
    expressions = Enum.map_join(targets, "\n", fn {_panel, target} -> target["expr"] end)

    for %{name: name} <- Metrics.all(),
        name not in @not_shown,
        do: assert({name, true} == {name, expressions =~ name})
  end

  test "legends name labels that there are", %{targets: targets} do
    exported = exported()

    for {_panel, %{"expr" => expression, "legendFormat" => legend}} <- targets do
      named = for [_, label] <- Regex.scan(~r/{{(\w+)}}/, legend), do: label

      labels =
        case Regex.run(~r/ by \(([^)]*)\)/, expression) do
          [_, labels] -> String.split(labels, ", ")
          nil -> exported[~r/espalier_\w+/ |> Regex.run(expression) |> hd()]
        end

      assert named -- labels == [], "#{legend}: #{expression}"
    end
  end

  test "counters are only read by how fast they grow", %{targets: targets} do
    for {_panel, %{"expr" => expression}} <- targets,
        [before] <-
          Regex.scan(~r/\w*\(?espalier_\w+(?:_total|_bucket|_sum|_count)\b/, expression),
        do: assert(before =~ ~r/^(rate|increase)\(/, expression)
  end

  test "variables ask for metrics and labels that there are", %{dashboard: dashboard} do
    exported = exported()
    variables = Map.new(dashboard["templating"]["list"], &{&1["name"], &1})
    assert Map.keys(variables) == ["backend", "datasource", "model"]

    for name <- ["backend", "model"] do
      query = variables[name]["query"]["query"]
      assert [_ | _] = metrics = Regex.scan(~r/espalier_\w+/, query)
      assert [_, label] = Regex.run(~r/^label_values\(.*, (\w+)\)$/, query)
      for [metric] <- metrics, do: assert(label in exported[metric])
    end
  end

  test "all data come from the source that is chosen", %{panels: panels, targets: targets} do
    chosen = %{"type" => "prometheus", "uid" => "${datasource}"}

    for %{"type" => type} = panel <- panels,
        type != "row",
        do: assert(panel["datasource"] == chosen)

    for {_panel, target} <- targets, do: assert(target["datasource"] == chosen)
  end

  test "ids are there once, and queries of a panel have names of their own", %{panels: panels} do
    ids = Enum.map(panels, & &1["id"])
    assert ids == Enum.uniq(ids)

    for %{"targets" => targets} <- panels do
      names = Enum.map(targets, & &1["refId"])
      assert names == Enum.uniq(names)
    end
  end

  test "no panel is over another, or beside the grid", %{panels: panels} do
    cells =
      for %{"gridPos" => %{"x" => x, "y" => y, "w" => w, "h" => h}} <- panels,
          column <- x..(x + w - 1),
          line <- y..(y + h - 1) do
        assert column in 0..(@width - 1)
        {column, line}
      end

    assert length(cells) == length(Enum.uniq(cells))
  end

  @tag :promtool
  test "promtool takes each query", %{targets: targets} do
    rules =
      for {{_panel, %{"expr" => expression}}, n} <- Enum.with_index(targets) do
        query =
          expression
          |> String.replace("$__rate_interval", "5m")
          |> String.replace(~r/\$(backend|model)/, ".*")

        %{record: "query_#{n}", expr: query}
      end

    # JSON is YAML, too.
    {:ok, text} = Espalier.JSON.encode(%{groups: [%{name: "queries", rules: rules}]})

    path =
      Path.join(System.tmp_dir!(), "espalier_rules_#{System.unique_integer([:positive])}.yml")

    File.write!(path, text)
    on_exit(fn -> File.rm(path) end)
    {output, status} = System.cmd("promtool", ["check", "rules", path], stderr_to_stdout: true)
    assert {output, status} == {output, 0}
    assert output =~ "SUCCESS: #{length(targets)} rules found"
  end
end
