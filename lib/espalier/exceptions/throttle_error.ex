defmodule Espalier.ThrottleError do
  @moduledoc """
  A backend was not asked, because there was no room in time: see `Espalier.Middleware.Throttle`.

  `kind` is what there was too much of: `:at_once`, requests that run, or `:rate`, requests that were
  made lately. `backend` and `model` say where, `waited` is in milliseconds.

      iex> error = %Espalier.ThrottleError{kind: :at_once, backend: MyApp.Backend, model: "large", waited: 500}
      iex> Exception.message(error)
      ~s(MyApp.Backend, model "large", had no room within 500 ms: too many requests at once)
  """

  @type t :: %__MODULE__{
          kind: :at_once | :rate,
          backend: module,
          model: term,
          waited: non_neg_integer
        }

  defexception [:kind, :backend, :model, :waited]

  @impl true
  def message(%{kind: kind} = error) do
    why = if kind == :at_once, do: "too many requests at once", else: "too many requests lately"
    "#{Espalier.Error.asked(error)}, had no room within #{error.waited} ms: #{why}"
  end
end
