defmodule Espalier.NativeError do
  @moduledoc """
  The native library is at fault, or is not there: never something that input should cause.

  | kind | meaning |
  | --- | --- |
  | `:not_loaded` | the library could not be loaded; the message says why |
  | `:panic` | a bug in the library, caught |
  | `:poisoned` | a matcher that such a bug left behind, and that can't be used any more |
  | `:no_token_allowed` | a constraint that led to a place without a way on |
  | `:other` | an error that has no kind yet |

      iex> Exception.message(%Espalier.NativeError{kind: :panic, message: "a bug"})
      "a bug"
  """

  @type t :: %__MODULE__{kind: atom, message: String.t(), detail: String.t() | nil}

  defexception [:kind, :message, :detail]
end
