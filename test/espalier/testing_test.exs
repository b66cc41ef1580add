defmodule Espalier.TestingTest do
  use ExUnit.Case, async: true

  import Espalier.Testing

  alias Espalier.GenerationError
  alias Espalier.JSON.Object

  doctest Espalier.Testing

  @schema [name: :string]

  defp generate(options \\ []),
    do: Espalier.generate(@schema, "Who?", [backend: Espalier.Testing, max_retries: 0] ++ options)

  # What an assertion says when it fails.
  defp failure(assertion), do: assert_raise(ExUnit.AssertionError, assertion).message

  describe "replies" do
    test "are texts, maps, errors, events and functions" do
      error = %GenerationError{kind: :computation_failed, message: "no"}
      object = %{name: "Ada"}
      pieces = events([~s({"name"), ~s(:"Ada"})])

      for reply <- [~s({"name":"Ada"}), object, pieces, Stream.map(pieces, & &1)],
          reply <- [reply, fn _request -> reply end] do
        stub([reply])
        assert generate() == {:ok, %{name: "Ada"}}
      end

      for reply <- [error, [{:error, error}], fn _request -> error end] do
        stub([reply])
        assert generate() == {:error, error}
      end
    end

    test "come in order, those of the last stub" do
      stub([%{name: "Ada"}, %{name: "Grace"}])
      assert generate() == {:ok, %{name: "Ada"}}
      assert generate() == {:ok, %{name: "Grace"}}
      assert_raise RuntimeError, "no reply is left for request 3", fn -> generate() end

      stub([%{name: "Joan"}])
      assert generate() == {:ok, %{name: "Joan"}}
      assert length(asked()) == 1
    end

    test "depend on the request" do
      stub(fn request -> %{name: request.model} end)
      assert generate(model: "Ada") == {:ok, %{name: "Ada"}}
      assert generate(model: "Grace") == {:ok, %{name: "Grace"}}
    end
  end

  describe "who is asked" do
    test "is the test that started the process" do
      stub(fn _request -> %{name: "Ada"} end)
      tasks = for _task <- 1..20, do: Task.async(fn -> Task.await(Task.async(&generate/0)) end)
      assert Enum.uniq(Task.await_many(tasks)) == [{:ok, %{name: "Ada"}}]
      assert length(asked()) == 20
    end

    test "is a test that allowed the process" do
      stub(fn _request -> %{name: "Ada"} end)
      agent = start_supervised!({Agent, fn -> nil end})
      get = fn -> Agent.get(agent, fn nil -> catch_error(generate()) end) end
      assert Exception.message(get.()) =~ "no replies for #{inspect(agent)}"

      allow(agent)
      assert Agent.get(agent, fn nil -> generate() end) == {:ok, %{name: "Ada"}}
      assert length(asked()) == 1
    end

    test "is no other test" do
      names = ["Ada", "Grace", "Joan"]

      test = fn name ->
        stub([%{name: name}])
        {generate(), length(asked())}
      end

      tasks = for name <- names, do: Task.async(fn -> test.(name) end)
      assert Task.await_many(tasks) == for(name <- names, do: {{:ok, %{name: name}}, 1})
      assert asked() == []
    end
  end

  describe "assert_asked/1" do
    test "takes one request after the other" do
      stub(fn _request -> %{name: "Ada"} end)
      generate(model: "small")
      generate(model: "large")
      assert assert_asked(model: "small", prompt: "Who?", schema: @schema).model == "small"
      assert failure(&refute_asked/0) =~ ~s(model: "large")
    end

    test "fails where there is none, or another one" do
      stub(fn _request -> %{name: "Ada"} end)
      assert failure(&assert_asked/0) == "expected one more request, got none"

      for {expected, message} <- [
            {[prompt: "What?"], ~s(expected a request with prompt "What?", got: {:text, "Who?"})},
            {[prompt: ~r/\?\?/], "with prompt ~r/"},
            {[schema: [name: :integer]], "with schema [name: :integer]"},
            {[max_tokens: 3], "with max_tokens 3, got: 512"}
          ] do
        generate()
        assert failure(fn -> assert_asked(expected) end) =~ message
      end

      generate()
      assert_raise ArgumentError, fn -> assert_asked(promt: "Who?") end
    end

    test "finds the text in one of the messages" do
      stub([%{name: "Ada"}])
      messages = [%{role: :system, content: "Be brief."}, %{role: :user, content: "Who?"}]
      Espalier.generate(@schema, messages, backend: Espalier.Testing)
      assert %{prompt: {:messages, [_, _]}} = assert_asked(prompt: "Be brief.")
    end
  end

  test "the text beside an image is found" do
    stub([%{name: "Ada"}])
    image = Espalier.Image.new!("BM", "image/bmp")
    messages = [%{role: :user, content: ["Who is it?", image]}]
    Espalier.generate(@schema, messages, backend: Espalier.Testing)
    assert_asked(prompt: ~r/is it/)
  end

  test "what is no reply is said so" do
    for reply <- [5, nil, {:ok, "Ada"}, ~D[2026-01-02]] do
      stub([reply])
      error = assert_raise ArgumentError, &generate/0
      assert error.message =~ "a text, a map, an exception, events or a function, got: "
    end
  end

  test "a request can be looked at as a backend does" do
    stub([%{name: "Ada"}])
    generate()
    assert {:ok, %Object{}} = Espalier.Schema.to_json_schema(assert_asked().schema)
  end
end
