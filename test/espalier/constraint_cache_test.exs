defmodule Espalier.ConstraintCacheTest do
  # The sink of telemetry is one for all processes.
  use ExUnit.Case, async: false

  import Espalier.BuildCaches, only: [eventually: 1]

  alias Espalier.BuildCaches
  alias Espalier.Constraint
  alias Espalier.ConstraintCache
  alias Espalier.Matcher
  alias Espalier.OptionsError
  alias Espalier.SchemaError
  alias Espalier.Telemetry
  alias Espalier.Vocabulary

  doctest Espalier.ConstraintCache

  defmodule Sink do
    @moduledoc "Sends events to the process that is named as this module."

    def execute([:espalier, event | _] = name, measurements, metadata) do
      if event in [:compile, :constraint_cache],
        do: send(Espalier.ConstraintCacheTest, {name, measurements, metadata})

      :ok
    end
  end

  @cache __MODULE__.Cache
  defp bytes, do: [vocabulary: Vocabulary.bytes()]

  # Some tenths of a second to compile, each time.
  @long "[ab]*a[ab]{15}"

  setup do
    Process.register(self(), __MODULE__)
    Telemetry.add_sink(Sink, &Sink.execute/3)
    on_exit(fn -> Telemetry.remove_sink(Sink) end)
  end

  defp start(options \\ []) do
    options = [name: @cache] ++ options
    start_supervised!({ConstraintCache, options}, id: make_ref())
  end

  defp fetch(schema, options \\ bytes()), do: ConstraintCache.fetch(@cache, schema, options)
  defp stats, do: ConstraintCache.stats(@cache)

  defp accepts?(constraint, text) do
    matcher = Matcher.new(constraint)
    Matcher.accept_text(matcher, text) == :ok and Matcher.accepting?(matcher)
  end

  describe "fetch/3" do
    test "compiles once for all who ask" do
      start()

      constraints =
        1..100
        |> Enum.map(fn _ -> Task.async(fn -> fetch({:regex, "[ab]*a[ab]{9}"}) end) end)
        |> Task.await_many()

      assert [{:ok, constraint}] = Enum.uniq(constraints)
      assert accepts?(constraint, "aaaaaaaaaa")
      assert_received {[:espalier, :compile, :start], _measurements, %{schema: :regex}}
      refute_received {[:espalier, :compile, :start], _measurements, _metadata}
      assert %{compilations: 1, entries: 1, hits: hits, misses: misses} = stats()
      assert hits + misses == 100
    end

    test "tells what it was" do
      start(max_entries: 1)
      for schema <- [[a: :null], [a: :null], %{}], do: assert({:ok, _constraint} = fetch(schema))
      assert_received {[:espalier, :constraint_cache, :miss], %{system_time: _}, first}

      assert_received {[:espalier, :constraint_cache, :hit], %{system_time: _},
                       %{schema: :fields}}

      assert_received {[:espalier, :constraint_cache, :miss], _measurements, second}

      assert {first, second} ==
               {%{schema: :fields, cache: @cache}, %{schema: :json_schema, cache: @cache}}

      assert_received {[:espalier, :constraint_cache, :eviction], %{bytes: bytes}, metadata}
      assert metadata == %{reason: :full, cache: @cache}
      assert bytes > 0
      assert %{hits: 1, misses: 2, compilations: 2, evictions: 1, entries: 1} = stats()
    end

    test "tells schemas, options and vocabularies apart" do
      start()
      text = ~s({"type":"object","properties":{"b":{},"a":{"format":"date"}}})
      other = Vocabulary.from_tokens!(for(byte <- 0..255, do: <<byte>>) ++ [""], eos_ids: [256])

      questions = [
        {text, bytes()},
        {Espalier.JSON.decode!(text), bytes()},
        {text, [whitespace: :spaced] ++ bytes()},
        {text, [style: :matching] ++ bytes()},
        {text, [format: :ignore] ++ bytes()},
        {text, [documents: %{"urn:a" => true}] ++ bytes()},
        {text, [documents: %{"urn:a" => false}] ++ bytes()},
        {text, [limits: [table_bytes: 1_000_000]] ++ bytes()},
        {text, [vocabulary: other]},
        {{:regex, "a"}, bytes()},
        {{:regex, ~r/a/}, bytes()},
        {{:regex, ~r/a/i}, bytes()},
        {{:choice, ["a"]}, bytes()},
        {{:choice, ["a", "b"]}, bytes()},
        {[a: :string], bytes()},
        {[a: :date], bytes()}
      ]

      constraints = for {schema, options} <- questions, do: elem(fetch(schema, options), 1)
      assert constraints == Enum.uniq_by(constraints, & &1.ref)
      assert %{compilations: 16, hits: 0} = stats()

      for {{schema, options}, constraint} <- Enum.zip(questions, constraints) do
        assert fetch(schema, options) == {:ok, constraint}
        assert constraint.vocabulary == options[:vocabulary]
      end

      assert %{compilations: 16, hits: 16} = stats()
      # What is given that is the default.
      assert {:ok, constraint} = fetch(text, [style: :generating, numbers: :plain] ++ bytes())
      assert constraint == hd(constraints)
    end

    test "gives a constraint back as it is" do
      start()
      constraint = Constraint.regex!("a", bytes())
      assert fetch(constraint, []) == {:ok, constraint}
      assert %{misses: 0, entries: 0} = stats()
    end

    test "reads a module as it is now" do
      start()

      for type <- ["boolean", "null"] do
        Code.compiler_options(ignore_module_conflict: true)

        Code.eval_string("""
        defmodule Espalier.ConstraintCacheTest.Redefined do
          use Espalier.Schema
          schema do
            field :a, :#{type}
          end
        end
        """)

        assert {:ok, constraint} = fetch(__MODULE__.Redefined)
        assert accepts?(constraint, ~s({"a":null})) == (type == "null")
        assert accepts?(constraint, ~s({"a":true})) == (type == "boolean")
      end
    after
      Code.compiler_options(ignore_module_conflict: false)
    end

    test "gives an error to all, and does not keep it" do
      start()
      ask = fn -> fetch(%{allOf: [%{type: :null}, %{type: :string}]}) end
      answers = 1..20 |> Enum.map(fn _ -> Task.async(ask) end) |> Task.await_many()
      assert [{:error, %SchemaError{kind: :unsatisfiable}}] = Enum.uniq(answers)
      assert %{entries: 0, compilations: compilations} = stats()
      assert {:error, %SchemaError{}} = ask.()
      assert stats().compilations == compilations + 1
      assert {:error, %OptionsError{option: :vocabulary}} = fetch(%{}, [])

      assert {:error, %OptionsError{option: :witespace}} =
               fetch(%{}, [witespace: :any] ++ bytes())

      assert {:error, %SchemaError{}} = fetch(nil)
      assert_raise SchemaError, fn -> ConstraintCache.fetch!(@cache, %{type: :int}, bytes()) end
    end

    test "compiles where there is no cache" do
      assert {:ok, constraint} = fetch({:regex, "a"})
      assert accepts?(constraint, "a")
    end
  end

  describe "Espalier itself" do
    defp hits(fun) do
      %{hits: hits, compilations: compilations} = ConstraintCache.stats()
      fun.()
      now = ConstraintCache.stats()
      {now.hits - hits, now.compilations - compilations}
    end

    test "fetches what it generates with from the cache" do
      schema = [level: {:enum, [:low, :high, :none_of_both]}]
      generate = fn -> assert {:ok, _} = Espalier.generate(schema, "?", model: MyApp.Model) end
      assert hits(generate) == {0, 1}
      assert hits(generate) == {1, 0}
    end

    test "fetches what it reads with from the cache" do
      choice = {:choice, ["completed with the cache", "not completed"]}

      read = fn ->
        assert Espalier.Reply.read(choice, "completed wi") ==
                 {:ok, "completed with the cache", [:completed]}
      end

      assert hits(read) == {0, 1}
      assert hits(read) == {1, 0}

      schema = [read_with_the_cache: :string]

      stream = fn ->
        Espalier.Testing.stub([%{read_with_the_cache: "a"}])
        options = [backend: Espalier.Testing, partial: true]
        assert [_ | _] = schema |> Espalier.stream("?", options) |> Enum.to_list()
      end

      assert hits(stream) == {0, 1}
      assert hits(stream) == {1, 0}
    end
  end

  describe "who waits" do
    # While the cache is suspended what is sent to it waits, so the order of things is known.
    test "a caller that ends leaves the others their constraint" do
      :sys.suspend(start())
      first = spawn_asking()
      eventually(fn -> asked() == 1 end)
      second = Task.async(fn -> fetch({:regex, @long}) end)
      eventually(fn -> asked() == 2 end)
      Process.exit(first, :kill)
      :sys.resume(@cache)
      assert {:ok, constraint} = Task.await(second, :infinity)
      assert accepts?(constraint, String.duplicate("a", 16))
      assert %{compilations: 1, misses: 2} = stats()
    end

    test "a compilation ends with the last who waits" do
      :sys.suspend(start())
      callers = for _ <- 1..3, do: spawn_asking()
      eventually(fn -> asked() == 3 end)
      for caller <- callers, do: Process.exit(caller, :kill)
      :sys.resume(@cache)
      eventually(fn -> compiling() == [] end)
      assert %{entries: 0, misses: 3} = stats()
      # It doesn't matter to who comes later.
      assert {:ok, _constraint} = fetch({:regex, @long})
      assert %{entries: 1} = stats()
    end

    test "another process compiles when the one that did is ended" do
      start()
      caller = Task.async(fn -> fetch({:regex, @long}) end)
      eventually(fn -> compiling() != [] end)
      [compiling] = compiling()
      Process.exit(compiling, :kill)
      assert {:ok, constraint} = Task.await(caller, :infinity)
      assert fetch({:regex, @long}) == {:ok, constraint}
      assert %{compilations: 2, entries: 1} = stats()
    end

    test "who waits compiles when nobody else can" do
      start()
      caller = Task.async(fn -> fetch({:regex, @long}) end)

      for _try <- 1..3 do
        eventually(fn -> compiling() != [] end)
        [compiling] = compiling()
        Process.exit(compiling, :kill)
        eventually(fn -> compiling() != [compiling] end)
      end

      assert {:ok, _constraint} = Task.await(caller, :infinity)
      assert %{compilations: 3, entries: 0} = stats()
    end

    test "who waits compiles when the cache ends" do
      start()
      caller = Task.async(fn -> fetch({:regex, @long}) end)
      eventually(fn -> compiling() != [] end)
      Process.exit(Process.whereis(@cache), :kill)
      assert {:ok, _constraint} = Task.await(caller, :infinity)
    end
  end

  defp spawn_asking, do: spawn(fn -> fetch({:regex, @long}) end)

  defp compiling, do: BuildCaches.building(@cache)
  defp asked, do: BuildCaches.asked(@cache)

  describe "bounds" do
    test "those used least recently make room" do
      for seed <- 1..20 do
        :rand.seed(:exsss, seed)
        most = Enum.random(1..6)
        start(max_entries: most)

        Enum.reduce(1..80, [], fn _step, kept ->
          schema = {:choice, ["text #{Enum.random(1..9)}"]}
          %{hits: hits} = stats()
          assert {:ok, _constraint} = fetch(schema)
          assert stats().hits - hits == if(schema in kept, do: 1, else: 0)
          kept = Enum.take([schema | List.delete(kept, schema)], most)
          assert stats().entries == length(kept)
          kept
        end)

        stop_all()
      end
    end

    test "are kept under a load from several processes" do
      for seed <- 1..3 do
        :rand.seed(:exsss, seed)
        most = [max_entries: Enum.random(1..20), max_bytes: Enum.random(1..1_500_000)]
        start(most)

        load =
          for worker <- 1..6 do
            Task.async(fn ->
              :rand.seed(:exsss, {seed, worker, 0})
              for _ <- 1..80, do: {:ok, _constraint} = fetch(random_choice())
            end)
          end

        watch(load, most)
        stop_all()
      end
    end
  end

  defp watch(load, most) do
    %{entries: entries, bytes: bytes} = stats()
    assert entries <= most[:max_entries] and bytes <= most[:max_bytes]

    # The table itself, whatever the cache says. Two rows are what it says.
    assert :ets.info(@cache, :size) - 2 <= most[:max_entries]
    alive? = Enum.any?(load, &Process.alive?(&1.pid))
    if alive?, do: watch(load, most), else: Task.await_many(load)
  end

  # Of some bytes to some thousand.
  defp random_choice do
    n = Enum.random(1..40)
    {:choice, for(i <- 1..(n * n), do: "choice #{n} #{i}")}
  end

  defp stop_all do
    for {id, _pid, _type, _modules} <- Supervisor.which_children(test_supervisor()),
        do: stop_supervised!(id)
  end

  defp test_supervisor, do: ExUnit.fetch_test_supervisor() |> elem(1)

  test "what doesn't fit at all is not kept, and drops nothing" do
    start(max_bytes: 150_000)
    assert {:ok, small} = fetch({:choice, ["a"]})
    assert {:ok, _large} = fetch({:choice, for(i <- 1..5000, do: "number #{i}")})
    assert fetch({:choice, ["a"]}) == {:ok, small}
    assert %{entries: 1, evictions: 0, hits: 1} = stats()
    assert ConstraintCache.clear(@cache) == :ok
    assert %{entries: 0, bytes: 0, evictions: 1} = stats()

    # Those who count are told how much is left.
    assert_received {[:espalier, :constraint_cache, :eviction], %{entries: 0, total_bytes: 0},
                     %{reason: :cleared}}
  end

  test "nothing is kept where nothing may be" do
    for most <- [[max_entries: 0], [max_bytes: 0]] do
      start(most)
      for _ <- 1..2, do: assert({:ok, _constraint} = fetch({:choice, ["a"]}))
      assert %{entries: 0, compilations: 2} = stats()
      stop_all()
    end

    assert {:error, %OptionsError{option: :max_entries}} =
             ConstraintCache.start_link(max_entries: -1)

    assert {:error, %OptionsError{option: :name}} = ConstraintCache.start_link(name: nil)
  end

  test "a vocabulary that nobody has any more goes with its constraints" do
    start()
    assert {:ok, kept} = fetch({:choice, ["a"]})

    fn ->
      vocabulary = Vocabulary.from_tokens!(["a", "b", ""], eos_ids: [2])
      assert {:ok, _constraint} = fetch({:choice, ["a"]}, vocabulary: vocabulary)
      assert %{entries: 2} = stats()
      assert {:ok, _constraint} = fetch({:choice, ["a"]}, vocabulary: vocabulary)
      assert %{entries: 2, hits: 1} = stats()
    end
    |> Task.async()
    |> Task.await()

    eventually(fn -> stats().entries == 1 end)
    assert_received {[:espalier, :constraint_cache, :eviction], _bytes, %{reason: :unused}}
    assert fetch({:choice, ["a"]}) == {:ok, kept}
  end

  describe "the directory" do
    @describetag :tmp_dir

    defp files(directory), do: directory |> Path.join("*") |> Path.wildcard() |> Enum.sort()

    defp stored(directory, schema, options \\ bytes()) do
      before = files(directory)
      assert {:ok, constraint} = fetch(schema, options)
      eventually(fn -> Enum.any?(files(directory) -- before, &(&1 =~ ~r/constraint\z/)) end)
      {constraint, files(directory) -- before}
    end

    defp compilations(fun) do
      %{compilations: before} = stats()
      result = fun.()
      {stats().compilations - before, result}
    end

    test "has what was compiled before", %{tmp_dir: folder} do
      directory = Path.join(folder, "not/there/yet")
      start(directory: directory)
      {_constraint, [_file]} = stored(directory, on: :date)
      ConstraintCache.clear(@cache)
      assert {0, {:ok, constraint}} = compilations(fn -> fetch(on: :date) end)
      assert accepts?(constraint, ~s({"on":"2024-02-29"}))
      refute accepts?(constraint, ~s({"on":"2023-02-29"}))
      assert constraint.vocabulary == Vocabulary.bytes()
      assert {0, {:ok, ^constraint}} = compilations(fn -> fetch(on: :date) end)
      assert stats().hits == 1
    end

    test "replaces what is damaged or another constraint", %{tmp_dir: directory} do
      start(directory: directory)
      {_constraint, [file]} = stored(directory, on: :date)
      {_constraint, [other]} = stored(directory, at: :time)
      right = File.read!(file)
      <<head::binary-size(100), byte, rest::binary>> = right

      for wrong <- [
            "",
            "no constraint",
            binary_part(right, 0, 40),
            right <> "more",
            head <> <<Bitwise.bxor(byte, 1)>> <> rest,
            File.read!(other)
          ] do
        File.write!(file, wrong)
        ConstraintCache.clear(@cache)
        assert {1, {:ok, constraint}} = compilations(fn -> fetch(on: :date) end)
        assert accepts?(constraint, ~s({"on":"2024-02-29"}))
        eventually(fn -> File.read!(file) == right end)
      end

      assert files(directory) == Enum.sort([file, other])
    end

    test "is for the same tokens only", %{tmp_dir: directory} do
      start(directory: directory)
      {_constraint, [_file]} = stored(directory, on: :date)
      bytes = for byte <- 0..255, do: <<byte>>
      same = Vocabulary.from_tokens!(bytes ++ [""], eos_ids: [256])
      other = Vocabulary.from_tokens!(bytes ++ ["", "20"], eos_ids: [256])
      ask = fn vocabulary -> fn -> fetch([on: :date], vocabulary: vocabulary) end end
      assert {0, {:ok, %{vocabulary: ^same}}} = compilations(ask.(same))
      assert {1, {:ok, %{vocabulary: ^other}}} = compilations(ask.(other))
    end

    test "has no constraints with limits of their own", %{tmp_dir: directory} do
      start(directory: directory)
      assert {:ok, _constraint} = fetch([on: :date], [limits: [enum_members: 10]] ++ bytes())
      stored(directory, at: :time)
      assert length(files(directory)) == 1
    end

    test "has a bound, and leaves the files of others alone", %{tmp_dir: directory} do
      start(directory: directory, max_entries: 3)
      foreign = Path.join(directory, "notes.txt")
      File.write!(foreign, "mine")
      first = List.duplicate(nil, 3) |> Enum.with_index(fn _, i -> store_aged(directory, i) end)
      # It is used, so the second one is the oldest.
      ConstraintCache.clear(@cache)
      assert {0, {:ok, _constraint}} = compilations(fn -> fetch({:choice, ["0"]}) end)
      {_constraint, [fourth]} = stored(directory, {:choice, ["3"]})
      # Room is made after a file was written.
      eventually(fn -> compiling() == [] end)
      assert files(directory) == Enum.sort([foreign, fourth, hd(first), List.last(first)])
      assert File.read!(foreign) == "mine"
    end

    # The times of files are whole seconds.
    defp store_aged(directory, i) do
      {_constraint, [file]} = stored(directory, {:choice, ["#{i}"]})
      File.touch!(file, System.os_time(:second) - 1000 + i)
      file
    end

    test "keeps its bytes under a random load", %{tmp_dir: directory} do
      :rand.seed(:exsss, 5)
      start(directory: directory, max_bytes: 200_000)
      for _ <- 1..60, do: assert({:ok, _constraint} = fetch(random_choice()))
      eventually(fn -> compiling() == [] end)
      sizes = for file <- files(directory), do: File.stat!(file).size
      assert Enum.sum(sizes) <= 200_000
      assert sizes != []
    end

    test "does without a directory that can't be", %{tmp_dir: folder} do
      file = Path.join(folder, "file")
      File.write!(file, "")
      start(directory: file)

      log =
        ExUnit.CaptureLog.capture_log(fn ->
          assert {:ok, _constraint} = fetch({:choice, ["a"]})
          eventually(fn -> compiling() == [] end)
        end)

      assert log =~ "cannot store a constraint in #{file}"
    end
  end
end
