defmodule Espalier.Schema.Parts.Capture do
  @moduledoc false
  # A part of a text that has a name, and how its text becomes a value.

  alias Espalier.Schema.Form

  @enforce_keys [:name, :many?]
  defstruct @enforce_keys ++ [:form, :tag, stops: []]

  @typedoc """
  `many?` says whether there can be several of the name. Of a part with a schema `form` reads the value; `stops` are the
  texts that end free text, which are no part of the value. With a `tag` the value is a pair, which begins with it.
  """
  @type t :: %__MODULE__{
          name: atom,
          many?: boolean,
          form: Form.t() | nil,
          tag: String.t() | nil,
          stops: [String.t()]
        }

  @doc "The text as it counts, and its value."
  @spec cast(t, String.t()) ::
          {:ok, %{name: atom, text: String.t(), value: term}} | {:error, Exception.t()}
  def cast(%{name: name, form: nil} = capture, text) do
    text = without_stop(text, capture.stops)
    {:ok, %{name: name, text: text, value: text}}
  end

  def cast(%{name: name, form: form, tag: tag}, text) do
    with {:ok, value} <- Form.read(form, text) do
      value = if tag, do: {tag, value}, else: value
      {:ok, %{name: name, text: text, value: value}}
    end
  end

  # Of those that end at the same place the longest is the one that ended it.
  defp without_stop(text, stops) do
    case stops
         |> Enum.filter(&String.ends_with?(text, &1))
         |> Enum.max_by(&byte_size/1, fn -> nil end) do
      nil -> text
      stop -> binary_part(text, 0, byte_size(text) - byte_size(stop))
    end
  end
end
