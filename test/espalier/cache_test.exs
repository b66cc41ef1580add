defmodule Espalier.CacheTest do
  use ExUnit.Case, async: true

  import Espalier.Testing

  alias Espalier.Cache
  alias Espalier.OptionsError
  alias Espalier.TransportError
  alias Espalier.ValidationError

  doctest Espalier.Cache

  @schema [name: {:string, min_length: 1}]

  setup do
    # Each reply is another one, so that a value tells whether it was asked for.
    count = :counters.new(1, [])

    stub(fn _request ->
      :counters.add(count, 1, 1)
      %{name: "number #{:counters.get(count, 1)}"}
    end)

    %{cache: start_supervised!({Cache, []})}
  end

  defp result(cache, options \\ []), do: result(cache, @schema, "Who?", options)

  defp result(cache, schema, prompt, options) do
    options = Keyword.merge([backend: Espalier.Testing, cache: cache], options)
    assert {:ok, result} = Espalier.generate_result(schema, prompt, options)
    result
  end

  test "what was written is not asked for again", %{cache: cache} do
    first = result(cache, seed: 7)
    second = result(cache, seed: 7)
    assert %{cached?: false, attempts: [_], usage: %{completion_tokens: 1}} = first

    assert second == %{
             first
             | cached?: true,
               attempts: [],
               usage: %{prompt_tokens: 0, completion_tokens: 0}
           }

    assert length(asked()) == 1

    assert [{:tokens, %{text: text}}, {:text, text}, {:done, %{cached?: true, text: text}}] =
             Enum.to_list(
               Espalier.stream(@schema, "Who?",
                 backend: Espalier.Testing,
                 cache: cache,
                 seed: 7
               )
             )

    assert text == first.text
  end

  test "the seed is that of the text", %{cache: cache} do
    assert result(cache).seed == result(cache).seed
  end

  test "whatever shapes the text makes it another one", %{cache: cache} do
    other = fn request, next -> next.(request) end

    generations = [
      {@schema, "Who?", []},
      {[name: :string], "Who?", []},
      {%{"required" => ["name"]}, "Who?", []},
      {@schema, "What?", []},
      {@schema, [%{role: :user, content: "Who?"}], []},
      {@schema, "Who?", model: "large"},
      {@schema, "Who?", backend: {Espalier.Testing, base_url: "http://127.0.0.1"}},
      {@schema, "Who?", backend: {Espalier.Testing, model: "small"}},
      {@schema, "Who?", backend: [Espalier.Testing, {Espalier.Testing, id: 2}]},
      {@schema, "Who?", max_tokens: 100},
      {@schema, "Who?", template: false},
      {@schema, "Who?", top_k: 3},
      {@schema, "Who?", seed: 1},
      {@schema, "Who?", seed: 2},
      {@schema, "Who?", temperature: 1, seed: 2},
      {@schema, "Who?", whitespace: :spaced},
      {@schema, "Who?", middleware: [other]}
    ]

    for {schema, prompt, options} <- generations,
        do: refute(result(cache, schema, prompt, options).cached?)

    for {schema, prompt, options} <- generations,
        do: assert(result(cache, schema, prompt, options).cached?)
  end

  test "what does not shape it makes none", %{cache: cache} do
    refute result(cache, backend: {Espalier.Testing, api_key: "a"}).cached?

    for options <- [
          [backend: {Espalier.Testing, api_key: "b"}],
          [timeout: 1000],
          [max_attempts: 1],
          [max_retries: 0]
        ] do
      options = Keyword.merge([backend: {Espalier.Testing, api_key: "a"}], options)
      assert result(cache, options).cached?
    end
  end

  test "nothing random is remembered, but by option", %{cache: cache} do
    for _generation <- 1..2, do: refute(result(cache, temperature: 1).cached?)
    assert %{entries: 0} = Cache.info(cache)

    refute result(cache, temperature: 1, cache_random: true).cached?
    assert result(cache, temperature: 1, cache_random: true).cached?
  end

  test "neither errors nor refused texts are remembered", %{cache: cache} do
    options = [backend: Espalier.Testing, cache: cache, max_retries: 0]
    stub([%TransportError{kind: :closed, url: "http://127.0.0.1"}])
    assert {:error, %TransportError{}} = Espalier.generate(@schema, "Who?", options)
    stub([%{name: ""}])

    assert {:error, %ValidationError{}} =
             Espalier.generate(@schema, "Who?", [max_attempts: 1] ++ options)

    assert %{entries: 0} = Cache.info(cache)

    # What was written in the end counts for what was asked at first.
    stub([%{name: ""}, %{name: "Ada"}])
    assert {:ok, %{name: "Ada"}} = Espalier.generate(@schema, "Who?", options)
    assert {:ok, %{name: "Ada"}} = Espalier.generate(@schema, "Who?", options)
    assert %{entries: 1} = Cache.info(cache)
  end

  def allowed?(name), do: if(Process.get(:strict), do: {:error, "no #{name}"}, else: :ok)

  test "a text that the schema has come to refuse is asked for", %{cache: cache} do
    schema = [name: {:string, validate: &__MODULE__.allowed?/1}]
    options = [backend: Espalier.Testing, cache: cache, max_attempts: 1]
    assert {:ok, _value} = Espalier.generate(schema, "Who?", options)
    Process.put(:strict, true)
    stream = Espalier.stream(schema, "Who?", options)
    assert [{:text, ~s({"name":"number 2"})}] = stream |> Stream.drop(1) |> Enum.take(1)
  end

  @usage %{prompt_tokens: 1, completion_tokens: 1}

  defp told(text, info),
    do: [
      {:tokens, [], text, false},
      {:done, Map.merge(%{finish_reason: :stop, usage: @usage}, info)}
    ]

  # What it is at first and from the cache.
  defp twice(cache, replies, schema, options) do
    stub(replies)
    first = result(cache, schema, "Who?", options)
    again = result(cache, schema, "Who?", options)
    assert {first.cached?, again.cached?} == {false, true}
    assert {again.value, again.text, again.fixes} == {first.value, first.text, first.fixes}
    again
  end

  test "a text is read as it was at first", %{cache: cache} do
    # Where the provider's mode has another schema the backend tells what the value is.
    schema = [name: :string, age: {:integer, required: false}]
    reply = told(~s({"name":"Ada","age":null}), %{text: ~s({"name":"Ada"})})

    for {strict, seed} <- [{true, 1}, {false, 2}],
        do: twice(cache, [reply], schema, strict: strict, seed: seed)

    # The first backend of a list is exact, and another one wrote it.
    backends = [{Espalier.Backends.Local, model: :no_such_model}, Espalier.Testing]
    fenced = "Sure:\n```json\n{'name': 'Adaaaa'}\n```"
    options = [backend: backends, lossy: true, partial: true]
    twice(cache, [fenced], [name: {:string, max_length: 3}], options)
  end

  test "a text that was gone on with, or begun anew, is what it was", %{cache: cache} do
    options = [on_truncation: :continue]
    list = %{"type" => "array", "items" => %{"type" => "string"}}
    cut = told(~s(["a","b), %{finish_reason: :max_tokens})

    for {rest, seed} <- [{~s(",'c']), 1}, {~s(["a","b","c"]), 2}, {~s(```\n["a",'d']\n```), 3}] do
      twice(cache, [cut, told(rest, %{})], list, [seed: seed] ++ options)
    end

    stub([cut, told(~s(","c"]), %{})])
    stream = Espalier.stream(list, "What?", [backend: Espalier.Testing, cache: cache] ++ options)
    {:done, result} = Enum.at(stream, -1)

    assert Enum.map_join(stream, fn event ->
             if elem(event, 0) == :text, do: elem(event, 1), else: ""
           end) == result.text
  end

  test "functions and headers are those of any process", %{cache: cache} do
    tagged = fn tag -> fn request, next -> next.(Map.put(request, :model, tag)) end end

    ask = fn tag, headers ->
      task = fn ->
        backend =
          {Espalier.Backends.OpenAI, headers: headers, base_url: "http://127.0.0.1", api_key: "k"}

        answer = fn _request, _next -> {:ok, events(~s({"name":"Ada"}))} end
        result(cache, backend: backend, model: "m", middleware: [tagged.(tag), answer]).cached?
      end

      task |> Task.async() |> Task.await()
    end

    assert ask.("a", []) == false
    assert ask.("a", []) == true
    assert ask.("b", []) == false
    assert ask.("a", [{"x-mode", "1"}]) == false
    assert ask.("a", [{"x-mode", "1"}]) == true
    assert ask.("a", [{"x-mode", "2"}]) == false
  end

  test "a text is kept for its time" do
    {:ok, cache} = Cache.start_link(ttl: 20)
    assert result(cache).value == %{name: "number 1"}
    Process.sleep(25)
    assert result(cache).value == %{name: "number 2"}
    {:ok, cache} = Cache.start_link(ttl: :infinity)
    result(cache)
    assert result(cache).cached?
  end

  test "entries and bytes are bounded, and the oldest make room" do
    for seed <- 1..50 do
      :rand.seed(:exsss, seed)
      limits = [max_entries: Enum.random(1..6), max_bytes: Enum.random(20..120)]
      {:ok, cache} = Cache.start_link(limits)

      puts =
        for _put <- 1..60 do
          {"key #{Enum.random(1..12)}", String.duplicate("a", Enum.random(0..60))}
        end

      for {key, text} <- puts do
        # A part of the bytes may be those of the text as the schema has it.
        {text, own} = String.split_at(text, Enum.random(0..60))
        info = if own == "", do: %{}, else: %{text: own}
        Cache.put(cache, key, %{text: text, info: info})
      end

      expected = kept(puts, limits)

      fetched =
        for n <- 1..12,
            {:ok, written} <- [Cache.fetch(cache, "key #{n}")],
            do: written.text <> (written.info[:text] || "")

      assert Enum.sort(fetched) == expected |> Enum.map(&elem(&1, 1)) |> Enum.sort()

      bytes = fetched |> Enum.map(&byte_size/1) |> Enum.sum()
      assert Cache.info(cache) == %{entries: length(fetched), bytes: bytes}
      assert Cache.clear(cache) == :ok
      assert Cache.info(cache) == %{entries: 0, bytes: 0}
    end
  end

  # What should be there, the newest first: a list in place of the trees.
  defp kept(puts, limits) do
    Enum.reduce(puts, [], fn {key, text}, kept ->
      if byte_size(text) > limits[:max_bytes],
        do: kept,
        else: [{key, text} | List.keydelete(kept, key, 0)] |> fit(limits)
    end)
  end

  defp fit(kept, limits) do
    bytes = kept |> Enum.map(fn {_key, text} -> byte_size(text) end) |> Enum.sum()

    if length(kept) > limits[:max_entries] or bytes > limits[:max_bytes],
      do: kept |> Enum.drop(-1) |> fit(limits),
      else: kept
  end

  test "a cache that is not there is an error" do
    assert {:error, %OptionsError{kind: :invalid, option: :cache, got: :no_such_cache}} =
             Espalier.generate(@schema, "Who?", backend: Espalier.Testing, cache: :no_such_cache)

    for cache <- ["cache", 5, %{}, {:global, :no_such_cache}, self()] do
      assert {:error, %OptionsError{kind: :invalid, option: :cache, got: ^cache}} =
               Espalier.generate(@schema, "Who?", backend: Espalier.Testing, cache: cache)
    end

    assert asked() == []
    assert {:error, %OptionsError{option: :ttl}} = Cache.start_link(ttl: -1)
  end
end
