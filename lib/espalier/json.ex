defmodule Espalier.JSON do
  @moduledoc """
  JSON texts and terms.

  Unlike with most JSON libraries the order of an object's members and the exact value of a number
  survive, because both are part of a schema:

    * `decode/2` reads a text; objects become maps, or `Espalier.JSON.Object` in their order
    * `encode/1` writes a term
    * `validate/2` tells which parts of a value break a JSON Schema

  ## Examples

      iex> Espalier.JSON.decode(~s({"b": 1, "a": [true, null, 2.5]}))
      {:ok, %{"b" => 1, "a" => [true, nil, 2.5]}}
      iex> Espalier.JSON.decode!(~s({"b": 1, "a": 2}), objects: :ordered).members
      [{"b", 1}, {"a", 2}]
      iex> Espalier.JSON.encode(%{priority: :high, tags: ["checkout", "payment"]})
      {:ok, ~s({"priority":"high","tags":["checkout","payment"]})}

  No atom is ever made from a text. What can't be read or written is an `Espalier.JSONError`.
  """

  alias Espalier.{Error, JSONError, Native, Options}
  alias Espalier.JSON.{Documents, Number, Object, Violations, Writer}

  @typedoc "What `decode/2` gives and `encode/1` takes; atoms other than these are written as texts."
  @type value ::
          nil
          | boolean
          | number
          | String.t()
          | [value]
          | %{optional(String.t()) => value}
          | Object.t()
          | Number.t()

  @typedoc """
  One part of a value that breaks a schema.

  Both pointers are JSON Pointers: to the part of the value, and to the keyword that it breaks. `expected`
  is the keyword's value and `got` the part, as JSON; long ones are cut off.
  """
  @type violation :: %{
          instance_pointer: String.t(),
          schema_pointer: String.t(),
          keyword: String.t(),
          expected: String.t(),
          got: String.t(),
          message: String.t()
        }

  @validate_options [
    format: [
      type: {:in, [:assert, :ignore]},
      default: :assert,
      doc: "Whether strings have the format that the schema names."
    ],
    documents: [
      type: {:custom, "a map of JSON Schemas by URI", &Documents.documents?/1},
      default: %{},
      doc: "Other schemas that this one refers to with `$ref`, by their URIs."
    ]
  ]

  @decode_options [
    objects: [
      type: {:in, [:maps, :ordered]},
      default: :maps,
      doc: """
      What becomes of objects: maps, where the last of equal keys counts, or `Espalier.JSON.Object`, \
      which keeps all members in their order.\
      """
    ],
    numbers: [
      type: {:in, [:native, :exact]},
      default: :native,
      doc: """
      What becomes of numbers: integers of any size and floats, or `Espalier.JSON.Number`, which \
      keeps the text of each.\
      """
    ]
  ]

  @doc """
  Reads a JSON text.

  A number with a fraction or an exponent becomes a float, and one outside of the range of floats is
  an error. Objects and arrays may be nested 127 levels deep.

  ## Options

  #{Options.docs(@decode_options)}
  ## Examples

      iex> Espalier.JSON.decode("[1, 123456789012345678901234567890]")
      {:ok, [1, 123456789012345678901234567890]}
      iex> {:error, error} = Espalier.JSON.decode("[1,")
      iex> {error.kind, error.line, error.column}
      {:json_syntax, 1, 3}
  """
  @spec decode(binary, keyword) :: {:ok, value} | {:error, JSONError.t() | Exception.t()}
  def decode(text, options \\ []) when is_binary(text) do
    with {:ok, options} <- Options.validate(options, @decode_options) do
      text
      |> Native.json_decode(options[:objects] == :ordered, options[:numbers] == :exact)
      |> Error.wrap()
    end
  end

  @doc "Like `decode/2`, but returns the value and raises the error."
  @spec decode!(binary, keyword) :: value
  def decode!(text, options \\ []), do: text |> decode(options) |> Error.bang!()

  @doc """
  Writes a term as compact JSON.

  Maps are written in the order of their keys, keyword-like order is kept by `Espalier.JSON.Object`.
  Keys are texts, atoms or integers. Atoms other than `nil`, `true` and `false` are written as texts.

  ## Examples

      iex> Espalier.JSON.encode(%Espalier.JSON.Object{members: [{"b", 1.0}, {"a", "\\n"}]})
      {:ok, ~S({"b":1.0,"a":"\\n"})}
      iex> {:error, error} = Espalier.JSON.encode(%{"a" => [1, {2, 3}]})
      iex> {error.kind, error.pointer, error.message}
      {:json_term, "/a/1", "no JSON for the term at \\"/a/1\\": {2, 3}"}
  """
  @spec encode(term) :: {:ok, String.t()} | {:error, JSONError.t()}
  def encode(term) do
    {:ok, term |> Writer.value([]) |> IO.iodata_to_binary()}
  catch
    {Writer, %JSONError{} = error} -> {:error, error}
  end

  @doc "Like `encode/1`, but returns the text and raises the error."
  @spec encode!(term) :: String.t()
  def encode!(term), do: term |> encode() |> Error.bang!()

  @doc """
  Tells which parts of a value break a JSON Schema, both given as JSON texts.

  The verdict is that of an independent validator. Nothing is fetched. At most a hundred violations are told. Of `anyOf` and `oneOf` they are those
  of one branch, where by its types and constants no other is meant.

  ## Options

  #{Options.docs(@validate_options)}
  ## Examples

      iex> schema = ~s({"type": "array", "items": {"type": "integer", "minimum": 0}})
      iex> {:ok, violations} = Espalier.JSON.validate(schema, ~s([1, "2", -3]))
      iex> Enum.map(violations, &{&1.instance_pointer, &1.keyword, &1.expected, &1.got})
      [{"/1", "type", ~s("integer"), ~s("2")}, {"/2", "minimum", "0", "-3"}]
  """
  @spec validate(schema :: String.t(), instance :: String.t(), keyword) ::
          {:ok, [violation]}
          | {:error, JSONError.t() | Espalier.SchemaError.t() | Espalier.OptionsError.t()}
  def validate(schema, instance, options \\ []) when is_binary(schema) and is_binary(instance) do
    with {:ok, options} <- Options.validate(options, @validate_options),
         {:ok, documents} <- Documents.texts(options[:documents]),
         formats? = options[:format] == :assert,
         result = Native.schema_validate(schema, instance, formats?, documents),
         {:ok, violations} <- Error.wrap(result) do
      {:ok, Violations.meant(violations)}
    end
  end
end

defmodule Espalier.JSON.Object do
  @moduledoc """
  A JSON object whose members have an order.

      iex> schema = %Espalier.JSON.Object{members: [{"type", "string"}, {"maxLength", 3}]}
      iex> Espalier.JSON.encode!(schema)
      ~s({"type":"string","maxLength":3})
  """

  @type t :: %__MODULE__{members: [{String.t() | atom, Espalier.JSON.value()}]}

  @enforce_keys [:members]
  defstruct [:members]
end

defmodule Espalier.JSON.Number do
  @moduledoc """
  A JSON number of any size and precision, as a text. It is as it was written, but for the sign of an
  exponent.

      iex> Espalier.JSON.decode!("1.10e400", numbers: :exact)
      %Espalier.JSON.Number{text: "1.10e+400"}
  """

  @type t :: %__MODULE__{text: String.t()}

  @enforce_keys [:text]
  defstruct [:text]
end
