defmodule Espalier.JSONError do
  @moduledoc """
  A text that is not JSON, or a term that has no JSON.

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:json_syntax` | the text is not JSON | `line`, `column` (from 1), `detail` |
  | `:json_depth` | nested deeper than the limit | `limit` |
  | `:json_number` | a number outside the range of a float | `detail`: the number |
  | `:json_term` | a term that JSON can't hold | `pointer` to it, `detail` |

      iex> {:error, error} = Espalier.JSON.decode(~s({"age": }))
      iex> {error.kind, error.line, error.column}
      {:json_syntax, 1, 9}
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          line: pos_integer | nil,
          column: non_neg_integer | nil,
          limit: pos_integer | nil,
          pointer: String.t() | nil,
          detail: String.t() | nil
        }

  defexception [:kind, :message, :line, :column, :limit, :pointer, :detail]
end
