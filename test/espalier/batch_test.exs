defmodule Espalier.BatchTest do
  # Not async: all processes of batches are counted, and standard error is captured.
  use ExUnit.Case

  import ExUnit.CaptureIO

  alias Espalier.Batch.Progress
  alias Espalier.GenerationError
  alias Espalier.OptionsError
  alias Espalier.Result
  alias Espalier.SchemaError
  alias Espalier.Testing

  @contact [name: {:string, max_length: 40}, topic: {:enum, [:billing, :shipping]}]
  @unsatisfiable %{"type" => "string", "minLength" => 2, "maxLength" => 1}

  # Each digit is a token of its own, so that this takes 700 steps.
  @long {:regex, "[0-9]{700}"}

  @testing [backend: Testing, max_retries: 0]

  # Whatever a batch did: none of its processes and messages is there any more.
  setup do
    on_exit(fn -> assert at_work() == [] end)
  end

  # The supervisor may hear of the end of a task later than who killed it.
  defp at_work do
    Espalier.Batch.Supervisor |> Task.Supervisor.children() |> Enum.filter(&Process.alive?/1)
  end

  defp assert_nothing_left do
    assert at_work() == []
    assert Process.info(self(), :messages) == {:messages, []}
    assert {:monitors, []} = Process.info(self(), :monitors)
    {:monitored_by, pids} = Process.info(self(), :monitored_by)
    assert Enum.filter(pids, &guard?/1) == []
  end

  defp guard?(pid) do
    with {:dictionary, dictionary} <- Process.info(pid, :dictionary),
         do: dictionary[:"$initial_call"] == {Espalier.Batch.Guard, :init, 1}
  end

  defp upcase, do: Testing.stub(fn %{prompt: {:text, text}} -> String.upcase(text) end)

  # Each request tells that it is there, and waits.
  defp block do
    test = self()

    Testing.stub(fn %{prompt: {:text, text}} ->
      send(test, {:asked, text, self()})
      receive do: (:go_on -> text)
    end)
  end

  # Counts what is taken of endless texts, and tells when they are let go of.
  defp endless do
    test = self()
    counter = :counters.new(1, [])

    texts =
      Stream.resource(
        fn -> 0 end,
        fn n ->
          :counters.add(counter, 1, 1)
          {["text #{n}"], n + 1}
        end,
        fn _n -> send(test, :let_go) end
      )

    {texts, fn -> :counters.get(counter, 1) end}
  end

  describe "a batch on a model" do
    defp text(n),
      do: "Hello, my name is Ada Novak. My order #{n} is late, and the invoice is wrong."

    defp ask(n) when rem(n, 10) == 3, do: {@unsatisfiable, text(n)}
    defp ask(n) when rem(n, 20) == 5, do: Process.exit(self(), :kill)
    defp ask(n) when rem(n, 20) == 7, do: {@long, text(n), max_tokens: 800, seed: kill_later()}
    defp ask(n) when rem(n, 20) == 9, do: raise("no #{n}")
    defp ask(n) when rem(n, 20) == 11, do: exit(:no_more)
    defp ask(n) when rem(n, 20) == 15, do: {@contact, ""}
    defp ask(n), do: {@contact, text(n), temperature: 1, seed: n}

    defp kill_later do
      pid = self()
      spawn(fn -> Process.sleep(20) && Process.exit(pid, :kill) end)
      1
    end

    defp right?(n, {:error, %SchemaError{kind: :unsatisfiable}}) when rem(n, 10) == 3, do: true

    defp right?(n, {:error, %GenerationError{kind: :crashed} = error}) when rem(n, 20) in [5, 7],
      do: error.detail =~ "killed"

    defp right?(n, {:error, %GenerationError{kind: :crashed} = error}) when rem(n, 20) == 9,
      do: error.detail == "** (RuntimeError) no #{n}"

    defp right?(n, {:error, %GenerationError{kind: :crashed} = error}) when rem(n, 20) == 11,
      do: error.detail =~ "no_more"

    defp right?(n, {:error, %GenerationError{kind: :invalid_prompt}}) when rem(n, 20) == 15,
      do: true

    # The same alone.
    defp right?(n, result) do
      {schema, text, options} = ask(n)
      result == Espalier.generate(schema, text, [model: MyApp.Model] ++ options)
    end

    test "has each result in its place, whatever becomes of the others" do
      results = Espalier.generate_batch(1..60, &ask/1, model: MyApp.Model)
      assert length(results) == 60
      assert_nothing_left()

      for {result, n} <- Enum.with_index(results, 1),
          do: assert(right?(n, result), "item #{n}: #{inspect(result)}")

      assert Enum.count(results, &match?({:ok, %{name: _}}, &1)) == 39
    end

    test "yields the same as a stream" do
      list = Espalier.generate_batch(1..20, &ask/1, model: MyApp.Model)
      stream = Espalier.stream_batch(1..20, &ask/1, model: MyApp.Model, max_concurrency: 3)
      assert Enum.to_list(stream) == list
    end

    test "runs as many at once as the model" do
      child = {Espalier.Model, path: Espalier.Model.tiny_path(), max_batch_size: 3}
      model = start_supervised!(child)
      {texts, taken} = endless()

      assert [{:ok, :yes}] =
               texts |> Espalier.stream_batch({:choice, [:yes]}, model: model) |> Enum.take(1)

      assert taken.() == 3
    end

    test "tells for each item that the model is not there" do
      results = Espalier.generate_batch(["a", "b"], @contact, model: :no_such_model)

      assert [
               {:error, %Espalier.ModelError{}},
               {:error, %Espalier.ModelError{kind: :not_running}}
             ] = results
    end
  end

  describe "items" do
    test "are prompts of one schema" do
      messages = [%{role: :user, content: "c"}]
      Testing.stub(fn %{prompt: prompt} -> if prompt == {:text, "a"}, do: "A", else: "M" end)

      assert Espalier.generate_batch(["a", messages], {:regex, "."}, @testing) == [
               ok: "A",
               ok: "M"
             ]

      assert Espalier.generate_batch([], {:regex, "."}, @testing) == []
    end

    test "may have schemas and options of their own, which go before those of the batch" do
      Testing.stub(fn request -> "#{request.model} #{request.max_tokens}" end)

      ask = fn
        :plain -> {{:regex, ".*"}, "?"}
        n -> {{:regex, ".*"}, "?", max_tokens: n}
      end

      assert Espalier.generate_batch([:plain, 7], ask, [model: "m", max_tokens: 9] ++ @testing) ==
               [ok: "m 9", ok: "m 7"]
    end

    test "whose function makes no request, or one with wrong options, are errors" do
      upcase()

      ask = fn
        1 -> "no tuple"
        2 -> {{:regex, ".*"}, "a", temprature: 1}
        3 -> {{:regex, ".*"}, "a", :hot}
        4 -> {:no_schema, "a"}
        5 -> {{:regex, ".*"}, "a"}
      end

      assert [
               {:error, %GenerationError{kind: :invalid_item, detail: detail}},
               {:error, %OptionsError{kind: :unknown, suggestion: :temperature}},
               {:error, %OptionsError{kind: :not_keyword, got: :hot}},
               {:error, %SchemaError{}},
               {:ok, "A"}
             ] = Espalier.generate_batch(1..5, ask, @testing)

      assert detail =~ ~s(got: "no tuple")
    end

    test "give an Espalier.Result where it is asked for" do
      upcase()

      assert [{:ok, %Result{value: "A", attempts: [_]}}] =
               Espalier.generate_batch_results(["a"], {:regex, "."}, @testing)

      assert [{:ok, %Result{value: "A"}}, {:error, %GenerationError{}}] =
               ["a", ""]
               |> Espalier.stream_batch_results({:regex, "."}, @testing)
               |> Enum.to_list()
    end

    test "that fail at random are errors in their places, and no others" do
      :rand.seed(:exsss, {1, 2, 3})
      upcase()

      ask = fn
        {:ok, n} -> {{:regex, ".*"}, "a#{n}"}
        {:raise, n} -> raise "#{n}"
        {:throw, n} -> throw(n)
        {:kill, _n} -> Process.exit(self(), :kill)
      end

      for _batch <- 1..20 do
        kinds = [:ok, :ok, :ok, :raise, :throw, :kill]
        items = for n <- 1..:rand.uniform(15), do: {Enum.random(kinds), n}
        options = [max_concurrency: :rand.uniform(6)] ++ @testing
        results = Espalier.generate_batch(items, ask, options)

        assert Enum.map(Enum.zip(items, results), &fits/1) ==
                 Enum.map(items, fn _item -> true end)

        unordered = Espalier.stream_batch(items, ask, [ordered: false] ++ options)
        assert Enum.sort(unordered) == Enum.sort(results)
        assert_nothing_left()
      end
    end

    defp fits({{:ok, n}, {:ok, text}}), do: text == "A#{n}"
    defp fits({{_kind, _n}, {:error, %GenerationError{kind: :crashed}}}), do: true
    defp fits(other), do: other
  end

  test "an item that takes too long is an error" do
    Testing.stub(fn %{prompt: {:text, text}} ->
      if text == "b", do: Process.sleep(:infinity), else: text
    end)

    options = [item_timeout: 1_000] ++ @testing

    assert [{:ok, "a"}, {:error, %GenerationError{kind: :timeout} = error}, {:ok, "c"}] =
             Espalier.generate_batch(["a", "b", "c"], {:regex, "."}, options)

    assert Exception.message(error) =~ "1000 ms"
    assert_nothing_left()
  end

  describe "order" do
    # Lets eight items that run end one after the other in a random order.
    defp results_of_eight(order, options) do
      test = self()

      gate =
        spawn_link(fn ->
          pids = for _ <- 1..8, into: %{}, do: receive(do: ({:asked, text, pid} -> {text, pid}))

          for text <- order do
            monitor = Process.monitor(pids[text])
            send(pids[text], :go_on)
            receive do: ({:DOWN, ^monitor, :process, _pid, _reason} -> :ok)
          end

          send(test, :all)
        end)

      Testing.stub(fn %{prompt: {:text, text}} ->
        send(gate, {:asked, text, self()})
        receive do: (:go_on -> text)
      end)

      options = [max_concurrency: 8] ++ options ++ @testing
      results = 1..8 |> Stream.map(&"#{&1}") |> Espalier.stream_batch({:regex, "."}, options)
      results = for {:ok, text} <- results, do: text
      assert_receive :all
      results
    end

    test "is that of the items, or of what is done" do
      :rand.seed(:exsss, {4, 5, 6})
      items = Enum.map(1..8, &"#{&1}")

      for _time <- 1..5 do
        order = Enum.shuffle(items)
        assert results_of_eight(order, []) == items
        assert results_of_eight(order, ordered: false) == order
        assert_nothing_left()
      end
    end
  end

  describe "an endless enumerable" do
    test "is not touched before the stream is read" do
      {texts, taken} = endless()
      Espalier.stream_batch(texts, {:regex, ".*"}, @testing)
      assert taken.() == 0
      assert_nothing_left()
    end

    test "gives only what is read and what is ahead" do
      upcase()

      for ordered <- [true, false], most <- [1, 4] do
        {texts, taken} = endless()
        options = [ordered: ordered, max_concurrency: most] ++ @testing
        stream = Espalier.stream_batch(texts, {:regex, ".*"}, options)
        assert length(Enum.take(stream, 5)) == 5
        assert taken.() in 5..(4 + most)
        assert_received :let_go
        assert_nothing_left()
      end
    end

    test "is not read on while the first item holds up the others" do
      Testing.stub(fn
        %{prompt: {:text, "text 0"}} -> Process.sleep(:infinity)
        _other -> "ready"
      end)

      {texts, taken} = endless()
      options = [max_concurrency: 4, item_timeout: 2_000] ++ @testing

      assert [{:error, %GenerationError{kind: :timeout}}] =
               texts |> Espalier.stream_batch({:regex, ".*"}, options) |> Enum.take(1)

      assert taken.() == 4
      assert_received :let_go
    end

    test "is taken eight ahead where the backend does not tell" do
      upcase()
      {texts, taken} = endless()
      texts |> Espalier.stream_batch({:regex, ".*"}, @testing) |> Enum.take(1)
      assert taken.() == 8
      assert_received :let_go
    end
  end

  describe "nothing runs any more" do
    defp running(n), do: for(_ <- 1..n, do: receive(do: ({:asked, _text, pid} -> pid)))

    test "when the reader stops" do
      test = self()

      Testing.stub(fn %{prompt: {:text, text}} ->
        send(test, {:asked, text, self()})
        if text == "text 0", do: text, else: Process.sleep(:infinity)
      end)

      {texts, _taken} = endless()
      options = [max_concurrency: 4] ++ @testing
      stream = Espalier.stream_batch(texts, {:regex, ".*"}, options)
      assert [{:ok, "text 0"}] = Enum.take(stream, 1)
      for pid <- flush_asked(), do: refute(Process.alive?(pid))
      assert_received :let_go
      assert_nothing_left()
    end

    defp flush_asked do
      receive do
        {:asked, _text, pid} -> [pid | flush_asked()]
      after
        0 -> []
      end
    end

    test "when the reader dies, in whatever way" do
      for reason <- [:kill, :shutdown, :some_reason] do
        reader = spawn(fn -> read_blocked(4, &Stream.run/1) end)
        allow(reader)
        monitors = monitor_with_guard(running(4))
        Process.exit(reader, reason)
        for monitor <- monitors, do: assert_receive({:DOWN, ^monitor, :process, _pid, _reason})
      end
    end

    test "when the reader ends in the midst of a stream" do
      test = self()

      reader =
        spawn(fn ->
          read_blocked(4, fn stream ->
            {:suspended, _result, _go_on} =
              Enumerable.reduce(stream, {:cont, nil}, fn result, nil -> {:suspend, result} end)

            send(test, :suspended)
          end)
        end)

      allow(reader)
      [first | others] = running(4)
      monitors = monitor_with_guard(others)
      send(first, :go_on)
      assert_receive :suspended
      for monitor <- monitors, do: assert_receive({:DOWN, ^monitor, :process, _pid, _reason})
    end

    # Items are linked to their supervisor and their guard.
    defp monitor_with_guard([item | _] = items) do
      {:links, links} = Process.info(item, :links)
      assert [guard] = links |> Enum.filter(&is_pid/1) |> Enum.filter(&guard?/1)
      Enum.map([guard | items], &Process.monitor/1)
    end

    defp read_blocked(n, read) do
      receive do: (:read -> :ok)
      texts = Enum.map(1..n, &"#{&1}")
      options = [max_concurrency: n, ordered: false] ++ @testing
      texts |> Espalier.stream_batch({:regex, "."}, options) |> read.()
    end

    defp allow(reader) do
      block()
      Testing.allow(reader)
      send(reader, :read)
    end

    test "when the items raise, after the results of those before" do
      upcase()
      test = self()
      texts = Stream.map(1..5, fn n -> if n == 4, do: raise("no #{n}"), else: "a" end)
      stream = Espalier.stream_batch(texts, {:regex, "."}, [max_concurrency: 2] ++ @testing)

      assert_raise RuntimeError, "no 4", fn ->
        Enum.each(stream, fn {:ok, "A"} -> send(test, :result) end)
      end

      for _result <- 1..3, do: assert_received(:result)
      assert_nothing_left()
    end
  end

  describe "progress" do
    test "is told at the start and after each item" do
      upcase()
      test = self()
      tell = fn counts -> send(test, {:told, counts}) end
      texts = ["a", "", "b"]

      for {items, total} <- [{texts, 3}, {Stream.map(texts, & &1), nil}] do
        options = [progress: tell, max_concurrency: 1] ++ @testing

        assert [{:ok, "A"}, {:error, _error}, {:ok, "B"}] =
                 Espalier.generate_batch(items, {:regex, "."}, options)

        for {done, failed} <- [{0, 0}, {1, 0}, {2, 1}, {3, 1}] do
          assert_received {:told,
                           %{done: ^done, failed: ^failed, total: ^total, elapsed: elapsed}}

          assert elapsed >= 0
        end
      end

      assert_nothing_left()
    end

    test "that raises ends the batch" do
      Testing.stub(fn %{prompt: {:text, text}} ->
        if text == "a", do: text, else: Process.sleep(:infinity)
      end)

      for n <- [0, 1] do
        tell = fn %{done: done} -> if done == n, do: raise("no more") end
        options = [progress: tell, max_concurrency: 3] ++ @testing

        assert_raise RuntimeError, "no more", fn ->
          Espalier.generate_batch(["a", "b", "c"], {:regex, "."}, options)
        end

        assert_nothing_left()
      end
    end

    test "is lines where there is no terminal" do
      upcase()
      options = [progress: true, max_concurrency: 1] ++ @testing
      texts = List.duplicate("a", 39) ++ [""]

      lines =
        capture_io(:stderr, fn -> Espalier.generate_batch(texts, {:regex, "."}, options) end)

      lines = String.split(lines, "\n", trim: true)
      assert length(lines) == 10
      assert hd(lines) =~ ~r"^4/40 done, 0 failed, \d+ s$"
      assert List.last(lines) =~ ~r"^40/40 done, 1 failed, \d+ s$"

      for wanted <- [false, fn _counts -> :ok end] do
        options = [progress: wanted] ++ @testing

        assert capture_io(:stderr, fn ->
                 Espalier.generate_batch(texts, {:regex, "."}, options)
               end) == ""
      end
    end

    test "is a bar that fits its terminal, and grows" do
      for columns <- [1, 10, 30, 80, 200], total <- [nil, 0, 1, 7, 1000] do
        steps = if total == 0, do: [0], else: 0..(total || 20)

        lengths =
          for done <- steps do
            bar = Progress.bar(%{done: done, failed: 0, total: total, elapsed: 99_999}, columns)
            assert String.length(bar) < columns
            bar |> String.graphemes() |> Enum.count(&(&1 == "="))
          end

        assert lengths == Enum.sort(lengths)
      end

      counts = %{done: 5, failed: 2, total: 10, elapsed: 61_000}
      assert Progress.bar(counts, 80) =~ ~r"^\[={20} {20}\] 5/10 done, 2 failed, 61 s$"
    end
  end

  describe "options" do
    test "that are wrong raise at once" do
      wrong = [
        {[max_concurency: 2], :unknown, :max_concurrency},
        {[temprature: 2], :unknown, :temperature},
        {[max_concurrency: 0], :invalid, nil},
        {[item_timeout: -1], :invalid, nil},
        {[progress: 3], :invalid, nil},
        {[backend: nil], :invalid, nil},
        {:none, :not_keyword, nil}
      ]

      for {options, kind, suggestion} <- wrong,
          function <- [&Espalier.generate_batch/3, &Espalier.stream_batch/3] do
        error = catch_error(function.(["a"], @contact, options))
        assert %OptionsError{kind: ^kind, suggestion: ^suggestion} = error
      end

      assert_raise SchemaError, fn -> Espalier.stream_batch(["a"], :no_schema, []) end
    end

    test "do not name an order for a list" do
      assert %OptionsError{kind: :unknown, option: :ordered} =
               catch_error(Espalier.generate_batch(["a"], @contact, ordered: false))
    end
  end
end
