defmodule Espalier.SamplesTest do
  use ExUnit.Case, async: true

  alias Espalier.Cache
  alias Espalier.OptionsError
  alias Espalier.SchemaError
  alias Espalier.Testing

  @letters {:regex, "[a-z]{30}"}

  defp samples(n, options),
    do: Espalier.generate_samples_results(@letters, "Letters.", n, options)

  defp values(results), do: for({:ok, result} <- results, do: result.value)

  describe "samples of a local model" do
    test "differ, each with a seed of its own" do
      results = samples(4, model: MyApp.Model)
      assert results |> values() |> Enum.uniq() |> length() == 4

      assert results |> Enum.map(fn {:ok, result} -> result.seed end) |> Enum.uniq() |> length() ==
               4
    end

    test "are the same again with a seed, and each is what its seed gives alone" do
      options = [model: MyApp.Model, seed: 7, temperature: 0.8]
      results = samples(3, options)
      assert values(samples(3, options)) == values(results)

      for {{:ok, result}, seed} <- Enum.zip(results, 7..9) do
        assert result.seed == seed
        alone = Espalier.generate(@letters, "Letters.", Keyword.put(options, :seed, seed))
        assert alone == {:ok, result.value}
      end
    end

    test "go on with 0 behind the last seed" do
      seeds =
        for {:ok, result} <- samples(2, model: MyApp.Model, seed: 0xFFFFFFFFFFFFFFFF),
            do: result.seed

      assert seeds == [0xFFFFFFFFFFFFFFFF, 0]
    end

    test "read their prompt once" do
      prompt = String.duplicate("A long prompt of #{System.unique_integer()}. ", 20)
      results = Espalier.generate_samples_results(@letters, prompt, 4, model: MyApp.Model)
      usages = for {:ok, result} <- results, do: result.usage
      unread = for usage <- usages, do: usage.prompt_tokens - usage.cached_tokens
      [%{prompt_tokens: n} | _rest] = usages
      # A page of the cache is read by one only; the last one, which isn't full, by each.
      assert Enum.sum(unread) < n + 4 * 32
    end
  end

  test "there may be none" do
    assert samples(0, model: MyApp.Model) == []
  end

  test "a hosted model has the temperature that it has" do
    test = self()

    Testing.stub(fn request ->
      send(test, {:asked, request.sampling_options})
      "abc"
    end)

    options = [backend: Testing, max_retries: 0]
    assert [ok: "abc", ok: "abc"] = Espalier.generate_samples({:regex, "[a-z]+"}, "p", 2, options)
    assert_received {:asked, []}
    assert_received {:asked, []}
  end

  test "one that fails costs no other" do
    counter = :counters.new(1, [])

    Testing.stub(fn _request ->
      :counters.add(counter, 1, 1)
      if :counters.get(counter, 1) == 2, do: "2", else: "b"
    end)

    options = [backend: Testing, max_attempts: 1, max_concurrency: 1]

    assert [{:ok, "b"}, {:error, _refused}, {:ok, "b"}] =
             Espalier.generate_samples({:regex, "b"}, "p", 3, options)
  end

  describe "what can't be samples raises at once:" do
    test "a temperature of 0" do
      error =
        assert_raise OptionsError, fn -> samples(2, model: MyApp.Model, temperature: 0.0) end

      assert {error.kind, error.option} == {:invalid, :temperature}
    end

    test "a cache that would remember the first one for all" do
      cache = start_supervised!(Cache)
      options = [model: MyApp.Model, cache: cache, cache_random: true]
      error = assert_raise OptionsError, fn -> samples(2, options) end
      assert {error.kind, error.option} == {:invalid, :cache_random}
      assert length(values(samples(2, [seed: 1] ++ options))) == 2
    end

    test "wrong options and schemas" do
      assert_raise OptionsError, fn -> samples(2, modell: MyApp.Model) end
      assert_raise OptionsError, fn -> samples(2, :none) end
      assert_raise OptionsError, fn -> samples(2, model: MyApp.Model, max_concurrency: 0) end
      assert_raise SchemaError, fn -> Espalier.generate_samples({:choice, []}, "p", 2) end
      assert_raise FunctionClauseError, fn -> Espalier.generate_samples([a: :string], "p", -1) end
    end
  end
end
