defmodule Espalier.Schema.Field do
  @moduledoc false
  # One field of an object: its name, its type, whether it must be there, and its default.

  alias Espalier.Schema.Membership
  alias Espalier.Schema.Type
  alias Espalier.SchemaError

  @enforce_keys [:name, :key, :type]
  defstruct [:name, :key, :type, :default, required: true]

  @type t :: %__MODULE__{
          name: atom,
          key: String.t(),
          type: Type.t(),
          default: term,
          required: boolean
        }

  @options [
    required: [
      type: :boolean,
      default: true,
      doc: "Whether the key must be in the JSON. An absent one becomes the default."
    ],
    default: [
      doc: "The value of the struct's field, and of a key that is absent. `nil` if not given."
    ]
  ]

  @doc "The field that a user's terms stand for."
  @spec new!(term, term, term) :: t
  def new!(name, spec, options \\ []) do
    check_name!(name)
    {type, options} = Type.new!(spec, options, @options)
    check_default!(type, options)
    struct!(__MODULE__, [name: name, key: Atom.to_string(name), type: type] ++ options)
  rescue
    error in SchemaError -> reraise(in_field(error, name), __STACKTRACE__)
  end

  @doc "The fields of a keyword list from names to types."
  @spec list!(term) :: [t]
  def list!(fields) do
    unless Keyword.keyword?(fields) do
      error!("expected a keyword list of fields, got: #{inspect(fields, limit: 5)}")
    end

    check_unique!(Enum.map(fields, fn {name, spec} -> new!(name, spec) end))
  end

  @doc "Refuses two fields with one name."
  @spec check_unique!([t]) :: [t]
  def check_unique!(fields) do
    case fields -- Enum.uniq_by(fields, & &1.name) do
      [] -> fields
      [twice | _] -> error!("the field #{inspect(twice.name)} is there twice")
    end
  end

  @doc "The options of a field beside those of its type."
  @spec options() :: Espalier.Options.schema()
  def options, do: @options

  defp check_name!(name) when is_atom(name) and name not in [nil, true, false, :__struct__],
    do: :ok

  defp check_name!(name),
    do: error!("expected an atom as the name of a field, got: #{inspect(name)}")

  defp check_default!(type, options) do
    default = options[:default]

    unless default == nil or Membership.member?(type, default) do
      error!("the default #{inspect(default)} is not a value of its type")
    end
  end

  defp in_field(error, name) do
    message = "field #{inspect(name)}: #{error.message}"
    %{error | message: message, detail: message}
  end

  defp error!(detail) do
    raise SchemaError.invalid(detail)
  end
end
