defmodule Espalier.Dashboard.Loaded do
  @moduledoc false
  # The local models that run now, by the names that events have for them.

  alias Espalier.Model
  alias Espalier.Telemetry.Label

  @registry Espalier.Model.Registry
  @running [{{:_, :"$1", :"$2"}, [], [{{:"$1", :"$2"}}]}]

  @spec models() :: [{name :: String.t(), Model.t()}]
  def models do
    @registry
    |> Registry.select(@running)
    |> Enum.map(fn {pid, model} -> {name(pid), model} end)
    |> Enum.sort_by(&elem(&1, 0))
  end

  defp name(pid) do
    case Process.info(pid, :registered_name) do
      {:registered_name, name} -> Label.text(name)
      _none -> Label.text(pid)
    end
  end
end
