defmodule Espalier.CLI.ValueJSON do
  @moduledoc false
  # What was generated as JSON, in the order and with the numbers of the text where that is JSON.

  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.Result
  alias Espalier.Schema.Dump
  alias Espalier.Schema.Form

  @doc "The value: of a choice, regular expression or grammar it is the text."
  @spec value(Form.t(), Result.t()) :: JSON.value()
  def value(%Form{kind: kind}, result) when kind in [:choice, :regex, :grammar], do: text(result)

  def value(%Form{kind: :sequence}, result), do: result.text

  def value(_form, %{fixes: []} = result),
    do: JSON.decode!(result.text, objects: :ordered, numbers: :exact)

  def value(%Form{kind: :typed, content: type}, result), do: Dump.dump(type, result.value)
  def value(%Form{}, result), do: result.value

  # What was done to read it is not part of the text.
  defp text(%{value: value}) when is_atom(value) or is_integer(value), do: to_string(value)
  defp text(%{value: value}), do: value

  @doc "All that is known of a generation."
  @spec result(Form.t(), Result.t()) :: Object.t()
  def result(form, result) do
    %Object{
      members: [
        {"value", value(form, result)},
        {"text", result.text},
        {"reasoning", result.reasoning},
        {"fixes", result.fixes},
        {"finish_reason", result.finish_reason},
        {"usage", result.usage},
        {"seed", result.seed},
        {"retries", result.retries},
        {"cached", result.cached?},
        {"attempts", Enum.map(result.attempts, &attempt/1)}
      ]
    }
  end

  defp attempt(attempt) do
    %Object{
      members: [
        {"text", attempt.text},
        {"error", attempt.error && error(attempt.error)},
        {"fixes", attempt.fixes},
        {"usage", attempt.usage},
        {"backend", inspect(attempt.backend)},
        {"retries", attempt.retries}
      ]
    }
  end

  @doc "An error: its type and kind, and what it says."
  @spec error(Exception.t()) :: Object.t()
  def error(%module{} = error) do
    %Object{
      members: [
        {"type", inspect(module)},
        {"kind", Map.get(error, :kind)},
        {"message", Exception.message(error)}
      ]
    }
  end
end
