defmodule Espalier.Dashboard.Loaded do
  @moduledoc false
  # What is there now: the local models that run, by the names that events have for them, and what the constraint cache
  # holds. What refers to native memory is not taken, so that it is not kept when a model is stopped.

  alias Espalier.ConstraintCache
  alias Espalier.Telemetry.Label

  @registry Espalier.Model.Registry
  @running [
    {{:_, :"$1", %{name: :"$2", info: :"$3", max_batch_size: :"$4"}}, [],
     [{{:"$1", :"$2", :"$3", :"$4"}}]}
  ]

  @type model :: %{name: String.t(), info: Espalier.Model.info(), max_batch_size: pos_integer}

  @type t :: %{models: [model], cache: %{entries: non_neg_integer, bytes: non_neg_integer} | nil}

  @spec read() :: t
  def read, do: %{models: models(), cache: ConstraintCache.size()}

  # The registry learns a moment later that a process ended.
  defp models do
    models =
      for {pid, name, info, size} <- Registry.select(@registry, @running), Process.alive?(pid) do
        %{name: Label.text(name), info: info, max_batch_size: size}
      end

    Enum.sort_by(models, & &1.name)
  end
end
