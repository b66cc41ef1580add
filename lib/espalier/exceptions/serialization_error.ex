defmodule Espalier.SerializationError do
  @moduledoc """
  Bytes that can't be loaded as a constraint or a vocabulary: compile or make it again.

  `:kind` is `:invalid_serialized`, `what` is `"constraint"` or `"vocabulary"`, and `part` says what is
  the matter:

  | part | meaning |
  | --- | --- |
  | `"magic"`, `"kind"` | the bytes are something else |
  | `"version"`, `"engine"` | another version of Espalier wrote them |
  | `"size"`, `"length"`, `"checksum"` | they are too many, cut off or damaged |
  | `"vocabulary"` | the constraint was compiled for another vocabulary |
  | another | a part of the content that can't be |

  `expected` and `got` say what should be there and what is, and `path` is the file of `Espalier.Vocabulary.load/2`.

      iex> {:error, error} = Espalier.Vocabulary.deserialize("something else")
      iex> {error.what, error.part}
      {"vocabulary", "magic"}
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          what: String.t(),
          part: String.t(),
          expected: String.t(),
          got: String.t(),
          path: String.t() | nil
        }

  defexception [:kind, :message, :what, :part, :expected, :got, :path]
end
