defmodule Espalier.Schema do
  @moduledoc """
  Says which values a model may produce, and what they become in Elixir.

      defmodule Order do
        use Espalier.Schema

        defmodule Item do
          use Espalier.Schema

          schema do
            field :product, :string, min_length: 1
            field :quantity, :integer, min: 1
          end
        end

        schema description: "An order as a customer wrote it" do
          field :customer, :string
          field :status, {:enum, [:new, :paid]}, default: :new
          field :items, {:array, Item}, min_items: 1
          field :note, :string, required: false
        end
      end

  A schema module is a struct with its fields in the order written, and a type `t`. The order
  counts: it is the order in which a model writes them. `generate/3` of `Espalier` takes the module
  and returns the struct:

      {:ok, %Order{items: [%Order.Item{quantity: 2} | _]}} =
        Espalier.generate(Order, "Two lamps for Ada, please.", model: MyApp.Model)

  A module that belongs to one field can be written there. This defines the same `Order.Item`, which is `Item`
  in the rest of `Order`:

      embeds_many :items, Item, min_items: 1, description: "What is ordered" do
        field :product, :string, min_length: 1
        field :quantity, :integer, min: 1
      end

  The options, with the `:description`, are those of the field. A module that needs the options of `schema`
  is written out as above.

  ## Schemas without a module

  Wherever Espalier takes a schema it takes any of these:

  | schema | value |
  | --- | --- |
  | a schema module | its struct |
  | an Ecto schema module, see `Espalier.Ecto` | a struct that passed its changeset function |
  | a keyword list of fields, `[name: :string, age: {:integer, min: 0}]` | a map with these keys |
  | a JSON Schema: a map, an `Espalier.JSON.Object` or a text | the decoded JSON |
  | `{:choice, list}` of texts, atoms and integers | the chosen term |
  | `{:regex, source}`, a text or a `Regex`, or `{:regex, text, syntax: :ecma}`, that the whole text matches | the text |
  | `{:grammar, text}` or `{:grammar, text, options}`, with the `:syntax` and the `:start` of `Espalier.Constraint.grammar/2`, that derives the whole text | the text |
  | `{:sequence, parts}`, see below | what is captured of the text, or the text |
  | an `Espalier.Constraint` | the text |

  A `Regex` with any of its flags means what it means to Elixir. In a schema without a module a text is in the
  syntax of Rust's crate `regex` unless it says `syntax: :ecma`, in a type in that of ECMA 262: see `Espalier.Constraint.regex/2` for both, and
  for what is refused.

  A map has no order; write the JSON Schema as a text or an `Espalier.JSON.Object` where the order
  of the properties matters. A schema that can't be enforced exactly is refused with an
  `Espalier.SchemaError` that names the keyword: nothing is ever left out silently.

  `to_json_schema/1` shows what a schema says as JSON Schema, `to_constraint/2` compiles it, and
  `cast/2` and `read/2` turn JSON into the value:

      iex> schema = [name: :string, level: {:enum, [:low, :high]}, tags: {:array, :string}]
      iex> Espalier.Schema.cast(schema, %{"name" => "Ada", "level" => "low", "tags" => []})
      {:ok, %{name: "Ada", level: :low, tags: []}}
      iex> {:error, error} = Espalier.Schema.cast(schema, %{"name" => "Ada", "level" => "low", "tags" => [1]})
      iex> error.path
      ["tags", 0]

  ## Texts of parts

  `{:sequence, parts}` is a text that isn't JSON, or not only: parts that follow each other.

  | part | text |
  | --- | --- |
  | a text | that text |
  | `:text` | any text |
  | `{:text, until: stop}` | any text up to the first `stop`, a text or several of which the first one counts, and that |
  | `{:text, tags: [{start, part, stop}]}` | any text; where one of the starts comes, its part and its stop follow, and any text again. `:min` and `:max` bound how often |
  | `{:text, max_tokens: n}`, also beside `until:` and `tags:` | the same, of at most so many tokens |
  | `{:special_token, name}` | that token of a local model, which isn't text; where the model has none of the name, the name. A start and a stop of tags may be one |
  | `{:regex, source}`, `{:choice, list}` or `{:grammar, text}`, also with options | as above |
  | a schema, but no text | JSON of the schema |
  | `{:sequence, parts}`, `{:any_of, parts}` | all of the parts, or one of them |
  | `{:optional, part}`, `{:repeat, part}`, `{:repeat, part, min: 1, max: 9}` | the part, so often |
  | `{:capture, name, part}` | that of the part, by a name |

  The value is a map of what is captured: JSON and choices as the values that they stand for, else the text, without
  the stop that ends it. Where several may come it is a list, and `nil` where none did. If nothing is captured the value is
  the text. In `Espalier.Result` there are the texts of captures, too.

      iex> parts = [{:capture, :thoughts, {:text, until: ";"}}, {:capture, :order, [lamps: :integer]}]
      iex> Espalier.Schema.read({:sequence, parts}, ~s(Two, then;{"lamps":2}))
      {:ok, %{thoughts: "Two, then", order: %{lamps: 2}}}

  With `:max_tokens` a free text ends as soon as it can when that many tokens of a local model lie in it, wholly or in part:
  a character that has begun is finished, and the stop follows, or what is left of it, without being asked of the
  model where there is only one. That counts for nothing. With `tags:` each text before, between and behind calls has the
  bound. So whatever follows begins as it would otherwise, and a text is read and validated without knowing its
  tokens: hosted models are told of the bound in words, and nothing checks it. A text without a stop is read as far as
  it could go, whatever its bound was, so begin what follows with a text of its own.

  What can be read in several ways is read as regular expressions are: the first of some parts, repetitions, free texts and
  grammars as long as possible. A `{:regex, source}` is one part, and its text is as long as possible, too, whatever its
  quantifiers and the order of its branches say: that of `a+?` is that of `a+`, and of `a|ab` in front of `b?` it is `ab`, if
  that is there. The rules of a grammar have nothing to do with those of another one.

      iex> parts = [{:capture, :first, {:regex, "a|ab"}}, {:capture, :rest, {:regex, "b?c"}}]
      iex> Espalier.Schema.read({:sequence, parts}, "abc")
      {:ok, %{first: "ab", rest: "c"}}

      iex> calls = {:text, tags: [{"<find>", {:capture, :calls, [name: :string]}, "</find>"}]}
      iex> {:ok, value} = Espalier.Schema.read({:sequence, [calls]}, ~s(Who? <find>{"name":"Ada"}</find> Or <find>{"name":"Bo"}</find>))
      iex> value.calls
      [%{name: "Ada"}, %{name: "Bo"}]

  ## Types

  | type | JSON | value |
  | --- | --- | --- |
  | `:string` | a string | a text |
  | `:integer` | a whole number | an integer |
  | `:number` | a number | an integer or float |
  | `:float` | a number | a float |
  | `:decimal` | a number | a `Decimal` that loses no digit (needs the package `:decimal`) |
  | `:boolean`, `:null` | `true`, `false`; `null` | the same; `nil` |
  | `:any` | any value | the decoded JSON |
  | `:date`, `:time`, `:naive_datetime` | a string like `"2024-02-29T12:30:00"`, or a part of it | `Date`, `Time`, `NaiveDateTime` |
  | `:utc_datetime` | a string like `"2024-02-29T12:30:00Z"` | `DateTime` |
  | `:duration` | a string like `"P1DT12H"` | `Duration` of whole seconds, not negative (needs Elixir 1.17) |
  | `:uuid`, `:email` | a string | a text |
  | `:uri` | a string | `URI` |
  | `:binary` | a string in Base64 | the bytes |
  | `{:regex, source}` | a string that the expression matches as a whole | a text |
  | `{:enum, values}`: atoms, texts, integers | one of them, atoms as strings | the given term |
  | `{:const, value}` | that value | the given term |
  | `{:array, type}` | an array | a list |
  | `{:tuple, types}` | an array with a value of each type | a tuple |
  | `:map`, `{:map, type}`, `{:map, key_format, type}` | an object with any keys | a map with texts as keys |
  | `{:union, types}` | a value of one of them | the value of the first that fits with its rules |
  | `{:union, [tag: type]}` | an object whose first key has the tag | a struct, or a map with the tag |
  | a schema module, also the same one again | an object | its struct |
  | a keyword list of fields | an object | a map with these keys |

  A type with options of its own is `{type, options}`: `{:array, {:string, max_length: 10}}`. Objects
  have no other keys than their fields.

  A union with tags is told apart by one key, the `:discriminator`. Of schema modules the struct says
  which it is; a map has the key itself:

      iex> shape = {{:union, circle: [radius: :float], square: [side: :float]}, discriminator: :kind}
      iex> Espalier.Schema.cast([shape: shape], %{"shape" => %{"kind" => "square", "side" => 2}})
      {:ok, %{shape: %{kind: :square, side: 2.0}}}

  ## Options

  Of every field:

  #{Espalier.Options.docs(Espalier.Schema.Field.options())}
  Of every type:

  #{Espalier.Options.docs(Espalier.Schema.Type.options())}
  Of `:string`:

  #{Espalier.Options.docs(Espalier.Schema.Type.rule_options(:string))}
  Of `:integer`, `:number`, `:float` and `:decimal`:

  #{Espalier.Options.docs(Espalier.Schema.Type.rule_options(:number))}
  Of `{:array, type}`:

  #{Espalier.Options.docs(Espalier.Schema.Type.rule_options(:array))}
  Of `:map`:

  #{Espalier.Options.docs(Espalier.Schema.Type.rule_options(:map))}
  Of `{:union, [tag: type]}`:

  #{Espalier.Options.docs(Espalier.Schema.Type.rule_options(:tagged))}
  """

  alias Espalier.CastError
  alias Espalier.Constraint
  alias Espalier.Error
  alias Espalier.JSON
  alias Espalier.Schema.Definition
  alias Espalier.Schema.Field
  alias Espalier.Schema.Form
  alias Espalier.Schema.Inline
  alias Espalier.Schema.Typespec
  alias Espalier.SchemaError

  @typedoc "Any of the forms listed above."
  @type t ::
          module
          | keyword
          | map
          | String.t()
          | {:choice, [String.t() | atom | integer]}
          | {:regex, String.t() | Regex.t()}
          | {:regex, String.t(), keyword}
          | {:grammar, String.t()}
          | {:grammar, String.t(), keyword}
          | {:sequence, [term]}
          | Constraint.t()
          | Form.t()

  @doc false
  defmacro __using__(_options) do
    quote do
      import Espalier.Schema, only: [schema: 1, schema: 2]
    end
  end

  @doc """
  Declares the fields of the module.

  ## Options

  #{Espalier.Options.docs(Espalier.Schema.Definition.options())}
  """
  defmacro schema(options \\ [], do: block) do
    quote do
      unquote(declare_fields(block))
      unquote(define(options))
    end
  end

  # The last import takes the place of the first, so `field` is known in the block alone. Aliases of
  # modules that the block defines hold after it, too.
  defp declare_fields(block) do
    quote do
      Module.register_attribute(__MODULE__, :espalier_fields, accumulate: true)

      import Espalier.Schema,
        only: [
          field: 2,
          field: 3,
          embeds_one: 2,
          embeds_one: 3,
          embeds_one: 4,
          embeds_many: 2,
          embeds_many: 3,
          embeds_many: 4
        ]

      unquote(block)
      import Espalier.Schema, only: [schema: 1, schema: 2]
    end
  end

  defp define(options) do
    quote bind_quoted: [options: options] do
      @espalier_definition Espalier.Schema.__define__(@espalier_fields, options, __ENV__)
      Espalier.Schema.define_struct(@espalier_definition.fields)

      @doc false
      def __espalier_schema__, do: @espalier_definition
    end
  end

  @doc false
  # The struct of a module, and its type.
  defmacro define_struct(fields) do
    quote bind_quoted: [fields: fields] do
      defstruct Enum.map(fields, &{&1.name, &1.default})

      @type t :: %__MODULE__{
              unquote_splicing(Enum.map(fields, &{&1.name, Espalier.Schema.__typespec__(&1)}))
            }
    end
  end

  @doc "Declares a field: its name, its type, and options for both."
  defmacro field(name, type, options \\ []) do
    __declare__(:espalier_fields, [name, type, options], __CALLER__)
  end

  @doc """
  Declares a field that is the struct of another schema module: `field` with that module as its type.

  A `do` block defines that module, within this one.
  """
  defmacro embeds_one(name, module, options \\ [], block \\ []) do
    embed(name, & &1, Inline.take([name, module, options], block, __CALLER__))
  end

  @doc """
  Declares a field that is a list of structs of another schema module, as `field` with `{:array, module}`.

  A `do` block defines that module, within this one.
  """
  defmacro embeds_many(name, module, options \\ [], block \\ []) do
    embed(name, &{:array, &1}, Inline.take([name, module, options], block, __CALLER__))
  end

  defp embed(name, type, {module, options, definition}) do
    quote do
      unquote_splicing(definition)
      field(unquote(name), unquote(type.(module)), unquote(options))
    end
  end

  @doc false
  # Puts a field into an attribute that accumulates.
  def __declare__(attribute, [name, type, options], caller) do
    # A module named as a type is no reason to compile the two in order.
    type = Macro.prewalk(type, &expand_alias(&1, caller))
    arguments = [name, type, options, place(caller)]

    quote do
      Module.put_attribute(
        __MODULE__,
        unquote(attribute),
        Espalier.Schema.__field__(unquote_splicing(arguments))
      )
    end
  end

  defp expand_alias({:__aliases__, _meta, _parts} = alias, env) do
    Macro.expand(alias, %{env | function: {:__espalier_schema__, 0}})
  end

  defp expand_alias(other, _env), do: other

  @doc false
  def __field__(name, type, options, place) do
    Field.new!(name, type, options)
  rescue
    error in SchemaError -> reraise(compile_error(error, place), __STACKTRACE__)
  end

  @doc false
  def __define__(fields, options, env) do
    Definition.new!(env.module, Enum.reverse(fields), options)
  rescue
    error in [SchemaError, Espalier.OptionsError] ->
      reraise(compile_error(error, place(env)), __STACKTRACE__)
  end

  @doc false
  defdelegate __typespec__(field), to: Typespec, as: :field

  defp place(env), do: [file: env.file, line: env.line, module: env.module]

  defp compile_error(error, place) do
    description = Inline.named(Exception.message(error), place[:module])
    %CompileError{file: place[:file], line: place[:line], description: description}
  end

  @doc """
  Checks a schema once, at run time; what comes back is a schema, too.

      iex> {:ok, schema} = Espalier.Schema.new(name: :string, born: :date)
      iex> Espalier.Schema.read(schema, ~S({"name":"Ada","born":"1815-12-10"}))
      {:ok, %{name: "Ada", born: ~D[1815-12-10]}}
      iex> {:error, error} = Espalier.Schema.new(name: :strng)
      iex> error.message =~ "Did you mean :string?"
      true
  """
  @spec new(t) :: {:ok, t} | {:error, Exception.t()}
  def new(schema), do: Form.new(schema)

  @doc "Like `new/1`, but returns the schema and raises the error."
  @spec new!(t) :: t
  def new!(schema), do: schema |> new() |> Error.bang!()

  @doc """
  The JSON Schema of a schema, with the properties in order.

      iex> {:ok, schema} = Espalier.Schema.to_json_schema(name: :string, age: {:integer, min: 0})
      iex> Espalier.JSON.encode!(schema)
      ~S({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0}},) <>
        ~S("required":["name","age"],"additionalProperties":false})

  Patterns are in the syntax of ECMA 262, as JSON Schema has them. A text of `{:regex, text}` stays as it is where that
  means the same there, but for dots and classes such as `\\d`, and is written anew otherwise:

      iex> {:ok, schema} = Espalier.Schema.to_json_schema({:regex, "(?i)no"})
      iex> Espalier.JSON.encode!(schema)
      ~S({"type":"string","pattern":"^[Nn][Oo]$"})
  """
  @spec to_json_schema(t) :: {:ok, JSON.Object.t() | boolean} | {:error, Exception.t()}
  def to_json_schema(schema) do
    with {:ok, form} <- Form.new(schema), do: Form.to_json_schema(form)
  end

  @doc """
  A schema in words, for a prompt: a line for each field, in the order in which they are written.

      iex> person = [name: {:string, description: "As on the card"}, age: {:integer, min: 0}]
      iex> Espalier.Schema.describe(person)
      {:ok, ~s(A JSON value: object with\\n- "name": string - As on the card\\n- "age": whole number, at least 0)}

  A JSON Schema is described by its text.
  """
  @spec describe(t) :: {:ok, String.t()} | {:error, Exception.t()}
  def describe(schema) do
    with {:ok, form} <- Form.new(schema), do: Form.describe(form)
  end

  @doc """
  Compiles a schema for the tokens of a model.

  `options` are those of `Espalier.Constraint.json_schema/2`: the `:vocabulary`, and how the text of a
  JSON value may look.

      iex> vocabulary = Espalier.Vocabulary.bytes()
      iex> {:ok, constraint} = Espalier.Schema.to_constraint([age: :integer], vocabulary: vocabulary)
      iex> constraint |> Espalier.Matcher.new() |> Espalier.Matcher.accept_text(~S({"age":4))
      :ok
  """
  @spec to_constraint(t, keyword) :: {:ok, Constraint.t()} | {:error, Exception.t()}
  def to_constraint(schema, options) do
    with {:ok, form} <- Form.new(schema), do: Form.to_constraint(form, options)
  end

  @doc """
  The value that decoded JSON stands for.

  It checks what decides about the value: types, keys, and the values of enums. Bounds, lengths and
  patterns are not asked again: tokens kept them while the text was generated, and `read/2` checks a text of
  any origin.
  """
  @spec cast(t, term) :: {:ok, term} | {:error, CastError.t() | SchemaError.t()}
  def cast(schema, json) do
    with {:ok, form} <- Form.new(schema), do: Form.cast(form, json)
  end

  @doc """
  The value that a text stands for: JSON, or a plain text for a choice or a regular expression.

  Whoever wrote the text, it is checked exactly: all that is wrong with it is in an
  `Espalier.ValidationError`. What an Ecto schema says is checked by its changeset function, and is in an
  `Espalier.ChangesetError`.

      iex> Espalier.Schema.read({:choice, [:yes, :no]}, "no")
      {:ok, :no}
      iex> {:error, error} = Espalier.Schema.read([age: {:integer, min: 0}], ~s({"age": -5}))
      iex> Exception.message(error)
      "invalid value: at age: -5 is less than the minimum of 0"
  """
  @spec read(t, String.t()) :: {:ok, term} | {:error, Exception.t()}
  def read(schema, text) do
    with {:ok, form} <- Form.new(schema),
         :ok <- Form.validate(form, text),
         do: Form.read(form, text)
  end
end
