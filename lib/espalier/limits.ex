defmodule Espalier.Limits do
  alias Espalier.Options

  @constraint [
    schema_bytes: [
      type: :pos_integer,
      default: 4_194_304,
      doc: "The bytes of the text of a schema, and of the documents beside it."
    ],
    schema_nesting: [
      type: {:range, 1, 127},
      default: 127,
      doc: "How deep the text of a schema is nested, and of documents beside it."
    ],
    schema_nodes: [
      type: :pos_integer,
      default: 500_000,
      doc: """
      The statements of a schema and of all schemas that it refers to: about one for each \
      keyword, for each name in `required`, and for each item of a constant that is an \
      array or an object.\
      """
    ],
    place_bytes: [
      type: :pos_integer,
      default: 67_108_864,
      doc: "The bytes of the places, as JSON Pointers, of all statements of a schema."
    ],
    enum_members: [
      type: :pos_integer,
      default: 200_000,
      doc: "The values of all `enum` and `const` of a schema, or the texts of a choice."
    ],
    enum_bytes: [
      type: :pos_integer,
      default: 4_194_304,
      doc: "The bytes of the texts among those."
    ],
    number_places: [
      type: :pos_integer,
      default: 4096,
      doc: "The decimal places, before or after the point, of a number in a schema."
    ],
    excluded_number_places: [
      type: :pos_integer,
      default: 65_536,
      doc: """
      The decimal places of a number that is excluded from the values of a number, where \
      its neighbours are needed.\
      """
    ],
    excluded_numbers: [
      type: :pos_integer,
      default: 4096,
      doc: "The numbers that are excluded from the values of one number."
    ],
    excluded_multiples: [
      type: {:range, 1, 16},
      default: 8,
      doc: "The numbers of which one number must not be a multiple."
    ],
    multiple_bits: [
      type: :pos_integer,
      default: 131_072,
      doc: "The bits of the number of which all values of one number are multiples."
    ],
    alternatives: [
      type: :pos_integer,
      default: 4096,
      doc: """
      The ways in which one value of one type can satisfy a schema, once its boolean \
      keywords are pulled apart.\
      """
    ],
    unevaluated_choices: [
      type: :pos_integer,
      default: 512,
      doc: """
      The choices among schemas that `unevaluatedProperties` or `unevaluatedItems` depends \
      on.\
      """
    ],
    clauses: [
      type: {:range, 1, 64},
      default: 64,
      doc: """
      The conditions on one object, other than single ones, that are decided as its keys \
      are read.\
      """
    ],
    clause_choices: [
      type: :pos_integer,
      default: 2000,
      doc: "The ways to meet the conditions on one object that are tried to complete it."
    ],
    member_choices: [
      type: :pos_integer,
      default: 256,
      doc: "The ways in which the value of one key can meet conditions on its object."
    ],
    open_counters: [
      type: {:range, 1, 16},
      default: 6,
      doc: "The kinds of items that one array counts and that can go either way at one item."
    ],
    item_counts: [
      type: :pos_integer,
      default: 5000,
      doc: "The counts of items that are tried to complete one array."
    ],
    item_nesting: [
      type: {:range, 1, 127},
      default: 127,
      doc: "How deep an item is nested of an array whose items have to differ."
    ],
    key_states: [
      type: :pos_integer,
      default: 50_000,
      doc: "The states of the automaton that reads the keys of one object."
    ],
    key_classes: [
      type: :pos_integer,
      default: 256,
      doc: "The kinds of keys that the patterns of one object tell apart."
    ],
    product_states: [
      type: :pos_integer,
      default: 100_000,
      doc: "The states of the automaton of several patterns of one string."
    ],
    pattern_lengths: [
      type: :pos_integer,
      default: 65_536,
      doc: "The lengths that bounds on the length of one string with a pattern tell apart."
    ],
    pattern_length_bytes: [
      type: :pos_integer,
      default: 67_108_864,
      doc: "The memory, in bytes, for those."
    ],
    regex_bytes: [
      type: :pos_integer,
      default: 65_536,
      doc: "The bytes of a regular expression."
    ],
    regex_nesting: [
      type: {:range, 1, 250},
      default: 250,
      doc: "How deep a regular expression is nested."
    ],
    regex_lookarounds: [
      type: :pos_integer,
      default: 500,
      doc: "The lookarounds of a pattern."
    ],
    regex_nodes: [
      type: :pos_integer,
      default: 1_000_000,
      doc: """
      The states of a pattern before it is made deterministic: the copies that repetitions \
      make.\
      """
    ],
    regex_work: [
      type: :pos_integer,
      default: 100_000_000,
      doc: "The work of making a pattern deterministic."
    ],
    regex_states: [
      type: :pos_integer,
      default: 200_000,
      doc: "The states of the automaton of a regular expression."
    ],
    regex_table_entries: [
      type: :pos_integer,
      default: 16_777_216,
      doc: "The entries of the table of a pattern's automaton."
    ],
    grammar_bytes: [
      type: :pos_integer,
      default: 1_048_576,
      doc: "The bytes of the text of a grammar."
    ],
    grammar_nesting: [
      type: :pos_integer,
      default: 1_000,
      doc:
        "How deep groups, and repetitions of repetitions, are nested in the text of a grammar, or parts in each other."
    ],
    grammar_rules: [
      type: :pos_integer,
      default: 200_000,
      doc: "The rules of a grammar."
    ],
    grammar_nodes: [
      type: :pos_integer,
      default: 1_000_000,
      doc: "The parts of all rules of a grammar: about one for each text, name and sign."
    ],
    grammar_items: [
      type: :pos_integer,
      default: 200_000,
      doc: """
      The ways in which a grammar can go on at one place in a text, each a place in a rule and in what \
      encloses it.\
      """
    ],
    export_states: [
      type: :pos_integer,
      default: 20_000,
      doc: "The states of one object, array, string or number of what is exported."
    ],
    export_nodes: [
      type: :pos_integer,
      default: 500_000,
      doc: "The parts of all rules of what is exported."
    ],
    export_nesting: [
      type: {:range, 1, 200},
      default: 200,
      doc: "How deep the rules of what is exported lie in each other, where they are written out."
    ],
    export_bytes: [
      type: :pos_integer,
      default: 4_194_304,
      doc: "The bytes of what is exported."
    ],
    completion_bytes: [
      type: :pos_integer,
      default: 1_048_576,
      doc: "The bytes of a text that is made up to complete a value."
    ],
    completion_depth: [
      type: {:range, 1, 100},
      default: 100,
      doc: "How deep arrays of items that have to differ are nested in such a text."
    ],
    compile_fuel: [
      type: :pos_integer,
      default: 60_000_000,
      doc: "The steps of work of compiling, whatever it is spent on."
    ],
    mask_fuel: [
      type: :pos_integer,
      default: 60_000_000,
      doc: """
      The steps of work of one call on a matcher: a mask, a token or a text that is \
      accepted, a completion.\
      """
    ],
    table_bytes: [
      type: :pos_integer,
      default: 67_108_864,
      doc: """
      About the memory, in bytes, of what a constraint remembers of its states, for all \
      its matchers together. More is forgotten, and found out again when it is needed. A \
      single sequence may take four times as much.\
      """
    ]
  ]

  @vocabulary [
    vocabulary_tokens: [
      type: :pos_integer,
      default: 2_000_000,
      doc: "The tokens of a vocabulary."
    ],
    token_bytes: [
      type: :pos_integer,
      default: 65_536,
      doc: "The bytes of a token."
    ],
    vocabulary_bytes: [
      type: :pos_integer,
      default: 8_388_608,
      doc: "The bytes of all tokens of a vocabulary."
    ]
  ]

  @moduledoc """
  Bounds on what a schema, a vocabulary and a call may ask for.

  Each has a default that is safe for input from anywhere: whatever is compiled, and each call on a
  matcher, ends within seconds and half a gibibyte, with a value or with an error of the kind
  `:limit_exceeded`. Its `limit` is the name of the limit, which the option `:limits` raises, of the
  functions of `Espalier.Constraint` and of `Espalier.Vocabulary`:

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["a", "b", ""], eos_ids: [2])
      iex> options = [vocabulary: vocabulary, limits: [enum_members: 1]]
      iex> {:error, error} = Espalier.Constraint.choice(["a", "b"], options)
      iex> {error.kind, error.limit, error.value}
      {:limit_exceeded, "enum_members", 1}

  What is counted is work and not time, so that what is too much on one machine is too much on all.

  A constraint that is being compiled is given up when the process that asked for it ends.

  ## Limits of constraints

  #{Options.docs(@constraint)}
  ## Limits of vocabularies

  #{Options.docs(@vocabulary)}
  """

  @doc false
  @spec constraint_option() :: Options.schema()
  def constraint_option, do: option(@constraint)

  @doc false
  @spec vocabulary_option() :: Options.schema()
  def vocabulary_option, do: option(@vocabulary)

  @doc false
  @spec defaults() :: keyword(pos_integer)
  def defaults, do: for({name, entry} <- @constraint ++ @vocabulary, do: {name, entry[:default]})

  defp option(schema) do
    [
      limits: [
        type: {:keyword, schema},
        default: [],
        doc: "What may be asked for: see `Espalier.Limits`, which has the names and defaults."
      ]
    ]
  end
end
