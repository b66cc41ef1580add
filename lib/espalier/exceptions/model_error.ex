defmodule Espalier.ModelError do
  @moduledoc """
  A model that can't be loaded or is not there.

  | kind | meaning |
  | --- | --- |
  | `:not_found` | a file is missing or can't be read: `path`, `detail` |
  | `:invalid_config` | a configuration file that can't be used: `path`, `field`, `expected`, `got` |
  | `:invalid_weights` | a weights file that can't be used: `path`, `field` (the tensor), `expected`, `got` |
  | `:invalid_tokenizer` | a tokenizer file that can't be used: `detail` |
  | `:vocabulary_mismatch` | a tokenizer with more ids than the model has: `length`, `max_length`; or a constraint that was compiled for other tokens: `expected`, `got` |
  | `:unsupported_architecture` | `got`, and `expected`: those that are supported |
  | `:device_unavailable` | a device that can't be used: `got`, `expected` (the kinds that the native library was built for), `detail` |
  | `:not_running` | no model runs under that name or process: `detail` |
  | `:stopped` | the model was stopped while a request ran |
  | `:member_lost` | the member of a group to which the request went was stopped, or its node is gone: `detail` is the node. It is tried again |
  | `:version_mismatch` | models of that name run on nodes with another version of Espalier only: `expected`, `got` |

      iex> {:error, error} = Espalier.generate([name: :string], "Ada is here.", model: :no_such_model)
      iex> error.kind
      :not_running
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          path: String.t() | nil,
          field: String.t() | nil,
          expected: String.t() | nil,
          got: String.t() | nil,
          length: non_neg_integer | nil,
          max_length: non_neg_integer | nil,
          detail: String.t() | nil
        }

  defexception [:kind, :message, :path, :field, :expected, :got, :length, :max_length, :detail]
end
