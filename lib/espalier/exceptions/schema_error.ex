defmodule Espalier.SchemaError do
  @moduledoc """
  A schema, regular expression, grammar or list of choices that can't be turned into a constraint.

  `:kind` says what is the matter; the other fields are set where they mean something:

  | kind | meaning | fields |
  | --- | --- | --- |
  | `:invalid_json` | the schema's text is not JSON | `line`, `column` (from 1), `detail` |
  | `:invalid_schema` | a keyword has a value that it can't have | `pointer`, `expected`, `got` |
  | `:unsupported_keyword` | a keyword that changes what is valid and is not enforced | `keyword`, `pointer`, `detail` |
  | `:unsupported_by_provider` | a provider's mode would reject the schema, and it can't be said in another way, see `Espalier.Profile` | `keyword`, `pointer`, `detail`; or `limit` (its name), `value` |
  | `:unsatisfiable` | no value satisfies the schema | `pointer` |
  | `:invalid_regex` | the expression can't be parsed | `pattern`, `pointer`, `detail` |
  | `:unsupported_regex` | the expression asks for what an automaton can't decide | `pattern`, `pointer`, `detail` |
  | `:not_exportable` | what a schema or grammar asks for can't be written in the notation that it is exported to, see `Espalier.Constraint.to_regex/2` | `keyword` (or what else it is), `pointer`, `detail` |
  | `:empty_choice` | there is nothing to choose from | |
  | `:invalid_grammar` | the grammar's text can't be read | `expected`, `got`, `line`, `column` |
  | `:unsupported_grammar` | a grammar asks for what can't be had | `got`, `detail`, `line`, `column` |
  | `:undefined_name` | a grammar uses a name that it does not define, or there is no start | `name`, `line`, `column` |
  | `:duplicate_name` | a grammar defines a name twice | `name`, `line`, `column` |
  | `:recursive_terminal` | a terminal contains itself, which only rules can | `name`, `line`, `column` |
  | `:empty_grammar` | no text matches a rule that all texts need | `name`, `line`, `column` |
  | `:limit_exceeded` | one of the `Espalier.Limits` was reached, which the option `:limits` raises | `limit` (its name), `value`, `pointer` |
  | `:cancelled` | compiling was given up | |

  `pointer` is a JSON Pointer into the schema, `""` for its root. What is wrong with an expression or a schema within a
  grammar has the kind that it has otherwise, and a `line` and a `column` of the grammar; so has a limit that it reaches.
  What is wrong with a part of a text has the place of that as its `pointer`: each step is what the part consists of, as
  in `"/sequence/1/grammar"` for the second of some parts, and `"/sequence/1/json_schema/type"` for a keyword of its
  schema.

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["{", "}", ""], eos_ids: [2])
      iex> schema = %{"properties" => %{"age" => %{"type" => "integr"}}}
      iex> {:error, error} = Espalier.Constraint.json_schema(schema, vocabulary: vocabulary)
      iex> {error.kind, error.pointer}
      {:invalid_schema, "/properties/age/type"}
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          pointer: String.t() | nil,
          keyword: String.t() | nil,
          expected: String.t() | nil,
          got: String.t() | nil,
          pattern: String.t() | nil,
          detail: String.t() | nil,
          line: pos_integer | nil,
          column: pos_integer | nil,
          name: String.t() | nil,
          limit: String.t() | nil,
          value: non_neg_integer | nil
        }

  defexception [
    :kind,
    :message,
    :pointer,
    :keyword,
    :expected,
    :got,
    :pattern,
    :detail,
    :line,
    :column,
    :name,
    :limit,
    :value
  ]

  @doc false
  @spec not_utf8(what :: String.t()) :: t
  def not_utf8(what), do: invalid("#{what} is a text in UTF-8, and this one has other bytes")

  @doc false
  # What Elixir sees of a schema that is none, before the engine does.
  @spec invalid(String.t()) :: t
  def invalid(detail), do: %__MODULE__{kind: :invalid_schema, detail: detail, message: detail}
end
