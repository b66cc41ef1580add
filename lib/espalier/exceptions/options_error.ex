defmodule Espalier.OptionsError do
  @moduledoc """
  Options that a function does not take.

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:unknown` | no such option | `option`, `suggestion` (the nearest name or `nil`) |
  | `:invalid` | a value that the option does not take | `option`, `expected`, `got` |
  | `:missing` | a required option was not given | `option`, `expected` |
  | `:not_keyword` | the options are not a keyword list | `expected`, `got` |
  | `:unsupported` | an option, or a value of it, that the provider has nothing for | `option`, `got`, `provider` |

      iex> {:error, error} = Espalier.generate([name: :string], "Ada", temprature: 0.5)
      iex> {error.kind, error.suggestion}
      {:unknown, :temperature}
  """

  @type t :: %__MODULE__{
          kind: :unknown | :invalid | :missing | :not_keyword | :unsupported,
          option: atom | nil,
          expected: String.t() | nil,
          got: term,
          suggestion: atom | nil,
          provider: atom
        }

  defexception [:kind, :option, :expected, :got, :suggestion, :provider]

  @impl true
  def message(%{kind: :unknown, suggestion: nil} = error),
    do: "unknown option #{inspect(error.option)}"

  def message(%{kind: :unknown} = error) do
    "unknown option #{inspect(error.option)}. Did you mean #{inspect(error.suggestion)}?"
  end

  def message(%{kind: :missing} = error) do
    "required option #{inspect(error.option)} not found: expected #{error.expected}"
  end

  def message(%{kind: :invalid} = error) do
    "invalid value for #{inspect(error.option)} option: " <>
      "expected #{error.expected}, got: #{Espalier.Error.show(error.got)}"
  end

  def message(%{kind: :unsupported} = error) do
    "#{error.provider} does not take the option #{inspect(error.option)}, " <>
      "got: #{Espalier.Error.show(error.got)}"
  end

  def message(%{kind: :not_keyword} = error) do
    "invalid options: expected #{error.expected}, got: #{Espalier.Error.show(error.got)}"
  end
end
