defmodule Espalier.Model.Meter do
  @moduledoc false
  # Tells telemetry what a model did since the last time.

  alias Espalier.Native
  alias Espalier.Telemetry

  @enforce_keys [:native, :model, :activity, :at]
  defstruct @enforce_keys ++ [idle?: true]

  # What was told last holds until something else is told: that a model is idle has to be told, too.
  @type t :: %__MODULE__{
          native: reference,
          model: term,
          activity: map,
          at: integer,
          idle?: boolean
        }

  @counts [:steps, :prompt_tokens, :cached_tokens, :completion_tokens, :forced_tokens]
  @now [:running, :queue_length, :kv_cache_tokens, :kv_cache_bytes]

  @doc "Begins to count; `model` is what the events call it."
  @spec new(reference, term) :: t
  def new(native, model) do
    %__MODULE__{
      native: native,
      model: model,
      activity: Native.model_activity(native),
      at: System.monotonic_time()
    }
  end

  @doc "Tells what was done since the last time, if it was anything, or was anything the time before."
  @spec tell(t) :: t
  def tell(%__MODULE__{activity: before} = meter) do
    activity = Native.model_activity(meter.native)
    idle? = before.steps == activity.steps and activity.running == 0
    told = %{meter | activity: activity, at: System.monotonic_time(), idle?: idle?}

    unless idle? and meter.idle? do
      Telemetry.event([:model_step], fn ->
        {measurements(before, activity, told.at - meter.at), %{model: meter.model}}
      end)
    end

    told
  end

  defp measurements(before, activity, duration) do
    counts = Map.new(@counts, &{&1, activity[&1] - before[&1]})
    seconds = System.convert_time_unit(duration, :native, :nanosecond) / 1.0e9

    activity
    |> Map.take(@now)
    |> Map.merge(counts)
    |> Map.merge(%{
      duration: duration,
      batch_size: share(activity.advanced - before.advanced, counts.steps),
      tokens_per_second: share(counts.completion_tokens, seconds),
      forward_time: native(activity.forward_time - before.forward_time),
      mask_time: native(activity.mask_time - before.mask_time)
    })
  end

  defp share(_part, whole) when whole == 0, do: 0.0
  defp share(part, whole), do: part / whole

  defp native(nanoseconds), do: System.convert_time_unit(nanoseconds, :nanosecond, :native)
end
