defmodule Espalier.Doctor.Packages do
  @moduledoc false
  # Packages that Espalier does without, and what is off then.

  alias Espalier.Doctor.Check

  @packages [
    {:telemetry, :telemetry, "nobody is told of events but the log, Prometheus and the dashboard",
     ~s({:telemetry, "~> 1.0"})},
    {:telemetry_metrics, Telemetry.Metrics, "Espalier.Telemetry.metrics/0 is off",
     ~s({:telemetry_metrics, "~> 1.0"})},
    {:decimal, Decimal, "the types of decimals are off", ~s({:decimal, "~> 2.0 or ~> 3.0"})},
    {:ecto, Ecto.Schema, "Ecto schemas are no schemas", ~s({:ecto, "~> 3.10"})}
  ]

  @spec checks() :: [Check.t()]
  def checks, do: Enum.map(@packages, &check/1)

  defp check({name, module, off, dependency}) do
    if Code.ensure_loaded?(module) do
      Check.ok("#{name}", "there" <> version(name))
    else
      advice = "add #{dependency} to the dependencies if you need that"
      Check.warn("#{name}", "not there: #{off}", advice)
    end
  end

  defp version(name) do
    Application.load(name)
    if version = Application.spec(name, :vsn), do: ", #{version}", else: ""
  end
end
