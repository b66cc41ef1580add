defmodule Espalier.Dashboard.Demo.Order do
  @moduledoc false
  # Its quantities are refused at random, so that some values are asked for again.
  use Espalier.Schema

  schema do
    field :customer, :string, max_length: 40
    field :product, :string, max_length: 40
    field :quantity, :integer, min: 0, max: 10_000, validate: &__MODULE__.in_stock/1
  end

  @doc false
  def in_stock(_quantity),
    do: if(:rand.uniform(5) == 1, do: {:error, "is more than there is"}, else: :ok)
end
