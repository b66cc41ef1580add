defmodule Espalier.VocabularyCacheTest do
  # The sink of telemetry is one for all processes.
  use ExUnit.Case, async: false

  import Espalier.BuildCaches, only: [eventually: 1]

  alias Espalier.BuildCaches
  alias Espalier.Constraint
  alias Espalier.ConstraintCache
  alias Espalier.Matcher
  alias Espalier.Model
  alias Espalier.OptionsError
  alias Espalier.SerializationError
  alias Espalier.Telemetry
  alias Espalier.Vocabulary
  alias Espalier.VocabularyCache
  alias Espalier.VocabularyError

  doctest Espalier.VocabularyCache

  @moduletag :tmp_dir

  @cache __MODULE__.Cache
  @tokenizer Path.join(Model.tiny_path(), "tokenizer.json")

  # Some tenths of a second to read.
  @many for id <- 0..99_999, into: "", do: "#{Base.encode64(<<id::32>>)} #{id}\n"

  setup do
    test = self()
    Telemetry.add_sink(__MODULE__, &send(test, {&1, &2, &3}))
    on_exit(fn -> Telemetry.remove_sink(__MODULE__) end)
  end

  defp start(options \\ []) do
    options = [name: @cache] ++ options
    start_supervised!({VocabularyCache, options}, id: make_ref())
  end

  defp stop_all do
    {:ok, supervisor} = ExUnit.fetch_test_supervisor()
    for {id, _, _, _} <- Supervisor.which_children(supervisor), do: stop_supervised!(id)
  end

  defp fetch(path, options \\ [eos_ids: [0]]), do: VocabularyCache.fetch(@cache, path, options)
  defp stats, do: VocabularyCache.stats(@cache)
  defp building, do: BuildCaches.building(@cache)
  defp asked, do: BuildCaches.asked(@cache)

  defp write(directory, name, content) do
    path = Path.join(directory, name)
    File.write!(path, content)
    path
  end

  # A rank file of single bytes, and some more tokens that tell it from others.
  defp ranks(others) do
    tokens = for(byte <- 0..255, do: <<byte>>) ++ others
    for {token, id} <- Enum.with_index(tokens), into: "", do: "#{Base.encode64(token)} #{id}\n"
  end

  defp builds(fun) do
    %{builds: before} = stats()
    result = fun.()
    {stats().builds - before, result}
  end

  # Such as a process that ends.
  defp elsewhere(fun), do: fun |> Task.async() |> Task.await(:infinity)

  describe "fetch/3" do
    test "makes one for all who ask", %{tmp_dir: directory} do
      start()
      path = write(directory, "many.tiktoken", @many)

      vocabularies =
        1..100 |> Enum.map(fn _ -> Task.async(fn -> fetch(path) end) end) |> Task.await_many()

      assert [{:ok, %{size: 100_000} = vocabulary}] = Enum.uniq(vocabularies)
      assert Vocabulary.token_bytes(vocabulary, 70_000) == <<70_000::32>>
      assert %{builds: 1, entries: 1, hits: hits, misses: misses} = stats()
      assert hits + misses == 100
      told = %{path: path, format: :tiktoken, cache: @cache}
      assert_received {[:espalier, :vocabulary_build, :stop], %{vocabulary_size: 100_000}, _told}
      refute_received {[:espalier, :vocabulary_build, :stop], _measurements, _metadata}
      assert_received {[:espalier, :vocabulary_cache, :miss], _when, ^told}
      assert_received {[:espalier, :vocabulary_cache, :store], %{entries: 1}, ^told}
    end

    test "knows a file by what is in it", %{tmp_dir: directory} do
      start()
      path = write(directory, "a", ranks(["x y"]))
      assert {:ok, vocabulary} = fetch(path)

      for copy <- ["b.tiktoken", "c.json"] do
        assert fetch(write(directory, copy, File.read!(path))) == {:ok, vocabulary}
      end

      # As long as before, and of the same time.
      %{mtime: time} = File.stat!(path)
      write(directory, "a", ranks(["y z"]))
      File.touch!(path, time)
      assert {:ok, other} = fetch(path)
      assert other != vocabulary
      assert Vocabulary.token_bytes(other, 256) == "y z"
      assert %{builds: 2, hits: 2} = stats()
    end

    test "tells options apart, and not how they are given", %{tmp_dir: directory} do
      start()
      path = write(directory, "a", ranks([]))

      questions = [
        [eos_ids: [0]],
        [eos_ids: [0, 1]],
        [eos_ids: [0], special_tokens: [{"<a>", 300}]],
        [eos_ids: [0], limits: [token_bytes: 10]]
      ]

      vocabularies = for options <- questions, do: elem(fetch(path, options), 1)
      assert vocabularies == Enum.uniq_by(vocabularies, & &1.ref)

      for {options, vocabulary} <- Enum.zip(questions, vocabularies),
          more <- [[], [format: :tiktoken], [max_file_bytes: 100_000]],
          do: assert(fetch(path, more ++ Enum.reverse(options)) == {:ok, vocabulary})

      assert fetch(path, eos_ids: [0], special_tokens: []) == {:ok, hd(vocabularies)}
      assert %{builds: 4} = stats()
    end

    test "reads each format by its first bytes", %{tmp_dir: directory} do
      start()
      text = File.read!(@tokenizer)
      assert {:ok, vocabulary} = fetch(@tokenizer, eos_tokens: ["<|end|>"])
      made = Vocabulary.from_tokenizer_json!(text, eos_tokens: ["<|end|>"])
      assert tokens(vocabulary) == tokens(made)
      serialized = write(directory, "a.json", Vocabulary.serialize(made))
      assert {:ok, loaded} = fetch(serialized, [])
      assert tokens(loaded) == tokens(made)
      assert fetch(serialized, format: :serialized) == {:ok, loaded}
      spaces = write(directory, "spaces", "\n\t " <> text)
      assert {:ok, _vocabulary} = fetch(spaces, eos_tokens: ["<|end|>"])
      assert {:ok, %{size: 2}} = directory |> write("one", "YQ== 1") |> fetch()
    end

    test "shares constraints", %{tmp_dir: directory} do
      one = write(directory, "one", ranks(["shared by two"]))
      other = write(directory, "other", ranks(["shared by two"]))
      %{compilations: before} = ConstraintCache.stats()

      constraints =
        for path <- [one, other, one, other] do
          elsewhere(fn ->
            vocabulary = Vocabulary.load!(path, eos_ids: [0])
            ConstraintCache.fetch!({:regex, "shared by (two|four)"}, vocabulary: vocabulary)
          end)
        end

      assert [_constraint] = Enum.uniq(constraints)
      assert ConstraintCache.stats().compilations == before + 1
    end

    test "makes another where there is no cache", %{tmp_dir: directory} do
      path = write(directory, "a", ranks([]))
      assert {:ok, %{size: 256}} = fetch(path)
      assert {:error, %VocabularyError{kind: :not_found}} = fetch(path <> "b")
    end
  end

  defp tokens(vocabulary),
    do: for(id <- 0..(vocabulary.size - 1), do: Vocabulary.token_bytes(vocabulary, id))

  describe "an error" do
    test "names what can't be read", %{tmp_dir: directory} do
      start()
      locked = write(directory, "locked", "")
      link = Path.join(directory, "link")
      File.ln_s!(link, link)

      for {path, detail} <- [
            {Path.join(directory, "none"), "no such file or directory"},
            {Path.join(locked, "none"), "not a directory"},
            {directory, "it is a directory"},
            {link, "too many levels of symbolic links"},
            {"/dev/zero", "it is not a regular file"},
            {"a\0b", "bad argument"},
            {"", "no such file or directory"}
          ] do
        assert {:error, %VocabularyError{kind: :not_found} = error} = fetch(path)
        assert {error.path, error.detail} == {path, detail}
        assert Exception.message(error) =~ path
      end
    end

    test "names what is no vocabulary", %{tmp_dir: directory} do
      start()
      right = Vocabulary.serialize(Vocabulary.bytes())
      <<head::binary-size(60), byte, rest::binary>> = right

      for {content, options, module} <- [
            {"", [], VocabularyError},
            {"hello", [], VocabularyError},
            {<<0xFF, 0xFE, 0>>, [], VocabularyError},
            {String.duplicate("A", 200_000), [], VocabularyError},
            {"{", [eos_tokens: ["a"]], VocabularyError},
            {"{}", [eos_tokens: ["a"]], VocabularyError},
            {File.read!(@tokenizer), [eos_tokens: ["none"]], VocabularyError},
            {"YQ== 0\nYQ==", [eos_ids: [0]], VocabularyError},
            {"YQ== 0\n%% 1\n", [eos_ids: [0]], VocabularyError},
            {ranks([]), [eos_ids: [256]], VocabularyError},
            {ranks(["abc"]), [eos_ids: [0], limits: [token_bytes: 2]], VocabularyError},
            {"{}", [format: :tiktoken, eos_ids: [0]], VocabularyError},
            {"{}", [format: :serialized], SerializationError},
            {"ESPALIER", [], SerializationError},
            {binary_part(right, 0, 100), [], SerializationError},
            {right <> "more", [], SerializationError},
            {head <> <<Bitwise.bxor(byte, 1)>> <> rest, [], SerializationError},
            {"a" |> Constraint.regex!(vocabulary: Vocabulary.bytes()) |> Constraint.serialize(),
             [], SerializationError}
          ] do
        path = write(directory, "wrong", content)
        assert {:error, error} = fetch(path, options)
        assert {error.__struct__, error.path} == {module, path}
        assert Exception.message(error) =~ path
      end

      assert %{entries: 0} = stats()
    end

    test "names the option that is not one of the format", %{tmp_dir: directory} do
      start()
      path = write(directory, "a", ranks([]))
      serialized = write(directory, "b", Vocabulary.serialize(Vocabulary.bytes()))

      for {path, options, option} <- [
            {path, [], :eos_ids},
            {path, [eos_ids: [-1]], :eos_ids},
            {path, [eos_ids: [0], eos_tokens: ["a"]], :eos_tokens},
            {path, [eos_ids: [0], forced_tokens: :longest], :forced_tokens},
            {path, [eos_ids: [0], format: :csv], :format},
            {path, [eos_ids: [0], max_file_bytes: 0], :max_file_bytes},
            {path, [eos_ids: [0], limits: [token_byte: 1]], :token_byte},
            {serialized, [eos_ids: [0]], :eos_ids},
            {@tokenizer, [], :eos_tokens},
            {@tokenizer, [eos_tokens: ["a"], forced_tokens: :shortest], :forced_tokens}
          ] do
        assert {:error, %OptionsError{option: ^option}} = fetch(path, options)
      end

      assert {:error, error} = fetch(path, eos_ids: [0], formt: :tiktoken)
      assert Exception.message(error) =~ "Did you mean :format?"
      assert {:error, %OptionsError{kind: :not_keyword}} = fetch(path, :all)
      assert_raise OptionsError, fn -> VocabularyCache.fetch!(@cache, path, []) end
      assert_raise VocabularyError, fn -> Vocabulary.load!("", []) end
      assert %{misses: 0} = stats()
    end

    test "tells how large a file may be", %{tmp_dir: directory} do
      start()
      path = write(directory, "a", ranks([]))
      %{size: size} = File.stat!(path)
      assert {:ok, _vocabulary} = fetch(path, eos_ids: [0], max_file_bytes: size)
      assert {:error, error} = fetch(path, eos_ids: [0], max_file_bytes: size - 1)
      assert %VocabularyError{kind: :limit_exceeded, limit: "max_file_bytes", path: ^path} = error
      assert error.value == size - 1
    end

    test "goes to all who wait, each with its own file, and is not kept", %{tmp_dir: directory} do
      :sys.suspend(start())
      paths = for name <- 1..20, do: write(directory, "#{name}", @many)
      options = [eos_ids: [100_000]]
      callers = for path <- paths, do: Task.async(fn -> fetch(path, options) end)
      eventually(fn -> asked() == 20 end)
      :sys.resume(@cache)

      for {caller, path} <- Enum.zip(callers, paths) do
        assert {:error, %VocabularyError{kind: :invalid_vocabulary} = error} = Task.await(caller)
        assert error.path == path
        assert Exception.message(error) =~ "#{path}: "
      end

      assert %{builds: 1, entries: 0} = stats()
      assert {:error, %VocabularyError{}} = fetch(hd(paths), options)
      assert %{builds: 2} = stats()
    end
  end

  describe "a file that changes" do
    test "is read again", %{tmp_dir: directory} do
      :sys.suspend(start())
      path = write(directory, "a", ranks(["before"]))
      caller = Task.async(fn -> fetch(path) end)
      eventually(fn -> asked() == 1 end)
      write(directory, "a", ranks(["after"]))
      :sys.resume(@cache)
      assert {:ok, vocabulary} = Task.await(caller)
      assert Vocabulary.token_bytes(vocabulary, 256) == "after"
      assert %{entries: 1} = stats()
    end

    test "costs those nothing who have the same one elsewhere", %{tmp_dir: directory} do
      :sys.suspend(start())
      [gone, there] = for name <- ["gone", "there"], do: write(directory, name, ranks(["x"]))
      first = Task.async(fn -> fetch(gone) end)
      eventually(fn -> asked() == 1 end)
      second = Task.async(fn -> fetch(there) end)
      eventually(fn -> asked() == 2 end)
      File.rm!(gone)
      :sys.resume(@cache)
      assert {:error, %VocabularyError{kind: :not_found, path: ^gone}} = Task.await(first)
      assert {:ok, vocabulary} = Task.await(second)
      assert Vocabulary.token_bytes(vocabulary, 256) == "x"
    end
  end

  describe "who waits" do
    setup %{tmp_dir: directory} do
      {:ok, path: write(directory, "many.tiktoken", @many)}
    end

    test "a caller that ends leaves the others their vocabulary", %{path: path} do
      :sys.suspend(start())
      first = spawn(fn -> fetch(path) end)
      eventually(fn -> asked() == 1 end)
      second = Task.async(fn -> fetch(path) end)
      eventually(fn -> asked() == 2 end)
      Process.exit(first, :kill)
      :sys.resume(@cache)
      assert {:ok, %{size: 100_000}} = Task.await(second, :infinity)
      assert %{builds: 1, misses: 2} = stats()
    end

    test "what is made ends with the last who waits", %{path: path} do
      :sys.suspend(start())
      callers = for _ <- 1..3, do: spawn(fn -> fetch(path) end)
      eventually(fn -> asked() == 3 end)
      for caller <- callers, do: Process.exit(caller, :kill)
      :sys.resume(@cache)
      eventually(fn -> building() == [] end)
      assert %{entries: 0, misses: 3} = stats()
      assert {:ok, %{size: 100_000}} = fetch(path)
      assert %{entries: 1} = stats()
    end

    test "another process makes it when the one that did is ended", %{path: path} do
      start()
      caller = Task.async(fn -> fetch(path) end)
      eventually(fn -> building() != [] end)
      for process <- building(), do: Process.exit(process, :kill)
      assert {:ok, vocabulary} = Task.await(caller, :infinity)
      assert fetch(path) == {:ok, vocabulary}
      assert %{builds: 2, entries: 1} = stats()
    end

    test "who waits makes it when the cache ends", %{path: path} do
      start()
      caller = Task.async(fn -> fetch(path) end)
      eventually(fn -> building() != [] end)
      Process.exit(Process.whereis(@cache), :kill)
      assert {:ok, %{size: 100_000}} = Task.await(caller, :infinity)
    end
  end

  describe "bounds" do
    defp files_of_tokens(directory, n) do
      for i <- 1..n do
        others = for j <- 1..(i * 100), do: "token #{i} #{j}"
        {write(directory, "#{i}.tiktoken", ranks(others)), others}
      end
    end

    test "are kept under a load from several processes", %{tmp_dir: directory} do
      files = files_of_tokens(directory, 8)

      for seed <- 1..3 do
        :rand.seed(:exsss, seed)
        most = [max_entries: Enum.random(1..6), max_bytes: Enum.random(1..1_000_000)]
        start(most)

        load =
          for worker <- 1..6 do
            Task.async(fn ->
              :rand.seed(:exsss, {seed, worker, 0})
              for _ <- 1..40, do: right!(Enum.random(files))
            end)
          end

        watch(load, most)
        stop_all()
      end
    end

    defp right!({path, others}) do
      assert {:ok, vocabulary} = fetch(path)
      assert vocabulary.size == 256 + length(others)
      place = Enum.random(1..length(others))
      assert Vocabulary.token_bytes(vocabulary, 255 + place) == Enum.at(others, place - 1)
    end

    defp watch(load, most) do
      %{entries: entries, bytes: bytes} = stats()
      assert entries <= most[:max_entries] and bytes <= most[:max_bytes]
      # The table itself, whatever the cache says.
      assert :ets.info(@cache, :size) - 2 <= most[:max_entries]
      alive? = Enum.any?(load, &Process.alive?(&1.pid))
      if alive?, do: watch(load, most), else: Task.await_many(load)
    end

    test "never make two of one that is in use", %{tmp_dir: directory} do
      files = files_of_tokens(directory, 5)

      for seed <- 1..6 do
        :rand.seed(:exsss, seed)
        start(Enum.random([[max_entries: 0], [max_bytes: 0], [max_entries: 1], [max_entries: 2]]))

        Enum.reduce(1..60, %{}, fn _step, held ->
          {path, _others} = Enum.random(files)
          {n_builds, {:ok, vocabulary}} = builds(fn -> fetch(path) end)

          with %{^path => same} <- held do
            assert vocabulary == same
            assert n_builds == 0
          end

          forget = Enum.random(Map.keys(held) ++ [nil])
          held |> Map.put(path, vocabulary) |> Map.delete(forget)
        end)

        stop_all()
      end
    end

    test "let go of what nobody uses", %{tmp_dir: directory} do
      [{first, _}, {second, _}] = files_of_tokens(directory, 2)
      start(max_entries: 1)

      ask = fn path ->
        assert elsewhere(fn -> fetch(path) |> elem(0) end) == :ok
        # Those who make them have them, too.
        eventually(fn -> building() == [] end)
      end

      for path <- [first, second], do: ask.(path)
      assert %{entries: 1, evictions: 1, builds: 2} = stats()
      assert_received {[:espalier, :vocabulary_cache, :eviction], _bytes, %{reason: :full}}
      assert {1, :ok} = builds(fn -> ask.(first) end)
      assert {0, :ok} = builds(fn -> ask.(first) end)
      assert VocabularyCache.clear(@cache) == :ok
      assert %{entries: 0, bytes: 0} = stats()
      assert {1, :ok} = builds(fn -> ask.(first) end)
    end

    test "count a tokenizer", %{tmp_dir: directory} do
      start()
      assert {:ok, _} = fetch(@tokenizer, eos_tokens: ["<|end|>"], forced_tokens: :longest)
      %{bytes: without} = stats()
      assert {:ok, _} = fetch(@tokenizer, eos_tokens: ["<|end|>"])
      assert stats().bytes - without > without + File.stat!(@tokenizer).size
      assert {:ok, _} = fetch(write(directory, "a", @many))
      assert stats().bytes > 10_000_000
    end

    test "are options that are checked" do
      assert {:error, %OptionsError{option: :max_bytes}} =
               VocabularyCache.start_link(max_bytes: -1)
    end
  end

  describe "the directory" do
    @longest [eos_tokens: ["<|end|>"], forced_tokens: :longest]

    defp files(directory), do: directory |> Path.join("*") |> Path.wildcard() |> Enum.sort()

    defp stored(directory, path, options) do
      before = files(directory)
      assert {:ok, vocabulary} = fetch(path, options)
      eventually(fn -> Enum.any?(files(directory) -- before, &(&1 =~ ~r/vocabulary\z/)) end)
      {vocabulary, files(directory) -- before}
    end

    defp after_restart(directory, fun) do
      stop_all()
      start(directory: directory)
      builds(fun)
    end

    # What depends on how tokens are spelled, too.
    defp forced(vocabulary) do
      matcher =
        ["no choice at all"] |> Constraint.choice!(vocabulary: vocabulary) |> Matcher.new()

      Matcher.forced_tokens(matcher)
    end

    test "has what was made before", %{tmp_dir: folder} do
      directory = Path.join(folder, "not/there/yet")
      start(directory: directory)
      ranks = write(folder, "a.tiktoken", ranks(["no choice", " at all"]))

      for {path, options} <- [{@tokenizer, @longest}, {ranks, [eos_ids: [0]]}] do
        {vocabulary, [_file]} = stored(directory, path, options)
        assert {0, {:ok, loaded}} = after_restart(directory, fn -> fetch(path, options) end)
        assert loaded.ref != vocabulary.ref
        assert %{loaded | ref: nil} == %{vocabulary | ref: nil}
        assert tokens(loaded) == tokens(vocabulary)
        assert forced(loaded) == forced(vocabulary)
        assert {0, {:ok, ^loaded}} = builds(fn -> fetch(path, options) end)
      end
    end

    test "replaces what is damaged, another one or of another version", %{tmp_dir: folder} do
      directory = Path.join(folder, "stored")
      start(directory: directory)
      {vocabulary, [file]} = stored(directory, @tokenizer, @longest)
      path = write(folder, "a.tiktoken", ranks([]))
      {_vocabulary, [other]} = stored(directory, path, eos_ids: [0])
      right = File.read!(file)
      <<head::binary-size(200), byte, rest::binary>> = right
      # 32 bytes of the key, 8 of the magic and one of the kind are before the version.
      <<before::binary-size(41), version::little-16, behind::binary>> = right

      for wrong <- [
            "",
            "no vocabulary",
            binary_part(right, 0, 40),
            right <> "more",
            head <> <<Bitwise.bxor(byte, 1)>> <> rest,
            before <> <<version + 1::little-16>> <> behind,
            File.read!(other)
          ] do
        File.write!(file, wrong)
        assert {1, {:ok, made}} = after_restart(directory, fn -> fetch(@tokenizer, @longest) end)
        assert tokens(made) == tokens(vocabulary)
        eventually(fn -> File.read!(file) == right end)
      end

      assert files(directory) == Enum.sort([file, other])
    end

    test "has nothing that a file can't say", %{tmp_dir: folder} do
      directory = Path.join(folder, "stored")
      start(directory: directory)
      serialized = write(folder, "a", Vocabulary.serialize(Vocabulary.bytes()))
      ranks = write(folder, "b", ranks([]))
      limits = [limits: [token_bytes: 100]]

      for {path, options} <- [
            {@tokenizer, [eos_tokens: ["<|end|>"]]},
            {@tokenizer, limits ++ @longest},
            {ranks, limits ++ [eos_ids: [0]]},
            {serialized, []}
          ],
          do: assert({:ok, _vocabulary} = fetch(path, options))

      stored(directory, ranks, eos_ids: [0])
      assert length(files(directory)) == 1
    end

    test "keeps its bounds, and leaves the files of others alone", %{tmp_dir: folder} do
      directory = Path.join(folder, "stored")
      File.mkdir!(directory)
      foreign = write(directory, "notes.txt", "mine")
      constraint = write(directory, String.duplicate("a", 64) <> ".constraint", "a constraint")
      start(directory: directory, max_bytes: 30_000, max_entries: 3)
      for {path, _others} <- files_of_tokens(folder, 8), do: assert({:ok, _} = fetch(path))
      eventually(fn -> building() == [] end)
      own = files(directory) -- [foreign, constraint]
      assert length(own) in 1..3
      assert own |> Enum.map(&File.stat!(&1).size) |> Enum.sum() <= 30_000
      assert File.read!(foreign) == "mine"
      assert File.read!(constraint) == "a constraint"
    end

    test "is done without where there can be none", %{tmp_dir: folder} do
      file = write(folder, "file", "")
      start(directory: file)

      log =
        ExUnit.CaptureLog.capture_log(fn ->
          assert {:ok, _vocabulary} = fetch(@tokenizer, @longest)
          eventually(fn -> building() == [] end)
        end)

      assert log =~ "cannot store a vocabulary in #{file}"
    end
  end
end
