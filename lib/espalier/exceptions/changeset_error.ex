defmodule Espalier.ChangesetError do
  @moduledoc """
  A value that the changeset function of an Ecto schema refused.

    * `changeset` - the changeset with its errors
    * `diagnostics` - the same errors, those of embeds among them: each a map with the `path` to the field,
      keys as texts and places in lists as integers, and the `message`

  The error's own message has them all:

      iex> diagnostics = [%{path: ["items", 0, "price"], message: "must be greater than 0"}]
      iex> Exception.message(%Espalier.ChangesetError{diagnostics: diagnostics})
      "invalid value: items.0.price must be greater than 0"
  """

  @type t :: %__MODULE__{
          changeset: term,
          diagnostics: [%{path: [String.t() | non_neg_integer], message: String.t()}]
        }

  defexception [:changeset, diagnostics: []]

  @impl true
  def message(%{diagnostics: diagnostics}) do
    "invalid value: " <>
      Enum.map_join(diagnostics, "; ", fn %{path: path, message: message} ->
        "#{Espalier.Error.place(path)} #{message}"
      end)
  end
end
