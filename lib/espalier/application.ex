defmodule Espalier.Application do
  @moduledoc false
  use Application

  @impl true
  def start(_type, _arguments) do
    children = [
      {Registry, keys: :unique, name: Espalier.Model.Registry},
      Espalier.Model.Group,
      Espalier.Model.Balancer,
      Espalier.Model.Host,
      {Espalier.ConstraintCache, Application.get_env(:espalier, :constraint_cache, [])},
      {Espalier.VocabularyCache, Application.get_env(:espalier, :vocabulary_cache, [])},
      Espalier.HTTP.Pool,
      {Task.Supervisor, name: Espalier.Batch.Supervisor},
      Espalier.Middleware.CircuitBreaker.Circuits,
      Espalier.Middleware.Throttle.Gates
    ]

    Supervisor.start_link(children, strategy: :one_for_one, name: Espalier.Supervisor)
  end
end
