defmodule Espalier.Backends.Local.Grouped do
  @moduledoc false
  # Requests to the models of one name on all connected nodes. Each goes to the least busy one when its events are
  # read, so one that is repeated may go to another.

  alias Espalier.Backend
  alias Espalier.Backends.Local
  alias Espalier.Middleware
  alias Espalier.Model.Balancer
  alias Espalier.Model.Group
  alias Espalier.Model.Remote
  alias Espalier.ModelError
  alias Espalier.Request

  @spec events(Group.name(), Request.t()) :: Enumerable.t(Backend.event())
  def events(name, request) do
    Stream.transform([request], fn -> Balancer.enter(name) end, &ask(&1, &2, name), &leave/1)
  end

  defp ask(_request, :none, name), do: {[{:error, Group.not_running(name)}], :none}

  defp ask(request, {:ok, member, _place} = entered, _name) do
    {member |> member_events(request) |> Stream.map(&lost(&1, member)), entered}
  end

  defp member_events(member, request) when node(member) == node(),
    do: %{request | model: member} |> Local.stream() |> Middleware.flat()

  defp member_events(member, request), do: Remote.events(member, request)

  # Another member may do what one that was stopped can't.
  defp lost({:error, %ModelError{kind: kind}}, member)
       when kind in [:stopped, :not_running, :member_lost] do
    Balancer.avoid(member)
    {:error, Group.member_lost(node(member))}
  end

  defp lost(event, _member), do: event

  defp leave({:ok, _member, place}), do: Balancer.leave(place)
  defp leave(:none), do: :ok

  @doc "Compiles the schema of a request wherever it may go."
  @spec compile(Group.name(), Request.t()) :: :ok | {:error, Exception.t()}
  def compile(name, request) do
    name
    |> Group.members()
    |> Enum.find_value(:ok, fn member ->
      with :ok <- compile_at(member, request), do: nil
    end)
  end

  defp compile_at(member, request) when node(member) == node(),
    do: Local.compile(%{request | model: member})

  defp compile_at(member, request), do: Remote.compile(member, request)

  @doc "As many as all members together advance, as far as is known."
  @spec max_concurrency(Group.name()) :: pos_integer | nil
  def max_concurrency(name) do
    sizes = for %{max_batch_size: size} when size != nil <- Balancer.members(name), do: size
    if sizes != [], do: Enum.sum(sizes)
  end
end
