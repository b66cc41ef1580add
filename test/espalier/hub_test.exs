defmodule Espalier.HubTest do
  # The environment is one for all processes.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO
  import ExUnit.CaptureLog

  alias Espalier.Hub
  alias Espalier.HubError
  alias Espalier.HubServer
  alias Espalier.Loopback
  alias Espalier.Model
  alias Espalier.OptionsError

  @moduletag :tmp_dir

  @variables ~w(HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE XDG_CACHE_HOME HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_TOKEN_PATH
                HF_ENDPOINT HF_HUB_OFFLINE TRANSFORMERS_OFFLINE HF_HUB_DISABLE_SYMLINKS HF_HUB_DISABLE_IMPLICIT_TOKEN)

  @repository "org/tiny"
  @weights "model.safetensors"

  # No two parts of it are alike.
  @content for i <- 1..750_000, into: <<>>, do: <<i * 7919::32>>

  setup %{tmp_dir: folder} do
    before = Map.new(@variables, &{&1, System.get_env(&1)})
    on_exit(fn -> System.put_env(before) end)
    System.put_env(Map.new(@variables, &{&1, nil}))
    System.put_env("HF_HOME", Path.join(folder, "home"))
    {:ok, cache: Path.join([folder, "home", "hub"])}
  end

  # The shipped model, as a repository.
  defp tiny_files do
    for name <- ["config.json", "tokenizer.json", "tokenizer_config.json", @weights],
        path = Path.join(Model.tiny_path(), name),
        File.exists?(path),
        into: %{"README.md" => "a tiny model"},
        do: {name, File.read!(path)}
  end

  # One that is no model, but has all files.
  defp files(more \\ %{}) do
    Map.merge(
      %{"config.json" => "{}", "tokenizer.json" => "{ }", @weights => @content},
      more
    )
  end

  defp hub(files, options \\ []),
    do: HubServer.start_link(@repository, files, Keyword.put_new(options, :large, [@weights]))

  defp download(hub, options \\ []) do
    defaults = [base_url: hub.url, retry_delay: 0]
    Hub.download(@repository, Keyword.merge(defaults, options))
  end

  defp repository(cache), do: Path.join(cache, "models--org--tiny")

  # All files under a folder, links as what they lead to.
  defp tree(folder) do
    for path <- Path.wildcard(folder <> "/**", match_dot: true),
        not File.dir?(path),
        into: %{},
        do:
          {Path.relative_to(path, folder),
           with({:error, _no_link} <- File.read_link(path), do: :file)}
  end

  defp change(host, method, name, answer) do
    fn request, usual ->
      if request.host == host and request.method == method and request.path =~ name,
        do: answer.(request, usual),
        else: usual
    end
  end

  describe "a repository with safetensors" do
    test "is laid out as the hub's own clients do", %{cache: cache} do
      files =
        files(%{"chat_template.jinja" => "{{ messages }}", "README.md" => "?", "x.bin" => "?"})

      hub = hub(files)
      assert {:ok, path} = download(hub)
      assert path == Path.join([repository(cache), "snapshots", hub.commit])

      needed = ["config.json", "tokenizer.json", "chat_template.jinja"]

      links =
        [{@weights, HubServer.sha256(files[@weights])}] ++
          for(name <- needed, do: {name, HubServer.git_sha1(files[name])})

      expected =
        for {name, etag} <- links,
            entry <- [
              {"blobs/#{etag}", :file},
              {"snapshots/#{hub.commit}/#{name}", {:ok, "../../blobs/#{etag}"}}
            ],
            into: %{"refs/main" => :file},
            do: entry

      absent = for name <- ["tokenizer_config.json", "generation_config.json"], do: name
      absent = Map.new(absent, &{".no_exist/#{hub.commit}/#{&1}", :file})
      assert tree(repository(cache)) == Map.merge(expected, absent)

      assert File.read!(Path.join(repository(cache), "refs/main")) == hub.commit
      for {name, _} <- links, do: assert(File.read!(Path.join(path, name)) == files[name])
    end

    test "is served by a model that has its name" do
      hub = hub(tiny_files())
      options = [repository: @repository, base_url: hub.url, name: MyApp.FromHub]
      model = start_supervised!({Model, options})
      assert {:ok, :yes} = Espalier.generate({:choice, [:yes]}, "?", model: model)
    end

    test "is not downloaded twice" do
      hub = hub(files())
      assert {:ok, path} = download(hub)
      n = length(Loopback.requests(hub.hub)) + length(Loopback.requests(hub.other))
      assert {:ok, ^path} = download(hub)

      assert [{"GET", "/api/models/org/tiny/revision/main"}] =
               Enum.drop(HubServer.asked(hub.hub), n - 1)
    end

    test "may have its weights in parts", %{cache: cache} do
      index =
        ~s({"weight_map": {"a": "model-2.safetensors", "b": "parts/model-1.safetensors", "c": "model-2.safetensors"}})

      files = %{
        "model.safetensors.index.json" => index,
        "model-2.safetensors" => "two",
        "parts/model-1.safetensors" => "one",
        "model-3.safetensors" => "not named",
        "config.json" => "{}",
        "tokenizer.json" => "{ }"
      }

      hub = hub(files, large: ["model-2.safetensors", "parts/model-1.safetensors"])
      assert {:ok, path} = download(hub)
      assert File.read!(Path.join(path, "parts/model-1.safetensors")) == "one"
      assert File.read!(Path.join(path, "model-2.safetensors")) == "two"
      refute File.exists?(Path.join(path, "model-3.safetensors"))

      assert {:ok, ^path} = download(hub, offline: true)
      File.rm!(Path.join(path, "parts/model-1.safetensors"))

      assert {:error, %{kind: :not_cached, file: "parts/model-1.safetensors"}} =
               download(hub, offline: true)

      assert {:ok, ^path} = download(hub)
      assert {:ok, link} = File.read_link(Path.join(path, "parts/model-1.safetensors"))
      assert link == "../../../blobs/#{HubServer.sha256("one")}"
      assert map_size(tree(Path.join(repository(cache), "blobs"))) == 5
    end

    test "without files that a model needs is an error" do
      for {missing, detail} <- [{"config.json", ~r/config.json/}, {@weights, ~r/GGUF/}] do
        hub = hub(Map.delete(files(), missing), large: [])
        assert {:error, %HubError{kind: :no_model, detail: told}} = download(hub)
        assert told =~ detail
      end

      assert {:error, %{kind: :no_model}} = download(hub(%{}, large: []))
    end

    test "has files of no bytes, too" do
      hub = hub(files(%{"generation_config.json" => "", @weights => ""}))
      assert {:ok, path} = download(hub)
      assert File.read!(Path.join(path, @weights)) == ""
      assert {:ok, link} = File.read_link(Path.join(path, "generation_config.json"))
      assert Path.basename(link) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    end
  end

  describe "a file" do
    test "is the one in GGUF, or that which is named" do
      ggufs = %{"b-Q8_0.gguf" => "eight", "Q4/b Q4 größer.gguf" => "four", "README.md" => "text"}
      hub = hub(ggufs, large: ["b-Q8_0.gguf", "Q4/b Q4 größer.gguf"])
      assert {:error, %{kind: :ambiguous} = error} = download(hub)
      assert Exception.message(error) =~ "b-Q8_0.gguf"

      for name <- ["b-Q8_0.gguf", "Q4/b Q4 größer.gguf", "README.md"] do
        assert {:ok, path} = download(hub, file: name)
        assert File.read!(path) == ggufs[name]
        assert String.ends_with?(path, "/" <> name)
        assert {:ok, ^path} = download(hub, file: name, offline: true)
      end

      assert {:error, %{kind: :file_not_found, file: "no.gguf"}} = download(hub, file: "no.gguf")
      assert {:error, %{kind: :ambiguous}} = download(hub, offline: true)

      one = hub(%{"only.gguf" => "one"}, large: ["only.gguf"], commit: String.duplicate("1", 40))
      assert {:ok, path} = download(one)
      assert File.read!(path) == "one"
    end

    test "is there with all that it was split into" do
      names = for number <- 1..3, do: "Q8_0/a-0000#{number}-of-00003.gguf"
      hub = hub(Map.new(names, &{&1, &1}), large: names)
      assert {:ok, path} = download(hub)
      assert Path.basename(path) == "a-00001-of-00003.gguf"
      folder = path |> Path.dirname() |> Path.dirname()
      for name <- names, do: assert(File.read!(Path.join(folder, name)) == name)

      # It is the model that is named, by whichever of its files.
      for name <- names, do: assert(download(hub, file: name, offline: true) == {:ok, path})

      torn =
        hub(Map.new(tl(names), &{&1, &1}), large: tl(names), commit: String.duplicate("2", 40))

      assert {:error, %{kind: :file_not_found, file: missing}} = download(torn)
      assert missing == hd(names)
    end
  end

  describe "the cache" do
    test "is all there is when offline" do
      hub = hub(files())
      assert {:error, %{kind: :not_cached}} = download(hub, offline: true)
      assert {:ok, path} = download(hub)
      n = length(Loopback.requests(hub.hub))

      for value <- ["1", "on", "True", "YES"] do
        System.put_env("HF_HUB_OFFLINE", value)
        assert {:ok, ^path} = download(hub)
      end

      assert length(Loopback.requests(hub.hub)) == n
      assert {:ok, ^path} = download(hub, offline: false)
      assert length(Loopback.requests(hub.hub)) == n + 1
      File.rm!(Path.join(path, "tokenizer.json"))
      assert {:error, %{kind: :not_cached}} = download(hub)
    end

    test "is enough for a commit, and where the hub can't be reached" do
      hub = hub(files())
      gone = %{url: "http://127.0.0.1:9"}
      assert {:error, %{kind: :connection}} = download(gone, max_retries: 1)
      assert {:ok, path} = download(hub, revision: hub.commit)

      assert {:ok, ^path} = download(gone, revision: hub.commit)
      assert {:error, %{kind: :connection}} = download(gone, max_retries: 0)

      assert {:ok, ^path} = download(hub)
      log = capture_log(fn -> assert {:ok, ^path} = download(gone) end)
      assert log =~ "going on with commit #{hub.commit}"

      # A file that may or may not be there has to be asked for.
      folder = Path.expand("../../.no_exist/#{hub.commit}", path)
      File.rm!(Path.join(folder, "chat_template.jinja"))
      {result, log} = with_log(fn -> download(gone, revision: hub.commit) end)
      assert result == {:ok, path}
      assert log =~ "no whole answer"
    end

    test "keeps what commits share once", %{cache: cache} do
      files = files()
      first = hub(files, commit: String.duplicate("a", 40))
      second = hub(Map.put(files, "config.json", "[]"), commit: String.duplicate("b", 40))
      assert {:ok, one} = download(first)
      assert {:ok, two} = download(second)
      assert one != two
      assert File.read!(Path.join(one, "config.json")) == "{}"
      assert File.read!(Path.join(two, "config.json")) == "[]"
      assert Loopback.requests(second.other) == []
      assert File.read!(Path.join(repository(cache), "refs/main")) == second.commit
      assert {:ok, ^one} = download(first, revision: first.commit, offline: true)
    end

    test "has copies where links can't be", %{cache: cache} do
      System.put_env("HF_HUB_DISABLE_SYMLINKS", "1")
      files = files()
      hub = hub(files)
      assert {:ok, path} = download(hub)
      assert {:error, :einval} = File.read_link(Path.join(path, @weights))
      assert File.read!(Path.join(path, @weights)) == files[@weights]
      assert {:ok, ^path} = download(hub, offline: true)
      refute Enum.any?(tree(cache), fn {name, _} -> name =~ ~r/\.tmp|incomplete/ end)
    end

    test "is where the environment says", %{tmp_dir: folder} do
      hub = hub(files())

      at = fn path ->
        String.starts_with?(path, Path.join(folder, "") <> "/") && Path.relative_to(path, folder)
      end

      for {variables, options, expected} <- [
            {%{"HF_HOME" => ""}, [cache_dir: Path.join(folder, "a[b]{c}*?")], "a[b]{c}*?/"},
            {%{"HF_HUB_CACHE" => Path.join(folder, "two")}, [], "two/"},
            {%{
               "HF_HUB_CACHE" => nil,
               "HF_HOME" => nil,
               "XDG_CACHE_HOME" => Path.join(folder, "xdg")
             }, [], "xdg/huggingface/hub/"}
          ] do
        System.put_env(variables)
        assert {:ok, path} = download(hub, options)
        assert String.starts_with?(at.(path), expected <> "models--org--tiny/")
        assert {:ok, ^path} = download(hub, [offline: true] ++ options)
      end

      System.put_env("HF_ENDPOINT", hub.url <> "/")
      assert {:ok, _path} = Hub.download(@repository)
      System.put_env("HF_ENDPOINT", "hub.example")
      assert {:error, %OptionsError{option: :base_url}} = Hub.download(@repository)
    end

    test "that can't be written is an error", %{tmp_dir: folder} do
      file = Path.join(folder, "file")
      File.write!(file, "")
      hub = hub(files())

      assert {:error, %{kind: :storage} = error} =
               download(hub, cache_dir: Path.join(file, "cache"))

      assert Exception.message(error) =~ "not a directory"
    end

    @tag skip: not File.exists?("/dev/full")
    test "that is full is an error", %{cache: cache} do
      files = files()
      blobs = Path.join(repository(cache), "blobs")
      File.mkdir_p!(blobs)
      partial = Path.join(blobs, HubServer.sha256(files[@weights]) <> ".espalier.incomplete")
      File.ln_s!("/dev/full", partial)
      assert {:error, %{kind: :storage, file: @weights} = error} = download(hub(files))
      assert Exception.message(error) =~ "no space left"
    end
  end

  describe "a download that breaks off" do
    # The first bytes of a file, and then nothing more.
    defp cut([answer], n), do: [binary_part(answer, 0, min(n, byte_size(answer))), :close]

    test "goes on where it was, as long as something comes" do
      files = files()
      cut = change(:other, "GET", ~r//, fn _request, usual -> cut(usual, 500_000) end)
      hub = hub(files, change: cut)
      assert {:ok, path} = download(hub, max_retries: 1)
      assert File.read!(Path.join(path, @weights)) == files[@weights]

      requests = Loopback.requests(hub.other)
      assert length(requests) in 6..8

      assert ["bytes=" <> _ | _] =
               offsets = for(r <- tl(requests), do: HubServer.header(r, "range"))

      assert offsets == Enum.uniq(offsets)
    end

    test "goes on at the hub itself if the file is still the same" do
      files = files()
      cut = change(:hub, "GET", ~r/#{@weights}/, fn _request, usual -> cut(usual, 2_000_000) end)
      hub = hub(files, change: cut, large: [])
      assert {:ok, path} = download(hub)
      assert File.read!(Path.join(path, @weights)) == files[@weights]
      assert %{headers: headers} = List.last(Loopback.requests(hub.hub))
      assert {"if-range", ~s("#{HubServer.git_sha1(@content)}")} in headers
      assert {"range", _from} = List.keyfind(headers, "range", 0)
    end

    test "ends when nothing comes, and goes on the next time", %{cache: cache} do
      files = files()
      {:ok, breaks} = Agent.start_link(fn -> true end)

      change =
        change(:other, "GET", ~r//, fn request, usual ->
          cond do
            not Agent.get(breaks, & &1) -> usual
            HubServer.header(request, "range") -> [:close]
            true -> cut(usual, 2_000_000)
          end
        end)

      hub = hub(files, change: change)
      assert {:error, %{kind: :connection, file: @weights}} = download(hub, max_retries: 2)
      assert length(Loopback.requests(hub.other)) == 3
      assert {:error, %{kind: :not_cached}} = download(hub, offline: true)
      refute File.exists?(Path.join(repository(cache), "refs/main"))

      Agent.update(breaks, fn _ -> false end)
      assert {:ok, path} = download(hub)
      assert File.read!(Path.join(path, @weights)) == files[@weights]

      assert [range] =
               for(
                 r <- Loopback.requests(hub.other) |> Enum.drop(3),
                 do: HubServer.header(r, "range")
               )

      assert "bytes=1" <> _ = range
    end

    test "in any way is whole in the end" do
      content = binary_part(@content, 0, 100_000)
      files = files(%{@weights => content})

      for seed <- 1..30 do
        {:ok, random} = Agent.start_link(fn -> :rand.seed_s(:exsss, seed) end)
        draw = fn n -> Agent.get_and_update(random, &:rand.uniform_s(n, &1)) end

        change =
          change(:other, "GET", ~r//, fn _request, [usual] ->
            case draw.(6) do
              1 -> [:reset]
              2 -> Loopback.answer(Enum.at([403, 404, 429, 500], draw.(4) - 1), [], "no")
              3 -> cut(Loopback.answer(200, [], content), draw.(60_000))
              4 -> Loopback.chunked([content]) |> cut_in_pieces(draw)
              _ -> cut([usual], draw.(60_000))
            end
          end)

        hub = hub(files, change: change)
        cache = Path.join(System.get_env("HF_HOME"), "#{seed}")
        assert {:ok, path} = download(hub, max_retries: 100, cache_dir: cache)
        assert File.read!(Path.join(path, @weights)) == content
      end
    end

    defp cut_in_pieces(steps, draw) do
      {first, rest} = steps |> IO.iodata_to_binary() |> String.split_at(draw.(20))
      [first, rest |> binary_part(0, min(byte_size(rest), draw.(200_000))), :close]
    end

    test "is had from the beginning where the server can't go on" do
      files = files()

      change =
        change(:other, "GET", ~r//, fn request, usual ->
          if HubServer.header(request, "range"),
            do: Loopback.answer(200, [], files[@weights]),
            else: cut(usual, 700_000)
        end)

      assert {:ok, path} = download(hub(files, change: change))
      assert File.read!(Path.join(path, @weights)) == files[@weights]
    end

    test "by a process that was killed goes on", %{cache: cache} do
      files = files()
      test = self()

      change =
        change(:other, "GET", ~r//, fn request, usual ->
          if HubServer.header(request, "range") do
            usual
          else
            [answer] = usual
            [binary_part(answer, 0, 2_500_000), {:gate, :half}]
          end
        end)

      hub = hub(files, change: change)
      pid = spawn(fn -> send(test, {:done, download(hub)}) end)
      # The server's parent is this test.
      assert_receive {:gate, :half, _server}

      partial =
        Path.join([
          repository(cache),
          "blobs",
          HubServer.sha256(files[@weights]) <> ".espalier.incomplete"
        ])

      wait_until(fn -> match?({:ok, %{size: size}} when size > 1_000_000, File.stat(partial)) end)
      Process.exit(pid, :kill)

      assert {:ok, path} = download(hub)
      assert File.read!(Path.join(path, @weights)) == files[@weights]
      refute File.exists?(partial)
      assert length(Loopback.requests(hub.other)) == 2
    end

    defp wait_until(condition) do
      unless condition.() do
        Process.sleep(10)
        wait_until(condition)
      end
    end

    test "and has something wrong in it is had anew, once", %{cache: cache} do
      files = files()
      blobs = Path.join(repository(cache), "blobs")
      partial = Path.join(blobs, HubServer.sha256(files[@weights]) <> ".espalier.incomplete")
      File.mkdir_p!(blobs)

      for wrong <- [
            String.duplicate("x", 1000),
            String.duplicate("x", 3_000_000),
            String.duplicate("x", 4_000_000)
          ] do
        File.write!(partial, wrong)
        hub = hub(files)
        assert {:ok, path} = download(hub)
        assert File.read!(Path.join(path, @weights)) == files[@weights]
        refute File.exists?(partial)
        File.rm_rf!(Path.join(repository(cache), "snapshots"))
        File.rm!(Path.join(blobs, HubServer.sha256(files[@weights])))
      end
    end
  end

  describe "what comes" do
    test "doesn't count where its checksum is wrong", %{cache: cache} do
      files = files()

      for {host, name} <- [{:other, @weights}, {:hub, "config.json"}] do
        change =
          change(host, "GET", if(host == :hub, do: ~r/config.json/, else: ~r//), fn _request,
                                                                                    _usual ->
            <<_first, rest::binary>> = files[name]
            Loopback.answer(200, [], "!" <> rest)
          end)

        assert {:error, %{kind: :checksum, file: ^name}} = download(hub(files, change: change))

        refute Enum.any?(tree(cache), fn {path, _} ->
                 path =~ "incomplete" or path =~ "snapshots/" <> name
               end)

        File.rm_rf!(cache)
      end
    end

    test "may not be longer or shorter than the hub says" do
      files = files()

      for {body, kind} <- [{files[@weights] <> "x", :invalid_answer}, {"short", :connection}] do
        change = change(:other, "GET", ~r//, fn _, _ -> Loopback.answer(200, [], body) end)
        assert {:error, %{kind: ^kind}} = download(hub(files, change: change), max_retries: 1)
      end

      # A body without a length never ends.
      endless = [Loopback.head(200, []) | List.duplicate(files[@weights], 20)]
      change = change(:other, "GET", ~r//, fn _, _ -> endless end)
      assert {:error, %{kind: :invalid_answer}} = download(hub(files, change: change))
    end

    test "may be another part than was asked for" do
      files = files()

      change =
        change(:other, "GET", ~r//, fn request, usual ->
          if HubServer.header(request, "range"),
            do: Loopback.answer(206, [{"content-range", "bytes 0-9/3000000"}], "0123456789"),
            else: cut(usual, 10_000)
        end)

      assert {:error, %{kind: :invalid_answer}} = download(hub(files, change: change))
    end

    test "has an etag that is a checksum, and a size" do
      for headers <- [[], [{"etag", ~s("../../../x")}], [{"etag", String.duplicate("A", 40)}]] do
        change =
          change(:hub, "HEAD", ~r/config/, fn _, _ ->
            [Loopback.head(200, [{"content-length", 2} | headers])]
          end)

        assert {:error, %{kind: :invalid_answer, file: "config.json"}} =
                 download(hub(files(), change: change))
      end
    end
  end

  describe "names that lead elsewhere" do
    test "are refused" do
      for name <- [
            "",
            "a/b/c",
            "../x",
            "a/..",
            "a b/c",
            "org/",
            "/x",
            "org/x.git",
            "a--b/c",
            "é/x",
            "a\n",
            "a/b\n",
            nil,
            7,
            "-a/b",
            "a/b.",
            String.duplicate("a", 300)
          ] do
        assert {:error, %HubError{kind: :invalid_name}} = Hub.download(name, [])
      end

      for option <- [:revision, :file],
          name <- ["..", "a/../b", "/a", "a//b", "a\\b", "C:x", "a\0", ""] do
        assert {:error, %HubError{kind: :invalid_name}} =
                 Hub.download(@repository, [{option, name}])
      end
    end

    test "are refused where the hub has them", %{tmp_dir: folder} do
      for name <- ["../../../../evil.gguf", "/tmp/evil.gguf", "a/../../evil.gguf", "a\\evil.gguf"] do
        hub = hub(%{name => "evil"}, large: [name])
        assert {:error, %HubError{kind: :invalid_name}} = download(hub)

        index = Espalier.JSON.encode!(%{weight_map: %{a: name}})
        files = files(%{"model.safetensors.index.json" => index, name => "evil"})
        assert {:error, %HubError{kind: :invalid_name}} = download(hub(files))
      end

      refute Enum.any?(tree(folder), fn {path, _} -> path =~ "evil" end)

      change =
        change(:hub, "GET", ~r/api/, fn _, _ ->
          Loopback.json(200, %{sha: "../../x", siblings: [%{rfilename: "a"}]})
        end)

      assert {:error, %HubError{kind: :invalid_answer}} = download(hub(files(), change: change))
    end

    test "may not be the index's own", %{cache: cache} do
      for {index, kind} <- [
            {"{", :invalid_answer},
            {"[]", :invalid_answer},
            {~s({"weight_map": {}}), :invalid_answer},
            {~s({"weight_map": {"a": 7}}), :invalid_name},
            {~s({"weight_map": {"a": "missing.safetensors"}}), :file_not_found},
            {String.duplicate(" ", 0x2000001), :invalid_answer}
          ] do
        hub = hub(files(%{"model.safetensors.index.json" => index}))
        assert {:error, %HubError{kind: ^kind}} = download(hub)
        File.rm_rf!(cache)
      end
    end
  end

  describe "errors of the hub" do
    test "have kinds" do
      for {answer, kind} <- [
            {HubServer.error(401, "RepoNotFound"), :repository_not_found},
            {HubServer.error(404, "RepoNotFound"), :repository_not_found},
            {HubServer.error(404, "RevisionNotFound"), :revision_not_found},
            {HubServer.error(403, "GatedRepo"), :gated},
            {Loopback.answer(401, [], ""), :unauthorized},
            {Loopback.answer(403, [], ""), :unauthorized},
            {Loopback.answer(404, [], ""), :repository_not_found},
            {Loopback.answer(400, [], ""), :invalid_answer},
            {Loopback.answer(500, [], ""), :unavailable},
            {Loopback.answer(200, [], "<html>"), :invalid_answer},
            {Loopback.answer(200, [], "[]"), :invalid_answer},
            {Loopback.answer(200, [], String.duplicate(" ", 0x1000001)), :invalid_answer},
            {Loopback.json(200, %{sha: 1, siblings: [%{}]}), :invalid_answer},
            {["not HTTP\r\n\r\n", :close], :connection},
            {[:close], :connection}
          ] do
        change = change(:hub, "GET", ~r/api/, fn _, _ -> answer end)

        assert {:error, %HubError{kind: ^kind} = error} =
                 download(hub(files(), change: change), max_retries: 0)

        assert Exception.message(error) =~ "org/tiny: "
      end

      hub = hub(files())
      assert {:error, %{kind: :revision_not_found}} = download(hub, revision: "refs/pr/1")
      assert {"GET", "/api/models/org/tiny/revision/refs%2Fpr%2F1"} in HubServer.asked(hub.hub)

      change =
        change(:hub, "HEAD", ~r/config/, fn _, _ -> HubServer.error(404, "EntryNotFound") end)

      assert {:error, %{kind: :file_not_found, file: "config.json", status: 404}} =
               download(hub(files(), change: change))
    end

    test "are those of its certificate, too", %{tmp_dir: folder} do
      root = [key: {:namedCurve, :secp256r1}]
      chain = %{root: root, intermediates: [], peer: root}

      %{server_config: tls} =
        :public_key.pkix_test_data(%{server_chain: chain, client_chain: chain})

      server = Loopback.start_link([Loopback.answer(200, [], "")], tls: [log_level: :none] ++ tls)
      trusted = Path.join(folder, "trusted.pem")
      File.write!(trusted, "")
      options = [max_retries: 3, cacertfile: trusted]
      assert {:error, %HubError{kind: :untrusted}} = download(%{url: server.url}, options)
    end

    test "that pass are asked again, as often as is said", %{cache: cache} do
      for answer <- [
            Loopback.answer(429, [{"retry-after", 0}], ""),
            Loopback.answer(503, [], ""),
            [:reset]
          ] do
        {:ok, left} = Agent.start_link(fn -> 3 end)

        change =
          change(:hub, "GET", ~r/api/, fn _, usual ->
            if Agent.get_and_update(left, &{&1, &1 - 1}) > 0, do: answer, else: usual
          end)

        hub = hub(files(), change: change)
        assert {:error, _error} = download(hub, max_retries: 1)
        assert {:ok, _path} = download(hub, max_retries: 1)
        File.rm_rf!(cache)
      end
    end

    test "that ask for a long wait are told" do
      for {headers, wait} <- [
            {[{"retry-after", 3600}], 3_600_000},
            {[{"ratelimit", ~s("api";r=0;t=295)}], 295_000}
          ] do
        change = change(:hub, "GET", ~r/api/, fn _, _ -> Loopback.answer(429, headers, "") end)
        hub = hub(files(), change: change)
        assert {:error, %{kind: :rate_limited, retry_after: ^wait, status: 429}} = download(hub)
        assert length(Loopback.requests(hub.hub)) == 1
      end
    end
  end

  describe "redirects" do
    defp redirect(to, status \\ 302),
      do: [Loopback.head(status, [{"location", to}, {"content-length", 0}])]

    test "lead to where a repository is now, with the token" do
      change = fn request, usual ->
        if request.host == :hub and request.path =~ "/org/tiny",
          do: redirect(String.replace(request.path, "/org/tiny", "/new/name"), 307),
          else: usual
      end

      files = files()
      options = [large: [@weights], change: change, token: "hf_token"]
      hub = HubServer.start_link("new/name", files, options)
      assert {:ok, path} = download(hub, token: "hf_token")
      assert path =~ "models--org--tiny"
      assert File.read!(Path.join(path, @weights)) == files[@weights]
    end

    test "are not followed without end, without TLS, or to nowhere" do
      for to <- [
            "/api/models/org/tiny/revision/main",
            "http://example.com/x",
            "ftp://127.0.0.1/x",
            "file:///etc/passwd",
            "",
            "http://",
            "//",
            "http:// x"
          ] do
        change = change(:hub, "GET", ~r/api/, fn _, _ -> redirect(to) end)
        hub = hub(files(), change: change)
        assert {:error, %HubError{kind: :redirect}} = download(hub)
        assert length(Loopback.requests(hub.hub)) <= 6
      end
    end
  end

  describe "the token" do
    @token "hf_verysecret"

    test "goes to the hub alone, and is shown nowhere", %{tmp_dir: folder} do
      files = files()
      hub = hub(files, token: @token)
      assert {:error, %{kind: :gated} = error} = download(hub)
      assert Exception.message(error) =~ "https://huggingface.co/org/tiny"

      log =
        capture_log(fn ->
          assert {:error, error} = download(hub, token: "hf_wrong")
          refute inspect(error) =~ "hf_wrong"
          assert {:ok, _path} = download(hub, token: @token)
        end)

      refute log =~ "hf_"
      requests = Loopback.requests(hub.hub)
      assert HubServer.header(List.last(requests), "authorization") == "Bearer " <> @token
      assert [_ | _] = others = Loopback.requests(hub.other)
      refute Enum.any?(others, &HubServer.header(&1, "authorization"))

      refute Enum.any?(tree(folder), fn {path, _} ->
               File.read!(Path.join(folder, path)) =~ @token
             end)
    end

    test "is that of the environment, or of a file, unless it is given" do
      path = Path.join(System.get_env("HF_HOME"), "token")
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, " hf_file\n")

      for {variables, options, expected} <- [
            {%{}, [], "hf_file"},
            {%{"HUGGING_FACE_HUB_TOKEN" => "hf_old"}, [], "hf_old"},
            {%{"HF_TOKEN" => "hf_new\n"}, [], "hf_new"},
            {%{}, [token: fn -> "hf_given" end], "hf_given"}
          ] do
        System.put_env(variables)
        hub = hub(files(), token: expected)
        assert {:ok, _path} = download(hub, options)
      end

      System.put_env(%{
        "HF_TOKEN" => nil,
        "HUGGING_FACE_HUB_TOKEN" => nil,
        "HF_HUB_DISABLE_IMPLICIT_TOKEN" => "1"
      })

      assert {:error, %{kind: :gated}} = download(hub(files(), token: "hf_file"))
    end

    test "that is none is refused without being shown" do
      for token <- ["", "a\r\nb", 7, fn -> nil end, fn -> "\0hf_secret" end] do
        assert {:error, %OptionsError{option: :token, got: :hidden}} =
                 Hub.download(@repository, token: token)
      end
    end

    test "is not in what a supervisor shows" do
      spec = Model.child_spec(repository: @repository, token: @token)
      refute inspect(spec, limit: :infinity, printable_limit: :infinity) =~ @token
      Process.flag(:trap_exit, true)

      options = [
        repository: @repository,
        token: @token,
        base_url: "http://127.0.0.1:9",
        max_retries: 0
      ]

      log =
        capture_log(fn ->
          assert {:error, %HubError{kind: :connection}} = Model.start_link(options)
        end)

      refute log =~ @token
    end
  end

  test "many VMs at once make one file" do
    files = files()

    # Pieces with pauses, so that all of them write at once.
    change =
      change(:other, "GET", ~r//, fn _request, [answer] ->
        Enum.flat_map(0..byte_size(answer)//100_000, fn at ->
          [binary_part(answer, at, min(100_000, byte_size(answer) - at)), {:pause, 10}]
        end)
      end)

    hub = hub(files, change: change)
    options = [base_url: hub.url, cache_dir: Path.join(System.get_env("HF_HOME"), "hub")]
    paths = Enum.flat_map(:code.get_path(), &[~c"-pa", &1])

    peers =
      for _ <- 1..3 do
        {:ok, peer, _node} = :peer.start_link(%{connection: :standard_io, args: paths})
        {:ok, _started} = :peer.call(peer, Application, :ensure_all_started, [:espalier])
        peer
      end

    results =
      peers
      |> Enum.map(fn peer ->
        Task.async(fn -> :peer.call(peer, Hub, :download, [@repository, options], 60_000) end)
      end)
      |> Task.await_many(60_000)

    assert [{:ok, path}] = Enum.uniq(results)
    assert File.read!(Path.join(path, @weights)) == files[@weights]
    assert length(Loopback.requests(hub.other)) in 1..3
    refute Enum.any?(tree(options[:cache_dir]), fn {name, _} -> name =~ ~r/incomplete|tmp/ end)
  end

  test "many callers at once download each file once" do
    files = files()
    hub = hub(files)

    paths =
      1..8
      |> Enum.map(fn _ -> Task.async(fn -> download(hub) end) end)
      |> Task.await_many(60_000)

    assert [{:ok, path}] = Enum.uniq(paths)
    assert File.read!(Path.join(path, @weights)) == files[@weights]
    assert length(Loopback.requests(hub.other)) == 1
  end

  describe "progress" do
    test "is told to a function" do
      test = self()
      hub = hub(files())
      assert {:ok, _path} = download(hub, progress: &send(test, {:progress, &1}))

      assert_received {:progress,
                       %{repository: @repository, file: "config.json", done: 0, total: 3_000_005}}

      assert_received {:progress,
                       %{file: @weights, done: 3_000_005, total: 3_000_005, elapsed: _}}

      {:ok, _path} = download(hub, progress: &send(test, {:again, &1}))
      refute_received {:again, _}
    end

    test "may raise, and the download goes on the next time" do
      change =
        change(:other, "GET", ~r//, fn _request, [answer] ->
          first = binary_part(answer, 0, min(byte_size(answer), 2_000_000))

          [
            first,
            {:pause, 200},
            binary_part(answer, byte_size(first), byte_size(answer) - byte_size(first))
          ]
        end)

      hub = hub(files(), change: change)
      raising = fn counts -> if counts.done in 1_500_000..2_900_000, do: raise("so") end
      assert_raise RuntimeError, "so", fn -> download(hub, progress: raising) end
      assert {:ok, _path} = download(hub)
      assert [_first, second] = Loopback.requests(hub.other)
      assert HubServer.header(second, "range") =~ "bytes="
    end

    test "is lines where there is no terminal" do
      lines =
        capture_io(:stderr, fn ->
          files = files(%{"tokenizer.json" => ""})
          assert {:ok, _path} = download(hub(files), progress: true)
        end)

      assert [_config, _tokenizer, weights] = String.split(lines, "\n", trim: true)
      assert weights =~ ~r/\A2 B of 3.0 MB, \d+ s, model.safetensors\z/
    end
  end

  describe "a model" do
    test "has a path or a repository, and options of a download only with the latter" do
      assert {:error, %OptionsError{kind: :missing, option: :path}} = Model.start_link([])
      both = [path: Model.tiny_path(), repository: @repository]
      assert {:error, %OptionsError{kind: :invalid, option: :repository}} = Model.start_link(both)
      beside = [path: Model.tiny_path(), token: "hf_secret"]
      assert {:error, %OptionsError{option: :token} = error} = Model.start_link(beside)
      refute inspect(error) =~ "hf_secret"

      assert {:error, %OptionsError{kind: :unknown, suggestion: :repository}} =
               Model.start_link(repositry: "a/b")
    end
  end
end
