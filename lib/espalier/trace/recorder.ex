defmodule Espalier.Trace.Recorder do
  @moduledoc false
  # Puts a trace together from the events of an attempt, if the request asks for one.

  alias Espalier.Backend
  alias Espalier.Request
  alias Espalier.Schema.Form
  alias Espalier.Trace
  alias Espalier.Trace.Token

  defstruct tokens: [], choice: nil, size: nil

  # `choice` is that of the token that comes next; the tokens are in reverse.
  @type t :: %__MODULE__{tokens: [Token.t()], choice: map | nil, size: pos_integer | nil} | :off

  @spec new(Request.t()) :: t
  def new(%Request{trace: true}), do: %__MODULE__{}
  def new(%Request{}), do: :off

  @doc "After one more event."
  @spec record(t, Backend.event()) :: t
  def record(:off, _event), do: :off
  def record(recorder, {:choice, choice}), do: %{recorder | choice: choice, size: choice.size}

  # A trace is that of the text.
  def record(recorder, {:reasoning, _ids, _text}), do: recorder

  def record(recorder, {:tokens, ids, text, forced?}) do
    token = %Token{id: List.first(ids), text: text, forced?: forced?}
    token = struct!(token, Map.drop(recorder.choice || %{}, [:size]))
    %{recorder | tokens: [token | recorder.tokens], choice: nil}
  end

  @doc "The trace of an attempt that ended; `error` is why it gave no value."
  @spec finish(t, Request.t(), String.t(), map, Exception.t() | nil) :: Trace.t() | nil
  def finish(:off, _request, _text, _info, _error), do: nil

  def finish(recorder, request, text, info, error) do
    %Trace{
      backend: request.backend,
      model: request.model,
      schema: Form.name(request.schema),
      text: text,
      size: recorder.size,
      usage: info.usage,
      finish_reason: info.finish_reason,
      error: error,
      tokens: Enum.reverse(recorder.tokens)
    }
  end
end
