defmodule Espalier.Middleware.CircuitBreakerTest do
  use ExUnit.Case, async: true

  import Espalier.Testing

  alias Espalier.CircuitOpenError
  alias Espalier.GenerationError
  alias Espalier.Middleware.CircuitBreaker
  alias Espalier.Middleware.CircuitBreaker.Circuit
  alias Espalier.OptionsError
  alias Espalier.ProviderError
  alias Espalier.RefusalError
  alias Espalier.TransportError

  doctest Espalier.Middleware.CircuitBreaker

  @schema [name: :string]
  @ada %{name: "Ada"}
  @down %TransportError{kind: :connect, url: "http://127.0.0.1"}

  # A backend of its own for each test: circuits are those of the VM.
  setup %{test: test} do
    %{backend: {Espalier.Testing, id: test}}
  end

  defp generate(backend, breaker, options \\ []) do
    options =
      [backend: backend, middleware: [{CircuitBreaker, breaker}], max_retries: 0] ++ options

    Espalier.generate(@schema, "?", options)
  end

  defp open(backend, breaker) do
    stub(fn _request -> @down end)

    for _failure <- 1..breaker[:failures],
        do: assert({:error, @down} == generate(backend, breaker))
  end

  # Until the circuit is half-open.
  defp wait(backend, breaker) do
    case generate(backend, breaker) do
      {:error, %CircuitOpenError{}} -> wait(backend, breaker)
      result -> result
    end
  end

  test "after some failures nothing is asked", %{backend: backend} do
    breaker = [failures: 3]
    before = DateTime.utc_now()
    open(backend, breaker)

    assert {:error, %CircuitOpenError{backend: Espalier.Testing, model: nil, until: until}} =
             generate(backend, breaker)

    # It opened between the two, and the milliseconds that are left are rounded.
    latest = DateTime.add(DateTime.utc_now(), 30_001, :millisecond)
    assert DateTime.compare(until, before) == :gt
    assert DateTime.compare(until, latest) == :lt
    assert length(asked()) == 3
  end

  test "another backend of a list is asked, and another model", %{backend: backend} do
    breaker = [failures: 2]
    open(backend, breaker)
    stub([@ada, @ada])
    other = {Espalier.Testing, id: :other}
    assert {:ok, @ada} == generate([backend, other], breaker)
    assert assert_asked().backend_options == [id: :other]

    assert {:ok, @ada} == generate(backend, breaker, model: "large")
    assert {:error, %CircuitOpenError{}} = generate(backend, breaker)
  end

  test "an answer that does not come in time is a failure", %{backend: backend} do
    late = %Espalier.GenerationError{kind: :timeout, message: "no value in time"}
    stub([late, @ada])
    assert {:error, %{kind: :timeout}} = generate(backend, failures: 1)
    assert {:error, %CircuitOpenError{}} = generate(backend, failures: 1)
  end

  test "a probe that is answered closes it", %{backend: backend} do
    breaker = [failures: 2, open: 20]
    open(backend, breaker)
    refusal = %RefusalError{kind: :refused, provider: :test, text: ""}
    stub([refusal, @down, @ada, @down, @down, @ada])
    assert {:error, refusal} == wait(backend, breaker)
    breaker = [failures: 2, open: 60_000]
    assert {:error, @down} == generate(backend, breaker)
    assert {:ok, @ada} == generate(backend, breaker)
    assert {:error, @down} == generate(backend, breaker)
    assert {:error, %CircuitOpenError{}} = generate(backend, breaker)
  end

  test "a probe that fails opens it again", %{backend: backend} do
    breaker = [failures: 2, open: 20]
    open(backend, breaker)
    stub([@down, @down, @ada])
    assert {:error, @down} == wait(backend, breaker)
    # How long it stays open is up to the request that failed.
    assert {:error, @down} == wait(backend, failures: 2, open: 60_000)
    assert {:error, %CircuitOpenError{until: %DateTime{}}} = generate(backend, breaker)
  end

  test "there is one probe, and none is missed that stops or dies", %{backend: backend} do
    breaker = [failures: 1, open: 20]
    open(backend, breaker)
    Process.sleep(25)

    test = self()
    endless = Stream.repeatedly(fn -> {:tokens, [], "a", false} end)
    reading = Stream.each(endless, fn _event -> send(test, :read) && Process.sleep(:infinity) end)

    stub([reading, endless, @ada])
    options = [backend: backend, middleware: [{CircuitBreaker, breaker}]]
    {:ok, probe} = Task.start(fn -> Stream.run(Espalier.stream(@schema, "?", options)) end)
    assert_receive :read
    assert {:error, %CircuitOpenError{until: nil}} = generate(backend, breaker)

    Process.exit(probe, :kill)
    monitor = Process.monitor(probe)
    assert_receive {:DOWN, ^monitor, :process, ^probe, _reason}

    # The next one probes, and stops early.
    stream = Espalier.stream(@schema, "?", options)
    assert [_event] = take_one(stream)
    assert {:ok, @ada} == generate(backend, breaker)
  end

  # The breaker may not have heard of the end of the process yet.
  defp take_one(stream) do
    Enum.take(stream, 1)
  rescue
    CircuitOpenError -> take_one(stream)
  end

  test "what is not a failure of the backend does not count", %{backend: backend} do
    for error <- [
          %ProviderError{kind: :unauthorized, provider: :test},
          %ProviderError{kind: :invalid_request, provider: :test},
          %RefusalError{kind: :refused, provider: :test, text: ""},
          %GenerationError{kind: :computation_failed, message: "no"}
        ] do
      stub([error, error, @ada])
      for _error <- 1..2, do: assert({:error, error} == generate(backend, failures: 1))
      assert {:ok, @ada} == generate(backend, failures: 1)
    end
  end

  test "options are checked" do
    assert {:error, %OptionsError{option: :failures}} = generate(Espalier.Testing, failures: 0)
    assert {:error, %OptionsError{suggestion: :failures}} = generate(Espalier.Testing, failure: 1)
  end

  # The rules once more, on the whole history: what happened since the circuit was closed last.
  defp closed?(history, options, now) do
    failures = for {:closed, :failed, time} <- history, do: time
    recent = Enum.count(failures, &(&1 > now - options.window))
    recent < options.failures
  end

  test "a circuit opens, probes and closes by its rules" do
    for seed <- 1..300 do
      :rand.seed(:exsss, seed)

      options = %{
        failures: Enum.random(1..4),
        window: Enum.random(5..40),
        open: Enum.random(5..30)
      }

      run = %{circuit: %Circuit{}, history: [], running: [], until: nil, now: 0}

      Enum.reduce(1..200, run, fn _step, run ->
        run = %{run | now: run.now + Enum.random(0..6)}
        shown = "seed #{seed} at #{run.now}"
        if Enum.random([true, false]), do: enter(run, shown), else: report(run, options, shown)
      end)
    end
  end

  defp enter(run, shown) do
    ref = make_ref()
    probe = Enum.find(run.running, &(elem(&1, 1) == :probe))

    case Circuit.enter(run.circuit, run.now, ref) do
      {:pass, circuit} ->
        assert Circuit.name(circuit) == :closed, shown
        %{run | circuit: circuit, running: [{ref, :pass} | run.running]}

      {:probe, circuit} ->
        assert probe == nil and run.now >= run.until, shown
        %{run | circuit: circuit, running: [{ref, :probe} | run.running]}

      {:refused, nil} ->
        assert probe != nil, shown
        run

      {:refused, until} ->
        assert until == run.until and run.now < until, shown
        run
    end
  end

  defp report(%{running: []} = run, _options, _shown), do: run

  defp report(run, options, shown) do
    {ref, kind} = Enum.random(run.running)
    outcome = Enum.random([:answered, :failed, :failed, :unknown])
    before = Circuit.name(run.circuit)
    circuit = Circuit.report(run.circuit, ref, outcome, run.now, options)
    run = %{run | circuit: circuit, running: List.delete(run.running, {ref, kind})}
    run = %{run | history: [{before, outcome, run.now} | run.history]}
    expected = expected(before, kind, outcome, run, options)
    assert Circuit.name(circuit) == expected, shown

    case {before, expected} do
      {:half_open, :closed} -> %{run | history: []}
      {before, :open} when before != :open -> %{run | until: run.now + options.open}
      _same -> run
    end
  end

  defp expected(:half_open, :probe, :answered, _run, _options), do: :closed
  defp expected(:half_open, :probe, :failed, _run, _options), do: :open

  defp expected(:closed, _kind, :failed, run, options),
    do: if(closed?(run.history, options, run.now), do: :closed, else: :open)

  defp expected(before, _kind, _outcome, _run, _options), do: before
end
