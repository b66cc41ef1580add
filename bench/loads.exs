# Is everything as before when models were loaded and stopped many times?
#
#     mix run bench/loads.exs [--loads N]
#
# The shipped model is loaded 200 times, one after the other, in eight bits and as it is; each writes a value, and is then
# stopped or killed. As many have been loaded before, as a warm-up. At each tenth it is counted what is there: memory of
# the VM, resident memory of the process of the operating system, its threads, processes, ports and monitors. A count
# that is not that of the beginning, or resident memory that is more at the end than after half by more than five in a
# hundred, ends the script with an error.

Code.require_file("support/machine.exs", __DIR__)
Code.require_file("../test/support/soak.ex", __DIR__)

defmodule Bench.Loads do
  alias Espalier.Model
  alias Espalier.Soak

  @growth 1.05

  def run(arguments) do
    {options, [], []} = OptionParser.parse(arguments, strict: [loads: :integer])
    n_loads = options[:loads] || 200
    {:ok, pid} = Model.start_link(path: Model.tiny_path())
    {:ok, other} = Model.fetch(pid)

    IO.puts(Bench.Machine.describe())
    Soak.load_and_stop(n_loads)
    before = Soak.level(other)
    IO.puts("after a warm-up of #{n_loads}: #{Soak.describe(before)}")
    levels = for _tenth <- 1..10, do: tenth(div(n_loads, 10), other)
    Soak.check!(before, levels, @growth)
  end

  defp tenth(n_loads, other) do
    {microseconds, :ok} = :timer.tc(fn -> Soak.load_and_stop(n_loads) end)
    level = Soak.level(other)
    each = Float.round(microseconds / n_loads / 1000, 1)
    IO.puts("#{n_loads} loads, #{each} ms each: #{Soak.describe(level)}")
    level
  end
end

Bench.Loads.run(System.argv())
