defmodule Espalier.Middleware.CircuitBreaker do
  alias Espalier.Options

  @options [
    failures: [
      type: :pos_integer,
      default: 5,
      doc: "So many failures within the `:window` open the circuit."
    ],
    window: [
      type: :pos_integer,
      default: 60_000,
      doc: "For so many milliseconds a failure counts."
    ],
    open: [
      type: :pos_integer,
      default: 30_000,
      doc: "For so many milliseconds nothing is asked; then one request tries."
    ]
  ]

  @moduledoc """
  A middleware that asks a backend no more while requests to it keep failing.

      Espalier.generate(Ticket, text,
        model: "large",
        backend: [Espalier.Backends.OpenAI, MyApp.OtherBackend],
        middleware: [Espalier.Middleware.CircuitBreaker]
      )

  There is one circuit for each backend with its options and model, in this VM. A *closed* one lets requests
  through. When enough of them failed it is *open*: each request is an `Espalier.CircuitOpenError` at once, and
  another backend of a list is asked. After a time it is *half-open*: one request goes through, as a probe.
  If that one is answered the circuit is closed, and if not it is open again. The end of a process that probes, or a
  reader that stops early, says nothing: the next request is the probe.

  Only failures that pass count, those that are tried again by themselves, and answers that were not there within the
  request's `:timeout`. An answer is an answer, even if it is a refusal. Changes are told by `Espalier.Telemetry`.

      iex> down = %Espalier.TransportError{kind: :connect, url: "http://127.0.0.1:9"}
      iex> Espalier.Testing.stub(fn _request -> down end)
      iex> options = [backend: {Espalier.Testing, id: 1}, retry_delay: 0, middleware: [{Espalier.Middleware.CircuitBreaker, failures: 2}]]
      iex> {:error, error} = Espalier.generate([name: :string], "Ada", options)
      iex> {error.__struct__, length(Espalier.Testing.asked())}
      {Espalier.CircuitOpenError, 2}

  ## Options

  #{Options.docs(@options)}
  """

  @behaviour Espalier.Middleware

  alias Espalier.CircuitOpenError
  alias Espalier.GenerationError
  alias Espalier.Middleware
  alias Espalier.Middleware.CircuitBreaker.Circuits
  alias Espalier.ProviderError
  alias Espalier.RefusalError
  alias Espalier.Request
  alias Espalier.Retry
  alias Espalier.Telemetry

  @impl true
  def validate(options), do: Options.validate(options, @options)

  @impl true
  def call(request, next, options) do
    enter = fn -> Circuits.enter(Request.destination(request), Map.new(options)) end
    {:ok, Stream.transform([request], enter, &ask(&1, &2, next), &leave(&1, request))}
  end

  defp ask(request, {:ok, pass, change} = entered, next) do
    tell(change, request)
    events = request |> next.() |> Middleware.flat()
    {Stream.each(events, &watch(&1, pass, request)), entered}
  end

  defp ask(request, {:open, left} = entered, _next) do
    until = left && DateTime.add(DateTime.utc_now(), left, :millisecond)
    error = %CircuitOpenError{backend: request.backend, model: request.model, until: until}
    {[{:error, error}], entered}
  end

  defp watch({:done, _info}, pass, request), do: report(pass, :answered, request)
  defp watch({:error, error}, pass, request), do: report(pass, outcome(error), request)
  defp watch(_no_end, _pass, _request), do: :ok

  defp outcome(%RefusalError{}), do: :answered
  defp outcome(%GenerationError{kind: :timeout, detail: nil}), do: :failed

  defp outcome(error) do
    case {Retry.transient?(error), error} do
      {true, _error} -> :failed
      {false, %ProviderError{}} -> :answered
      {false, _not_asked} -> :unknown
    end
  end

  defp leave({:ok, pass, _change}, request), do: report(pass, :unknown, request)
  defp leave({:open, _left}, _request), do: :ok

  defp report(pass, outcome, request), do: pass |> Circuits.report(outcome) |> tell(request)

  defp tell(:same, _request), do: :ok

  defp tell({from, to}, request) do
    Telemetry.event([:circuit], fn ->
      metadata = %{backend: request.backend, model: request.model, from: from, to: to}
      {%{system_time: System.system_time()}, metadata}
    end)
  end
end
