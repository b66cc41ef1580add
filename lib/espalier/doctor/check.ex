defmodule Espalier.Doctor.Check do
  @moduledoc false
  # What was found of one thing. `advice` says what to do about it, if there is something to do.

  @enforce_keys [:name, :status, :message]
  defstruct @enforce_keys ++ [:advice]

  @type t :: %__MODULE__{
          name: String.t(),
          status: :ok | :warn | :fail,
          message: String.t(),
          advice: String.t() | nil
        }

  @spec ok(String.t(), String.t()) :: t
  def ok(name, message), do: %__MODULE__{name: name, status: :ok, message: message}

  @spec warn(String.t(), String.t(), String.t()) :: t
  def warn(name, message, advice),
    do: %__MODULE__{name: name, status: :warn, message: message, advice: advice}

  @spec fail(String.t(), String.t(), String.t()) :: t
  def fail(name, message, advice),
    do: %__MODULE__{name: name, status: :fail, message: message, advice: advice}
end
