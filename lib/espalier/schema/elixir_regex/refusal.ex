defmodule Espalier.Schema.ElixirRegex.Refusal do
  @moduledoc false
  # How the parts of the translation end it: with what has no translation, in words.

  @spec refuse(String.t()) :: no_return
  def refuse(detail), do: throw({__MODULE__, detail})

  @doc "Ends it because of what PCRE reads as bytes."
  @spec refuse_bytes(String.t()) :: no_return
  def refuse_bytes(detail),
    do:
      refuse(
        "without the flag u it reads bytes, and #{detail}; with the flag u it reads characters"
      )

  @spec catching((() -> result)) :: {:ok, result} | {:error, String.t()} when result: term
  def catching(translate) do
    {:ok, translate.()}
  catch
    {__MODULE__, detail} -> {:error, detail}
  end
end
