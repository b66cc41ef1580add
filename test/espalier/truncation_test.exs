defmodule Espalier.TruncationTest do
  @moduledoc """
  However few tokens there are, there is a value or a typed error, and a value whenever one fits.

  `bench/truncation.exs` does the same with every budget from 1 to 200, and with more seeds.
  """
  use ExUnit.Case, async: true

  alias Espalier.Budgets
  alias Espalier.GenerationError
  alias Espalier.Model

  @most 200

  setup_all do
    model = [path: Model.tiny_path()] |> then(&start_supervised!({Model, &1})) |> Model.fetch!()
    %{model: model, cases: Budgets.cases(model)}
  end

  test "each result is valid or truncated, and none is longer than allowed", context do
    %{model: model, cases: cases} = context
    :rand.seed(:exsss, {1, 2, 3})

    for %{enough: enough} = case_ <- cases do
      outcomes =
        for max_tokens <- budgets(enough),
            do: {max_tokens, Budgets.generate(case_, max_tokens, max_tokens, model)}

      assert for({n, {:wrong, _why} = wrong} <- outcomes, do: {case_.name, n, wrong}) == []
      assert {1, {:right, :truncated}} = hd(outcomes)
      # Once a value fits it always does.
      assert Budgets.monotonic?(outcomes), inspect({case_.name, outcomes})
    end
  end

  test "what a reader has seen when it stops, or when the time is over, is the start of a value",
       context do
    %{model: model, cases: cases} = context

    for case_ <- cases, seed <- 1..6 do
      options = [model: model, max_tokens: 100, seed: seed, temperature: 1.5]
      stream = Espalier.stream(case_.schema, "Write something.", options)
      text = stream |> Enum.take(seed * 5) |> Enum.map_join(&text/1)
      assert Budgets.prefix?(text, case_.constraint), inspect({case_.name, text})

      case Espalier.generate(case_.schema, "Write something.", [timeout: seed] ++ options) do
        {:ok, _value} ->
          :ok

        {:error, error} ->
          assert %GenerationError{kind: :timeout, text: text} = error
          assert Budgets.prefix?(text || "", case_.constraint), inspect({case_.name, text})
      end
    end
  end

  # Those about which a value fits or not, and a sample of the others.
  defp budgets(enough) do
    near = max(enough - 8, 1)..(enough + 12)
    Enum.uniq(Enum.sort([1 | Enum.to_list(near)] ++ Enum.take_random(1..@most, 30)))
  end

  defp text({:text, text}), do: text
  defp text(_event), do: ""
end
