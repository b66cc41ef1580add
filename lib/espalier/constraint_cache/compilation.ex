defmodule Espalier.ConstraintCache.Compilation do
  @moduledoc false
  # A constraint that is asked for, as `Espalier.BuildCache` wants to know it. What is kept has no vocabulary, which it
  # would keep alive; who asks has it.

  @behaviour Espalier.BuildCache

  alias Espalier.Constraint
  alias Espalier.Constraint.Source
  alias Espalier.ConstraintCache.Key
  alias Espalier.Telemetry
  alias Espalier.Vocabulary

  @enforce_keys [:source, :schema]
  defstruct @enforce_keys

  @typedoc "`schema` is what telemetry calls the schema."
  @type t :: %__MODULE__{source: Source.t(), schema: atom}

  # By the memory that a hundred constraints of each of several kinds took once they were in use.
  @least_bytes 65_536
  @bytes_for_stored 16

  @impl true
  def tell(event, told), do: Telemetry.event([:constraint_cache, event], told)

  @impl true
  def noun, do: "constraint"

  @impl true
  def metadata(%{schema: schema}), do: %{schema: schema}

  @impl true
  def key(%{source: source}), do: Key.in_memory(source)

  # What is loaded has the default limits.
  @impl true
  def file_key(%{source: %Source{limits: []} = source}), do: Key.in_directory(source)
  def file_key(_compilation), do: nil

  @impl true
  def build(%{source: source, schema: schema}) do
    Telemetry.span(:compile, fn -> %{schema: schema} end, fn ->
      source |> Constraint.compile() |> without_vocabulary()
    end)
  end

  @impl true
  def serialize(constraint), do: Constraint.serialize(constraint)

  @impl true
  def deserialize(bytes, %{source: source}),
    do: bytes |> Constraint.deserialize(vocabulary: source.vocabulary) |> without_vocabulary()

  defp without_vocabulary({:ok, constraint}), do: {:ok, %{constraint | vocabulary: nil}}
  defp without_vocabulary(error), do: error

  @impl true
  def bytes(_compilation, stored), do: @least_bytes + @bytes_for_stored * stored

  @impl true
  def owner(%{source: source}), do: Vocabulary.to_weak(source.vocabulary)

  @impl true
  def weak(_constraint), do: nil

  @impl true
  def recall(vocabulary), do: Vocabulary.from_weak(vocabulary)
end
