# How many fields does the shipped model get exactly right in texts it has never seen?
#
#     mix run bench/heldout.exs [--show] [--data FILE] [--model PATH] [--limit N] [--concurrency N]
#
# Each text is answered under its own schema, greedily, several at once. An array's items and an
# object's fields are counted one by one; an item that is missing or too many counts as wrong.

Code.require_file("support/machine.exs", __DIR__)

defmodule Bench.Heldout do
  alias Espalier.JSON

  def run(arguments) do
    {options, [], []} = OptionParser.parse(arguments, strict: switches())
    model = start_model(options)
    cases = cases(options)
    IO.puts(Bench.Machine.describe())

    {microseconds, results} = :timer.tc(fn -> answer_all(cases, model, options) end)
    report(results, microseconds)
    if options[:show], do: Enum.each(results, &show/1)
  end

  defp switches do
    [show: :boolean, data: :string, model: :string, limit: :integer, concurrency: :integer]
  end

  defp start_model(options) do
    path = options[:model] || Espalier.Model.tiny_path()
    {:ok, model} = Espalier.Model.start_link(path: path)
    model
  end

  defp cases(options) do
    file = options[:data] || Path.expand("../tools/tiny_model/heldout.jsonl", __DIR__)
    lines = file |> File.stream!() |> Enum.take(options[:limit] || 1_000_000)
    Enum.map(lines, &parse_case/1)
  end

  # The order of the schema's properties is part of the question.
  defp parse_case(line) do
    members = Map.new(JSON.decode!(line, objects: :ordered).members)
    %{text: members["text"], schema: members["schema"], expected: JSON.decode!(line)["expected"]}
  end

  defp answer_all(cases, model, options) do
    cases
    |> Task.async_stream(&answer(&1, model),
      max_concurrency: options[:concurrency] || 8,
      timeout: :infinity
    )
    |> Enum.map(fn {:ok, result} -> result end)
  end

  defp answer(test_case, model) do
    outcome = Espalier.generate(test_case.schema, test_case.text, model: model)
    expected = leaves(test_case.expected, [])
    got = with {:ok, value} <- outcome, do: leaves(value, []), else: (_error -> %{})

    fields =
      for path <- Enum.uniq(Map.keys(expected) ++ Map.keys(got)) do
        {path, expected[path] == got[path]}
      end

    %{case: test_case, outcome: outcome, expected: expected, got: got, fields: fields}
  end

  defp leaves(map, path) when is_map(map) do
    map |> Enum.map(fn {key, value} -> leaves(value, path ++ [key]) end) |> merge()
  end

  defp leaves([_ | _] = list, path) do
    list
    |> Enum.with_index()
    |> Enum.map(fn {value, idx} -> leaves(value, path ++ [idx]) end)
    |> merge()
  end

  defp leaves(value, path), do: %{path => {:value, value}}

  defp merge(maps), do: Enum.reduce(maps, %{}, &Map.merge/2)

  defp report(results, microseconds) do
    fields = Enum.flat_map(results, & &1.fields)
    whole = Enum.count(results, fn result -> Enum.all?(result.fields, &elem(&1, 1)) end)
    errors = Enum.count(results, &match?({:error, _}, &1.outcome))
    IO.puts("fields: #{share(Enum.count(fields, &elem(&1, 1)), length(fields))} exactly right")
    IO.puts("texts:  #{share(whole, length(results))} wholly right, #{errors} errors")
    IO.puts("time:   #{Float.round(microseconds / 1.0e6, 1)} s")

    IO.puts("fields that are wrong most often:")

    for {name, found} <- fields |> by_field() |> Enum.take(20) do
      IO.puts(
        "  #{String.pad_trailing(name, 28)} #{share(Enum.count(found, & &1), length(found))}"
      )
    end
  end

  # Fields that go wrong most often come first.
  defp by_field(fields) do
    fields
    |> Enum.group_by(fn {path, _right} -> name(path) end, &elem(&1, 1))
    |> Enum.sort_by(fn {name, found} -> {-Enum.count(found, &(not &1)), name} end)
  end

  defp name(path), do: path |> Enum.map(&if(is_integer(&1), do: "*", else: &1)) |> Enum.join(".")

  defp share(part, whole) do
    "#{part} of #{whole} (#{Float.round(100 * part / max(whole, 1), 1)} %)"
  end

  defp show(%{outcome: {:error, error}} = result) do
    IO.puts("\n#{result.case.text}\n    error: #{Exception.message(error)}")
  end

  defp show(%{expected: expected, got: got}) when expected == got, do: :ok

  defp show(result) do
    IO.puts("\n#{result.case.text}")

    for {path, false} <- result.fields do
      IO.puts(
        "    #{Enum.join(path, ".")}: expected #{leaf(result.expected[path])}, got #{leaf(result.got[path])}"
      )
    end
  end

  defp leaf({:value, value}), do: inspect(value)
  defp leaf(nil), do: "nothing"
end

Bench.Heldout.run(System.argv())
