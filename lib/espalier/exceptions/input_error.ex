defmodule Espalier.InputError do
  @moduledoc """
  What a template or a signature was given that it can't take.

  `noun` says what `name` names: `:assign`, `:input` or `:output`.

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:missing` | one that must be there was not given | `name`, `suggestion` (the nearest name that was given and means nothing, or `nil`) |
  | `:unknown` | no such name | `name`, `suggestion` (the nearest name there is, or `nil`) |
  | `:invalid` | a value of another type | `name`, `expected`, `got` |
  | `:not_named` | neither a keyword list nor a map | `got` |

      iex> template = Espalier.Template.compile!("Dear <%= @name %>,")
      iex> {:error, error} = Espalier.Template.render(template, nme: "Ada")
      iex> {error.kind, error.name, error.suggestion}
      {:missing, :name, :nme}
  """

  @typedoc "What is named."
  @type noun :: :assign | :input | :output

  @type t :: %__MODULE__{
          kind: :missing | :unknown | :invalid | :not_named,
          noun: noun,
          name: term,
          suggestion: term,
          expected: String.t() | nil,
          got: term
        }

  defexception [:kind, :noun, :name, :suggestion, :expected, :got]

  @impl true
  def message(%{kind: :missing, suggestion: nil} = error),
    do: "#{error.noun} #{inspect(error.name)} not found"

  def message(%{kind: :missing} = error) do
    "#{error.noun} #{inspect(error.name)} not found. Did you mean it by #{inspect(error.suggestion)}?"
  end

  def message(%{kind: :unknown, suggestion: nil} = error),
    do: "unknown #{error.noun} #{inspect(error.name)}"

  def message(%{kind: :unknown} = error) do
    "unknown #{error.noun} #{inspect(error.name)}. Did you mean #{inspect(error.suggestion)}?"
  end

  def message(%{kind: :invalid} = error) do
    "invalid value for #{error.noun} #{inspect(error.name)}: " <>
      "expected #{error.expected}, got: #{Espalier.Error.show(error.got)}"
  end

  def message(%{kind: :not_named} = error) do
    "expected #{error.noun}s as a keyword list or a map, got: #{Espalier.Error.show(error.got)}"
  end
end
