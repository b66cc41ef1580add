defmodule Espalier.Testing.Stubs do
  @moduledoc false
  # What each test replies and was asked, until its process ends.

  use GenServer

  # `asked` has the last one first, `asserted` is how many of them were asserted.
  @nothing %{replies: [], asked: [], asserted: 0}

  @doc "Puts the replies of an owner in place of those before."
  def put(owner, replies), do: call({:put, owner, replies})

  @doc "Lets a process find the replies of an owner."
  def allow(owner, pid), do: call({:allow, owner, pid})

  @doc "The reply for the first of the processes that has any."
  def ask(pids, request), do: call({:ask, pids, request})

  @doc "The requests of an owner."
  def asked(owner), do: call({:asked, owner})

  @doc "The first request of an owner that was not asserted yet, which it is now."
  def next_asked(owner), do: call({:next_asked, owner})

  # It runs only where it is used.
  defp call(message) do
    case GenServer.start(__MODULE__, [], name: __MODULE__) do
      {:ok, _pid} -> :ok
      {:error, {:already_started, _pid}} -> :ok
    end

    GenServer.call(__MODULE__, message)
  end

  @impl true
  def init([]), do: {:ok, %{owners: %{}, allowed: %{}}}

  @impl true
  def handle_call({:put, owner, replies}, _from, state) do
    unless is_map_key(state.owners, owner), do: Process.monitor(owner)
    {:reply, :ok, put_in(state.owners[owner], %{@nothing | replies: replies})}
  end

  def handle_call({:allow, owner, pid}, _from, state),
    do: {:reply, :ok, put_in(state.allowed[pid], owner)}

  def handle_call({:ask, pids, request}, _from, state) do
    case Enum.find_value(pids, &owner(&1, state)) do
      nil -> {:reply, {:error, no_owner(pids)}, state}
      owner -> ask_owner(owner, request, state)
    end
  end

  def handle_call({:asked, owner}, _from, state),
    do: {:reply, Enum.reverse(stub(owner, state).asked), state}

  def handle_call({:next_asked, owner}, _from, state) do
    stub = stub(owner, state)

    case Enum.drop(Enum.reverse(stub.asked), stub.asserted) do
      [request | _] ->
        {:reply, {:ok, request}, update_in(state.owners[owner].asserted, &(&1 + 1))}

      [] ->
        {:reply, :none, state}
    end
  end

  @impl true
  def handle_info({:DOWN, _monitor, :process, owner, _reason}, state) do
    allowed = Map.reject(state.allowed, fn {_pid, of} -> of == owner end)
    {:noreply, %{state | owners: Map.delete(state.owners, owner), allowed: allowed}}
  end

  defp owner(pid, state) do
    cond do
      is_map_key(state.owners, pid) -> pid
      is_map_key(state.owners, state.allowed[pid]) -> state.allowed[pid]
      true -> nil
    end
  end

  defp stub(owner, state), do: Map.get(state.owners, owner, @nothing)

  defp ask_owner(owner, request, state) do
    stub = %{state.owners[owner] | asked: [request | state.owners[owner].asked]}

    {reply, stub} =
      case stub.replies do
        [reply | replies] -> {{:ok, reply}, %{stub | replies: replies}}
        [] -> {{:error, no_reply(stub)}, stub}
        function -> {{:ok, function}, stub}
      end

    {:reply, reply, put_in(state.owners[owner], stub)}
  end

  defp no_owner([pid | _]) do
    "no replies for #{inspect(pid)}: call Espalier.Testing.stub/1 in the test, and Espalier.Testing.allow/1 " <>
      "for a process that the test did not start"
  end

  defp no_reply(stub), do: "no reply is left for request #{length(stub.asked)}"
end
