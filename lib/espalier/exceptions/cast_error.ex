defmodule Espalier.CastError do
  @moduledoc """
  Decoded JSON that does not fit the schema it is cast to.

  `path` leads to the value from the root: keys as texts, places in arrays as integers.

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:mismatch` | the schema has another value there | `expected`; `got`, the JSON that was found |
  | `:rejected` | a function given as `:validate` refused the value | `expected`, its message; `got`, the value |

      iex> {:error, error} = Espalier.Schema.cast([tags: {:array, :string}], %{"tags" => ["a", 2]})
      iex> {error.path, error.expected, error.got}
      {["tags", 1], "string", 2}
  """

  @type t :: %__MODULE__{
          kind: :mismatch | :rejected,
          path: [String.t() | non_neg_integer],
          expected: String.t(),
          got: term
        }

  defexception [:expected, :got, kind: :mismatch, path: []]

  @impl true
  def message(%{path: path} = error) do
    place = if path == [], do: "", else: " at " <> Espalier.Error.place(path)
    says = if error.kind == :mismatch, do: "expected ", else: ""
    "invalid value#{place}: #{says}#{error.expected}, got: #{Espalier.Error.show(error.got)}"
  end
end
