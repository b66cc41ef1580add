defmodule Espalier.Explanation do
  @moduledoc """
  What `Espalier.explain/2` says of one rule of a schema.

    * `path` - leads to the values that it is about: keys as texts, places in arrays as integers, and `:*` for
      any key or place; `[]` is the whole value
    * `keyword` - the keyword of JSON Schema, `"false"` for a schema that is `false`, `"validate"` for a function of an `Espalier.Schema`, `"changeset"`
      for what the changeset function of an Ecto schema says, and `"constraint"` for a compiled constraint
    * `value` - the keyword's value, the function, or a sentence about the changeset function
    * `by` - who keeps it:

  | by | meaning |
  | --- | --- |
  | `:tokens` | no text that breaks it can be written |
  | `:provider` | the provider's mode enforces it, see `Espalier.Profile`; the text is checked all the same |
  | `:description` | the provider's mode does not: the model reads of it, and the text is checked |
  | `:validation` | the text is checked when it is there, and refused with all that is wrong |
  | `:function` | your function is asked when the value is there |
  | `:unseen` | your function may ask for more than can be told |
  | `:nothing` | the keyword states nothing: JSON Schema or its draft does not know it, or another one is missing. Is it misspelt? |

      iex> [rule] = Espalier.explain(%{"type" => "integer"})
      iex> {rule.path, rule.keyword, rule.value, rule.by}
      {[], "type", "integer", :tokens}
  """

  @enforce_keys [:path, :keyword, :value, :by]
  defstruct [:path, :keyword, :value, :by]

  @type t :: %__MODULE__{
          path: [String.t() | non_neg_integer | :*],
          keyword: String.t(),
          value: term,
          by: :tokens | :provider | :description | :validation | :function | :unseen | :nothing
        }
end
