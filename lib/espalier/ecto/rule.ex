defmodule Espalier.Ecto.Rule do
  @moduledoc """
  What `Espalier.Ecto.explain/2` says of one rule.

    * `path` - the names of the fields that lead there; `[]` is the whole struct
    * `rule` - `:type`, `:required`, `:cast`, `:changeset`, or the validation as Ecto keeps it, such as
      `{:length, [max: 10]}`
    * `by` - `:tokens`: no text that breaks it can be generated; `:after`: the changeset function checks it
      when the text is there; `:unseen`: nothing can be said of it, the changeset function has the last word
    * `text` - a sentence about it

  As in the example of `Espalier.Ecto`:

      iex> rules = Espalier.Ecto.explain(Order)
      iex> Enum.find(rules, &(&1.path == [:status])).text
      ~s(is written as: one of "new", "paid")
  """

  @enforce_keys [:path, :rule, :by, :text]
  defstruct [:path, :rule, :by, :text]

  @type t :: %__MODULE__{
          path: [atom],
          rule: term,
          by: :tokens | :after | :unseen,
          text: String.t()
        }
end
