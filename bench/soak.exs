# Does a model serve many callers for long when some go away at random, and is everything as before at the end?
#
#     mix run bench/soak.exs [--requests N] [--at-once N] [--model PATH]
#
# 20,000 requests come from 64 callers at once: whole and streamed ones, constrained and free, of which some are left by
# their readers, have hardly any time, are killed or are wrong. As many others have run before, as a warm-up. At each tenth
# nothing runs for a moment, and what is there is counted: memory of the VM, resident memory of the process of the
# operating system, processes, ports, monitors and what the model holds. A count that is not that of the beginning, or
# resident memory that is more at the end than after half by more than three in a hundred, ends the script with an error.
#
# What constraints find out about new texts is memory that grows with them, up to `:table_bytes` of `Espalier.Limits`, and
# so are keys and values of prompts that were read, up to `:max_kv_cache_bytes`. Here both are little enough to be reached
# in the warm-up.

Code.require_file("support/machine.exs", __DIR__)
Code.require_file("../test/support/soak.ex", __DIR__)

defmodule Bench.Soak do
  alias Espalier.Model
  alias Espalier.Soak

  @growth 1.03
  @kv_cache_bytes 20_000_000

  def run(arguments) do
    switches = [requests: :integer, at_once: :integer, model: :string]
    {options, [], []} = OptionParser.parse(arguments, strict: switches)
    path = options[:model] || Model.tiny_path()
    {:ok, pid} = Model.start_link(path: path, max_kv_cache_bytes: @kv_cache_bytes)
    {:ok, model} = Model.fetch(pid)
    n_requests = options[:requests] || 20_000
    soak = Soak.new(model)
    run = &Soak.run(soak, &1, options[:at_once] || 64)

    IO.puts(Bench.Machine.describe())
    run.(1..n_requests)
    before = Soak.level(model)
    IO.puts("after a warm-up of #{n_requests}: #{Soak.describe(before)}")

    tenths = Enum.chunk_every((n_requests + 1)..(2 * n_requests), div(n_requests, 10))
    {times, outcomes, levels} = tenths |> Enum.map(&tenth(&1, model, run)) |> unzip()

    report(n_requests, times, outcomes)
    Soak.check!(before, levels, @growth)
  end

  defp tenth(numbers, model, run) do
    {microseconds, outcomes} = :timer.tc(fn -> run.(numbers) end)
    level = Soak.level(model)
    rate = round(length(numbers) * 1.0e6 / microseconds)
    IO.puts("#{length(numbers)} requests, #{rate} a second: #{Soak.describe(level)}")
    {microseconds, outcomes, level}
  end

  defp unzip(tenths) do
    {for({time, _, _} <- tenths, do: time), for({_, outcomes, _} <- tenths, do: outcomes),
     for({_, _, level} <- tenths, do: level)}
  end

  defp report(n_requests, times, outcomes) do
    outcomes = Enum.reduce(outcomes, &Map.merge(&1, &2, fn _outcome, one, two -> one + two end))
    seconds = Enum.sum(times) / 1.0e6

    IO.puts(
      "#{n_requests} requests in #{Float.round(seconds, 1)} s, #{round(n_requests / seconds)} a second"
    )

    for {outcome, n} <- outcomes, do: IO.puts("#{String.pad_trailing("#{outcome}:", 12)}#{n}")
  end
end

Bench.Soak.run(System.argv())
