defmodule Espalier.Model.GroupTest do
  # Nodes are of the whole VM.
  use ExUnit.Case, async: false

  alias Espalier.Cluster
  alias Espalier.GenerationError
  alias Espalier.Model
  alias Espalier.ModelError
  alias Espalier.Native
  alias Espalier.Result
  alias Espalier.SchemaError
  alias Espalier.Telemetry

  @moduletag :cluster

  defmodule Contact do
    use Espalier.Schema

    schema do
      field :name, :string, max_length: 40
      field :topic, {:enum, [:billing, :technical, :shipping]}
    end
  end

  @text "Hello, my name is Zoë Novak. The invoice is wrong."
  # Each digit is a step.
  @long {:regex, "[0-9]{700}"}

  setup_all do
    {:ok, _peer, node} = Cluster.start_peer()
    {:ok, node: node}
  end

  # A name of its own for each test.
  setup context do
    {:ok, name: Module.concat(__MODULE__, "Model#{:erlang.phash2(context.test)}")}
  end

  defp here(name), do: start_supervised!({Model, name: name, path: Model.tiny_path()}, id: name)

  defp there(node, name) do
    pid = Cluster.serve(node, name: name)
    on_exit(fn -> :erpc.cast(node, Model, :stop, [pid]) end)
    pid
  end

  defp await(fun, tries \\ 3_000)
  defp await(_fun, 0), do: flunk("it did not come about")

  defp await(fun, tries) do
    unless fun.() do
      Process.sleep(10)
      await(fun, tries - 1)
    end
  end

  defp await_members(name, nodes),
    do: await(fn -> name |> Model.members() |> Enum.map(& &1.node) |> Enum.sort() == nodes end)

  defp activity(node, name) do
    {:ok, model} = :erpc.call(node, Model, :fetch, [name])
    :erpc.call(node, Native, :model_activity, [model.ref])
  end

  # The node of each request that ended.
  defp observe(node) do
    test = self()

    Telemetry.add_sink(__MODULE__, fn
      [:espalier, :request, :stop], _measurements, %{node: node} -> send(test, {:node, node})
      _event, _measurements, _metadata -> :ok
    end)

    on_exit(fn -> Telemetry.remove_sink(__MODULE__) end)
    node
  end

  defp nodes(nodes \\ []) do
    receive do
      {:node, node} -> nodes([node | nodes])
    after
      0 -> nodes
    end
  end

  describe "a group" do
    test "has those that joined and not those that left", %{node: node, name: name} do
      assert Model.members(name) == []
      here(name)
      await_members(name, [node()])
      pid = there(node, name)
      await_members(name, Enum.sort([node(), node]))
      await(fn -> Enum.all?(Model.members(name), &(&1.max_batch_size == 8 and &1.load == 0)) end)

      sorted = fn members -> Enum.sort_by(members, & &1.node) end

      await(fn ->
        sorted.(:erpc.call(node, Model, :members, [name])) == sorted.(Model.members(name))
      end)

      :ok = :erpc.call(node, Model, :stop, [pid])
      await_members(name, [node()])
      stop_supervised!(name)
      await_members(name, [])
    end

    test "leaves out a node that is gone", %{name: name} do
      {:ok, peer, node} = Cluster.start_peer()
      there(node, name)
      await_members(name, [node])
      :peer.stop(peer)
      await_members(name, [])
    end

    test "tells how busy each is", %{node: node, name: name} do
      there(node, name)
      await_members(name, [node])

      # One after the other: each may be over before its node tells.
      generate = fn ->
        :erpc.call(node, Espalier, :generate, [@long, "?", [model: name, max_tokens: 1000]])
      end

      task = Task.async(fn -> generate |> Stream.repeatedly() |> Stream.run() end)

      await(fn -> match?([%{load: 1}], Model.members(name)) end)
      Task.shutdown(task, :brutal_kill)
      await(fn -> match?([%{load: 0}], Model.members(name)) end)
    end

    test "of another version is an error that says so", %{name: name} do
      {:ok, _peer, node} = Cluster.start_peer("0.0.1")
      there(node, name)
      mismatch = fn -> Espalier.generate([a: :boolean], "?", model: {:group, name}) end
      await(fn -> match?({:error, %ModelError{kind: :version_mismatch}}, mismatch.()) end)
      {:error, error} = mismatch.()

      assert error.got == "0.0.1" and
               error.expected == to_string(Application.spec(:espalier, :vsn))

      assert {:error, %{kind: :version_mismatch}} =
               Espalier.generate([a: :boolean], "?", model: name)

      assert Model.members(name) == []
    end

    test "that nobody is in is an error", %{name: name} do
      assert {:error, %ModelError{kind: :not_running}} =
               Espalier.generate([a: :boolean], "?", model: {:group, name})
    end
  end

  describe "a request" do
    test "goes to the least busy one, so a hundred are spread", %{node: node, name: name} do
      observe(node)
      here(name)
      there(node, name)
      await_members(name, Enum.sort([node(), node]))

      results =
        1..100
        |> Task.async_stream(&Espalier.generate(Contact, @text, model: {:group, name}, seed: &1),
          max_concurrency: 100,
          timeout: :infinity
        )
        |> Enum.map(fn {:ok, result} -> result end)

      assert Enum.all?(results, &match?({:ok, %Contact{name: <<_::binary>>}}, &1))
      counts = Enum.frequencies(nodes())
      assert Map.keys(counts) |> Enum.sort() == Enum.sort([node(), node])
      assert Enum.all?(counts, fn {_node, count} -> count in 20..80 end)
      await(fn -> Enum.all?(Model.members(name), &(&1.load == 0)) end)
    end

    test "stays here while there is nothing to do, and where the name is of one here",
         %{node: node, name: name} do
      observe(node)
      here(name)
      there(node, name)
      await_members(name, Enum.sort([node(), node]))
      for _ <- 1..3, do: {:ok, _} = Espalier.generate({:choice, [:a]}, "?", model: {:group, name})
      for _ <- 1..3, do: {:ok, _} = Espalier.generate({:choice, [:a]}, "?", model: name)
      assert nodes() == List.duplicate(node(), 6)
    end

    test "to a name that is elsewhere goes there", %{node: node, name: name} do
      observe(node)
      there(node, name)
      await_members(name, [node])
      assert {:ok, answer} = Espalier.generate({:choice, [:yes, 2]}, "?", model: name)
      assert answer in [:yes, 2]

      assert {:ok, %{"a" => _}} =
               Espalier.generate(
                 %{type: :object, required: [:a], properties: %{a: %{type: :boolean}}},
                 "?",
                 model: name
               )

      assert {:ok, <<_, _>>} = Espalier.generate({:regex, ~r/[a-z]{2}/}, "?", model: name)
      assert Enum.uniq(nodes()) == [node]
    end

    test "has the text that it has here, as a whole, as a stream, and traced", %{
      node: node,
      name: name
    } do
      pid = here(Module.concat(name, Here))
      there(node, name)
      await_members(name, [node])
      schema = [text: {:string, max_length: 150}]
      options = [temperature: 1.5, seed: 7]

      whole = fn model ->
        Espalier.generate_result(schema, @text, [model: model, trace: true] ++ options)
      end

      {:ok, %Result{} = expected} = whole.(pid)
      {:ok, result} = whole.({:group, name})

      assert {result.text, result.value, result.usage} ==
               {expected.text, expected.value, expected.usage}

      assert result.trace.tokens == expected.trace.tokens

      events = fn model ->
        schema
        |> Espalier.stream(@text, [model: model, partial: true] ++ options)
        |> Enum.to_list()
      end

      [{:done, there} | events_there] = {:group, name} |> events.() |> Enum.reverse()
      [{:done, here} | events_here] = pid |> events.() |> Enum.reverse()
      assert events_there == events_here and length(events_there) > 20
      assert there.text == here.text
      assert {:messages, []} = Process.info(self(), :messages)
    end

    test "tells errors of where the model is as those of here", %{node: node, name: name} do
      there(node, name)
      await_members(name, [node])
      options = [model: {:group, name}]

      assert {:error, %SchemaError{pointer: "/type"}} =
               Espalier.generate(%{type: :int}, "?", options)

      assert {:error, %GenerationError{kind: :truncated}} =
               Espalier.generate(Contact, "?", [max_tokens: 3] ++ options)

      long = String.duplicate("word ", 20_000)

      assert {:error, %GenerationError{kind: :prompt_too_long}} =
               Espalier.generate(Contact, long, options)

      assert {:error, %GenerationError{kind: :timeout}} =
               Espalier.generate(@long, "?", [timeout: 50, max_tokens: 1000] ++ options)

      constraint = Espalier.Constraint.choice!(["a"], vocabulary: Espalier.Vocabulary.bytes())
      assert {:error, %SchemaError{}} = Espalier.generate(constraint, "?", options)
      await(fn -> activity(node, name).running == 0 end)
      assert {:messages, []} = Process.info(self(), :messages)
    end

    test "is compiled ahead of time wherever it may go", %{node: node, name: name} do
      there(node, name)
      await_members(name, [node])
      regex = "[a-z]{3}-#{System.unique_integer([:positive])}"
      before = :erpc.call(node, Espalier.ConstraintCache, :stats, []).compilations

      {:ok, generator} =
        Espalier.Generator.new({:regex, regex}, model: {:group, name}, compile: true)

      assert :erpc.call(node, Espalier.ConstraintCache, :stats, []).compilations == before + 1
      assert {:ok, _text} = Espalier.Generator.generate(generator, "?")
      assert :erpc.call(node, Espalier.ConstraintCache, :stats, []).compilations == before + 1

      assert {:error, %SchemaError{}} =
               Espalier.Generator.new(%{type: :int}, model: {:group, name}, compile: true)
    end
  end

  describe "a generation on another node" do
    setup %{node: node, name: name} do
      there(node, name)
      await_members(name, [node])
      {:ok, options: [model: {:group, name}, max_tokens: 1000]}
    end

    test "ends with its caller", %{node: node, name: name, options: options} do
      caller = spawn(fn -> Espalier.generate(@long, "?", options) end)
      await(fn -> activity(node, name).running == 1 end)
      Process.exit(caller, :kill)
      await(fn -> activity(node, name).running == 0 end)
      await(fn -> match?([%{load: 0}], Model.members(name)) end)
    end

    test "ends with the node of its caller", %{name: name} do
      name = Module.concat(name, Here)
      here(name)
      {:ok, peer, node} = Cluster.start_peer()
      await(fn -> :erpc.call(node, Model, :members, [name]) != [] end)
      :erpc.cast(node, Espalier, :generate, [@long, "?", [model: name, max_tokens: 1000]])
      await(fn -> activity(node(), name).running == 1 end)
      :peer.stop(peer)
      await(fn -> activity(node(), name).running == 0 end)
    end

    test "ends when its reader stops, and leaves no message", %{
      node: node,
      name: name,
      options: options
    } do
      assert [_, _, _] = @long |> Espalier.stream("?", options) |> Enum.take(3)
      await(fn -> activity(node, name).running == 0 end)
      assert {:messages, []} = Process.info(self(), :messages)
    end

    test "does not flood a slow reader", %{options: options} do
      [_first] =
        @long
        |> Espalier.stream("?", options)
        |> Stream.take(1)
        |> Enum.map(fn event ->
          Process.sleep(500)
          {:message_queue_len, waiting} = Process.info(self(), :message_queue_len)
          assert waiting <= 64
          event
        end)

      events = @long |> Espalier.stream("?", options) |> Enum.to_list()
      assert {:done, %{text: text}} = List.last(events)
      assert byte_size(text) == 700
    end

    test "ends with the host of its node, and its caller is told", %{node: node, options: options} do
      task = Task.async(fn -> Espalier.generate(@long, "?", [max_retries: 0] ++ options) end)
      await(fn -> match?([%{load: 1}], Model.members(elem(options[:model], 1))) end)
      node |> :erpc.call(Process, :whereis, [Espalier.Model.Host]) |> Process.exit(:kill)
      assert {:error, %ModelError{kind: :member_lost}} = Task.await(task, :infinity)
      assert {:ok, :a} = Espalier.generate({:choice, [:a]}, "?", options)
    end
  end

  describe "a member that is lost" do
    setup %{name: name} do
      {:ok, peer, node} = Cluster.start_peer()
      pid = there(node, name)
      await_members(name, [node])
      {:ok, peer: peer, gone: node, pid: pid}
    end

    test "is an error at once where there is no other", %{gone: node, name: name, peer: peer} do
      options = [model: {:group, name}, max_tokens: 1000, max_retries: 0]
      task = Task.async(fn -> Espalier.generate(@long, "?", options) end)
      await(fn -> activity(node, name).running == 1 end)
      :peer.stop(peer)
      assert {:error, %ModelError{kind: :member_lost} = error} = Task.await(task, :infinity)
      assert error.detail == Atom.to_string(node)
    end

    test "as it is disconnected, ends the generation and is back when it is connected again",
         %{gone: node, name: name} do
      options = [model: {:group, name}, max_tokens: 1000, max_retries: 0]
      task = Task.async(fn -> Espalier.generate(@long, "?", options) end)
      await(fn -> activity(node, name).running == 1 end)
      true = Node.disconnect(node)
      assert {:error, %ModelError{kind: :member_lost}} = Task.await(task, :infinity)
      await(fn -> Node.connect(node) end)
      await_members(name, [node])
      await(fn -> activity(node, name).running == 0 end)
      assert {:ok, :a} = Espalier.generate({:choice, [:a]}, "?", options)
    end

    test "or was stopped, is asked no more: another one is", %{gone: node, name: name, pid: pid} do
      options = [model: {:group, name}, max_tokens: 1000, retry_delay: 0]
      task = Task.async(fn -> Espalier.generate_result(@long, "?", options) end)
      await(fn -> activity(node, name).running == 1 end)
      here(name)
      :ok = :erpc.call(node, Model, :stop, [pid])
      assert {:ok, %Result{retries: retries}} = Task.await(task, :infinity)
      assert retries in 1..2
    end

    test "as its node hangs, is waited for as long as allowed, and then avoided",
         %{gone: node, name: name} do
      os_pid = :erpc.call(node, System, :pid, [])
      on_exit(fn -> System.cmd("kill", ["-KILL", os_pid]) end)
      {_output, 0} = System.cmd("kill", ["-STOP", os_pid])
      options = [model: {:group, name}, timeout: 300]

      assert {:error, %GenerationError{kind: :timeout}} =
               Espalier.generate({:choice, [:a]}, "?", options)

      here(name)

      for _ <- 1..20, load <- [1, 8] do
        tasks =
          for _ <- 1..load,
              do:
                Task.async(fn ->
                  Espalier.generate({:choice, [:a]}, "?", model: {:group, name})
                end)

        assert Enum.uniq(Task.await_many(tasks, :infinity)) == [{:ok, :a}]
      end
    end

    # Within which each caller has to know.
    @timeout 60_000

    for {how, max_retries} <- [kill: 2, kill: 0, halt: 2, halt: 0] do
      test "(#{how}) with a hundred callers, costs none its value but those without retries (#{max_retries})",
           %{gone: gone, name: name, peer: peer} do
        here(name)
        await_members(name, Enum.sort([node(), gone]))
        ended = :counters.new(1, [])

        options = [
          model: {:group, name},
          temperature: 1.0,
          timeout: @timeout,
          max_retries: unquote(max_retries),
          retry_delay: 50
        ]

        tasks =
          for seed <- 1..100 do
            Task.async(fn ->
              result =
                Espalier.generate_result({:regex, "[0-9]{200}"}, "?", [seed: seed] ++ options)

              :counters.add(ended, 1, 1)
              result
            end)
          end

        await(fn -> :counters.get(ended, 1) > 10 and activity(gone, name).running > 0 end)
        Process.unlink(peer)
        lose(gone, unquote(how))
        results = Task.await_many(tasks, @timeout + 5_000)

        {values, errors} = Enum.split_with(results, &match?({:ok, _result}, &1))
        assert Enum.all?(values, fn {:ok, result} -> byte_size(result.text) == 200 end)
        assert Enum.all?(errors, &match?({:error, %ModelError{kind: :member_lost}}, &1))
        retried = Enum.count(values, fn {:ok, result} -> result.retries > 0 end)

        if unquote(max_retries) > 0,
          do: assert({retried > 0, errors} == {true, []}),
          else: assert({retried, errors != []} == {0, true})

        await_members(name, [node()])
        await(fn -> activity(node(), name).running == 0 end)
        assert {:messages, []} = Process.info(self(), :messages)
      end
    end

    defp lose(node, :halt), do: :erpc.cast(node, :erlang, :halt, [1, [flush: false]])

    defp lose(node, :kill) do
      os_pid = :erpc.call(node, System, :pid, [])
      {_output, 0} = System.cmd("kill", ["-KILL", os_pid])
    end
  end
end
