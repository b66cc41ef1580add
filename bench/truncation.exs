# Is there a value or a typed error however few tokens there are, and a value wherever one fits?
#
#     mix run bench/truncation.exs [--seeds N] [--most N] [--model PATH]
#
# Ten schemas are answered with each budget from 1 to 200 tokens and several seeds at a high temperature, half of them as
# streams. Values are judged by the jsonschema crate, which shares no code with the engine, and by casting; what is cut
# off has to be the start of a value, and short enough a budget for that. A wrong one ends the script with an error.

Code.require_file("support/machine.exs", __DIR__)
Code.require_file("../test/support/budgets.ex", __DIR__)

defmodule Bench.Truncation do
  alias Espalier.Budgets
  alias Espalier.Model

  def run(arguments) do
    switches = [seeds: :integer, most: :integer, model: :string]
    {options, [], []} = OptionParser.parse(arguments, strict: switches)
    {:ok, pid} = Model.start_link(path: options[:model] || Model.tiny_path())
    {:ok, model} = Model.fetch(pid)
    budgets = 1..(options[:most] || 200)
    seeds = 1..(options[:seeds] || 2)

    IO.puts(Bench.Machine.describe())

    {microseconds, wrong} =
      :timer.tc(fn ->
        for case_ <- Budgets.cases(model), seed <- seeds, do: check(case_, budgets, seed, model)
      end)

    IO.puts("time:         #{Float.round(microseconds / 1.0e6, 1)} s")
    IO.puts("wrong:        #{Enum.sum(wrong)}")
    if Enum.sum(wrong) > 0, do: System.halt(1)
  end

  defp check(case_, budgets, seed, model) do
    outcomes =
      budgets
      |> Task.async_stream(&{&1, Budgets.generate(case_, &1, seed, model)}, timeout: :infinity)
      |> Enum.map(fn {:ok, outcome} -> outcome end)

    wrong = for {budget, {:wrong, why}} <- outcomes, do: {budget, why}
    report(case_, seed, outcomes, wrong)
    if Budgets.monotonic?(outcomes), do: length(wrong), else: max(length(wrong), 1)
  end

  defp report(case_, seed, outcomes, wrong) do
    values = for {budget, {:right, :value}} <- outcomes, do: budget
    name = String.pad_trailing("#{case_.name}, seed #{seed}:", 26)
    least = if values == [], do: "none", else: "from #{hd(values)} tokens on"
    IO.puts("#{name}#{length(values)} values of #{length(outcomes)}, #{least}")
    Enum.each(wrong, &IO.inspect/1)
  end
end

Bench.Truncation.run(System.argv())
