# Is every text that a model writes under a schema a value of that schema, however hard it tries?
#
#     mix run bench/validity.exs [--runs N] [--temperature X] [--max-tokens N] [--model PATH]
#
# Each schema of testdata/generation is answered with many seeds at a high temperature, 1,000 times in
# all by default. The texts are judged by the jsonschema crate, which shares no code with the engine.

Code.require_file("support/machine.exs", __DIR__)

defmodule Bench.Validity do
  alias Espalier.JSON

  def run(arguments) do
    switches = [runs: :integer, temperature: :float, max_tokens: :integer, model: :string]
    {options, [], []} = OptionParser.parse(arguments, strict: switches)
    {:ok, model} = Espalier.Model.start_link(path: options[:model] || Espalier.Model.tiny_path())
    schemas = schemas()
    n_seeds = div(options[:runs] || 1000, length(schemas))

    IO.puts(Bench.Machine.describe())

    {microseconds, outcomes} =
      :timer.tc(fn ->
        for(schema <- schemas, seed <- 1..n_seeds, do: {schema, seed})
        |> Task.async_stream(&outcome(&1, model, options), max_concurrency: 8, timeout: :infinity)
        |> Enum.map(fn {:ok, outcome} -> outcome end)
      end)

    report(outcomes, microseconds)
  end

  defp schemas do
    file = Path.expand("../testdata/generation/schemas.json", __DIR__)

    for %{members: members} <- JSON.decode!(File.read!(file), objects: :ordered) do
      %{"description" => description, "schema" => schema} = Map.new(members)
      {description, JSON.encode!(schema)}
    end
  end

  defp outcome({{description, schema}, seed}, model, options) do
    options = [
      model: model,
      seed: seed,
      temperature: options[:temperature] || 1.5,
      max_tokens: options[:max_tokens] || 200
    ]

    with {:ok, result} <- Espalier.generate_result(schema, "Write something.", options),
         {:ok, []} <- Espalier.Native.schema_validate(schema, result.text, true, []) do
      {:valid, result.usage.completion_tokens}
    else
      {:ok, violations} -> {:invalid, description, seed, violations}
      {:error, error} -> {:error, description, seed, error}
    end
  end

  defp report(outcomes, microseconds) do
    {valid, others} = Enum.split_with(outcomes, &match?({:valid, _}, &1))
    Enum.each(others, &IO.inspect/1)
    n_tokens = valid |> Enum.map(&elem(&1, 1)) |> Enum.sum()
    IO.puts("generations:  #{length(outcomes)}, #{n_tokens} tokens")
    IO.puts("time:         #{Float.round(microseconds / 1.0e6, 1)} s")
    IO.puts("valid:        #{length(valid)}")
    if others != [], do: System.halt(1)
  end
end

Bench.Validity.run(System.argv())
