defmodule Espalier.BatchLeftoversTest do
  # What is left is counted for the whole VM.
  use ExUnit.Case, async: false

  alias Espalier.GenerationError
  alias Espalier.Model
  alias Espalier.Native
  alias Espalier.SchemaError

  @schema [name: {:string, max_length: 20}, city: {:string, max_length: 20}]
  @unsatisfiable %{"type" => "string", "minLength" => 2, "maxLength" => 1}
  @kv_cache_bytes 4_000_000
  @n_items 120

  # One in twenty has a schema that nothing satisfies, another one a process that is killed.
  defp kind(n) when rem(n, 20) == 3, do: :unsatisfiable
  defp kind(n) when rem(n, 20) == 16, do: :killed
  defp kind(_n), do: :right

  defp request(n) do
    schema = if kind(n) == :unsatisfiable, do: @unsatisfiable, else: @schema
    middleware = if kind(n) == :killed, do: [&die/2], else: []
    options = [seed: n, temperature: 0.7, middleware: middleware]
    {schema, "Please add Omar Reed of Lisbon, number #{n}.", options}
  end

  # Before the text is finished, and after it has begun.
  defp die(request, next) do
    with {:ok, events} <- next.(%{request | streamed: true}),
         do: {:ok, Stream.each(events, fn _event -> Process.exit(self(), :kill) end)}
  end

  test "killed callers and wrong schemas cost no other item, and leave nothing" do
    model =
      start_supervised!({Model, path: Model.tiny_path(), max_kv_cache_bytes: @kv_cache_bytes})

    {:ok, %{ref: ref}} = Model.fetch(model)
    alone = for n <- items(:right), into: %{}, do: {n, generate(n, model)}

    run(model, alone)

    # What is lost is lost each time; what else there is in the VM comes now and then.
    assert Enum.any?(1..5, fn _round ->
             before = there(ref)
             for _batch <- 1..3, do: run(model, alone)
             left = there(ref)

             assert %{running: 0, queue_length: 0, kv_cache_tokens: 0} = left.activity
             assert left.activity.kv_cache_bytes <= @kv_cache_bytes
             left.processes -- before.processes == [] and left.bytes - before.bytes < 100_000
           end)
  end

  defp items(kind), do: Enum.filter(1..@n_items, &(kind(&1) == kind))

  defp generate(n, model) do
    {schema, prompt, options} = request(n)
    Espalier.generate(schema, prompt, [model: model] ++ options)
  end

  defp run(model, alone) do
    results = Espalier.generate_batch(1..@n_items, &request/1, model: model)

    for {n, result} <- Enum.zip(1..@n_items, results) do
      case kind(n) do
        :right -> assert {n, result} == {n, alone[n]}
        :unsatisfiable -> assert {:error, %SchemaError{kind: :unsatisfiable}} = result
        :killed -> assert {:error, %GenerationError{kind: :crashed}} = result
      end
    end
  end

  # The model drops the texts of killed callers at its next step.
  defp there(ref, tries \\ 500) do
    activity =
      Map.take(Native.model_activity(ref), [
        :running,
        :queue_length,
        :kv_cache_tokens,
        :kv_cache_bytes
      ])

    if activity.running > 0 and tries > 0 do
      Process.sleep(10)
      there(ref, tries - 1)
    else
      processes = Process.list()
      Enum.each(processes, &:erlang.garbage_collect/1)
      %{activity: activity, processes: processes, bytes: bytes(processes)}
    end
  end

  # What each process has: what the VM says of all of them still counts memory that one scheduler has
  # freed and another has not yet taken back. Code that is loaded meanwhile doesn't count.
  defp bytes(processes) do
    own =
      for process <- processes, {:memory, bytes} <- [Process.info(process, :memory)], do: bytes

    Enum.sum(own) + :erlang.memory(:binary) + :erlang.memory(:ets)
  end
end
