# Do eight callers of one model wait for each other, or does it advance them together?
#
#     mix run bench/concurrent_callers.exs [--model PATH] [--rounds N] [--temperature X] [--threads N]
#
# The same eight requests run one after another and all at once, several rounds in turn; the medians
# are compared. Each request has a seed of its own, so its text must be the same either way. The schema
# is compiled once, before.

Code.require_file("support/machine.exs", __DIR__)

defmodule Bench.ConcurrentCallers do
  @schema [
    name: {:string, max_length: 40},
    email: {:string, max_length: 40},
    company: {:string, max_length: 40},
    city: {:string, max_length: 40}
  ]

  @texts [
    "This is Ada Novak from Ghent. I work at Brightlamp Tools, ada.novak@brightlamp.com.",
    "Please add Omar Reed of Sallow Energy in Lisbon, omar@sallow.eu.",
    "My name is Petra Klein, petra.klein@mail.de, Orchard Media, Bremen.",
    "I met Jun Sato, jun@satoworks.jp, from Satoworks in Kyoto.",
    "Ingrid Larsen works at Fjordbank, ingrid@fjordbank.no. She lives in Oslo.",
    "Our new contact is Diego Ramos (diego@casaverde.es), Casa Verde Foods, Seville.",
    "Lina Okafor, Delta Robotics, Lagos. Her address is lina.okafor@delta.io.",
    "You should meet Tom Baker of Millrace Books in York: tom@millrace.co.uk."
  ]

  def run(arguments) do
    switches = [model: :string, rounds: :integer, temperature: :float, threads: :integer]
    {options, [], []} = OptionParser.parse(arguments, strict: switches)
    path = options[:model] || Espalier.Model.tiny_path()
    threads = if options[:threads], do: [n_threads: options[:threads]], else: []
    {:ok, model} = Espalier.Model.start_link([path: path] ++ threads)
    {:ok, %{vocabulary: vocabulary}} = Espalier.Model.fetch(model)
    {:ok, constraint} = Espalier.Schema.to_constraint(@schema, vocabulary: vocabulary)
    generate = &generate(&1, constraint, model, options[:temperature] || 0.7)

    IO.puts(Bench.Machine.describe())
    one_by_one(generate)

    rounds =
      for _round <- 1..(options[:rounds] || 5), do: {one_by_one(generate), at_once(generate)}

    check!(rounds)
    report(rounds)
  end

  defp generate({text, seed}, constraint, model, temperature) do
    options = [model: model, seed: seed, temperature: temperature]
    {:ok, result} = Espalier.generate_result(constraint, text, options)
    {result.text, result.usage.completion_tokens}
  end

  defp one_by_one(generate) do
    :timer.tc(fn -> Enum.map(requests(), generate) end)
  end

  defp at_once(generate) do
    :timer.tc(fn ->
      requests()
      |> Task.async_stream(generate, max_concurrency: length(@texts), timeout: :infinity)
      |> Enum.map(fn {:ok, result} -> result end)
    end)
  end

  defp requests, do: Enum.with_index(@texts)

  defp check!(rounds) do
    results =
      Enum.flat_map(rounds, fn {{_, one_by_one}, {_, at_once}} -> [one_by_one, at_once] end)

    case Enum.uniq(results) do
      [_same] -> IO.puts("texts:        the same with the same seeds in #{length(results)} runs")
      _different -> raise "the same seeds gave different texts"
    end
  end

  defp report(rounds) do
    one_by_one = median(for {{microseconds, _}, _} <- rounds, do: microseconds)
    at_once = median(for {_, {microseconds, _}} <- rounds, do: microseconds)
    [{{_, results}, _} | _] = rounds
    n_tokens = results |> Enum.map(&elem(&1, 1)) |> Enum.sum()
    IO.puts("one by one:   #{line(one_by_one, n_tokens)}")
    IO.puts("all at once:  #{line(at_once, n_tokens)}")
    IO.puts("ratio:        #{Float.round(one_by_one / at_once, 2)}")
  end

  defp line(microseconds, n_tokens) do
    "#{Float.round(microseconds / 1000, 1)} ms, #{round(n_tokens * 1.0e6 / microseconds)} tokens/s"
  end

  defp median(values), do: values |> Enum.sort() |> Enum.at(div(length(values), 2))
end

Bench.ConcurrentCallers.run(System.argv())
