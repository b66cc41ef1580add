defmodule Espalier.ModelTest do
  use ExUnit.Case, async: true

  alias Espalier.{Constraint, GenerationError, Model, ModelError, Native, OptionsError, Packed}

  doctest Espalier.Model

  setup_all do
    {:ok, pid} = start_supervised({Model, path: Model.tiny_path(), max_batch_size: 4})
    %{model: Model.fetch!(pid)}
  end

  # A request with the defaults of sampling, greedy.
  defp request(model, options) do
    {:ok, prompt} = Model.encode(model, options[:prompt] || "A ticket: ")

    Map.merge(
      %{
        prompt: Packed.pack(prompt),
        constraint: options[:constraint] && options[:constraint].ref,
        max_tokens: options[:max_tokens] || 32,
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        typical_p: 1.0,
        logit_bias: [],
        repetition_penalty: 1.0,
        presence_penalty: 0.0,
        frequency_penalty: 0.0,
        seed: 0,
        streamed: true,
        traced: false,
        stop: [],
        priority: 0,
        reasoning: nil,
        caller: 0
      },
      Map.new(options[:sampling] || [])
    )
  end

  defp generate(model, options) do
    ref = make_ref()

    with {:ok, generation} <-
           Native.model_generate(model.ref, self(), ref, request(model, options)) do
      {:ok, ref, generation}
    end
  end

  # The text and the last message.
  defp receive_all(ref, text \\ "") do
    receive do
      {:espalier, ^ref, {:tokens, ids, bytes, forced?, nil}}
      when rem(byte_size(ids), 4) == 0 and is_boolean(forced?) ->
        receive_all(ref, text <> bytes)

      {:espalier, ^ref, last} ->
        {text, last}
    after
      30_000 -> flunk("no message")
    end
  end

  # It goes on for as long as the model's context allows, unless the model ends it.
  @long [max_tokens: 100_000, sampling: [temperature: 5.0]]

  test "tokens come at the end where nobody reads them as they come", %{model: model} do
    [streamed, whole] =
      for streamed <- [true, false] do
        options = [max_tokens: 20, sampling: [temperature: 5.0, streamed: streamed]]
        {:ok, ref, _generation} = generate(model, options)
        receive_all(ref)
      end

    assert {"" <> _text, {:done, %{tokens: 20}}} = streamed
    assert whole == streamed

    {:ok, ref, generation} =
      generate(model, max_tokens: 100_000, sampling: [temperature: 5.0, streamed: false])

    refute_receive {:espalier, ^ref, _message}, 20
    Native.generation_cancel(generation)
    assert {text, {:done, _info}} = receive_all(ref)
    assert text != ""
  end

  describe "the KV cache" do
    defp served(options) do
      pid = start_supervised!({Model, [path: Model.tiny_path()] ++ options}, id: make_ref())
      Model.fetch!(pid)
    end

    test "keeps what was read, which is not read again" do
      prompt = String.duplicate("My order number is NF-20417. ", 8)

      result = fn model ->
        {:ok, result} = Espalier.generate_result([order: :string], prompt, model: model)
        result
      end

      model = served([])
      [first, again] = for _ <- 1..2, do: result.(model)
      assert first.text == again.text
      assert first.usage.cached_tokens == 0
      assert again.usage.cached_tokens in 32..(again.usage.prompt_tokens - 1)
      assert first.usage.prompt_tokens == again.usage.prompt_tokens
    end

    test "has a bound, which bounds requests, too" do
      bound = 2_000_000
      model = served(max_kv_cache_bytes: bound)
      assert model.info.max_length in 200..600

      assert {:error, %GenerationError{kind: :prompt_too_long}} =
               Espalier.generate([a: :string], String.duplicate("word ", 700), model: model)

      plenty = served([])
      alone = for n <- 1..20, do: {:ok, _value} = text(n, plenty)
      together = Task.async_stream(1..20, &text(&1, model), max_concurrency: 20)
      assert alone == Enum.map(together, &elem(&1, 1))
      assert Native.model_activity(model.ref).kv_cache_bytes in 1..bound
    end

    defp text(n, model) do
      options = [model: model, temperature: 2, seed: n, max_tokens: 100]
      Espalier.generate([text: {:string, min_length: 60}], "Text #{n}", options)
    end

    test "that is too small is refused" do
      Process.flag(:trap_exit, true)
      options = [path: Model.tiny_path(), max_kv_cache_bytes: 1_000]
      assert {:error, error} = Model.start_link(options)
      assert Exception.message(error) =~ "max_kv_cache_bytes"
      assert Exception.message(error) =~ "1000 bytes, where a page of 16 tokens has"
    end
  end

  test "requests of a higher priority go first" do
    model =
      Model.fetch!(
        start_supervised!({Model, path: Model.tiny_path(), max_batch_size: 1}, id: :one)
      )

    {:ok, first, _generation} = generate(model, @long)

    refs =
      for priority <- [0, -5, 7], into: %{} do
        {:ok, ref, _generation} = generate(model, max_tokens: 3, sampling: [priority: priority])
        {ref, priority}
      end

    receive_all(first)
    assert Enum.map(1..3, fn _ -> next_done(refs) end) == [7, 0, -5]

    assert {:error, %OptionsError{option: :priority}} =
             Espalier.generate(:string, "", priority: 0.5)
  end

  defp next_done(refs) do
    receive do
      {:espalier, ref, {:done, _info}} -> Map.fetch!(refs, ref)
    after
      30_000 -> flunk("no message")
    end
  end

  describe "start_link/1" do
    test "tells what is wrong with the files" do
      Process.flag(:trap_exit, true)

      folder =
        Path.join(System.tmp_dir!(), "espalier-model-#{System.unique_integer([:positive])}")

      on_exit(fn -> File.rm_rf!(folder) end)

      assert {:error, %ModelError{kind: :not_found, path: path}} = Model.start_link(path: folder)
      assert path =~ folder

      File.mkdir_p!(folder)
      for file <- File.ls!(Model.tiny_path()), do: copy(file, folder)

      assert {:error, %ModelError{kind: :invalid_weights}} =
               broken(folder, "model.safetensors", "none")

      assert {:error, %ModelError{kind: :invalid_tokenizer}} =
               broken(folder, "tokenizer.json", "{}")

      assert {:error, %ModelError{kind: :invalid_config}} = broken(folder, "config.json", "[]")

      assert {:error, %ModelError{kind: :unsupported_architecture, got: "Mamba"}} =
               broken(folder, "config.json", ~s({"architectures": ["Mamba"]}))
    end

    test "refuses devices that the library was not built for" do
      Process.flag(:trap_exit, true)

      for {device, kind, told} <- [
            {:metal, :metal, "metal 0"},
            {:cuda, :cuda, "cuda 0"},
            {{:cuda, 3}, :cuda, "cuda 3"},
            {{:metal, Integer.pow(10, 30)}, :metal, "metal 9223372036854775807"}
          ] do
        assert {:error, %ModelError{kind: :device_unavailable} = error} =
                 Model.start_link(path: Model.tiny_path(), device: device)

        assert error.got == told
        assert "cpu" in String.split(error.expected, ", ")

        unless to_string(kind) in String.split(error.expected, ", ") do
          assert Exception.message(error) =~ "ESPALIER_NIF_FEATURES=#{kind}"
          assert Exception.message(error) =~ "nif_features: [:#{kind}]"
        end
      end

      assert {:ok, pid} = Model.start_link(path: Model.tiny_path(), device: :cpu)
      assert Model.stop(pid) == :ok
    end

    test "checks its options" do
      assert {:error, %OptionsError{option: :path}} = Model.start_link([])
      assert {:error, %OptionsError{}} = Model.start_link(path: "x", max_batch_size: 0)
      assert {:error, error} = Model.start_link(paths: "x")
      assert Exception.message(error) =~ "Did you mean :path?"
    end

    test "takes a name, once" do
      pid = start_supervised!({Model, name: __MODULE__.Named, path: Model.tiny_path()})
      assert {:ok, %Model{pid: ^pid}} = Model.fetch(__MODULE__.Named)

      assert {:error, {:already_started, ^pid}} =
               Model.start_link(name: __MODULE__.Named, path: Model.tiny_path())
    end

    defp copy(file, folder) do
      File.cp!(Path.join(Model.tiny_path(), file), Path.join(folder, file))
    end

    defp broken(folder, file, content) do
      File.write!(Path.join(folder, file), content)
      result = Model.start_link(path: folder)
      copy(file, folder)
      result
    end
  end

  describe "fetch/1" do
    test "finds a model by itself, its process, and only if it runs", %{model: model} do
      assert Model.fetch(model) == {:ok, model}
      assert Model.fetch(model.pid) == {:ok, model}

      for server <- [
            self(),
            :no_such_model,
            {:no_such_model, node()},
            {:global, :no},
            "text",
            1,
            nil
          ] do
        assert {:error, %ModelError{kind: :not_running, detail: detail}} = Model.fetch(server)
        assert detail == inspect(server)
      end

      assert_raise ModelError, fn -> Model.fetch!(:no_such_model) end
    end

    test "forgets a model that was killed" do
      {:ok, pid} =
        start_supervised({Model, path: Model.tiny_path()}, id: :killed, restart: :temporary)

      monitor = Process.monitor(pid)
      Process.exit(pid, :kill)
      assert_receive {:DOWN, ^monitor, :process, ^pid, :killed}
      assert {:error, %ModelError{kind: :not_running}} = Model.fetch(pid)
    end
  end

  test "tells what the model is", %{model: model} do
    assert %{architecture: "LlamaForCausalLM", size: size, max_length: max_length} = model.info
    assert size >= model.vocabulary.size
    assert max_length > 100
    assert model.info.parameters > 1000
    assert inspect(model) =~ "#Espalier.Model<"
  end

  describe "encode/2 and decode/2" do
    test "give back the text", %{model: model} do
      for text <- ["", "Hello, world!", "é 😀\n\t\"{}", String.duplicate("word ", 2000)] do
        {:ok, tokens} = Model.encode(model.pid, text)
        assert Model.decode(model, tokens) == {:ok, text}
      end
    end

    test "raise for arguments of another type", %{model: model} do
      assert_raise ArgumentError, fn -> Model.encode(model, "\xFF") end
      assert_raise ArgumentError, fn -> Model.encode(model, 1) end
      assert_raise ArgumentError, fn -> Model.decode(model, [-1]) end
      assert {:error, %ModelError{}} = Model.encode(:no_such_model, "text")
    end
  end

  describe "render/3" do
    test "writes messages as the model's template does", %{model: model} do
      messages = [{"user", "A ticket, please"}]

      case Model.render(model, messages) do
        {:ok, text} -> assert text =~ "A ticket, please"
        {:error, error} -> assert %GenerationError{kind: :no_chat_template} = error
      end

      assert {:error, %GenerationError{kind: :invalid_prompt}} =
               Model.render(model, [%{role: "user"}])
    end
  end

  describe "generations" do
    test "follow the constraint", %{model: model} do
      schema = %{type: :object, properties: %{age: %{type: :integer}}, required: [:age]}
      constraint = Constraint.json_schema!(schema, vocabulary: model.vocabulary)
      {:ok, ref, _generation} = generate(model, constraint: constraint)

      assert {text, {:done, %{finish_reason: :stop} = done}} = receive_all(ref)
      assert %{"age" => age} = Espalier.JSON.decode!(text)
      assert is_integer(age)
      assert %{prompt_tokens: _, tokens: _, forced_tokens: forced, steps: _} = done
      assert forced > 0
    end

    test "have the same text for the same seed, whatever else runs", %{model: model} do
      options = [max_tokens: 20, sampling: [temperature: 1.0, seed: 7]]
      {:ok, alone, _generation} = generate(model, options)
      {text, {:done, %{finish_reason: _}}} = receive_all(alone)

      refs = for _ <- 1..10, do: model |> generate(options) |> elem(1)
      for ref <- refs, do: assert({^text, {:done, _}} = receive_all(ref))
    end

    test "are refused with what is wrong", %{model: model} do
      kind = fn options ->
        {:error, {kind, message, %{}}} = generate(model, options)
        assert is_binary(message)
        kind
      end

      assert kind.(prompt: String.duplicate("word ", 50_000)) == :prompt_too_long
      assert kind.(sampling: [temperature: -1.0]) == :invalid_request
      assert kind.(max_tokens: 0) == :invalid_request
      assert kind.(sampling: [prompt: <<>>]) == :invalid_prompt
      assert kind.(sampling: [prompt: Packed.pack([model.info.size])]) == :unknown_token
      other = Espalier.Vocabulary.from_tokens!(["a", ""], eos_ids: [1])
      assert kind.(constraint: Constraint.regex!("a", vocabulary: other)) == :vocabulary_mismatch
    end

    test "raise for arguments of another type", %{model: model} do
      for wrong <- [[prompt: "abc"], [temperature: "1"], [seed: -1], [constraint: model.ref]] do
        assert_raise ErlangError, ~r/decode field/, fn -> generate(model, sampling: wrong) end
      end

      assert_raise ArgumentError, fn -> Native.model_generate(model.ref, :me, make_ref(), %{}) end
      assert_raise ArgumentError, fn -> Native.generation_cancel(model.ref) end
    end

    test "tell that a text does not fit", %{model: model} do
      constraint = Constraint.regex!("[a-z]{100}", vocabulary: model.vocabulary)
      {:ok, ref, _generation} = generate(model, constraint: constraint, max_tokens: 5)
      assert {_text, {:error, {:truncated, message, %{text: _}}}} = receive_all(ref)
      assert is_binary(message)
    end

    test "can be cancelled", %{model: model} do
      {:ok, ref, generation} = generate(model, @long)
      assert Native.generation_cancel(generation) == :ok
      assert {_text, {:done, %{finish_reason: reason}}} = receive_all(ref)
      assert reason in [:cancelled, :stop, :max_tokens]
    end

    test "end with their caller, and others go on", %{model: model} do
      test = self()

      for _ <- 1..10 do
        {pid, monitor} =
          spawn_monitor(fn ->
            {:ok, ref, _generation} = generate(model, @long)
            send(test, {:started, ref})
            Process.sleep(:infinity)
          end)

        assert_receive {:started, _ref}, 30_000
        Process.exit(pid, :kill)
        assert_receive {:DOWN, ^monitor, :process, ^pid, :killed}
      end

      {:ok, ref, _generation} = generate(model, max_tokens: 3)
      assert {_text, {:done, _}} = receive_all(ref)
    end

    test "fail when the model ends, and later ones are refused" do
      for how <- [:stop, :kill] do
        {:ok, pid} =
          start_supervised({Model, path: Model.tiny_path()}, id: how, restart: :temporary)

        model = Model.fetch!(pid)
        {:ok, ref, _generation} = generate(model, @long)
        if how == :stop, do: Model.stop(pid), else: Process.exit(pid, :kill)

        assert {_text, last} = receive_all(ref)
        assert match?({:error, {:stopped, _, _}}, last) or match?({:done, _}, last)
        assert {:error, {:stopped, _message, _details}} = eventually_refused(model)
      end
    end

    defp eventually_refused(model) do
      case generate(model, max_tokens: 1) do
        {:ok, ref, _generation} ->
          receive_all(ref)
          Process.sleep(10)
          eventually_refused(model)

        error ->
          error
      end
    end
  end
end
