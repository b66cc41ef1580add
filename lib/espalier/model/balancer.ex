defmodule Espalier.Model.Balancer do
  @moduledoc false
  # Which member of a group the next request of this node goes to: the least busy one.
  #
  # The balancers of all nodes tell each other how busy their models are, twice a second. What this node began since
  # then is counted here, request by request: otherwise all of a sudden crowd would go to the same member.

  use GenServer

  alias Espalier.Model
  alias Espalier.Model.Group
  alias Espalier.Native

  @tell_milliseconds 500

  # What of a model is told.
  @typep told :: %{load: non_neg_integer, max_batch_size: pos_integer}

  @typedoc "A request's place at a member, until it leaves or its process ends."
  @opaque place :: reference

  @type member :: %{
          node: node,
          pid: pid,
          load: non_neg_integer,
          max_batch_size: pos_integer | nil
        }

  def start_link(_options), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  @doc "A place at the least busy member. Among equals that of this node comes first, and otherwise chance decides."
  @spec enter(Group.name()) :: {:ok, pid, place} | :none
  def enter(name), do: GenServer.call(__MODULE__, {:enter, name}, :infinity)

  @spec leave(place) :: :ok
  def leave(place), do: GenServer.cast(__MODULE__, {:leave, place})

  @doc "Prefers other members to this one, until its node tells again what it does."
  @spec avoid(pid) :: :ok
  def avoid(member), do: GenServer.cast(__MODULE__, {:avoid, member})

  @doc "The members of a group, each with the requests that run or wait there, as far as is known here."
  @spec members(Group.name()) :: [member]
  def members(name), do: GenServer.call(__MODULE__, {:members, name}, :infinity)

  # A place is the monitor of its process. `running` counts the places at each member, and `elsewhere` has for each
  # other node what it told of its models, where `load` is without what runs for this node. `avoided` are members that
  # failed.
  @impl true
  def init([]) do
    Group.join(__MODULE__)
    tell_later()
    {:ok, %{places: %{}, running: %{}, elsewhere: %{}, avoided: []}}
  end

  @impl true
  def handle_call({:members, name}, _from, state),
    do: {:reply, name |> Group.members() |> Enum.map(&member(&1, state)), state}

  def handle_call({:enter, name}, {pid, _tag}, state) do
    case choose(Group.members(name), state) do
      nil ->
        {:reply, :none, state}

      member ->
        place = Process.monitor(pid)
        state = put_in(state.places[place], member)
        state = update_in(state.running[member], &((&1 || 0) + 1))
        {:reply, {:ok, member, place}, state}
    end
  end

  @impl true
  def handle_cast({:leave, place}, state) do
    Process.demonitor(place, [:flush])
    {:noreply, remove(state, place)}
  end

  def handle_cast({:avoid, member}, state),
    do: {:noreply, update_in(state.avoided, &[member | List.delete(&1, member)])}

  @impl true
  def handle_info({:DOWN, place, :process, _pid, _reason}, state),
    do: {:noreply, remove(state, place)}

  def handle_info({:loads, node, loads}, state) do
    others = fn {pid, told} ->
      {pid, %{told | load: max(told.load - running(pid, state), 0)}}
    end

    {:noreply, put_in(forgive(state, &(&1 == node)).elsewhere[node], Map.new(loads, others))}
  end

  def handle_info(:tell, state) do
    tell()
    tell_later()
    state = forgive(state, &(&1 not in Node.list()))
    {:noreply, update_in(state.elsewhere, &Map.take(&1, Node.list()))}
  end

  defp forgive(state, node?),
    do: update_in(state.avoided, &Enum.reject(&1, fn member -> node?.(node(member)) end))

  defp choose([], _state), do: nil

  defp choose(members, state) do
    members
    |> Enum.shuffle()
    |> Enum.min_by(&{&1 in state.avoided, load(&1, state), node(&1) != node()})
  end

  # A node that takes nothing now does without.
  defp tell do
    loads = for pid <- Group.local_members(), told = told(pid), into: %{}, do: {pid, told}

    for balancer <- Group.members(__MODULE__),
        node(balancer) != node(),
        do: Process.send(balancer, {:loads, node(), loads}, [:nosuspend, :noconnect])
  end

  defp tell_later, do: Process.send_after(self(), :tell, @tell_milliseconds)

  @spec told(pid) :: told | nil
  defp told(pid) do
    with {:ok, model} <- Model.fetch(pid) do
      activity = Native.model_activity(model.ref)
      %{load: activity.running + activity.queue_length, max_batch_size: model.max_batch_size}
    else
      # Stopped a moment ago, or no model.
      {:error, _not_running} -> nil
    end
  end

  defp member(pid, state) do
    told = if node(pid) == node(), do: told(pid), else: state.elsewhere[node(pid)][pid]
    %{node: node(pid), pid: pid, load: load(pid, state), max_batch_size: told[:max_batch_size]}
  end

  # A request has its place before it runs.
  defp load(pid, state) when node(pid) == node(),
    do: max((told(pid) || %{load: 0}).load, running(pid, state))

  defp load(pid, state) do
    others = state.elsewhere[node(pid)][pid] || %{load: 0}
    others.load + running(pid, state)
  end

  defp running(pid, state), do: Map.get(state.running, pid, 0)

  defp remove(state, place) do
    {member, state} = pop_in(state.places[place])

    case state.running do
      # It left after its process had ended.
      _running when member == nil -> state
      %{^member => 1} -> %{state | running: Map.delete(state.running, member)}
      %{^member => n} -> put_in(state.running[member], n - 1)
    end
  end
end
