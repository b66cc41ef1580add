defmodule Espalier.Fallback do
  @moduledoc false
  # Going on to the next backend of a list.

  alias Espalier.CircuitOpenError
  alias Espalier.GenerationError
  alias Espalier.ModelError
  alias Espalier.ProviderError
  alias Espalier.Request
  alias Espalier.SchemaError
  alias Espalier.ThrottleError
  alias Espalier.TransportError
  alias Espalier.Truncation

  @doc """
  Whether another backend may not have the error.

  A refusal is about what was asked, and is not taken elsewhere; wrong options are the caller's to mend.
  """
  @spec possible?(Exception.t()) :: boolean
  def possible?(%GenerationError{kind: kind}),
    do: kind in [:computation_failed, :incomplete, :no_chat_template, :prompt_too_long]

  def possible?(%error{}) do
    error in [
      CircuitOpenError,
      ModelError,
      ProviderError,
      SchemaError,
      ThrottleError,
      TransportError
    ]
  end

  @doc "The request for the next backend, if there is one."
  @spec request(Request.t()) :: {:ok, Request.t()} | :none
  def request(%Request{fallbacks: []}), do: :none

  # What this one began is not for another one to go on with.
  def request(%Request{fallbacks: [backend | others]} = request),
    do: {:ok, struct!(%{Truncation.anew(request) | fallbacks: others}, backend)}
end
