defmodule Espalier.Profile.Adapted do
  @moduledoc """
  A schema that was fitted to a profile by `Espalier.Profile.adapt/3`.

    * `profile` - the profile
    * `schema` - what to send
    * `decisions` - what became of each keyword of the original, see `t:decision/0`
    * `wrapper` - the property that holds the value, if the root of the original is no object and the profile
      demands one; or `nil`
    * `nulls` - the places in `schema`, as JSON Pointers, of properties of which null stands for absence

  What the provider writes for `schema` is made a text for the original by `restore/2`:

      iex> {:ok, schema} = Espalier.Schema.to_json_schema(name: :string, age: {:integer, required: false})
      iex> {:ok, adapted} = Espalier.Profile.adapt(:open_ai_strict, schema)
      iex> Espalier.JSON.encode!(adapted.schema)
      ~s({"type":"object","properties":{"name":{"type":"string"},"age":{"type":["integer","null"]}},"required":["name","age"],"additionalProperties":false})
      iex> Espalier.Profile.Adapted.restore(adapted, ~s({"name": "Ada", "age": null}))
      {:ok, ~s({"name":"Ada"})}
  """

  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.JSONError
  alias Espalier.Profile
  alias Espalier.Profile.Restore

  @typedoc """
  What became of a keyword: `pointer` is its place in the original, or for what was added, the place of the schema.

  `Espalier.Profile` says what the decisions and their effects mean.
  """
  @type decision :: %{
          pointer: String.t(),
          keyword: String.t(),
          value: term,
          decision: :kept | :rewritten | :described | :removed | :added,
          effect: :same | :narrower | :wider,
          detail: String.t()
        }

  @type t :: %__MODULE__{
          profile: Profile.t(),
          schema: Object.t() | boolean,
          decisions: [decision],
          wrapper: String.t() | nil,
          nulls: MapSet.t(String.t())
        }

  @enforce_keys [:profile, :schema, :decisions]
  defstruct @enforce_keys ++ [wrapper: nil, nulls: MapSet.new()]

  @doc """
  Whether the provider may write what the original refuses, so that a text must be checked.

      iex> {:ok, adapted} = Espalier.Profile.adapt(:none, %Espalier.JSON.Object{members: [{"type", "string"}]})
      iex> Espalier.Profile.Adapted.checked_after?(adapted)
      true
  """
  @spec checked_after?(t) :: boolean
  def checked_after?(%__MODULE__{decisions: decisions}),
    do: Enum.any?(decisions, &(&1.effect == :wider))

  @doc """
  From a text for the adapted schema to one for the original: without the wrapper, and without nulls that stand
  for the absence of a property.

  Order and spelling of what is left are kept. A text that is no value of the adapted schema comes back as far as
  it can be read; only one that is not JSON is an error.
  """
  @spec restore(t, String.t()) :: {:ok, String.t()} | {:error, JSONError.t()}
  def restore(%__MODULE__{wrapper: nil, nulls: nulls} = adapted, text) do
    if MapSet.size(nulls) == 0, do: {:ok, text}, else: rewritten(adapted, text)
  end

  def restore(adapted, text), do: rewritten(adapted, text)

  defp rewritten(adapted, text) do
    with {:ok, value} <- JSON.decode(text, objects: :ordered, numbers: :exact) do
      value
      |> Restore.absent(adapted.schema, adapted.nulls)
      |> unwrap(adapted.wrapper)
      |> JSON.encode()
    end
  end

  defp unwrap(%Object{members: [{wrapper, value}]}, wrapper), do: value
  defp unwrap(value, _wrapper), do: value
end
