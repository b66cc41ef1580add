defmodule Espalier.TelemetryTest do
  # The sink is one for all processes.
  use ExUnit.Case, async: false

  alias Espalier.GenerationError
  alias Espalier.StubBackend
  alias Espalier.Telemetry

  defmodule Sink do
    @moduledoc "Sends the events of a test to itself."

    def execute(event, measurements, metadata) do
      case Process.get(__MODULE__) do
        nil ->
          :ok

        :all ->
          send(self(), {event, measurements, metadata})

        groups ->
          if Enum.at(event, 1) in groups, do: send(self(), {event, measurements, metadata})
      end
    end
  end

  setup do
    Process.put(Sink, :all)
    Telemetry.add_sink(Sink, &Sink.execute/3)
    on_exit(fn -> Telemetry.remove_sink(Sink) end)
  end

  @secret "very private"
  defp stub(options), do: [model: :a_model, backend: {StubBackend, options}, seed: 3]

  test "a generation starts and stops" do
    pieces = ["\"", @secret, "\""]

    assert Espalier.generate(~S({"type":"string"}), @secret, stub(pieces: pieces)) ==
             {:ok, @secret}

    assert_received {[:espalier, :generate, :start], started, metadata}
    assert %{system_time: _, monotonic_time: from} = started

    assert %{
             backend: StubBackend,
             model: :a_model,
             schema: :json_schema,
             max_tokens: 512,
             temperature: temperature,
             seed: 3,
             telemetry_span_context: context
           } = metadata

    assert temperature == 0

    assert_received {[:espalier, :generate, :stop], stopped,
                     %{telemetry_span_context: ^context} = metadata}

    assert %{duration: duration, monotonic_time: to, completion_tokens: 2, steps: 1} = stopped
    assert duration == to - from
    assert metadata.finish_reason == :stop
    refute inspect({started, stopped, metadata}) =~ @secret
  end

  test "what raises is no reader that stopped" do
    raising = fn _request, _next -> raise ArgumentError, @secret end
    options = [middleware: [raising]] ++ stub([])
    assert_raise ArgumentError, fn -> Espalier.generate([name: :string], "?", options) end
    assert_received {[:espalier, :generate, :exception], %{duration: _}, metadata}
    assert %{kind: :error, reason: ArgumentError, error_kind: nil, stacktrace: []} = metadata
    refute_received {[:espalier, :generate, :stop], _measurements, _metadata}
  end

  defmodule Foreign do
    @moduledoc "A backend that does what a test says. It has functions of its own, too."
    @behaviour Espalier.Backend

    @impl true
    def stream(request), do: request.backend_options[:stream].()

    def name(user), do: user.name
  end

  defmodule ForeignError do
    defexception [:kind, :message]
  end

  @usage %{prompt_tokens: 1, completion_tokens: 1}
  @done {:done, %{finish_reason: :stop, usage: @usage}}
  @one {:tokens, [1], "1", false}

  # What a backend may do, and how the span of its request ends then.
  defp done_by_backends do
    error = struct!(ForeignError, kind: @secret, message: @secret)

    [
      {fn -> {:ok, [@one, @done]} end, {:stop, :stop}},
      {fn -> {:ok, [@one]} end, {:stop, :halted}},
      {fn -> {:ok, [@one, {:done, %{finish_reason: "stop", usage: @usage}}]} end,
       {:stop, :halted}},
      {fn -> {:ok, [{:error, @secret}]} end, {:stop, :halted}},
      {fn -> {:ok, [{:error, error}]} end, {:exception, ForeignError}},
      {fn -> {:error, error} end, {:exception, ForeignError}},
      {fn -> {:error, @secret} end, {:exception, ArgumentError}},
      {fn -> raise @secret end, {:exception, RuntimeError}},
      {fn -> throw(@secret) end, {:exception, ErlangError}},
      {fn -> exit(@secret) end, {:exception, ErlangError}},
      {fn -> {:ok, Stream.map([1], fn _one -> raise @secret end)} end,
       {:exception, RuntimeError}},
      {fn -> {:ok, Stream.map([1], fn _one -> throw(@secret) end)} end,
       {:exception, ErlangError}},
      {fn -> {:ok, Stream.map([1], fn _one -> exit(@secret) end)} end, {:exception, ErlangError}}
    ]
  end

  defp outcome(stream) do
    options = [backend: {Foreign, stream: stream}, model: :a_model, max_retries: 0]
    Espalier.generate(%{type: :integer}, "?", [max_attempts: 1] ++ options)
  catch
    kind, reason -> {kind, reason}
  end

  test "whatever a backend does, who listens changes nothing, and each span ends" do
    for {stream, {how, why}} <- done_by_backends() do
      Telemetry.remove_sink(Sink)
      unheard = outcome(stream)
      Telemetry.add_sink(Sink, &Sink.execute/3)
      assert outcome(stream) == unheard
      events = received()
      refute inspect(events, limit: :infinity, printable_limit: :infinity) =~ @secret

      ended =
        for {[:espalier, span, end_], _, metadata} <- events,
            end_ in [:stop, :exception],
            into: %{},
            do: {span, {end_, metadata[:reason] || metadata[:finish_reason]}}

      for {[:espalier, span, :start], _, _} <- events,
          span != :validate,
          do: assert(is_map_key(ended, span))

      assert ended.request == {how, why}
      # No reader has stopped.
      if how == :exception, do: assert({:exception, _reason} = ended.generate)
    end
  end

  defmodule Raising do
    use Espalier.Schema

    schema do
      field :name, :string, validate: &__MODULE__.check/1
    end

    def check(_name), do: raise("so")
  end

  test "the validation ends where a function of the schema raises" do
    pieces = [~s({"name":"Ada"})]
    assert_raise RuntimeError, fn -> Espalier.generate(Raising, "?", stub(pieces: pieces)) end

    assert_received {[:espalier, :validate, :exception], %{bytes: 14, duration: _},
                     %{reason: RuntimeError}}
  end

  test "a generation that fails ends with an exception, without its text" do
    error = %GenerationError{kind: :timeout, text: @secret, message: @secret}

    assert {:error, ^error} =
             Espalier.generate({:choice, [:a]}, @secret, stub(events: [{:error, error}]))

    assert_received {[:espalier, :generate, :start], _measurements, %{schema: :choice}}
    assert_received {[:espalier, :generate, :exception], %{duration: _}, metadata}

    assert %{kind: :error, reason: GenerationError, error_kind: :timeout, stacktrace: []} =
             metadata

    refute inspect(metadata) =~ @secret
  end

  test "retries are told, and counted with the attempts" do
    Espalier.Testing.stub([
      %Espalier.TransportError{kind: :closed, url: @secret},
      ~s({"name":"#{@secret}"}),
      ~s({"name":""})
    ])

    options = [backend: Espalier.Testing, model: :a_model, retry_delay: 0, max_attempts: 2]
    schema = [name: {:string, max_length: 2}]
    assert {:ok, %{name: ""}} = Espalier.generate(schema, @secret, options)
    assert_received {[:espalier, :retry], %{delay: 0, retries: 1}, metadata}

    assert metadata == %{
             backend: Espalier.Testing,
             model: :a_model,
             schema: :fields,
             attempt: 1,
             reason: Espalier.TransportError,
             error_kind: :closed
           }

    assert_received {[:espalier, :generate, :stop], %{attempts: 2, retries: 1}, %{cached?: false}}

    down = %Espalier.TransportError{kind: :closed, url: @secret}
    Espalier.Testing.stub([down, down])

    assert {:error, ^down} = Espalier.generate(schema, @secret, [max_retries: 1] ++ options)

    assert_received {[:espalier, :generate, :exception], %{attempts: 1, retries: 1}, _metadata}
  end

  defp received do
    receive do
      {[:espalier | _], _measurements, _metadata} = event -> [event | received()]
    after
      0 -> []
    end
  end

  test "what was asked and written is told to those only who ask for it" do
    wrong = ~s({"name":"#{@secret}"})
    options = [backend: Espalier.Testing, max_attempts: 2]
    schema = [name: {:string, max_length: 2}]

    generate = fn more ->
      Espalier.Testing.stub([wrong, ~s({"name":""})])
      {:ok, _value} = Espalier.generate(schema, @secret, options ++ more)
      received()
    end

    assert [_ | _] = events = generate.([])
    refute inspect(events) =~ @secret

    events = generate.(telemetry_content: true)
    {_event, _measurements, last} = List.last(events)
    assert last.content == %{prompt: {:text, @secret}, text: ~s({"name":""})}
    assert %{content: %{text: ^wrong}} = metadata(events, [:espalier, :attempt, :exception])
    assert %{content: content} = metadata(events, [:espalier, :generate, :start])
    assert content == %{prompt: {:text, @secret}}
    for {_event, measurements, _metadata} <- events, do: refute(inspect(measurements) =~ @secret)
  end

  defp metadata(events, name),
    do: Enum.find_value(events, fn {event, _, metadata} -> if event == name, do: metadata end)

  test "attributes have the names of OpenTelemetry" do
    backend = {Espalier.Backends.OpenAI, api_key: @secret, base_url: "http://127.0.0.1:1"}
    options = [backend: backend, model: "small", max_tokens: 7, max_retries: 0, temperature: 0.5]
    {:error, _refused} = Espalier.generate([name: :string], @secret, options)

    started = %{
      "gen_ai.operation.name" => "chat",
      "gen_ai.provider.name" => "openai",
      "gen_ai.request.model" => "small",
      "gen_ai.request.max_tokens" => 7,
      "gen_ai.request.temperature" => 0.5,
      "gen_ai.output.type" => "json"
    }

    events = received()

    for span <- [:generate, :request] do
      assert metadata(events, [:espalier, span, :start]).gen_ai == started
      failed = Map.put(started, "error.type", "Espalier.TransportError")
      assert metadata(events, [:espalier, span, :exception]).gen_ai == failed
    end

    {:ok, _yes} = Espalier.generate({:choice, [:yes]}, "?", model: MyApp.Model)
    stopped = metadata(received(), [:espalier, :request, :stop]).gen_ai

    assert %{
             "gen_ai.provider.name" => "espalier",
             "gen_ai.request.model" => "MyApp.Model",
             "gen_ai.output.type" => "text",
             "gen_ai.response.finish_reasons" => ["stop"],
             "gen_ai.usage.output_tokens" => written
           } = stopped

    assert written > 0
  end

  @spans [:generate, :attempt, :request, :validate, :repair]

  test "spans are within each other, and a repair is told with why" do
    Espalier.Testing.stub(["no", "yes"])
    {:ok, :yes} = Espalier.generate({:choice, [:yes]}, "?", backend: Espalier.Testing)
    events = received()
    order = for {[:espalier, span, event], _, _} <- events, span in @spans, do: [span, event]

    attempt = fn last ->
      request = [[:attempt, :start], [:request, :start], [:validate, :start]]
      request ++ [[:validate, last], [:request, :stop], [:attempt, last]]
    end

    assert order ==
             [[:generate, :start]] ++
               attempt.(:exception) ++
               [[:repair, :start]] ++
               attempt.(:stop) ++ [[:repair, :stop], [:generate, :stop]]

    repair = metadata(events, [:espalier, :repair, :start])
    assert %{attempt: 2, refusal: Espalier.CastError, schema: :choice} = repair
  end

  test "what fails to listen is told nothing more, and costs no generation" do
    failing = fn _event, _measurements, _metadata -> raise @secret end
    Telemetry.add_sink(:failing, failing)
    generate = fn -> Espalier.generate({:choice, [:yes]}, "?", model: MyApp.Model) end
    log = ExUnit.CaptureLog.capture_log(fn -> assert generate.() == {:ok, :yes} end)
    assert log =~ ":failing"
    assert ExUnit.CaptureLog.capture_log(fn -> assert generate.() == {:ok, :yes} end) == ""
  end

  test "changes of a circuit are told once each" do
    down = %Espalier.TransportError{kind: :closed, url: @secret}
    Espalier.Testing.stub([down, down, down, "no"])
    breaker = {Espalier.Middleware.CircuitBreaker, failures: 2, open: 1}
    backend = {Espalier.Testing, id: :telemetry}
    options = [backend: backend, model: "small", max_retries: 0, middleware: [breaker]]

    for _request <- 1..4 do
      Process.sleep(2)
      Espalier.generate({:choice, [:no]}, @secret, options)
    end

    changes = [closed: :open, open: :half_open, half_open: :open, open: :half_open]

    for {from, to} <- changes ++ [half_open: :closed] do
      assert_received {[:espalier, :circuit], %{system_time: _}, metadata}
      assert metadata == %{backend: Espalier.Testing, model: "small", from: from, to: to}
    end

    refute_received {[:espalier, :circuit], _measurements, _metadata}
  end

  test "a value from a cache is told" do
    {:ok, cache} = Espalier.Cache.start_link([])
    Espalier.Testing.stub(["no"])
    options = [backend: Espalier.Testing, cache: cache]
    for _time <- 1..2, do: assert({:ok, :no} = Espalier.generate({:choice, [:no]}, "?", options))
    assert_received {[:espalier, :generate, :stop], %{attempts: 1}, %{cached?: false}}

    assert_received {[:espalier, :generate, :stop], %{attempts: 0, completion_tokens: 0},
                     %{cached?: true}}
  end

  test "a batch is a span around those of its items" do
    Espalier.Testing.stub(fn _request -> @secret end)
    options = [backend: Espalier.Testing, model: :a_model, max_concurrency: 2]
    items = [@secret, "", @secret]
    Espalier.generate_batch(items, {:regex, ".*"}, options)
    assert_received {[:espalier, :batch, :start], %{system_time: _}, metadata}

    assert %{backend: Espalier.Testing, model: :a_model, schema: :regex, total: 3} = metadata
    assert %{max_concurrency: 2, ordered: false, telemetry_span_context: context} = metadata

    assert_received {[:espalier, :batch, :stop],
                     %{done: 3, failed: 1, duration: _} = measurements,
                     %{finish_reason: :stop, telemetry_span_context: ^context} = metadata}

    refute inspect({measurements, metadata}) =~ @secret

    for done <- 1..3 do
      assert_received {[:espalier, :batch, :progress], %{done: ^done, failed: _, running: _},
                       %{telemetry_span_context: ^context}}
    end

    Process.put(Sink, [:batch])
    stream = Espalier.stream_batch(items, fn text -> {{:regex, ".*"}, text} end, options)
    refute_received {[:espalier | _], _measurements, _metadata}
    Enum.take(stream, 1)
    assert_received {[:espalier, :batch, :start], _measurements, %{schema: nil, ordered: true}}
    assert_received {[:espalier, :batch, :stop], _measurements, %{finish_reason: :halted}}

    Espalier.generate_samples({:regex, ".*"}, "a", 2, options)
    assert_received {[:espalier, :batch, :start], _measurements, %{schema: :regex, total: 2}}

    items = Stream.map([1], fn 1 -> raise ArgumentError, @secret end)
    catch_error(Espalier.generate_batch(items, {:regex, ".*"}, options))

    assert_received {[:espalier, :batch, :exception], %{done: 0, failed: 0}, metadata}
    assert %{kind: :error, reason: ArgumentError, error_kind: nil, total: nil} = metadata
    refute inspect(metadata) =~ @secret
  end

  test "the first token is told where somebody reads it, and not where all may come at the end" do
    Process.put(Sink, [:request])
    {:ok, _yes} = Espalier.generate({:choice, [:yes]}, "?", model: MyApp.Model)
    assert_received {[:espalier, :request, :stop], %{time_to_first_token: nil}, _metadata}

    {:choice, [:yes]} |> Espalier.stream("?", model: MyApp.Model) |> Stream.run()
    assert_received {[:espalier, :request, :stop], measurements, _metadata}
    assert measurements.time_to_first_token in 1..measurements.duration

    textless = stub(events: [StubBackend.done()]) ++ [max_attempts: 1]
    {:choice, [:yes]} |> Espalier.stream("?", textless) |> catch_stream()
    assert_received {[:espalier, :request, :stop], %{time_to_first_token: nil}, _metadata}
  end

  defp catch_stream(stream) do
    Stream.run(stream)
  rescue
    Espalier.CastError -> :refused
  end

  test "a stream that the reader leaves is halted" do
    stream = Espalier.stream([name: :string], "?", stub([]))
    refute_received {[:espalier | _], _measurements, _metadata}
    Enum.take(stream, 1)
    assert_received {[:espalier, :generate, :start], _measurements, %{schema: :fields}}
    assert_received {[:espalier, :generate, :stop], _measurements, %{finish_reason: :halted}}
  end

  test "a span tells how its work ended" do
    assert Telemetry.span(:compile, fn -> %{schema: :regex} end, fn -> {:ok, 1} end) == {:ok, 1}
    assert_received {[:espalier, :compile, :start], _measurements, %{schema: :regex}}
    assert_received {[:espalier, :compile, :stop], _measurements, %{schema: :regex}}

    error = {:error, %Espalier.SchemaError{kind: :unsatisfiable}}
    assert Telemetry.span(:compile, fn -> %{schema: :regex} end, fn -> error end) == error

    assert_received {[:espalier, :compile, :exception], _measurements,
                     %{error_kind: :unsatisfiable}}
  end

  test "nothing is emitted where there is no telemetry" do
    Telemetry.remove_sink(Sink)
    assert {:ok, %{}} = Espalier.generate(%{}, "?", stub([]))
    refute_received {[:espalier | _], _measurements, _metadata}
  end

  if Code.ensure_loaded?(:telemetry) do
    test "the real telemetry gets the events" do
      {:ok, _started} = Application.ensure_all_started(:telemetry)
      event = [:espalier, :generate, :stop]
      :telemetry.attach(inspect(self()), event, &__MODULE__.forward/4, self())
      assert {:ok, %{}} = Espalier.generate(%{}, "?", stub([]))
      assert_receive {^event, %{duration: _}, %{model: :a_model}}
    after
      :telemetry.detach(inspect(self()))
    end

    def forward(event, measurements, metadata, pid),
      do: send(pid, {event, measurements, metadata})
  end
end
