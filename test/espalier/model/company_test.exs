defmodule Espalier.Model.CompanyTest do
  @moduledoc """
  A request has the text that it has alone, whatever else the model does at that time: with weights in eight bits, too.
  """
  use ExUnit.Case, async: true

  alias Espalier.Deadline
  alias Espalier.Generation
  alias Espalier.Model
  alias Espalier.Native
  alias Espalier.Packed
  alias Espalier.Sampling
  alias Espalier.Schema

  # It has a lot to do for a machine that is busy with other things.
  @moduletag timeout: 600_000

  @schemas [
    [name: {:string, max_length: 30}, topic: {:enum, [:billing, :technical]}],
    {:regex, "[a-z]{2,12}( [a-z]{2,12}){0,4}"},
    [numbers: {{:array, {:number, min: -5, max: 5}}, max_items: 8}],
    :free
  ]

  @words ~w(Please add Omar Reed of Sallow Energy in Lisbon: the invoice is wrong! Zoë {"a": 7})

  for quantization <- [:q8_0, :none] do
    test "#{quantization}: the same seed gives the same text alone and in company" do
      options = [path: Model.tiny_path(), quantization: unquote(quantization), max_batch_size: 8]
      model = options |> then(&start_supervised!({Model, &1})) |> Model.fetch!()
      schemas = Enum.map(@schemas, &compile(&1, model))

      for round <- 1..4 do
        :rand.seed(:exsss, {round, 4, 4})
        requests = for _ <- 1..12, do: request(schemas)
        alone = Enum.map(requests, &text(&1, model))
        assert length(Enum.uniq(alone)) > 6

        in_company(model, schemas, fn killed ->
          tasks = for request <- Enum.shuffle(requests), do: {request, async(request, model)}
          Enum.each(killed, &kill_later/1)

          beside =
            Map.new(tasks, fn {request, task} -> {request, Task.await(task, :infinity)} end)

          for {request, text} <- Enum.zip(requests, alone),
              do: assert({request, beside[request]} == {request, text})
        end)
      end
    end
  end

  # Calls a function while others fill the batch, of whom some may be killed. On a busy machine they may be late with
  # their next requests: then it doesn't count, and is done again.
  defp in_company(model, schemas, function, tries \\ 50) do
    company = for _ <- 1..12, do: spawn(fn -> keep_company([], model, schemas) end)
    await(model, &(&1.running == model.max_batch_size and &1.queue_length > 0))
    before = Native.model_activity(model.ref)
    function.(Enum.take(company, 6))
    batch_size = batch_size(before, Native.model_activity(model.ref))
    Enum.each(company, &Process.exit(&1, :kill))
    await(model, &(&1.running == 0 and &1.queue_length == 0))

    cond do
      batch_size > model.max_batch_size / 2 -> :ok
      tries > 1 -> in_company(model, schemas, function, tries - 1)
      true -> flunk("there was no company")
    end
  end

  defp await(model, so?) do
    unless so?.(Native.model_activity(model.ref)) do
      Process.sleep(1)
      await(model, so?)
    end
  end

  defp compile(:free, _model), do: nil

  defp compile(schema, model) do
    {:ok, constraint} = Schema.to_constraint(schema, vocabulary: model.vocabulary)
    constraint.ref
  end

  defp request(schemas) do
    sampling = [
      temperature: 0.3 + 2 * :rand.uniform(),
      repetition_penalty: 0.8 + :rand.uniform() * 0.7,
      presence_penalty: 2 * :rand.uniform() - 1,
      frequency_penalty: 2 * :rand.uniform() - 1,
      top_p: 0.5 + :rand.uniform() / 2,
      min_p: Enum.random([0.0, 0.02]),
      typical_p: Enum.random([1.0, 0.9]),
      seed: :rand.uniform(1_000_000)
    ]

    top_k = Enum.random([0, 0, 20])

    sampling
    |> Sampling.new()
    |> Map.from_struct()
    |> Map.merge(%{
      top_k: top_k,
      logit_bias: [],
      prompt: 1..:rand.uniform(80) |> Enum.map_join(" ", fn _word -> Enum.random(@words) end),
      constraint: Enum.random(schemas),
      streamed: :rand.uniform(2) == 1,
      traced: false,
      priority: 0,
      reasoning: nil,
      caller: 0,
      max_tokens: 30 + :rand.uniform(60)
    })
  end

  defp async(request, model) do
    delay = :rand.uniform(20)

    # Each is a caller, as the others are, so that they get their turns.
    Task.async(fn ->
      Process.sleep(delay)
      text(%{request | caller: :erlang.phash2(self())}, model)
    end)
  end

  # The ids, and why it ended.
  defp text(request, model), do: request |> start(model) |> read([])

  defp start(request, model) do
    {:ok, tokens} = Model.encode(model, request.prompt)
    request = %{request | prompt: Packed.pack(tokens)}
    {:ok, generation} = Generation.start(model, request, :infinity, Deadline.new(:infinity))
    generation
  end

  defp read(generation, ids) do
    case Generation.next(generation) do
      {{:tokens, new, _bytes, _forced?, _choice}, generation} ->
        read(generation, ids ++ new)

      {{:done, info}, generation} ->
        Generation.stop(generation)
        {ids, info.finish_reason, info.usage.completion_tokens}
    end
  end

  # Requests that are read, and others that are cancelled after a few tokens, until this process is killed. Some more are
  # always there before they are needed.
  defp keep_company(begun, model, schemas) when length(begun) < 3 do
    request = %{request(schemas) | streamed: true, caller: :erlang.phash2(self())}
    keep_company(begun ++ [start(request, model)], model, schemas)
  end

  defp keep_company([generation | begun], model, schemas) do
    case Enum.random([:read, :cancel]) do
      :read -> read(generation, [])
      :cancel -> generation |> take(:rand.uniform(5)) |> Generation.stop()
    end

    keep_company(begun, model, schemas)
  end

  defp take(generation, 0), do: generation

  defp take(generation, n) do
    case Generation.next(generation) do
      {{:tokens, _ids, _bytes, _forced?, _choice}, generation} -> take(generation, n - 1)
      {_last, generation} -> generation
    end
  end

  defp batch_size(before, now), do: (now.advanced - before.advanced) / (now.steps - before.steps)

  defp kill_later(pid) do
    Process.sleep(:rand.uniform(5))
    Process.exit(pid, :kill)
  end
end
