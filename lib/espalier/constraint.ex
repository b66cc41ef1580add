defmodule Espalier.Constraint do
  @moduledoc """
  What a text has to be, compiled for the tokens of a model.

    * `json_schema/2` - JSON that a schema describes
    * `regex/2` - a text that a regular expression matches as a whole
    * `grammar/2` - a text of a context-free grammar, in the syntax of Lark or in GBNF
    * `choice/2` - one of several texts
    * `sequence/2` - a text made of parts
    * `deserialize/2` - one of these, compiled before and stored
    * `to_regex/2`, `to_gbnf/2`, `to_lark/2` - what servers with other engines take

  `Espalier.Matcher` follows one text along a constraint and says which tokens may come next.

  ## Examples

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["yes", "no", "maybe", ""], eos_ids: [3])
      iex> {:ok, constraint} = Espalier.Constraint.choice(["yes", "no"], vocabulary: vocabulary)
      iex> constraint |> Espalier.Matcher.new() |> Espalier.Matcher.allowed_tokens()
      {:ok, [0, 1]}

  A constraint is immutable: compile it once and use it for any number of texts, in any number of
  processes. What its matchers find out is remembered in it and shared. `Espalier.ConstraintCache` keeps
  those of schemas.

  Input from anywhere may be compiled: what it can ask for is bounded, see `Espalier.Limits`.
  """

  alias Espalier.{
    Error,
    Limits,
    Native,
    Options,
    SchemaError,
    SerializationError,
    Vocabulary
  }

  alias Espalier.Constraint.Export
  alias Espalier.Constraint.Source
  alias Espalier.JSON.Documents
  alias Espalier.Schema.ElixirRegex
  alias Espalier.Schema.Form

  @typedoc "`kind` says what it was compiled from."
  @type t :: %__MODULE__{
          ref: reference,
          kind: :json_schema | :regex | :grammar | :choice,
          vocabulary: Vocabulary.t()
        }

  @typedoc "A JSON Schema: its text, or a term that is written as JSON."
  @type json_schema :: String.t() | Espalier.JSON.Object.t() | map | boolean

  @derive {Inspect, except: [:ref]}
  @enforce_keys [:ref, :kind, :vocabulary]
  defstruct [:ref, :kind, :vocabulary]

  @vocabulary [
    vocabulary: [
      type: {:custom, "Espalier.Vocabulary", &Vocabulary.vocabulary?/1},
      required: true,
      doc: "The tokens to compile for."
    ]
  ]
  @common @vocabulary ++ Limits.constraint_option()
  @regex_options @common ++
                   [
                     syntax: [
                       type: {:in, [:rust, :ecma]},
                       default: :rust,
                       doc: """
                       `:rust` is the syntax of Rust's crate `regex`, with Unicode classes and inline flags. \
                       `:ecma` is that of ECMA 262 with its flag `u`, as JSON Schema has it, with lookaround.\
                       """
                     ]
                   ]
  @json_schema_options @common ++
                         [
                           style: [
                             type: {:in, [:generating, :matching]},
                             default: :generating,
                             doc: """
                             How the text may look. `:generating` leaves one spelling for each value, \
                             for a model to write: compact, properties in the order of the schema, \
                             plain numbers and no needless escapes. `:matching` takes what a JSON \
                             parser reads. The options below change parts of it.\
                             """
                           ],
                           whitespace: [
                             type:
                               {:or,
                                [
                                  {:in, [:compact, :spaced, :any]},
                                  {:tuple, [{:in, [:max]}, {:range, 0, 255}]}
                                ]},
                             doc: """
                             None, one space after each comma and colon, any, or at most so many \
                             characters in each place.\
                             """
                           ],
                           property_order: [
                             type: {:in, [:schema, :any]},
                             doc: "The order of an object's properties."
                           ],
                           numbers: [
                             type: {:in, [:plain, :any]},
                             doc: "Whether exponents, and `1.0` for an integer, may be written."
                           ],
                           escapes: [
                             type: {:in, [:minimal, :any]},
                             doc: "Whether characters of strings may be escaped without need."
                           ],
                           format: [
                             type: {:in, [:assert, :ignore]},
                             doc: """
                             Whether strings have the format that the schema names, `:assert` in both \
                             styles. A format that is not known says nothing.\
                             """
                           ],
                           documents: [
                             type:
                               {:custom, "a map of JSON Schemas by URI", &Documents.documents?/1},
                             default: %{},
                             doc: """
                             Other schemas that this one refers to with `$ref`, by their URIs. The \
                             schemas of JSON Schema itself are known.\
                             """
                           ]
                         ]

  @grammar_options [
                     syntax: [
                       type: {:in, [:lark, :gbnf]},
                       default: :lark,
                       doc: "How the grammar is written."
                     ],
                     start: [
                       type: :string,
                       doc:
                         "The rule of whole texts: `start` in Lark and `root` in GBNF by default."
                     ]
                   ] ++ Keyword.delete(@json_schema_options, :documents)

  @generating %{
    whitespace: :compact,
    property_order: :schema,
    numbers: :plain,
    escapes: :minimal,
    format: :assert
  }
  @matching %{
    whitespace: :any,
    property_order: :any,
    numbers: :any,
    escapes: :any,
    format: :assert
  }

  @doc """
  Compiles a JSON Schema, given as its text or as a term.

  In a term the order of the properties counts under `property_order: :schema`, and a map has none:
  its keys are taken in alphabetical order. `Espalier.JSON.Object` keeps the order.

  Every keyword is enforced, or the error says which one is not. The draft is the one that `$schema`
  names, 2020-12 by default. Nothing is fetched. `unknown_keywords/1` tells which keywords JSON Schema
  does not have, and takes as comments.

  The [guide](json_schema.html) has a table of all keywords.

  ## Options

  #{Options.docs(@json_schema_options)}
  ## Examples

      iex> vocabulary = Espalier.Vocabulary.bytes()
      iex> schema = %{type: :object, properties: %{age: %{type: :integer}}, required: [:age]}
      iex> {:ok, constraint} = Espalier.Constraint.json_schema(schema, vocabulary: vocabulary)
      iex> matcher = Espalier.Matcher.new(constraint)
      iex> Espalier.Matcher.accept_text(matcher, ~s({"age":4))
      :ok
      iex> {:error, error} = Espalier.Constraint.json_schema(%{type: :int}, vocabulary: vocabulary)
      iex> {error.kind, error.pointer}
      {:invalid_schema, "/type"}
  """
  @spec json_schema(json_schema, keyword) ::
          {:ok, t} | {:error, SchemaError.t() | Exception.t()}
  def json_schema(schema, options) do
    with {:ok, source} <- source(:json_schema, schema, options), do: compile(source)
  end

  @doc "Like `json_schema/2`, but returns the constraint and raises the error."
  @spec json_schema!(json_schema, keyword) :: t
  def json_schema!(schema, options), do: schema |> json_schema(options) |> Error.bang!()

  @doc """
  The places, as JSON Pointers, of keywords that say nothing: those that the schema's draft of JSON
  Schema does not have, those without another keyword that they belong to, and unknown formats.

  JSON Schema takes them as comments. A keyword that is misspelt is among them.

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["1", ""], eos_ids: [1])
      iex> schema = %{type: :integer, maximun: 3}
      iex> constraint = Espalier.Constraint.json_schema!(schema, vocabulary: vocabulary)
      iex> Espalier.Constraint.unknown_keywords(constraint)
      ["/maximun"]
  """
  @spec unknown_keywords(t) :: [String.t()]
  def unknown_keywords(%__MODULE__{ref: ref}), do: Native.constraint_unknown_keywords(ref)

  @doc """
  Compiles a regular expression, which the whole text has to match.

  A text is in the syntax that the option `:syntax` names. A `Regex` with any of its flags means what it means to
  `Regex.match?/2`, and has no such option. What is not regular is an `Espalier.SchemaError` of the kind
  `:unsupported_regex` that names it and its place: backreferences, recursion, atomic groups, possessive quantifiers.
  So is what Elixir reads as bytes without the flag `u`, where characters beyond ASCII would have to be counted.
  What Unicode says of characters, as in `\\p{L}`, and in `\\w` and cases with the flag `u`, is that of the engine's version of
  Unicode, which may be newer than PCRE's: there are characters that only one of them has for letters.

  ## Options

  #{Options.docs(@regex_options)}
  ## Examples

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["1", "23", "a", ""], eos_ids: [3])
      iex> {:ok, constraint} = Espalier.Constraint.regex("[0-9]{2}", vocabulary: vocabulary)
      iex> matcher = Espalier.Matcher.new(constraint)
      iex> Espalier.Matcher.accept_token(matcher, 0)
      :ok
      iex> Espalier.Matcher.allowed_tokens(matcher)
      {:ok, [0]}
      iex> {:ok, constraint} = Espalier.Constraint.regex(~r/A (?!a)/ix, vocabulary: vocabulary)
      iex> constraint |> Espalier.Matcher.new() |> Espalier.Matcher.allowed_tokens()
      {:ok, [2]}
      iex> {:error, error} = Espalier.Constraint.regex(~r/(a)\\1/, vocabulary: vocabulary)
      iex> {error.kind, error.detail}
      {:unsupported_regex, "a backreference at byte 3, \\\\1"}
  """
  @spec regex(String.t() | Regex.t(), keyword) ::
          {:ok, t} | {:error, SchemaError.t() | Exception.t()}
  def regex(pattern, options) when is_binary(pattern) or is_struct(pattern, Regex) do
    with {:ok, source} <- source(:regex, pattern, options), do: compile(source)
  end

  @doc "Like `regex/2`, but returns the constraint and raises the error."
  @spec regex!(String.t() | Regex.t(), keyword) :: t
  def regex!(pattern, options), do: pattern |> regex(options) |> Error.bang!()

  @doc """
  Compiles a context-free grammar, which the whole text has to match.

  The [guide](grammars.html) says what the syntaxes have. All ways to read a text count, so a grammar may be ambiguous
  and recursive on the left or on the right. `unused_rules/1` tells which rules no text needs.

  ## Options

  #{Options.docs(@grammar_options)}
  Those on how text may look are for the JSON Schemas in a grammar.

  ## Examples

      iex> grammar = ~S\"""
      ...> start: sum
      ...> sum: (sum ("+" | "-"))? (INT | "(" sum ")")
      ...> %import common.INT
      ...> %ignore " "
      ...> \"""
      iex> {:ok, constraint} = Espalier.Constraint.grammar(grammar, vocabulary: Espalier.Vocabulary.bytes())
      iex> matcher = Espalier.Matcher.new(constraint)
      iex> Espalier.Matcher.accept_text(matcher, "12 - (3 + 4)")
      :ok
      iex> Espalier.Matcher.accepting?(matcher)
      true
      iex> gbnf = ~S{root ::= "(" root ")" | number}
      iex> {:error, error} = Espalier.Constraint.grammar(gbnf, vocabulary: Espalier.Vocabulary.bytes(), syntax: :gbnf)
      iex> {error.kind, error.name, error.line, error.column}
      {:undefined_name, "number", 1, 25}
  """
  @spec grammar(String.t(), keyword) :: {:ok, t} | {:error, SchemaError.t() | Exception.t()}
  def grammar(text, options) when is_binary(text) do
    with {:ok, source} <- source(:grammar, text, options), do: compile(source)
  end

  @doc "Like `grammar/2`, but returns the constraint and raises the error."
  @spec grammar!(String.t(), keyword) :: t
  def grammar!(text, options), do: text |> grammar(options) |> Error.bang!()

  @doc """
  The rules and terminals of a grammar that no text needs: their names, where they are defined, and whether no text
  matches them.

  They change nothing. A name that is misspelt, or a rule that never ends, is among them. Of a grammar that is a part of
  a text `pointer` is the place in the parts, as in an `Espalier.SchemaError`.

      iex> grammar = ~s(root ::= "a" | loop\\nloop ::= "b" loop\\nother ::= "c")
      iex> options = [syntax: :gbnf, vocabulary: Espalier.Vocabulary.bytes()]
      iex> grammar |> Espalier.Constraint.grammar!(options) |> Espalier.Constraint.unused_rules()
      [
        %{name: "loop", line: 2, column: 1, pointer: nil, matches_nothing: true},
        %{name: "other", line: 3, column: 1, pointer: nil, matches_nothing: false}
      ]
  """
  @spec unused_rules(t) :: [
          %{
            name: String.t(),
            line: pos_integer,
            column: pos_integer,
            pointer: String.t() | nil,
            matches_nothing: boolean
          }
        ]
  def unused_rules(%__MODULE__{ref: ref}) do
    for {name, line, column, pointer, nothing?} <- Native.constraint_unused_rules(ref) do
      %{name: name, line: line, column: column, pointer: pointer, matches_nothing: nothing?}
    end
  end

  @doc """
  Compiles a choice between texts.

  ## Options

  #{Options.docs(@common)}
  """
  @spec choice([binary], keyword) :: {:ok, t} | {:error, SchemaError.t() | Exception.t()}
  def choice(texts, options) when is_list(texts) do
    with {:ok, source} <- source(:choice, texts, options), do: compile(source)
  end

  @doc "Like `choice/2`, but returns the constraint and raises the error."
  @spec choice!([binary], keyword) :: t
  def choice!(texts, options), do: texts |> choice(options) |> Error.bang!()

  @doc """
  The constraint as a binary, for `deserialize/2` at the next start.

  It holds what the constraint was compiled from and the automata of its patterns and formats, but not
  what its matchers found out. Loading saves most where a schema has formats, whose automata take long to
  make for the first time.
  """
  @spec serialize(t) :: binary
  def serialize(%__MODULE__{ref: ref}), do: Native.constraint_serialize(ref)

  @doc """
  Loads a constraint that `serialize/1` wrote, for the same vocabulary.

  Each version of Espalier refuses what others wrote, as it may understand a pattern in another way:
  compile again where there is an error. Any binary is safe to load, but what is loaded accepts what its
  automata say, so take binaries from those whose schemas you would take. The default limits hold, whatever
  the constraint was compiled with.

  ## Options

  #{Options.docs(@vocabulary)}
  ## Examples

      iex> vocabulary = Espalier.Vocabulary.from_tokens!(["1", "23", "a", ""], eos_ids: [3])
      iex> bytes =
      ...>   "[0-9]{2}" |> Espalier.Constraint.regex!(vocabulary: vocabulary) |> Espalier.Constraint.serialize()
      iex> {:ok, constraint} = Espalier.Constraint.deserialize(bytes, vocabulary: vocabulary)
      iex> constraint.kind
      :regex
      iex> constraint |> Espalier.Matcher.new() |> Espalier.Matcher.allowed_tokens()
      {:ok, [0, 1]}
      iex> {:error, error} = Espalier.Constraint.deserialize("no constraint", vocabulary: vocabulary)
      iex> {error.kind, error.part}
      {:invalid_serialized, "magic"}
  """
  @spec deserialize(binary, keyword) ::
          {:ok, t} | {:error, SerializationError.t() | Exception.t()}
  def deserialize(bytes, options) when is_binary(bytes) do
    with {:ok, options} <- Options.validate(options, @vocabulary),
         vocabulary = options[:vocabulary],
         {:ok, ref} <- vocabulary.ref |> Native.constraint_deserialize(bytes) |> Error.wrap() do
      {:ok, %__MODULE__{ref: ref, kind: Native.constraint_kind(ref), vocabulary: vocabulary}}
    end
  end

  @doc "Like `deserialize/2`, but returns the constraint and raises the error."
  @spec deserialize!(binary, keyword) :: t
  def deserialize!(bytes, options), do: bytes |> deserialize(options) |> Error.bang!()

  @doc """
  Compiles a text made of parts, one after the other. They are those of `{:sequence, parts}`, see "Texts of parts" in
  `Espalier.Schema`; for the JSON among them there are the options of `json_schema/2`, but for `:documents`.

      iex> parts = ["Age: ", {:capture, :age, {:regex, "[0-9]+"}}, {:text, until: "."}]
      iex> constraint = Espalier.Constraint.sequence!(parts, vocabulary: Espalier.Vocabulary.bytes())
      iex> matcher = Espalier.Matcher.new(constraint)
      iex> Espalier.Matcher.accept_text(matcher, "Age: 36 or so.")
      :ok
      iex> Espalier.Matcher.must_stop?(matcher)
      true
  """
  @spec sequence([term], keyword) :: {:ok, t} | {:error, SchemaError.t() | Exception.t()}
  def sequence(parts, options) do
    with {:ok, form} <- Form.new({:sequence, parts}),
         {:ok, source} <- Form.to_source(form, options),
         do: compile(source)
  end

  @doc "Like `sequence/2`, but raises the error."
  @spec sequence!([term], keyword) :: t
  def sequence!(parts, options), do: parts |> sequence(options) |> Error.bang!()

  @doc """
  A schema or a constraint as a regular expression, for servers that take no more than that.

  The texts that it matches as a whole are those of the constraint, exactly. It is written in what the syntaxes of
  Rust's `regex`, Python's `re` and ECMA 262 (with its flag `u`) have in common, without lookaround, so vLLM, SGLang,
  TGI and Outlines take it. Numbers, formats, patterns with bounds on their lengths and all else that automata decide
  are in it. What a regular expression can't say is an `Espalier.SchemaError` of the kind `:not_exportable` that
  names the keyword and its place; the [guide](grammars.html#for-other-engines) lists it.

  `schema` is all that `Espalier.generate/2` takes as one, or a compiled constraint; then only the options `:depth` and
  `:repeated_keys` mean something.

  ## Options

  #{Options.docs(Export.options(:regex) ++ Keyword.delete(@json_schema_options, :vocabulary))}
  ## Examples

      iex> schema = %{type: :object, properties: %{age: %{type: :integer, minimum: 0}}, required: [:age], additionalProperties: false}
      iex> Espalier.Constraint.to_regex(schema)
      {:ok, ~S'\\{"age":(?:[1-9][0-9]*|0)\\}'}
      iex> {:error, error} = Espalier.Constraint.to_regex(%{type: :array, items: %{"$ref": "#"}})
      iex> {error.kind, error.detail}
      {:not_exportable, "it leads back to itself; the option :depth says how often it may"}
      iex> Espalier.Constraint.to_regex(%{type: :array, items: %{"$ref": "#"}}, depth: 2)
      {:ok, ~S'\\[(?:\\[\\](?:,\\[\\])*)?\\]'}
  """
  @spec to_regex(term, keyword) :: {:ok, String.t()} | {:error, Exception.t()}
  def to_regex(schema, options \\ []), do: Export.export(schema, :regex, options)

  @doc "Like `to_regex/2`, but returns the text and raises the error."
  @spec to_regex!(term, keyword) :: String.t()
  def to_regex!(schema, options \\ []), do: schema |> to_regex(options) |> Error.bang!()

  @doc """
  A schema or a constraint as a grammar in GBNF, for llama.cpp. The start is `root`.

  It is exact, as `to_regex/2` is, and takes what that takes; references that lead back to themselves are rules.
  Grammars of other syntaxes lose their left recursion, which llama.cpp refuses, and large repetitions are split.

  ## Options

  #{Options.docs(Export.options(:gbnf) ++ Keyword.delete(@json_schema_options, :vocabulary))}
  ## Examples

      iex> schema = %{type: :array, items: %{enum: ["red", "green"]}}
      iex> {:ok, gbnf} = Espalier.Constraint.to_gbnf(schema)
      iex> gbnf
      ~S\"""
      root ::= array
      array ::= "[" (("\\"green\\"" | "\\"red\\"") ("," ("\\"green\\"" | "\\"red\\""))*)? "]"
      \"""
      iex> {:ok, gbnf} = Espalier.Constraint.to_gbnf({:grammar, ~S'start: start "a" | "b"'})
      iex> gbnf
      ~S\"""
      root ::= start
      start ::= "b" "a"*
      \"""
  """
  @spec to_gbnf(term, keyword) :: {:ok, String.t()} | {:error, Exception.t()}
  def to_gbnf(schema, options \\ []), do: Export.export(schema, :gbnf, options)

  @doc "Like `to_gbnf/2`, but returns the text and raises the error."
  @spec to_gbnf!(term, keyword) :: String.t()
  def to_gbnf!(schema, options \\ []), do: schema |> to_gbnf(options) |> Error.bang!()

  @doc """
  A schema or a constraint as a grammar in the syntax of Lark, for llguidance. The start is `start`.

  It is exact, as `to_regex/2` is, and takes what that takes. Lexers take the longest terminal that they find, so in the
  grammar of a schema no terminal can be lengthened by what comes behind it. A `{:grammar, text}` or `{:sequence, parts}`
  becomes one terminal where it is regular; otherwise its texts are read character by character.

  ## Options

  #{Options.docs(Export.options(:lark) ++ Keyword.delete(@json_schema_options, :vocabulary))}
  ## Examples

      iex> schema = %{type: :object, properties: %{next: %{"$ref": "#"}}, additionalProperties: false}
      iex> {:ok, lark} = Espalier.Constraint.to_lark(schema)
      iex> lark
      ~S\"""
      start: object
      object: "{" ("\\"next\\"" ":" object)? "}"
      \"""
  """
  @spec to_lark(term, keyword) :: {:ok, String.t()} | {:error, Exception.t()}
  def to_lark(schema, options \\ []), do: Export.export(schema, :lark, options)

  @doc "Like `to_lark/2`, but returns the text and raises the error."
  @spec to_lark!(term, keyword) :: String.t()
  def to_lark!(schema, options \\ []), do: schema |> to_lark(options) |> Error.bang!()

  @doc false
  # The options of a schema but for the vocabulary.
  @spec style_options() :: Options.schema()
  def style_options, do: Keyword.delete(@json_schema_options, :vocabulary)

  @doc false
  # The parts of a text that have a name, as the engine calls them; `nil` where it is no text of the constraint.
  @spec captures(t, binary) :: {:ok, [{String.t(), binary}] | nil} | {:error, Exception.t()}
  def captures(%__MODULE__{ref: ref}, text) do
    with {:ok, found} when is_list(found) <-
           ref |> Native.constraint_captures(text) |> Error.wrap(),
         do: {:ok, for({name, at, size} <- found, do: {name, binary_part(text, at, size)})}
  end

  @doc false
  # Checks the options, and brings together all that the constraint depends on.
  @spec source(:json_schema | :regex | :grammar | :sequence | :choice, term, keyword) ::
          {:ok, Source.t()} | {:error, Exception.t()}
  def source(:json_schema, schema, options) do
    with {:ok, options} <- Options.validate(options, @json_schema_options),
         {:ok, text} <- Documents.text(schema),
         {:ok, documents} <- Documents.texts(options[:documents]) do
      {:ok, source_of(:json_schema, {text, documents, text_style(options)}, options)}
    end
  end

  def source(:regex, %Regex{} = regex, options) do
    with {:ok, options} <- Options.validate(options, @common),
         {:ok, pattern} <- ElixirRegex.translate(regex, :whole),
         do: {:ok, source_of(:regex, {pattern, :ecma}, options)}
  end

  def source(:regex, pattern, options) do
    with {:ok, options} <- Options.validate(options, @regex_options),
         :ok <- check_utf8(pattern, "a regular expression"),
         do: {:ok, source_of(:regex, {pattern, options[:syntax]}, options)}
  end

  # The parts as the engine takes them.
  def source(:sequence, parts, options) do
    schema = Keyword.delete(@json_schema_options, :documents)

    with {:ok, options} <- Options.validate(options, schema),
         do: {:ok, source_of(:sequence, {parts, text_style(options)}, options)}
  end

  def source(:grammar, text, options) do
    with {:ok, options} <- Options.validate(options, @grammar_options),
         :ok <- check_utf8(text, "a grammar") do
      syntax = options[:syntax]
      start = options[:start] || default_start(syntax)
      {:ok, source_of(:grammar, {text, {syntax, start}, text_style(options)}, options)}
    end
  end

  def source(:choice, texts, options) do
    with {:ok, options} <- Options.validate(options, @common) do
      check_texts(texts)
      {:ok, source_of(:choice, texts, options)}
    end
  end

  @doc false
  @spec default_start(:lark | :gbnf) :: String.t()
  def default_start(:lark), do: "start"
  def default_start(:gbnf), do: "root"

  defp source_of(kind, content, options) do
    vocabulary = Keyword.fetch!(options, :vocabulary)
    %Source{kind: kind, content: content, limits: options[:limits], vocabulary: vocabulary}
  end

  @doc false
  @spec compile(Source.t()) :: {:ok, t} | {:error, Exception.t()}
  def compile(%Source{kind: kind, vocabulary: vocabulary} = source) do
    with {:ok, ref} <- source |> native() |> Error.wrap(),
         do: {:ok, %__MODULE__{ref: ref, kind: kind(kind), vocabulary: vocabulary}}
  end

  # Parts are rules that nothing leads back to.
  defp kind(:sequence), do: :grammar
  defp kind(kind), do: kind

  defp native(%{vocabulary: %{ref: ref}, limits: limits, content: content} = source) do
    case {source.kind, content} do
      {:json_schema, {text, documents, style}} ->
        Native.constraint_json_schema(ref, limits, text, documents, style)

      {:regex, {pattern, syntax}} ->
        Native.constraint_regex(ref, limits, pattern, syntax)

      {:sequence, {parts, style}} ->
        Native.constraint_parts(ref, limits, parts, style)

      {:grammar, {text, syntax_and_start, style}} ->
        Native.constraint_grammar(ref, limits, text, syntax_and_start, style)

      {:choice, texts} ->
        Native.constraint_choice(ref, limits, texts)
    end
  end

  defp text_style(options) do
    style = if options[:style] == :generating, do: @generating, else: @matching
    Map.merge(style, options |> Keyword.take(Map.keys(style)) |> Map.new())
  end

  defp check_utf8(text, what),
    do: if(String.valid?(text), do: :ok, else: {:error, SchemaError.not_utf8(what)})

  defp check_texts(texts) do
    if List.improper?(texts) or not Enum.all?(texts, &is_binary/1) do
      raise ArgumentError, "expected a list of texts to choose from, got: #{inspect(texts)}"
    end
  end
end
