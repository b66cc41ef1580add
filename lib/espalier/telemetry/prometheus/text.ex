defmodule Espalier.Telemetry.Prometheus.Text do
  @moduledoc false
  # The text format of Prometheus, version 0.0.4.

  alias Espalier.Telemetry.Aggregator
  alias Espalier.Telemetry.Histogram
  alias Espalier.Telemetry.Metrics

  @coarse_bounds Histogram.coarse_bounds()

  @doc "What was read of an aggregator as text. Metrics without a series are left out."
  @spec encode([Aggregator.metric()]) :: String.t()
  def encode(metrics) do
    IO.iodata_to_binary(for %{series: [_ | _]} = metric <- metrics, do: family(metric))
  end

  defp family(%{name: name, kind: kind} = metric) do
    [
      ["# HELP ", name, " ", escape(metric.description, ["\\", "\n"]), "\n"],
      ["# TYPE ", name, " ", type(kind), "\n"],
      for(series <- metric.series, do: series(kind, name, series))
    ]
  end

  defp type(:sum), do: "counter"
  defp type(kind), do: Atom.to_string(kind)

  defp series(:histogram, name, %{labels: labels, value: value}) do
    [
      for({bound, n} <- cumulative(value.buckets)) do
        sample([name, "_bucket"], labels ++ [{"le", bound(bound)}], n)
      end,
      sample([name, "_sum"], labels, value.sum),
      sample([name, "_count"], labels, value.count)
    ]
  end

  defp series(_kind, name, %{labels: labels, value: value}), do: sample(name, labels, value)

  defp cumulative(buckets) do
    {buckets, _count} =
      Enum.map_reduce(buckets, 0, fn {bound, n}, sum -> {{bound, sum + n}, sum + n} end)

    for {bound, _n} = bucket <- buckets, bound == :infinity or bound in @coarse_bounds, do: bucket
  end

  defp bound(:infinity), do: "+Inf"
  # The same by all versions of OTP, as series are told apart by it.
  defp bound(bound), do: :erlang.float_to_binary(bound, [:compact, decimals: 5])

  defp sample(name, [], value), do: [name, " ", number(value), "\n"]

  defp sample(name, labels, value) do
    labels =
      Enum.map_intersperse(labels, ",", fn {label, text} ->
        [label, "=\"", label_text(text), "\""]
      end)

    [name, "{", labels, "} ", number(value), "\n"]
  end

  defp label_text(text), do: escape(text, ["\\", "\n", "\""])

  defp escape(text, characters), do: String.replace(text, characters, &escaped/1)

  defp escaped("\n"), do: "\\n"
  defp escaped(character), do: "\\" <> character

  defp number(value) when is_integer(value), do: Integer.to_string(value)
  defp number(value) when is_float(value), do: Float.to_string(value)

  @doc "The metrics as a table for the documentation."
  @spec docs() :: String.t()
  def docs do
    """
    | metric | type | labels | |
    | --- | --- | --- | --- |
    #{Enum.map_join(Metrics.all(), "\n", &row/1)}
    """
  end

  defp row(definition) do
    labels = Enum.map_join(definition.tags, ", ", fn {label, _keys, _text} -> "`#{label}`" end)
    "| `#{definition.name}` | #{type(definition.kind)} | #{labels} | #{definition.description} |"
  end
end
