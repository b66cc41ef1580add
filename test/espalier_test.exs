defmodule EspalierTest do
  use ExUnit.Case, async: true

  alias Espalier.GenerationError
  alias Espalier.JSONError
  alias Espalier.OptionsError
  alias Espalier.Result
  alias Espalier.SchemaError
  alias Espalier.StubBackend
  alias Espalier.ValidationError

  doctest Espalier

  defmodule City do
    use Espalier.Schema

    schema do
      field :name, :string
      field :size, {:enum, [:small, :large]}
    end
  end

  @oslo ~S({"name":"Oslo","size":"large"})

  defp stub(options), do: [backend: {StubBackend, options}]

  describe "generate/3" do
    test "gives the value of the schema" do
      options = stub(pieces: [@oslo])
      assert Espalier.generate(City, "Oslo!", options) == {:ok, %City{name: "Oslo", size: :large}}

      assert Espalier.generate([name: :string, size: :string], "Oslo!", options) ==
               {:ok, %{name: "Oslo", size: "large"}}

      assert Espalier.generate(%{"type" => "object"}, "Oslo!", options) ==
               {:ok, %{"name" => "Oslo", "size" => "large"}}

      assert Espalier.generate(~S({"type":"object"}), "Oslo!", options) ==
               {:ok, %{"name" => "Oslo", "size" => "large"}}

      assert Espalier.generate({:choice, [:yes, :no]}, "?", stub(pieces: ["n", "o"])) ==
               {:ok, :no}

      assert Espalier.generate({:regex, ~r/[0-9]+/}, "?", stub(pieces: ["42"])) == {:ok, "42"}
    end

    test "returns what goes wrong" do
      assert {:error, %JSONError{}} = Espalier.generate(City, "?", stub(pieces: ["Hm."]))

      assert {:error, %ValidationError{violations: [%{path: [], keyword: "required"}, _size]}} =
               Espalier.generate(City, "?", stub(pieces: ["{}"]))

      error = %GenerationError{kind: :prompt_too_long}
      assert Espalier.generate(City, "?", stub(error: error)) == {:error, error}
      assert Espalier.generate(City, "?", stub(events: [{:error, error}])) == {:error, error}
      assert {:error, %SchemaError{}} = Espalier.generate(String, "?", stub([]))
    end

    test "tells how far the text got when there was no time left" do
      events = [{:tokens, [1], "{\"n", false}, {:error, %GenerationError{kind: :timeout}}]

      assert {:error, %GenerationError{kind: :timeout, text: "{\"n"}} =
               Espalier.generate(City, "?", stub(events: events))
    end

    test "generate!/3 raises it" do
      assert Espalier.generate!(City, "?", stub(pieces: [@oslo])).name == "Oslo"
      assert_raise ValidationError, fn -> Espalier.generate!(City, "?", stub(pieces: ["[]"])) end
      assert_raise OptionsError, fn -> Espalier.generate!(City, "?", max_token: 1) end
    end
  end

  describe "the options" do
    defp request(prompt, options) do
      options = Keyword.merge(stub(to: self(), pieces: [@oslo]), options)
      assert {:ok, _value} = Espalier.generate(City, prompt, options)
      assert_received {:started, request}
      request
    end

    test "reach the backend" do
      request =
        request("?",
          model: :a,
          max_tokens: 9,
          timeout: 50_000,
          whitespace: :spaced,
          top_k: 3,
          temperature: 1
        )

      assert %{model: :a, max_tokens: 9, timeout: left, template: true} = request
      assert left in 1..50_000
      assert request.text_options == [whitespace: :spaced]
      assert %{top_k: 3, temperature: 1.0, top_p: 1.0} = request.sampling
    end

    test "have defaults: greedy, with a seed of its own for each generation" do
      request = request("?", [])
      assert %{max_tokens: 512, timeout: 60_000} = request
      assert request.sampling.temperature == 0
      assert request("?", []).sampling.seed != request("?", []).sampling.seed
    end

    test "are checked" do
      assert {:error, %OptionsError{option: :max_token, suggestion: :max_tokens}} =
               Espalier.generate(City, "?", max_token: 3)

      for options <- [
            [max_tokens: 0],
            [timeout: -1],
            [temperature: -0.5],
            [top_p: 2],
            [top_p: 0],
            [top_k: 0],
            [seed: -1],
            [repetition_penalty: 0],
            [whitespace: :wide],
            [whitespace: {:max, -1}],
            [backend: nil],
            [backend: {StubBackend, :events}]
          ] do
        assert {:error, %OptionsError{kind: :invalid}} = Espalier.generate(City, "?", options)
      end

      assert {:error, %OptionsError{kind: :not_keyword}} = Espalier.generate(City, "?", %{})
    end

    test "must name a backend that is one" do
      for backend <- [String, {String, []}, {String, api_key: "sk-1"}, [StubBackend, String]] do
        assert {:error, %OptionsError{kind: :invalid, option: :backend, got: String} = error} =
                 Espalier.generate(City, "?", backend: backend)

        assert Exception.message(error) ==
                 "invalid value for :backend option: " <>
                   "expected a module with the behaviour Espalier.Backend, got: String"
      end

      assert {:error, %OptionsError{kind: :invalid, got: MyApp.NoBackend} = error} =
               Espalier.generate(City, "?", backend: {MyApp.NoBackend, []})

      assert Exception.message(error) =~ "there is no such module"

      for backend <- [nil, {nil, []}, "String", {StubBackend}] do
        assert {:error, %OptionsError{kind: :invalid, option: :backend} = error} =
                 Espalier.generate(City, "?", backend: backend)

        assert Exception.message(error) =~ "Espalier.Backend"
      end

      for function <- [
            &Espalier.generate_result(City, "?", &1),
            &Espalier.Generator.new(City, &1)
          ],
          do: assert({:error, %OptionsError{got: String}} = function.(backend: String))

      for function <- [
            &(City |> Espalier.stream("?", &1) |> Enum.to_list()),
            &Espalier.generate_batch(["?"], City, &1),
            &Espalier.explain(City, &1[:backend])
          ],
          do: assert_raise(OptionsError, ~r/String/, fn -> function.(backend: String) end)
    end

    test "must name a model for the local backend" do
      assert {:error, %OptionsError{kind: :missing, option: :model}} =
               Espalier.generate(City, "?")
    end
  end

  describe "the prompt" do
    test "is a text or messages" do
      assert request("Zoë", []).prompt == {:text, "Zoë"}

      messages = [%{role: :system, content: "Be brief."}, %{role: "user", content: "Hi"}]

      assert request(messages, []).prompt ==
               {:messages, [{"system", "Be brief."}, {"user", "Hi"}]}
    end

    test "may have images, which a local model does not see" do
      image = Espalier.Image.url!("https://example.org/a.png")
      messages = [%{role: :user, content: "Hi"}, %{role: :user, content: ["What is it?", image]}]

      assert request(messages, []).prompt ==
               {:messages, [{"user", "Hi"}, {"user", ["What is it?", image]}]}

      assert {:error, %GenerationError{kind: :invalid_prompt} = error} =
               Espalier.generate(City, messages, model: MyApp.Model)

      assert Exception.message(error) =~ "message 2 has an image"
    end

    test "is nothing else" do
      for {prompt, message} <- [
            {"", "invalid prompt: the prompt is empty"},
            {<<255>>, "invalid prompt: the prompt is not UTF-8"},
            {:hi, "invalid prompt: expected a text or a list of messages, got: :hi"},
            {nil, "invalid prompt: expected a text or a list of messages, got: nil"},
            {[], "invalid prompt: the list of messages is empty"},
            {[%{role: :user, content: "a"} | :b], "expected a text or a list of messages"},
            {[%{role: :user}], "expected message 1 to be %{role: ..., content: ...}"},
            {[%{role: :user, content: "a"}, %{role: :robot, content: "a"}],
             "expected the role of message 2 to be :system, :user, :assistant or :tool, got: :robot"},
            {[%{role: :user, content: ""}], "the content of message 1 is empty"},
            {[%{role: :user, content: 1}],
             "expected the content of message 1 to be a text, got: 1"},
            {[%{role: :user, content: []}],
             "expected the content of message 1 to be a text, got: []"},
            {[%{role: :user, content: ["a", 1]}],
             "expected a part of the content of message 1 to be a text or an image, got: 1"},
            {[%{role: :user, content: ["a", ""]}], "a part of the content of message 1 is empty"}
          ] do
        assert {:error, %GenerationError{kind: :invalid_prompt} = error} =
                 Espalier.generate(City, prompt, stub([]))

        assert Exception.message(error) =~ message
      end
    end
  end

  describe "generate_result/3" do
    test "tells text, counts and seed" do
      assert {:ok, %Result{} = result} =
               Espalier.generate_result(City, "?", [seed: 7] ++ stub(pieces: [@oslo]))

      assert result.value == %City{name: "Oslo", size: :large}
      assert result.text == @oslo
      assert result.finish_reason == :stop
      assert result.usage == %{prompt_tokens: 1, completion_tokens: 2, forced_tokens: 1, steps: 1}
      assert result.seed == 7
      assert %{retries: 0, cached?: false} = result

      assert result.attempts == [
               %{
                 text: result.text,
                 error: nil,
                 fixes: [],
                 usage: result.usage,
                 backend: StubBackend,
                 model: nil,
                 retries: 0,
                 trace: nil
               }
             ]
    end
  end

  describe "stream/3" do
    test "yields tokens, text in whole characters, and the result" do
      <<a, b>> = "ë"

      events = [
        {:tokens, [1, 2], "Zo", false},
        {:tokens, [3], <<a>>, true},
        {:tokens, [4], <<b, "!">>, false},
        StubBackend.done()
      ]

      assert [
               {:tokens, %{ids: [1, 2], text: "Zo", forced?: false}},
               {:text, "Zo"},
               {:tokens, %{ids: [3], text: <<^a>>, forced?: true}},
               {:tokens, %{ids: [4]}},
               {:text, "ë!"},
               {:done, %Result{value: "Zoë!", text: "Zoë!"}}
             ] = Enum.to_list(Espalier.stream({:regex, ".*"}, "?", stub(events: events)))
    end

    test "is lazy, and starts again each time it is read" do
      stream = Espalier.stream(City, "?", stub(to: self(), pieces: [@oslo]))
      refute_received {:started, _request}
      assert {:done, result} = Enum.at(stream, -1)
      assert_received {:started, _request}
      assert {:done, ^result} = Enum.at(stream, -1)
      assert_received {:started, _request}
    end

    test "lets go of the backend when the reader stops early" do
      stream = Espalier.stream(City, "?", stub(to: self(), pieces: ["{", "}"]))
      assert [{:tokens, _tokens}] = Enum.take(stream, 1)
      assert_received {:stopped, 2}
    end

    test "lets go of the backend when the reader raises" do
      stream = Espalier.stream(City, "?", stub(to: self(), pieces: ["{", "}"]))
      assert_raise RuntimeError, fn -> Enum.each(stream, fn _event -> raise "stop" end) end
      assert_received {:stopped, _left}
    end

    test "raises what is wrong with the request at once" do
      assert_raise OptionsError, fn -> Espalier.stream(City, "?", max_token: 1) end
      assert_raise SchemaError, fn -> Espalier.stream(String, "?", stub([])) end
      assert_raise GenerationError, fn -> Espalier.stream(City, "", stub([])) end
    end

    test "raises what goes wrong later while it is read" do
      stream = Espalier.stream(City, "?", stub(pieces: ["[]"]))
      assert_raise ValidationError, fn -> Enum.to_list(stream) end
      stream = Espalier.stream(City, "?", stub(error: %GenerationError{kind: :no_chat_template}))
      assert_raise GenerationError, fn -> Stream.run(stream) end
    end
  end
end
