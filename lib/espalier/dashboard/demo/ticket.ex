defmodule Espalier.Dashboard.Demo.Ticket do
  @moduledoc false
  use Espalier.Schema

  schema do
    field :name, :string, max_length: 40
    field :category, {:enum, [:billing, :technical, :shipping, :account]}
    field :priority, {:enum, [:low, :medium, :high]}
    field :urgent, :boolean
  end
end
