defmodule Espalier.Dashboard.Loaded do
  @moduledoc false
  # The local models that run now, by the names that events have for them. What refers to native memory is not taken, so
  # that it is not kept when a model is stopped.

  alias Espalier.Telemetry.Label

  @registry Espalier.Model.Registry
  @running [
    {{:_, :"$1", %{info: :"$2", max_batch_size: :"$3"}}, [], [{{:"$1", :"$2", :"$3"}}]}
  ]

  @type t :: %{name: String.t(), info: Espalier.Model.info(), max_batch_size: pos_integer}

  @spec models() :: [t]
  def models do
    @registry
    |> Registry.select(@running)
    |> Enum.map(fn {pid, info, size} -> %{name: name(pid), info: info, max_batch_size: size} end)
    |> Enum.sort_by(& &1.name)
  end

  defp name(pid) do
    case Process.info(pid, :registered_name) do
      {:registered_name, name} -> Label.text(name)
      _none -> Label.text(pid)
    end
  end
end
