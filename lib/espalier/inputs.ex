defmodule Espalier.Inputs do
  @moduledoc false
  # The named terms that a template or a signature is given: all of them are known, none is missing.

  alias Espalier.InputError
  alias Espalier.Options

  @doc """
  The terms by name, from a keyword list or a map.

  `noun` is what the names are called in an error. Of a name that is given twice the first counts.
  """
  @spec new(term, InputError.noun(), known :: [atom], required :: [atom]) ::
          {:ok, map} | {:error, InputError.t()}
  def new(given, noun, known, required) do
    with {:ok, given} <- named(given, noun),
         :ok <- check_missing(given, noun, known, required),
         :ok <- check_unknown(given, noun, known) do
      {:ok, given}
    end
  end

  defp named(given, noun) do
    cond do
      Keyword.keyword?(given) -> {:ok, given |> Enum.reverse() |> Map.new()}
      is_map(given) and not is_struct(given) -> {:ok, given}
      true -> {:error, %InputError{kind: :not_named, noun: noun, got: given}}
    end
  end

  defp check_missing(given, noun, known, required) do
    case Enum.find(required, &(not is_map_key(given, &1))) do
      nil ->
        :ok

      name ->
        suggestion = Options.nearest(name, Map.keys(given) -- known)
        {:error, %InputError{kind: :missing, noun: noun, name: name, suggestion: suggestion}}
    end
  end

  defp check_unknown(given, noun, known) do
    case Map.keys(given) -- known do
      [] ->
        :ok

      [name | _names] ->
        suggestion = Options.nearest(name, known)
        {:error, %InputError{kind: :unknown, noun: noun, name: name, suggestion: suggestion}}
    end
  end
end
