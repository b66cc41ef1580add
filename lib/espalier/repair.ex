defmodule Espalier.Repair do
  @moduledoc false
  # Asking again for a value that was refused, with what is wrong about it.

  alias Espalier.CastError
  alias Espalier.ChangesetError
  alias Espalier.Error
  alias Espalier.JSONError
  alias Espalier.Prompt
  alias Espalier.Request
  alias Espalier.Truncation
  alias Espalier.ValidationError

  @most_told 20

  @doc "Whether the model may do better if it knows of the error."
  @spec possible?(Exception.t()) :: boolean
  def possible?(%error{}), do: error in [CastError, ChangesetError, JSONError, ValidationError]

  @doc "The request for the value once more: after the prompt come the text and what is wrong with it."
  @spec request(Request.t(), String.t(), Exception.t()) :: Request.t()
  def request(%Request{} = request, text, error) do
    request = Truncation.anew(request)
    %{request | prompt: Prompt.reply(request.prompt, text, message(error))}
  end

  @doc "What the model is told."
  @spec message(Exception.t()) :: String.t()
  def message(error) do
    """
    That is not valid:

    #{error |> faults() |> Enum.map_join("\n", &("- " <> &1))}

    Write the whole value again, corrected, and nothing else.\
    """
  end

  defp faults(%ValidationError{violations: violations}), do: listed(violations)
  defp faults(%ChangesetError{diagnostics: diagnostics}), do: listed(diagnostics)
  defp faults(error), do: [Exception.message(error)]

  defp listed(faults) do
    {told, others} = Enum.split(faults, @most_told)
    more = if others == [], do: [], else: ["and #{length(others)} more faults"]
    Enum.map(told, &Error.fault/1) ++ more
  end
end
