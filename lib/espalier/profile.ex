defmodule Espalier.Profile do
  @moduledoc """
  What a provider's mode for structured output supports, as data, and schemas fitted to it.

  Each mode takes another subset of JSON Schema. Some reject a request for one keyword that they don't know,
  others ignore it in silence. `adapt/3` makes of a JSON Schema one that the mode takes, and tells what became
  of each keyword:

      iex> schema = Espalier.JSON.decode!(~s({"type": "string", "minLength": 3}), objects: :ordered)
      iex> {:ok, adapted} = Espalier.Profile.adapt(:open_ai_strict, schema)
      iex> Espalier.JSON.encode!(adapted.schema)
      ~s({"type":"object","properties":{"value":{"type":"string","description":"At least 3 characters."}},"required":["value"],"additionalProperties":false})
      iex> for decision <- adapted.decisions, do: {decision.pointer, decision.decision, decision.effect}
      [{"/minLength", :described, :wider}, {"/type", :kept, :same}]
      iex> Espalier.Profile.Adapted.restore(adapted, ~s({"value": "abc"}))
      {:ok, ~s("abc")}

  What becomes of a keyword is one of these:

  | decision | meaning |
  | --- | --- |
  | `:kept` | it is sent as it is |
  | `:rewritten` | it is sent in another way |
  | `:described` | it is sent in words, within a `description` |
  | `:removed` | it is not sent, as it states nothing there, or must not be sent |
  | `:added` | it is sent, though the schema does not have it |

  and has one of these effects on what the provider lets the model write:

  | effect | meaning |
  | --- | --- |
  | `:same` | exactly what the schema says |
  | `:narrower` | less than the schema allows |
  | `:wider` | more than the schema allows: the text is checked afterwards |

  What a mode would reject, and can't be said in another way, is an `Espalier.SchemaError` of the kind
  `:unsupported_by_provider`.

  ## The rules

  A profile is a list of `Espalier.Profile.Statement`:

  | rule | value | if not stated |
  | --- | --- | --- |
  | `:takes` | the keywords that are enforced | none |
  | `:ignores` | keywords that are taken and not enforced | none |
  | `:rejects` | keywords that make the request fail; those that no rule names are not sent either | |
  | `:annotations` | keywords that are taken as hints for the model | none |
  | `:values` | a keyword, and the values that it may have | any |
  | `:enum_values` | `:any`, `:scalars` or `:strings` | `:any` |
  | `:patterns` | `:any`, `:anchored` by `^` and `$`, `:plain` ones of these, with neither escapes of letters nor dots, or `:simple` without lookaround, back references and `\\b` | `:any` |
  | `:apart` | groups of keywords of which only one is enforced in a schema, the first one first | none |
  | `:integer_bounds` | whether bounds are enforced of integers only | `false` |
  | `:root` | `:any`, or `:object` for a root that is an object and no choice | `:any` |
  | `:types` | `:many` for lists of types, `:one` for one type beside `nullable` | `:many` |
  | `:typed` | whether each schema must have a type | `false` |
  | `:all_required` | whether all properties must be required | `false` |
  | `:closed` | whether all objects must have `additionalProperties: false` | `false` |
  | `:references` | `:recursive`, `:optional` for recursion through optional properties only, `:acyclic` or `:none` | `:none` |
  | `:limit` | the name of a count, and the most of it: `:properties`, `:nesting`, `:enum_values`, `:characters`, `:optional_properties`, `:unions` | none |
  | `:order` | the keyword that orders properties | none: the order of `properties` counts |
  | `:name` | the regular expression for the name of a schema | |
  | `:prompt` | whether the schema must also be in the prompt, as the model sees nothing of it | `false` |
  | `:unchanged` | whether the schema is not sent to a mode at all | `false` |
  | `:grammar` | whether a grammar that says the same is sent in its place | `false` |

  ## The modes

  | name | mode |
  | --- | --- |
  #{Enum.map_join(Espalier.Profile.Modes.all(), "\n", fn {name, module} -> "| `#{inspect(name)}` | #{module.title()} |" end)}
  """

  alias Espalier.JSON.Documents
  alias Espalier.JSON.Object
  alias Espalier.Options
  alias Espalier.Profile.Adapted
  alias Espalier.Profile.Adapter
  alias Espalier.Profile.Modes
  alias Espalier.Profile.Statement
  alias Espalier.SchemaError

  @type t :: %__MODULE__{name: atom, title: String.t(), statements: [Statement.t()]}

  @enforce_keys [:name, :title, :statements]
  defstruct @enforce_keys

  @defaults %{
    takes: [],
    ignores: [],
    rejects: [],
    annotations: [],
    apart: [],
    enum_values: :any,
    patterns: :any,
    integer_bounds: false,
    root: :any,
    types: :many,
    typed: false,
    all_required: false,
    closed: false,
    references: :none,
    order: nil,
    name: nil,
    prompt: false,
    unchanged: false,
    grammar: false
  }

  @adapt_options [
    format: [
      type: {:in, [:assert, :ignore]},
      default: :assert,
      doc: "Whether strings have the format that the schema names."
    ],
    root: [
      type: {:in, [:any, :object]},
      default: :any,
      doc:
        "`:object` demands an object at the root, whatever the mode takes: for arguments of a tool."
    ],
    documents: [
      type: {:custom, "a map of JSON Schemas by URI", &Documents.documents?/1},
      default: %{},
      doc: "Other schemas that this one refers to with `$ref`, by their URIs."
    ]
  ]

  @doc "The names of all profiles."
  @spec names() :: [atom]
  def names, do: Keyword.keys(Modes.all())

  @doc """
  The profile of a mode.

      iex> Espalier.Profile.fetch!(:open_ai_strict).title
      "OpenAI, Chat Completions and Responses, `json_schema` with `strict: true`"
  """
  @spec fetch!(atom) :: t
  def fetch!(name) do
    module =
      Modes.all()[name] ||
        raise(ArgumentError, "no profile #{inspect(name)}, expected one of #{inspect(names())}")

    %__MODULE__{name: name, title: module.title(), statements: module.statements()}
  end

  @doc """
  What a profile says of a rule that is stated once, or its default; of the others all that is stated.

      iex> profile = Espalier.Profile.fetch!(:anthropic)
      iex> {Espalier.Profile.rule(profile, :closed), Espalier.Profile.rule(profile, :root)}
      {true, :any}
      iex> Espalier.Profile.rule(profile, :limit)
      [optional_properties: 24, unions: 16]
  """
  @spec rule(t, atom) :: term
  def rule(%__MODULE__{statements: statements}, rule)
      when rule in [:values, :limit] do
    for %{rule: ^rule, value: value} <- statements, do: value
  end

  def rule(%__MODULE__{statements: statements}, rule)
      when rule in [:takes, :ignores, :rejects, :annotations] do
    for %{rule: ^rule, value: keywords} <- statements, keyword <- keywords, do: keyword
  end

  def rule(%__MODULE__{statements: statements}, rule) do
    case Enum.find(statements, &(&1.rule == rule)) do
      nil -> Map.fetch!(@defaults, rule)
      statement -> statement.value
    end
  end

  @doc """
  Makes of a JSON Schema one that a profile takes.

  The schema is what `Espalier.Schema.to_json_schema/1` gives. The order of its properties is kept.

  ## Options

  #{Options.docs(@adapt_options)}
  ## Examples

      iex> schema = %Espalier.JSON.Object{members: [{"$ref", "#/$defs/a"}, {"$defs", %Espalier.JSON.Object{members: [{"a", %Espalier.JSON.Object{members: [{"type", "array"}, {"items", %Espalier.JSON.Object{members: [{"$ref", "#/$defs/a"}]}}]}}]}}]}
      iex> {:error, error} = Espalier.Profile.adapt(:anthropic, schema)
      iex> {error.kind, error.keyword, error.pointer}
      {:unsupported_by_provider, "$ref", "/$defs/a/items/$ref"}
  """
  @spec adapt(t | atom, Object.t() | boolean, keyword) ::
          {:ok, Adapted.t()} | {:error, SchemaError.t() | Exception.t()}
  def adapt(profile, schema, options \\ [])

  def adapt(name, schema, options) when is_atom(name), do: adapt(fetch!(name), schema, options)

  def adapt(%__MODULE__{} = profile, schema, options) do
    with {:ok, options} <- Options.validate(options, @adapt_options),
         do: Adapter.adapt(profile, schema, options)
  end
end
