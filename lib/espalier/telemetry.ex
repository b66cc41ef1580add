defmodule Espalier.Telemetry do
  @moduledoc """
  The events that Espalier emits through [`:telemetry`](https://hexdocs.pm/telemetry).

      :telemetry.attach("log", [:espalier, :generate, :stop], fn _event, measurements, metadata, _config ->
        milliseconds = System.convert_time_unit(measurements.duration, :native, :millisecond)
        IO.puts("\#{inspect(metadata.schema)} in \#{milliseconds} ms")
      end, nil)

      iex> handler = fn _event, _measurements, metadata, test -> send(test, metadata.schema) end
      iex> :telemetry.attach("schemas", [:espalier, :generate, :stop], handler, self())
      :ok
      iex> Espalier.generate!({:choice, [:yes]}, "Is it late?", model: MyApp.Model)
      :yes
      iex> receive do schema -> schema end
      :choice

  Most are spans: one event when the work starts, `:start`, and one of two when it ends, `:stop` or `:exception`. A
  span whose process is killed does not end. Where the `:telemetry` application is absent, and nothing of the
  below was started, nothing is emitted.

  ## Logs and metrics

  `attach_default_logger/1` writes a line for each generation and a warning of what goes wrong. `metrics/0` has metrics
  of these events for reporters such as Phoenix LiveDashboard. `Espalier.Telemetry.Prometheus` counts them itself. This
  one and the logger need no `:telemetry`.

  ## What was asked and written

  No metadata holds prompts, texts or values, unless `telemetry_content: true` is among the options of a generation, or
  set for all of them: `config :espalier, telemetry_content: true`. Then `content` is a map of `:prompt`, as in
  `Espalier.Request`, and of `:text` where an attempt ended with one, and where a generation ended with a value.

  ## OpenTelemetry

  `gen_ai` is a map of attributes as the [semantic conventions for generative AI](https://opentelemetry.io/docs/specs/semconv/gen-ai/)
  name them, by the strings that they are: `"gen_ai.operation.name"`, `"gen_ai.provider.name"`,
  `"gen_ai.request.model"`, `"gen_ai.request.max_tokens"`, and, where they were given, `"gen_ai.request.temperature"`,
  `"gen_ai.request.top_p"`, `"gen_ai.request.top_k"`, `"gen_ai.request.seed"`; when the span ends also
  `"gen_ai.usage.input_tokens"`, `"gen_ai.usage.output_tokens"` and `"gen_ai.response.finish_reasons"`, or `"error.type"`.
  They can be given to a span as they are.

  ## Units and common fields

    * `duration`, `monotonic_time`, `system_time` and what else is a time are in native units, see
      `System.convert_time_unit/3`, but for `delay`
    * `schema` is the schema module, or the kind of schema: `:fields`, `:json_schema`, `:choice`,
      `:regex`, `:grammar`, `:sequence` or `:constraint`
    * `reason` and `error_kind` say what an error was. Its message is not there: it may tell what was written

  ## Events

  #{Espalier.Telemetry.Events.docs()}
  """

  require Logger

  @typedoc false
  @type span :: {event :: atom, started :: integer, metadata :: map} | :off

  @typedoc false
  @type sink :: ([atom], map, map -> term)

  @doc """
  Writes what happens to the log, as lines of `key=value` pairs: what became of each generation and batch, how long it
  took, its attempts and tokens, and warnings of errors, attempts that were refused, retries and changes of circuits.

      Espalier.Telemetry.attach_default_logger(level: :debug)

  There are no prompts, texts or values in them. To attach it again replaces the options. An option that is none is
  `{:error, %Espalier.OptionsError{}}`.

  ## Options

  #{Espalier.Options.docs(Espalier.Telemetry.Logger.options())}
  """
  @spec attach_default_logger(keyword) :: :ok | {:error, Espalier.OptionsError.t()}
  def attach_default_logger(options \\ []), do: Espalier.Telemetry.Logger.attach(options)

  @doc "Ends what `attach_default_logger/1` began."
  @spec detach_default_logger() :: :ok
  def detach_default_logger, do: Espalier.Telemetry.Logger.detach()

  @doc """
  Metrics of the events, as structs of the package [telemetry_metrics](https://hexdocs.pm/telemetry_metrics), for the
  reporters that take these: Phoenix LiveDashboard, for example.

      live_dashboard "/dashboard", metrics: {Espalier.Telemetry, :metrics}

  Each is named by its event and its measurement, for example `espalier.generate.stop.duration`; where events are
  counted the last word is `count`. What they say is in `Espalier.Telemetry.Prometheus`. Without the package this raises.
  """
  @spec metrics() :: [struct]
  def metrics, do: Espalier.Telemetry.ReporterMetrics.all()

  @doc false
  # `metadata` is a function, so that it costs nothing where nobody is told.
  @spec start(atom, (() -> map)) :: span
  def start(event, metadata) do
    case sinks() do
      [] ->
        :off

      sinks ->
        started = System.monotonic_time()
        metadata = Map.put(metadata.(), :telemetry_span_context, make_ref())
        measurements = %{monotonic_time: started, system_time: System.system_time()}
        tell(sinks, [:espalier, event, :start], measurements, metadata)
        {event, started, metadata}
    end
  end

  @doc false
  @spec stop(span, map, map) :: :ok
  def stop(span, measurements \\ %{}, more \\ %{})
  def stop(:off, _measurements, _more), do: :ok

  def stop({event, started, metadata}, measurements, more) do
    measurements = Map.merge(measurements, elapsed(started))
    tell(sinks(), [:espalier, event, :stop], measurements, Map.merge(metadata, more))
  end

  @doc false
  @spec exception(span, Exception.t(), map, map) :: :ok
  def exception(span, error, measurements \\ %{}, more \\ %{})
  def exception(:off, _error, _measurements, _more), do: :ok

  def exception({event, started, metadata}, error, measurements, more) do
    measurements = Map.merge(measurements, elapsed(started))
    metadata = metadata |> Map.merge(more) |> Map.merge(error(error))
    tell(sinks(), [:espalier, event, :exception], measurements, metadata)
  end

  @doc false
  # The function takes nothing and gives a result. `told` are the measurements and metadata of its value.
  @spec span(
          atom,
          (() -> map),
          (() -> {:ok, term} | {:error, Exception.t()}),
          (term -> {map, map})
        ) ::
          {:ok, term} | {:error, Exception.t()}
  def span(event, metadata, fun, told \\ fn _value -> {%{}, %{}} end) do
    span = start(event, metadata)

    case watch(fun, &exception(span, &1)) do
      {:ok, value} = result ->
        {measurements, more} = told.(value)
        stop(span, measurements, more)
        result

      {:error, error} = result ->
        exception(span, error)
        result
    end
  end

  @doc false
  # What a function gives. Where it raises, throws or exits instead, `raised` is told that first, as an exception.
  @spec watch((() -> result), (Exception.t() -> term)) :: result when result: term
  def watch(fun, raised) do
    fun.()
  catch
    kind, reason ->
      raised.(Exception.normalize(:error, reason, __STACKTRACE__))
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  @doc false
  # An event within a span, of which it has the metadata.
  @spec within(span, atom, (() -> map)) :: :ok
  def within(:off, _event, _measurements), do: :ok

  def within({span, _started, metadata}, event, measurements),
    do: tell(sinks(), [:espalier, span, event], measurements.(), metadata)

  @doc false
  # How long after the start of a span a time was, if there is one.
  @spec since(span, integer | nil) :: integer | nil
  def since({_event, started, _metadata}, time) when is_integer(time), do: time - started
  def since(_span, _time), do: nil

  @doc false
  # What has no duration.
  @spec event([atom], (() -> {map, map})) :: :ok
  def event(event, told) do
    case sinks() do
      [] ->
        :ok

      sinks ->
        {measurements, metadata} = told.()
        tell(sinks, [:espalier | event], measurements, metadata)
    end
  end

  @doc false
  # Whether anybody is told of events.
  @spec on?() :: boolean
  def on?, do: sinks() != []

  @doc false
  # What is told of an error.
  @spec error(Exception.t()) :: map
  def error(%module{} = error),
    do: %{kind: :error, reason: module, error_kind: error_kind(error), stacktrace: []}

  # What others have by this name may be any text.
  defp error_kind(%{kind: kind}) when is_atom(kind), do: kind
  defp error_kind(_error), do: nil

  @doc false
  # Has a function called with all events, in the process that emits them. One that raises is called no more.
  @spec add_sink(term, sink) :: :ok
  def add_sink(id, sink), do: update(&List.keystore(&1, id, 0, {id, sink}))

  @doc false
  @spec remove_sink(term) :: :ok
  def remove_sink(id), do: update(&List.keydelete(&1, id, 0))

  defp elapsed(started) do
    now = System.monotonic_time()
    %{duration: now - started, monotonic_time: now}
  end

  defp tell(sinks, event, measurements, metadata) do
    for {id, sink} <- sinks, do: tell_one(id, sink, event, measurements, metadata)
    :ok
  end

  defp tell_one(id, sink, event, measurements, metadata) do
    sink.(event, measurements, metadata)
  catch
    kind, reason ->
      remove_sink(id)
      what = Exception.format(kind, reason, __STACKTRACE__)
      Logger.error("#{inspect(id)} is told no more events, as it failed: #{what}")
  end

  # Those who emit don't write it, or they could undo what others add at that time.
  defp sinks do
    with :unknown <- :persistent_term.get(__MODULE__, :unknown), do: default_sinks()
  end

  # Whether a module that is absent could be loaded costs a millisecond to find out.
  defp default_sinks do
    with :unknown <- :persistent_term.get({__MODULE__, :default}, :unknown) do
      sinks =
        if Code.ensure_loaded?(:telemetry),
          do: [{:telemetry, Function.capture(:telemetry, :execute, 3)}],
          else: []

      :persistent_term.put({__MODULE__, :default}, sinks)
      sinks
    end
  end

  defp update(change) do
    update = fn -> :persistent_term.put(__MODULE__, change.(sinks())) end
    :global.trans({__MODULE__, self()}, update, [node()])
    :ok
  end
end
