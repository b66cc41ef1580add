defmodule Espalier.Telemetry.Logger do
  @moduledoc false
  # The default logger: a line of `key=value` pairs for each generation, and for what an operator should know. Only the
  # keys that are named here are written, so that no content is.

  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Telemetry
  alias Espalier.Telemetry.Label

  require Logger

  @levels [:debug, :info, :notice, :warning, :error, :critical, :alert, :emergency]

  @events [:generate, :attempt, :retry, :circuit, :batch, :compile, :model_load]

  @options [
    level: [
      type: {:in, @levels},
      default: :info,
      doc: "The level of lines about what went well. That of all others is `:warning`."
    ],
    events: [
      type: {:list, {:in, @events}},
      default: @events,
      doc: "What lines are written about."
    ]
  ]

  @good [:generate, :batch, :model_load]
  @bad @good ++ [:attempt, :compile]

  @metadata [
    backend: "backend",
    model: "model",
    path: "path",
    architecture: "architecture",
    schema: "schema",
    attempt: "attempt",
    finish_reason: "finish_reason",
    cached?: "cached",
    from: "from",
    to: "to",
    reason: "error",
    error_kind: "kind"
  ]

  @measurements [
    duration: "duration_ms",
    delay: "delay_ms",
    attempts: "attempts",
    retries: "retries",
    prompt_tokens: "prompt_tokens",
    completion_tokens: "completion_tokens",
    forced_tokens: "forced_tokens",
    cached_tokens: "cached_tokens",
    reasoning_tokens: "reasoning_tokens",
    done: "done",
    failed: "failed",
    parameters: "parameters"
  ]

  @spec options() :: Options.schema()
  def options, do: @options

  @spec attach(keyword) :: :ok | {:error, OptionsError.t()}
  def attach(options) do
    with {:ok, options} <- Options.validate(options, @options) do
      levels = levels(options[:events], options[:level])
      Telemetry.add_sink(__MODULE__, &log(levels, &1, &2, &3))
    end
  end

  @spec detach() :: :ok
  def detach, do: Telemetry.remove_sink(__MODULE__)

  # By event.
  defp levels(events, level) do
    [
      for(event <- @good, event in events, do: {[:espalier, event, :stop], level}),
      for(event <- @bad, event in events, do: {[:espalier, event, :exception], :warning}),
      for(event <- [:retry, :circuit], event in events, do: {[:espalier, event], :warning})
    ]
    |> Enum.concat()
    |> Map.new()
  end

  defp log(levels, event, measurements, metadata) do
    case levels do
      %{^event => level} -> Logger.log(level, fn -> line(event, measurements, metadata) end)
      _no_line -> :ok
    end
  end

  defp line(event, measurements, metadata) do
    pairs = pairs(@metadata, metadata, &text/2) ++ pairs(@measurements, measurements, &number/2)
    Enum.join([Enum.join(event, ".") | pairs], " ")
  end

  defp pairs(names, values, show) do
    for {key, name} <- names,
        {:ok, value} when value != nil <- [Map.fetch(values, key)],
        do: "#{name}=#{show.(key, value)}"
  end

  # No text can begin a line or a pair of its own.
  defp text(_key, value) do
    text = Label.text(value)
    if text =~ ~r/\A[\w.:\/@+-]+\z/, do: text, else: inspect(text, printable_limit: :infinity)
  end

  defp number(:duration, duration) when is_integer(duration) do
    microseconds = System.convert_time_unit(duration, :native, :microsecond)
    Float.round(microseconds / 1000, 1)
  end

  defp number(_key, value), do: text(nil, value)
end
