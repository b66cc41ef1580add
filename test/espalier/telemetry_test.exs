defmodule Espalier.TelemetryTest do
  # The sink is one for all processes.
  use ExUnit.Case, async: false

  alias Espalier.GenerationError
  alias Espalier.StubBackend
  alias Espalier.Telemetry

  defmodule Sink do
    @moduledoc "Sends the events of a test to itself."

    def execute(event, measurements, metadata) do
      if Process.get(__MODULE__), do: send(self(), {event, measurements, metadata})
      :ok
    end
  end

  setup do
    Process.put(Sink, true)
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

    stream = Espalier.stream_batch(items, fn text -> {{:regex, ".*"}, text} end, options)
    refute_received {[:espalier | _], _measurements, _metadata}
    Enum.take(stream, 1)
    assert_received {[:espalier, :batch, :start], _measurements, %{schema: nil, ordered: true}}
    assert_received {[:espalier, :batch, :stop], _measurements, %{finish_reason: :halted}}

    items = Stream.map([1], fn 1 -> raise ArgumentError, @secret end)
    catch_error(Espalier.generate_batch(items, {:regex, ".*"}, options))

    assert_received {[:espalier, :batch, :exception], %{done: 0, failed: 0}, metadata}
    assert %{kind: :error, reason: ArgumentError, error_kind: nil, total: nil} = metadata
    refute inspect(metadata) =~ @secret
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
