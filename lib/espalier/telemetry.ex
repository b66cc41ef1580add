defmodule Espalier.Telemetry do
  @moduledoc """
  The events that Espalier emits through [`:telemetry`](https://hexdocs.pm/telemetry).

  Most are spans: one event when the work starts, and one of two when it ends. Where the
  `:telemetry` application is absent nothing is emitted, and nothing else changes.

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

  No metadata holds what was asked or written: neither prompts nor texts nor values.

  ## `[:espalier, :generate, _]`

  One generation. For `Espalier.stream/3` it lasts from the first event asked for to the last one,
  or to where the caller stopped reading.

  | event | measurements | metadata |
  | --- | --- | --- |
  | `:start` | `system_time`, `monotonic_time` | `backend`, `model`, `schema`, `max_tokens`, `temperature`, `seed` |
  | `:stop` | `duration`, `monotonic_time`, `attempts`, `retries`, and those of `t:Espalier.Result.usage/0` if it was finished | as at the start, `finish_reason`: `:stop`, `:max_tokens`, or `:halted` when the caller stopped reading, `cached?`: whether the text came from an `Espalier.Cache` |
  | `:exception` | `duration`, `monotonic_time`, `attempts`, `retries` | as at the start, `kind`: `:error`, `reason`: the exception's module, `error_kind`: its kind, `stacktrace`: `[]` |

  `attempts` is how many ended, each for a value that was refused or with another backend; `retries` is how
  often a request was repeated that had failed. Where there are several backends, `backend` and `model` are those
  of the first.

  ## `[:espalier, :batch, _]`

  A batch of many generations, each of which has its own span. It lasts from the first result asked for to the last
  one, or to where the caller stopped reading.

  | event | measurements | metadata |
  | --- | --- | --- |
  | `:start` | `system_time`, `monotonic_time` | `backend`, `model`, `schema`: `nil` if a function makes the requests, `max_concurrency`, `ordered`, `total`: `nil` if it can't be told |
  | `:stop` | `duration`, `monotonic_time`, `done`, `failed` | as at the start, `finish_reason`: `:stop`, or `:halted` when the caller stopped reading |
  | `:exception` | `duration`, `monotonic_time`, `done`, `failed` | as at the start, and as above, for what the items or the function for the progress raised |

  `done` is how many items have a result, `failed` how many of these are errors.

  ## `[:espalier, :retry]`

  A request is about to be repeated, after a failure that passes.

  | measurements | metadata |
  | --- | --- |
  | `delay`: the wait in milliseconds, `retries`: with this one | `backend`, `model`, `schema`, `attempt`: its number, `reason`: the exception's module, `error_kind`: its kind |

  ## `[:espalier, :circuit]`

  A circuit of `Espalier.Middleware.CircuitBreaker` changed.

  | measurements | metadata |
  | --- | --- |
  | `system_time` | `backend`, `model`, `from` and `to`: each `:closed`, `:open` or `:half_open` |

  ## `[:espalier, :compile, _]`

  The compilation of a constraint that was not in the `Espalier.ConstraintCache`, in the process that compiles.

  | event | measurements | metadata |
  | --- | --- | --- |
  | `:start` | `system_time`, `monotonic_time` | `schema` |
  | `:stop` | `duration`, `monotonic_time` | `schema` |
  | `:exception` | `duration`, `monotonic_time` | `schema`, `kind`, `reason`, `error_kind`, `stacktrace` as above |

  ## `[:espalier, :constraint_cache, _]`

  What an `Espalier.ConstraintCache` does.

  | event | measurements | metadata |
  | --- | --- | --- |
  | `:hit` | `system_time` | `schema` |
  | `:miss` | `system_time` | `schema` |
  | `:eviction` | `bytes`: those of the constraint that was dropped | `reason`: `:full`, or `:unused` when its vocabulary is gone |

  Hits and misses are told in the process of the caller. Many misses of one schema at a time are one compilation.

  ## Fields

    * `duration`, `monotonic_time` and `system_time` are in native time units
    * `schema` is the schema module, or the kind of schema: `:fields`, `:json_schema`, `:choice`,
      `:regex` or `:constraint`
    * `model` is what was given as `:model`
    * `telemetry_span_context` is in every event: the same reference in those of one span
  """

  @compile {:no_warn_undefined, :telemetry}

  @typedoc false
  @type span :: {event :: atom, started :: integer, metadata :: map}

  @doc false
  # The function takes nothing and gives what `span/3` gives.
  @spec span(atom, map, fun) :: {:ok, term} | {:error, Exception.t()}
  def span(event, metadata, fun) do
    span = start(event, metadata)

    case fun.() do
      {:ok, _value} = result ->
        stop(span, %{}, %{})
        result

      {:error, error} = result ->
        exception(span, error)
        result
    end
  end

  @doc false
  @spec start(atom, map) :: span
  def start(event, metadata) do
    started = System.monotonic_time()
    metadata = Map.put(metadata, :telemetry_span_context, make_ref())
    measurements = %{monotonic_time: started, system_time: System.system_time()}
    execute([:espalier, event, :start], measurements, metadata)
    {event, started, metadata}
  end

  @doc false
  @spec stop(span, map, map) :: :ok
  def stop({event, started, metadata}, measurements, more) do
    measurements = Map.merge(measurements, elapsed(started))
    execute([:espalier, event, :stop], measurements, Map.merge(metadata, more))
  end

  @doc false
  @spec exception(span, Exception.t(), map) :: :ok
  def exception({event, started, metadata}, %module{} = error, measurements \\ %{}) do
    measurements = Map.merge(measurements, elapsed(started))
    more = %{kind: :error, reason: module, error_kind: Map.get(error, :kind), stacktrace: []}
    execute([:espalier, event, :exception], measurements, Map.merge(metadata, more))
  end

  @doc false
  # What has no duration.
  @spec event(atom | [atom], map, map) :: :ok
  def event(event, measurements, metadata),
    do: execute([:espalier | List.wrap(event)], measurements, metadata)

  defp elapsed(started) do
    now = System.monotonic_time()
    %{duration: now - started, monotonic_time: now}
  end

  defp execute(event, measurements, metadata) do
    case sink() do
      nil -> :ok
      sink -> sink.execute(event, measurements, metadata)
    end
  end

  # Whether a module that is absent could be loaded costs a millisecond to find out.
  defp sink do
    with :unknown <- :persistent_term.get(__MODULE__, :unknown) do
      put_sink(if Code.ensure_loaded?(:telemetry), do: :telemetry)
    end
  end

  @doc false
  # Where events go; another module than `:telemetry` serves tests.
  @spec put_sink(module | nil) :: module | nil
  def put_sink(sink) do
    :persistent_term.put(__MODULE__, sink)
    sink
  end
end
