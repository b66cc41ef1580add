defmodule Espalier.Model.MisuseTest do
  @moduledoc """
  What a local model is asked for that can't be, or is too much: each is a value or a typed error, and the model goes on.
  """
  use ExUnit.Case, async: true

  alias Espalier.GenerationError
  alias Espalier.Model
  alias Espalier.ModelError
  alias Espalier.Native
  alias Espalier.OptionsError
  alias Espalier.Request
  alias Espalier.Result

  @schema [name: {:string, max_length: 20}]
  # Each digit is a step.
  @long {:regex, "[0-9]{700}"}

  defp serve(options \\ []) do
    child = {Model, [path: Model.tiny_path()] ++ options}

    child
    |> Supervisor.child_spec(id: make_ref(), restart: :temporary)
    |> start_supervised!()
    |> Model.fetch!()
  end

  setup_all do
    {:ok, pid} = start_supervised({Model, path: Model.tiny_path()})
    %{model: Model.fetch!(pid)}
  end

  describe "a prompt" do
    test "of any size is refused if it is longer than the context", %{model: model} do
      for text <- ["word ", "a", " ", "é😀", <<0>>, "<|im_end|>", "\n"] do
        assert {:error, %GenerationError{kind: :prompt_too_long} = error} =
                 Espalier.generate(@schema, String.duplicate(text, 100_000), model: model)

        assert error.length > error.max_length
      end
    end

    test "that leaves few tokens has a value that fits, and as long as the context it has none",
         %{model: model} do
      max_length = model.info.max_length
      {:ok, [_one_token]} = Model.encode(model, "a")
      options = [model: model, template: false, max_tokens: Integer.pow(10, 30)]

      for n_left <- [40, 20, 12, 2, 1, 0, -1] do
        prompt = one_token_each(model, max_length - n_left)
        free = Espalier.generate_result({:regex, "[0-9]*"}, prompt, options)
        object = Espalier.generate_result(@schema, prompt, options)

        if n_left > 0 do
          assert {:ok, %Result{usage: %{completion_tokens: n}}} = free
          assert n <= n_left
        else
          for result <- [free, object] do
            assert {:error, %GenerationError{kind: :prompt_too_long} = error} = result
            assert {error.length, error.max_length} == {max_length - n_left, max_length}
          end
        end

        case object do
          {:ok, %Result{usage: usage}} -> assert usage.completion_tokens <= n_left
          {:error, %GenerationError{kind: :truncated}} -> assert n_left in 1..12
          {:error, %GenerationError{kind: :prompt_too_long}} -> assert n_left < 1
        end
      end
    end

    defp one_token_each(model, n) do
      text = String.duplicate("\n-", n) |> binary_part(0, n)
      {:ok, tokens} = Model.encode(model, text)
      assert length(tokens) == n
      text
    end
  end

  describe "an option" do
    # Of each type, and beyond each bound.
    @odd [nil, true, 0, -1, 1, 0.5, -0.0, 1.0e308, "", "x", <<255>>, <<1::3>>, 'x', [], [1 | 2]] ++
           [[a: 1], %{}, %{1 => 1}, %{-1 => 0.5}, {}, {:max, -1}, {:max_tokens, 1}, {:a, :b}] ++
           [:x, ~D[2020-01-01], 1..3, Integer.pow(10, 30), -Integer.pow(10, 30)] ++
           [{:max, Integer.pow(10, 30)}, {:max_tokens, Integer.pow(10, 30)}]

    for {option, _entry} <- Request.options(), option != :backend do
      test "#{option} of any type and size gives a value or a typed error", %{model: model} do
        for odd <- @odd, ask <- [&Espalier.generate/3, &read_all/3] do
          options = Keyword.merge([model: model, max_tokens: 16], [{unquote(option), odd}])
          result = ask.(@schema, "?", options)

          assert match?({:ok, _value}, result) or espalier?(result),
                 inspect({odd, result})
        end

        assert {:messages, []} = Process.info(self(), :messages)
      end
    end

    defp read_all(schema, prompt, options) do
      {:done, result} = schema |> Espalier.stream(prompt, options) |> Enum.at(-1)
      {:ok, result.value}
    rescue
      error -> {:error, error}
    end

    defp espalier?({:error, %module{} = error}),
      do: is_exception(error) and hd(Module.split(module)) == "Espalier"

    defp espalier?(_result), do: false

    test "of a model, too" do
      Process.flag(:trap_exit, true)
      path = Model.tiny_path()

      for {option, odd} <-
            [path: 1, path: <<255>>, name: "x", name: {:via, 1, 2}, name: :undefined, name: 1] ++
              [n_threads: 0, n_threads: 1_025, n_threads: 1.0, n_threads: Integer.pow(10, 30)] ++
              [max_batch_size: 0, max_batch_size: 1.0, quantization: "q8_0", quantization: nil] ++
              [device: :gpu, device: "cuda", device: {:cuda, -1}, device: {:cpu, 0}] ++
              [device: {:metal, 0, 0}, device: {:cuda, "0"}, device: nil] do
        assert {:error, %OptionsError{kind: :invalid, option: ^option}} =
                 Model.start_link(Keyword.merge([path: path], [{option, odd}]))
      end

      model = serve(max_batch_size: Integer.pow(10, 30), name: {:global, make_ref()})
      assert {:ok, _value} = Espalier.generate(@schema, "?", model: model)
    end
  end

  describe "a model that is stopped" do
    test "tells a thousand requests that run and wait, and refuses later ones" do
      model = serve()
      test = self()

      tasks =
        for seed <- 1..1_000 do
          Task.async(fn ->
            send(test, :submitted)
            result = Espalier.generate(@long, "?", model: model, max_tokens: 800, seed: seed)
            {result, Process.info(self(), :messages)}
          end)
        end

      for _ <- tasks, do: assert_receive(:submitted)
      await(fn -> activity(model).running == 8 end)
      assert Model.stop(model) == :ok

      for {result, messages} <- Task.await_many(tasks, :infinity) do
        assert messages == {:messages, []}

        assert match?({:ok, <<_::binary-size(700)>>}, result) or
                 match?({:error, %ModelError{kind: :stopped}}, result) or
                 match?({:error, %ModelError{kind: :not_running}}, result)
      end

      assert {:error, %ModelError{}} = Espalier.generate(@schema, "?", model: model)
    end

    test "at each place of a stream fails it, or it had ended", %{model: other} do
      for n <- [0, 1, 5, 20, 39] do
        model = serve()

        stream =
          Espalier.stream({:regex, "[0-9]{40}"}, "?", model: model, seed: n, temperature: 1)

        stopped =
          try do
            for {_event, at} <- Enum.with_index(stream), do: if(at == n, do: Model.stop(model))
            :ended
          rescue
            error in ModelError -> error.kind
          end

        assert stopped in [:ended, :stopped]
        assert {:messages, []} = Process.info(self(), :messages)
        assert {:ok, _value} = Espalier.generate(@schema, "?", model: other)
      end
    end

    test "by many at once is stopped once, and each is told" do
      for _round <- 1..10 do
        model = serve()
        stops = for _ <- 1..20, do: Task.async(fn -> Model.stop(model.pid) end)
        results = Task.await_many(stops)
        assert :ok in results

        for result <- results,
            do: assert(result == :ok or match?({:error, %ModelError{kind: :not_running}}, result))
      end
    end
  end

  test "two models at once don't mix" do
    models = [serve(), serve(quantization: :q8_0, max_batch_size: 2)]

    ask = fn {model, seed} ->
      Espalier.generate_result(@schema, "Ada.", model: model, seed: seed, temperature: 2.0)
    end

    requests = for seed <- 1..20, model <- models, do: {model, seed}
    alone = Enum.map(requests, ask)

    beside =
      requests
      |> Task.async_stream(ask, max_concurrency: 20, timeout: :infinity)
      |> Enum.map(fn {:ok, result} -> result end)

    assert beside == alone

    assert alone
           |> Enum.chunk_every(2)
           |> Enum.any?(fn [{:ok, a}, {:ok, b}] -> a.text != b.text end)
  end

  defp activity(model), do: Native.model_activity(model.ref)

  defp await(fun, tries \\ 1_000) do
    cond do
      fun.() -> :ok
      tries == 0 -> flunk("it did not come about")
      true -> Process.sleep(10) && await(fun, tries - 1)
    end
  end
end
