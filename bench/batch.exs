# How much faster is a batch than one caller, and what does it leave behind, if some items fail?
#
#     mix run bench/batch.exs [--items N] [--model PATH] [--threads N]
#
# The same items run one after another in one process, and as batches of 1, 8 and 32 at once, in turn. One in a
# hundred has a schema that nothing satisfies, and of another one the process is killed while it generates; one caller
# leaves these out. Each other item must have the same value every time. Memory and processes are counted before the
# first batch, after a small one has warmed everything up, and after each; a process or a text of the model that is left
# ends the script with an error.

Code.require_file("support/machine.exs", __DIR__)

defmodule Bench.Batch do
  @schema [
    name: {:string, max_length: 40},
    company: {:string, max_length: 40},
    city: {:string, max_length: 40}
  ]

  @unsatisfiable %{"type" => "string", "minLength" => 2, "maxLength" => 1}

  @texts [
    "This is Ada Novak from Ghent. I work at Brightlamp Tools.",
    "Please add Omar Reed of Sallow Energy in Lisbon.",
    "My name is Petra Klein, Orchard Media, Bremen.",
    "Ingrid Larsen works at Fjordbank. She lives in Oslo.",
    "You should meet Tom Baker of Millrace Books in York."
  ]

  @at_once [1, 8, 32]

  def run(arguments) do
    switches = [items: :integer, model: :string, threads: :integer]
    {options, [], []} = OptionParser.parse(arguments, strict: switches)
    n_items = options[:items] || 1_000
    path = options[:model] || Espalier.Model.tiny_path()
    threads = if options[:threads], do: [n_threads: options[:threads]], else: []
    most = Enum.max(@at_once)
    {:ok, model} = Espalier.Model.start_link([path: path, max_batch_size: most] ++ threads)
    items = Enum.to_list(1..n_items)

    IO.puts(Bench.Machine.describe())
    batch(Enum.take(items, 100), model, most)
    before = length(Process.list())
    IO.puts("#{n_items} items; before: #{memory()}")
    {microseconds, expected} = :timer.tc(fn -> one_caller(items, model) end)
    alone = report("one caller", microseconds, map_size(expected))

    for n <- @at_once do
      {microseconds, results} = :timer.tc(fn -> batch(items, model, n) end)
      check!(items, results, expected)
      rate = report("#{n} at once", microseconds, map_size(expected))
      IO.puts("              #{Float.round(rate / alone, 2)} times one caller; #{memory()}")
      nothing_left!(model, before)
    end
  end

  defp one_caller(items, model) do
    for n <- items, kind(n) == :ok, into: %{} do
      {schema, text, options} = request(n)
      {n, Espalier.generate(schema, text, [model: model] ++ options)}
    end
  end

  defp batch(items, model, n),
    do: Espalier.generate_batch(items, &request/1, model: model, max_concurrency: n)

  defp kind(n) when rem(n, 100) == 33, do: :unsatisfiable
  defp kind(n) when rem(n, 100) == 66, do: :killed
  defp kind(_n), do: :ok

  defp request(n) do
    schema = if kind(n) == :unsatisfiable, do: @unsatisfiable, else: @schema
    middleware = if kind(n) == :killed, do: [&die/2], else: []
    options = [seed: n, temperature: 0.7, middleware: middleware]
    {schema, Enum.at(@texts, rem(n, length(@texts))), options}
  end

  # Before the text is finished, and after it has begun.
  defp die(request, next) do
    with {:ok, events} <- next.(%{request | streamed: true}),
         do: {:ok, Stream.each(events, fn _event -> Process.exit(self(), :kill) end)}
  end

  defp check!(items, results, expected) do
    for {n, result} <- Enum.zip(items, results) do
      right? =
        case {kind(n), result} do
          {:ok, result} -> result == expected[n]
          {:unsatisfiable, {:error, error}} -> error.kind == :unsatisfiable
          {:killed, {:error, error}} -> error.kind == :crashed
          {_kind, _result} -> false
        end

      unless right?, do: raise("item #{n} (#{kind(n)}): #{inspect(result)}")
    end
  end

  # The model drops the text of a killed process at its next step.
  defp nothing_left!(model, n_processes) do
    Process.sleep(100)
    {:ok, %{ref: ref}} = Espalier.Model.fetch(model)
    activity = Espalier.Native.model_activity(ref)
    left = Map.take(activity, [:running, :queue_length, :kv_cache_tokens])
    if Enum.any?(left, fn {_what, n} -> n > 0 end), do: raise("left: #{inspect(left)}")
    more = length(Process.list()) - n_processes
    if more > 0, do: raise("#{more} processes are left")
  end

  defp report(name, microseconds, n_values) do
    rate = n_values * 1.0e6 / microseconds
    seconds = Float.round(microseconds / 1.0e6, 2)
    IO.puts("#{String.pad_trailing(name <> ":", 14)}#{seconds} s, #{round(rate)} values/s")
    rate
  end

  defp memory do
    :erlang.garbage_collect()
    vm = Float.round(:erlang.memory(:total) / 1.0e6, 1)
    "VM #{vm} MB, resident #{resident()}, #{length(Process.list())} processes"
  end

  defp resident do
    with {:ok, text} <- File.read("/proc/self/status"),
         [_, kilobytes] <- Regex.run(~r/^VmRSS:\s*(\d+) kB$/m, text) do
      "#{Float.round(String.to_integer(kilobytes) / 1000, 1)} MB"
    else
      _other -> "unknown"
    end
  end
end

Bench.Batch.run(System.argv())
