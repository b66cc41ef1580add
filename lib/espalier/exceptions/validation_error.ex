defmodule Espalier.ValidationError do
  @moduledoc """
  A text that is no value of its schema, with all that is wrong.

  Each of the `violations` is a map:

    * `path` - leads to the part of the value from the root: keys as texts, places in arrays as integers
    * `keyword` - of JSON Schema, `"pattern"` for a regular expression, `"constraint"` for a constraint
    * `expected` - the keyword's value
    * `got` - the part of the value; it and `expected` are JSON, cut off where they are long
    * `message` - a sentence about it

  They are at most a hundred.

      iex> schema = [name: {:string, min_length: 1}, age: {:integer, min: 0}]
      iex> {:error, error} = Espalier.Schema.read(schema, ~s({"name": "", "age": -5}))
      iex> for violation <- error.violations, do: {violation.path, violation.keyword, violation.got}
      [{["name"], "minLength", ~s("")}, {["age"], "minimum", "-5"}]
      iex> Exception.message(error)
      ~s(invalid value: at name: "" is shorter than 1 character; at age: -5 is less than the minimum of 0)
  """

  @type violation :: %{
          path: [String.t() | non_neg_integer],
          keyword: String.t(),
          expected: String.t(),
          got: String.t(),
          message: String.t()
        }

  @type t :: %__MODULE__{violations: [violation]}

  defexception violations: []

  @most_shown 10

  @impl true
  def message(%{violations: violations}) do
    {shown, others} = Enum.split(violations, @most_shown)
    more = if others == [], do: "", else: "; and #{length(others)} more"
    "invalid value: " <> Enum.map_join(shown, "; ", &Espalier.Error.fault/1) <> more
  end
end
