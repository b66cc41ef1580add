defmodule Espalier.CircuitOpenError do
  @moduledoc """
  A backend was not asked, because requests to it kept failing: see `Espalier.Middleware.CircuitBreaker`.

  `backend` and `model` say which, `until` when it is tried again; `nil` where that is being done at this
  moment.

      iex> error = %Espalier.CircuitOpenError{backend: MyApp.Backend, model: "large", until: ~U[2026-11-27 20:00:00Z]}
      iex> Exception.message(error)
      ~s(MyApp.Backend, model "large", keeps failing and is not asked until 2026-11-27 20:00:00Z)
  """

  @type t :: %__MODULE__{backend: module, model: term, until: DateTime.t() | nil}

  defexception [:backend, :model, :until]

  @impl true
  def message(%{until: until} = error) do
    what = Espalier.Error.asked(error)

    if until,
      do: "#{what}, keeps failing and is not asked until #{until}",
      else: "#{what}, kept failing and is being tried again by another request"
  end
end
