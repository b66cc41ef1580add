defmodule Espalier.RefusalError do
  @moduledoc """
  A provider or its model would not answer. Asking the same again does not help, and is not done.

  | kind | meaning |
  | --- | --- |
  | `:refused` | the model said no: `detail` is what it said |
  | `:filtered` | the prompt or the answer was filtered: `detail` is the category, if the provider named one |

  `provider` says who, `text` is what was written until then.

      iex> Exception.message(%Espalier.RefusalError{kind: :refused, provider: :openai, detail: "I can't help with that."})
      "openai: the model refused: I can't help with that."
  """

  @type t :: %__MODULE__{
          kind: :refused | :filtered,
          provider: atom,
          detail: String.t() | nil,
          text: String.t() | nil
        }

  defexception [:kind, :provider, :detail, :text]

  @impl true
  def message(error) do
    what = if error.kind == :refused, do: "the model refused", else: "the content was filtered"
    detail = if error.detail, do: ": #{error.detail}", else: ""
    "#{error.provider}: #{what}#{detail}"
  end
end
