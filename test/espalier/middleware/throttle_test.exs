defmodule Espalier.Middleware.ThrottleTest do
  use ExUnit.Case, async: true

  import Espalier.Testing

  alias Espalier.Middleware.Throttle
  alias Espalier.Middleware.Throttle.Gate
  alias Espalier.OptionsError
  alias Espalier.ThrottleError

  doctest Espalier.Middleware.Throttle

  @schema [name: :string]
  @ada %{name: "Ada"}

  # A backend of its own for each test: gates are those of the VM.
  setup %{test: test} do
    %{backend: {Espalier.Testing, id: test}}
  end

  defp options(backend, throttle, options \\ []),
    do: [backend: backend, middleware: [{Throttle, throttle}]] ++ options

  defp generate(backend, throttle, options \\ []),
    do: Espalier.generate(@schema, "?", options(backend, throttle, options))

  # A process that has a place until it is told to go on.
  defp holder(backend, throttle) do
    test = self()

    task =
      Task.async(fn ->
        stream = Espalier.stream(@schema, "?", options(backend, throttle, timeout: :infinity))

        Enum.find(stream, fn _event ->
          send(test, {:holds, self()})
          receive do: (:go_on -> true)
        end)
      end)

    pid = task.pid
    assert_receive {:holds, ^pid}
    task
  end

  test "no more run at once than may, and all get their turn", %{backend: backend} do
    running = :counters.new(1, [])
    begun = :counters.new(1, [])
    test = self()

    stub(fn _request ->
      Stream.resource(
        fn ->
          :counters.add(running, 1, 1)
          :counters.add(begun, 1, 1)
        end,
        fn
          :ok ->
            # The first ones wait until as many as may are there.
            await(fn -> :counters.get(begun, 1) >= 3 end)
            send(test, {:running, :counters.get(running, 1)})
            {events(~s({"name":"Ada"})), :ended}

          :ended ->
            {:halt, :ended}
        end,
        fn _ended -> :counters.sub(running, 1, 1) end
      )
    end)

    tasks = for _task <- 1..20, do: Task.async(fn -> generate(backend, at_once: 3) end)
    assert Enum.uniq(Task.await_many(tasks)) == [{:ok, @ada}]
    counts = for _task <- 1..20, do: assert_receive({:running, count}) && count
    assert Enum.max(counts) == 3
  end

  defp await(true?) do
    unless true?.() do
      Process.sleep(1)
      await(true?)
    end
  end

  test "those who wait come in order", %{backend: backend} do
    stub(fn _request -> @ada end)
    first = holder(backend, at_once: 1)
    test = self()

    tasks =
      for n <- 1..5 do
        task =
          Task.async(fn ->
            tell = fn request, next -> send(test, {:asked, n}) && next.(request) end
            options = [backend: backend, middleware: [{Throttle, at_once: 1}, tell]]
            Espalier.generate(@schema, "?", options)
          end)

        waits(task.pid)
        task
      end

    send(first.pid, :go_on)
    Task.await_many([first | tasks])
    assert for(_n <- 1..5, do: assert_receive({:asked, n}) && n) == [1, 2, 3, 4, 5]
  end

  # Until a process waits before a gate.
  defp waits(pid) do
    case Process.info(pid, :current_stacktrace) do
      {:current_stacktrace, [{:gen, :do_call, _, _} | _]} ->
        # The gates have read all that was sent to them before.
        :sys.get_state(Throttle.Gates)

      _not_yet ->
        waits(pid)
    end
  end

  test "a holder that dies makes room, and so does a reader that stops", %{backend: backend} do
    stub(fn _request -> @ada end)
    holder = holder(backend, at_once: 1)
    assert {:error, %ThrottleError{}} = generate(backend, at_once: 1, max_wait: 0)

    Task.shutdown(holder, :brutal_kill)
    assert {:ok, @ada} == generate(backend, at_once: 1)

    stream = Espalier.stream(@schema, "?", options(backend, at_once: 1))
    assert [_event] = Enum.take(stream, 1)
    assert {:ok, @ada} == generate(backend, at_once: 1)
  end

  test "one who waits and dies is passed over", %{backend: backend} do
    stub(fn _request -> @ada end)
    holder = holder(backend, at_once: 1)
    [waiting, next] = for _task <- 1..2, do: Task.async(fn -> generate(backend, at_once: 1) end)
    for task <- [waiting, next], do: waits(task.pid)
    Task.shutdown(waiting, :brutal_kill)
    send(holder.pid, :go_on)
    assert Task.await(next) == {:ok, @ada}
  end

  test "who gets no room in time has an error, or another backend", %{backend: backend} do
    stub(fn _request -> @ada end)
    model = [model: "large"]
    throttle = [at_once: 1, max_wait: 5]
    {module, options} = backend
    holder = holder({module, options ++ model}, at_once: 1)

    # The same place, whether the model is given for the backend or for all.
    assert {:error, %ThrottleError{kind: :at_once, backend: Espalier.Testing, model: "large"}} =
             generate(backend, throttle, model)

    other = {Espalier.Testing, id: :other, model: "small"}
    assert {:ok, @ada} == generate([backend, other], throttle, model)

    # No longer than the generation may take.
    assert {:error, %ThrottleError{}} = generate(backend, [at_once: 1], model ++ [timeout: 1_000])
    assert {:ok, @ada} == generate(backend, throttle)
    send(holder.pid, :go_on)
    Task.await(holder)
    assert {:ok, @ada} == generate(backend, throttle, model)
  end

  test "a value that is asked for again finds the place free", %{backend: backend} do
    stub(["Sure!", %Espalier.TransportError{kind: :closed, url: "http://127.0.0.1"}, @ada])
    assert {:ok, @ada} == generate(backend, [at_once: 1], timeout: 10_000, retry_delay: 0)
    assert length(asked()) == 3
  end

  test "a rate lets some through at once, then one after the other", %{backend: backend} do
    stub(fn _request -> @ada end)
    throttle = [rate: {5, 50}]
    for _request <- 1..12, do: assert({:ok, @ada} == generate(backend, throttle))

    throttle = [rate: {2, 600_000}, max_wait: 0]
    {module, options} = backend
    backend = {module, options ++ [second: true]}
    for _request <- 1..2, do: assert({:ok, @ada} == generate(backend, throttle))
    assert {:error, %ThrottleError{kind: :rate}} = generate(backend, throttle)
  end

  test "options are checked" do
    assert {:error, %OptionsError{option: :at_once}} = generate(Espalier.Testing, at_once: 0)
    assert {:error, %OptionsError{option: :rate}} = generate(Espalier.Testing, rate: 5)
    assert {:error, %OptionsError{kind: :missing}} = generate(Espalier.Testing, max_wait: 5)
  end

  test "a gate keeps to its limits, and lets through all that they allow" do
    for seed <- 1..200 do
      :rand.seed(:exsss, seed)
      requests = Enum.random(1..6)
      milliseconds = Enum.random(1..20)
      at_once = Enum.random([nil, 1, 2, 5])
      limits = %{at_once: at_once, rate: Enum.random([nil, {requests, milliseconds}])}
      # Tokens as a fraction of the interval in microseconds, so that all is exact.
      per_token = div(milliseconds * 1000, requests)
      bucket = %{level: milliseconds * 1000, per_token: per_token, most: milliseconds * 1000}
      run = %{gate: %Gate{}, running: 0, now: 0, bucket: bucket}

      Enum.reduce(1..300, run, fn _step, run ->
        elapsed = Enum.random(0..div(milliseconds * 2000, requests))
        level = min(run.bucket.level + elapsed, run.bucket.most)
        run = %{run | now: run.now + elapsed, bucket: %{run.bucket | level: level}}

        if run.running > 0 and Enum.random(1..3) == 1,
          do: leave(run),
          else: enter(run, limits, seed)
      end)
    end
  end

  defp leave(run), do: %{run | gate: Gate.leave(run.gate), running: run.running - 1}

  defp enter(%{bucket: bucket} = run, limits, seed) do
    room? = limits.at_once == nil or run.running < limits.at_once
    token? = limits.rate == nil or bucket.level >= bucket.per_token
    shown = "seed #{seed} at #{run.now}"

    case Gate.enter(run.gate, limits, run.now) do
      {:ok, gate} ->
        assert room? and token?, shown
        bucket = %{bucket | level: bucket.level - bucket.per_token}
        %{run | gate: gate, running: run.running + 1, bucket: bucket}

      {:full, :at_once} ->
        assert not room?, shown
        run

      {:full, :rate, wait} ->
        assert room? and not token?, shown
        assert wait == bucket.per_token - bucket.level, shown
        run
    end
  end
end
