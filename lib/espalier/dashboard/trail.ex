defmodule Espalier.Dashboard.Trail do
  @moduledoc false
  # What counters don't tell: the last errors, the batches that are under way, and how many first attempts held. Processes
  # that emit events write to a table; this one owns it, and drops the batches of readers that died.

  use GenServer

  alias Espalier.Telemetry
  alias Espalier.Telemetry.Label

  @n_errors 50
  @most_batches 100

  # Attempts that are refused may be made good, and are counted elsewhere.
  @told_of [:generate, :request, :batch, :compile, :model_load]

  @type failure :: %{
          time: integer,
          where: String.t(),
          backend: String.t() | nil,
          model: String.t() | nil,
          schema: String.t() | nil,
          reason: String.t() | nil,
          kind: String.t() | nil
        }

  @type batch :: %{
          model: String.t() | nil,
          schema: String.t() | nil,
          total: non_neg_integer | nil,
          done: non_neg_integer,
          failed: non_neg_integer,
          running: non_neg_integer,
          started: integer
        }

  @type t :: %{
          errors: [failure],
          batches: [batch],
          first_attempts: %{held: non_neg_integer, failed: non_neg_integer}
        }

  @spec start_link(atom) :: GenServer.on_start()
  def start_link(name), do: GenServer.start_link(__MODULE__, name, name: name)

  @doc "Errors, newest first, and batches, oldest first; `started` is a monotonic time in native units."
  @spec read(atom) :: t
  def read(name) do
    rows = :ets.tab2list(name)
    errors = for {{:error, _slot}, n, error} <- rows, do: {n, error}

    batches =
      for {{:batch, _ref}, done, failed, running, batch} <- rows,
          do: {done, failed, running, batch}

    %{
      errors: errors |> Enum.sort_by(&elem(&1, 0), :desc) |> Enum.map(&elem(&1, 1)),
      batches: batches |> Enum.map(&batch/1) |> Enum.sort_by(& &1.started),
      first_attempts: %{held: first(rows, :held), failed: first(rows, :failed)}
    }
  end

  defp batch({done, failed, running, batch}),
    do: Map.merge(batch, %{done: done, failed: failed, running: running})

  defp first(rows, what) do
    {_key, n} = List.keyfind!(rows, {:first, what}, 0)
    n
  end

  @impl true
  def init(name) do
    Process.flag(:trap_exit, true)
    ^name = :ets.new(name, [:named_table, :public, write_concurrency: true])
    :ets.insert(name, [{:n_errors, 0}, {{:first, :held}, 0}, {{:first, :failed}, 0}])
    Telemetry.add_sink({__MODULE__, name}, &tell(name, &1, &2, &3))
    {:ok, %{name: name, monitors: %{}}}
  end

  @impl true
  def terminate(_reason, %{name: name}), do: Telemetry.remove_sink({__MODULE__, name})

  # When this process was killed the table is gone, until it is started again.
  defp tell(name, event, measurements, metadata) do
    note(name, event, measurements, metadata)
    :ok
  rescue
    ArgumentError -> :ok
  end

  defp note(name, [:espalier, :attempt, :stop], _measurements, %{attempt: 1}),
    do: :ets.update_counter(name, {:first, :held}, 1)

  defp note(name, [:espalier, :attempt, :exception], _measurements, %{attempt: 1}),
    do: :ets.update_counter(name, {:first, :failed}, 1)

  defp note(name, [:espalier, :batch, :start], _measurements, metadata),
    do: begin(name, metadata, {0, 0, 0})

  defp note(name, [:espalier, :batch, :progress], measurements, metadata) do
    counts = {measurements.done, measurements.failed, measurements.running}
    changes = counts |> Tuple.to_list() |> Enum.with_index(&{&2 + 2, &1})
    :ets.update_element(name, key(metadata), changes) || begin(name, metadata, counts)
  end

  defp note(name, [:espalier, :batch, :stop], _measurements, metadata),
    do: finish(name, metadata)

  defp note(name, [:espalier, :batch, :exception], _measurements, metadata) do
    finish(name, metadata)
    note_error(name, :batch, metadata)
  end

  defp note(name, [:espalier, span, :exception], _measurements, metadata) when span in @told_of,
    do: note_error(name, span, metadata)

  defp note(_name, _event, _measurements, _metadata), do: :ok

  # They take the places of the oldest ones.
  defp note_error(name, span, metadata) do
    n = :ets.update_counter(name, :n_errors, 1)
    :ets.insert(name, {{:error, rem(n, @n_errors)}, n, error(span, metadata)})
  end

  defp error(span, metadata) do
    %{
      time: System.system_time(:millisecond),
      where: where(span, metadata),
      backend: text(metadata[:backend]),
      model: text(metadata[:model]),
      schema: text(metadata[:schema]),
      reason: text(metadata[:reason]),
      kind: text(metadata[:error_kind])
    }
  end

  defp text(nil), do: nil
  defp text(term), do: Label.text(term)

  defp where(span, %{attempt: number}) when is_integer(number), do: "#{span} #{number}"
  defp where(:model_load, _metadata), do: "model load"
  defp where(span, _metadata), do: Atom.to_string(span)

  # The process that emits these events reads the batch.
  defp begin(name, metadata, {done, failed, running}) do
    if :ets.info(name, :size) < @n_errors + @most_batches do
      batch = %{
        model: text(metadata[:model]),
        schema: text(metadata[:schema]),
        total: metadata[:total],
        started: System.monotonic_time()
      }

      :ets.insert(name, {key(metadata), done, failed, running, batch})
      GenServer.cast(name, {:watch, key(metadata), self()})
    end
  end

  defp finish(name, metadata) do
    if :ets.take(name, key(metadata)) != [], do: GenServer.cast(name, {:forget, key(metadata)})
  end

  defp key(metadata), do: {:batch, metadata.telemetry_span_context}

  @impl true
  def handle_cast({:watch, key, reader}, state),
    do: {:noreply, put_in(state.monitors[key], Process.monitor(reader))}

  def handle_cast({:forget, key}, state) do
    {monitor, state} = pop_in(state.monitors[key])
    if monitor, do: Process.demonitor(monitor, [:flush])
    {:noreply, state}
  end

  @impl true
  def handle_info({:DOWN, monitor, :process, _reader, _reason}, state) do
    {ended, monitors} = Enum.split_with(state.monitors, fn {_key, of} -> of == monitor end)
    for {key, _monitor} <- ended, do: :ets.delete(state.name, key)
    {:noreply, %{state | monitors: Map.new(monitors)}}
  end

  def handle_info(_other, state), do: {:noreply, state}
end
