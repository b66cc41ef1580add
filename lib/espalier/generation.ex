defmodule Espalier.Generation do
  @moduledoc false
  # One running generation of a served model, read message by message by the process that started it.
  #
  # The model sends `{:espalier, ref, message}` to that process. Whatever ends the generation, no message
  # of it stays behind: after a cancellation the last one is waited for, which takes a step of the
  # model at most.

  alias Espalier.Deadline
  alias Espalier.Error
  alias Espalier.GenerationError
  alias Espalier.Model
  alias Espalier.ModelError
  alias Espalier.Native
  alias Espalier.Packed

  # A model that does not even answer a cancellation is not waited for any longer.
  @last_message_timeout 5_000

  @enforce_keys [:ref, :native, :monitor, :timeout, :deadline]
  defstruct [:ref, :native, :monitor, :timeout, :deadline, late?: false, ended?: false]

  @typedoc """
  `late?` says that the generation was cancelled at its deadline, and `ended?` that the model has sent
  its last message.
  """
  @type t :: %__MODULE__{
          ref: reference,
          native: reference,
          monitor: reference,
          timeout: timeout,
          deadline: Deadline.t(),
          late?: boolean,
          ended?: boolean
        }

  @doc """
  Starts a generation. `request` is that of `Espalier.Native.model_generate/4`; `deadline` is that of
  `timeout` from when the caller began to wait.
  """
  @spec start(Model.t(), map, timeout, Deadline.t()) ::
          {:ok, t} | {:error, Exception.t()}
  def start(%Model{} = model, request, timeout, deadline) do
    ref = make_ref()
    monitor = Process.monitor(model.pid)

    case Native.model_generate(model.ref, self(), ref, request) do
      {:ok, native} ->
        times = [timeout: timeout, deadline: deadline]
        {:ok, struct!(__MODULE__, [ref: ref, native: native, monitor: monitor] ++ times)}

      {:error, error} ->
        Process.demonitor(monitor, [:flush])
        {:error, Error.from_native(error)}
    end
  end

  @typedoc "As those of a backend; `choice` is how the token was chosen, if it was sampled and the request is traced."
  @type event ::
          {:reasoning, [non_neg_integer], binary}
          | {:tokens, [non_neg_integer], binary, forced? :: boolean, choice :: map | nil}
          | {:done, map}
          | {:error, Exception.t()}

  @doc "Waits for the next event. After `:done` and `:error` there is none."
  @spec next(t) :: {event, t}
  def next(%__MODULE__{ref: ref, monitor: monitor} = generation) do
    receive do
      {:espalier, ^ref, {:tokens, packed, bytes, forced?, choice}} ->
        {{:tokens, Packed.unpack(packed), bytes, forced?, choice}, generation}

      {:espalier, ^ref, {:reasoning, packed, bytes}} ->
        {{:reasoning, Packed.unpack(packed), bytes}, generation}

      {:espalier, ^ref, last} ->
        {last(last, generation), %{generation | ended?: true}}

      {:DOWN, ^monitor, :process, _pid, _reason} ->
        {{:error, stopped()}, generation}
    after
      Deadline.left(generation.deadline) -> expire(generation)
    end
  end

  # What the text was so far comes with the last message.
  defp expire(%{late?: false} = generation) do
    Native.generation_cancel(generation.native)
    next(%{generation | late?: true, deadline: Deadline.new(@last_message_timeout)})
  end

  defp expire(generation), do: {{:error, timeout(generation.timeout)}, generation}

  @doc "Lets go of a generation; one that has not ended is cancelled."
  @spec stop(t) :: :ok
  def stop(%__MODULE__{} = generation) do
    Process.demonitor(generation.monitor, [:flush])

    unless generation.ended? do
      Native.generation_cancel(generation.native)
      flush(generation.ref)
    end

    :ok
  end

  defp last(_message, %{late?: true, timeout: timeout}), do: {:error, timeout(timeout)}
  defp last({:error, error}, _generation), do: {:error, Error.from_native(error)}

  defp last({:done, %{finish_reason: :cancelled}}, _generation) do
    {:error, %GenerationError{kind: :cancelled, message: "the generation was cancelled"}}
  end

  defp last({:done, info}, _generation) do
    usage = %{
      prompt_tokens: info.prompt_tokens,
      cached_tokens: info.cached_tokens,
      completion_tokens: info.tokens,
      reasoning_tokens: info.reasoning_tokens,
      forced_tokens: info.forced_tokens,
      steps: info.steps
    }

    {:done, %{finish_reason: info.finish_reason, usage: usage}}
  end

  defp flush(ref) do
    receive do
      {:espalier, ^ref, {:tokens, _packed, _bytes, _forced?, _choice}} -> flush(ref)
      {:espalier, ^ref, {:reasoning, _packed, _bytes}} -> flush(ref)
      {:espalier, ^ref, _last} -> :ok
    after
      @last_message_timeout -> :ok
    end
  end

  defp stopped do
    %ModelError{kind: :stopped, message: "the model was stopped while the request ran"}
  end

  defp timeout(milliseconds) do
    message = "no value within #{milliseconds} ms: the generation was cancelled"
    %GenerationError{kind: :timeout, message: message}
  end
end
