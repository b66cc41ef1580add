# Three texts become three structs, with the tiny model that Espalier ships.
#
#     mix run examples/demo.exs
#
# The text of each value is printed as the model writes it. Where the terminal has colours, tokens that
# the schema forces are dim and those that the model chose are bright.

defmodule Demo.Ticket do
  use Espalier.Schema

  schema do
    field :name, :string
    field :email, :string
    field :company, :string
    field :order_id, :string
    field :category, {:enum, [:billing, :technical, :shipping, :account]}
    field :priority, {:enum, [:low, :medium, :high]}
    field :urgent, :boolean
  end
end

defmodule Demo.Item do
  use Espalier.Schema

  schema do
    field :product, :string
    field :quantity, :integer, min: 1
    field :price, :float, min: 0
  end
end

defmodule Demo.Order do
  use Espalier.Schema

  schema do
    field :customer, :string
    field :items, {:array, Demo.Item}, min_items: 1, max_items: 2
    field :currency, :string, format: "^[A-Z]{3}$"
    field :address, :string
    field :city, :string
    field :delivery_date, :string
    field :phone, :string
  end
end

defmodule Demo.Event do
  use Espalier.Schema

  schema do
    field :title, :string
    field :date, :string
    field :time, :string
    field :venue, :string
    field :city, :string
    field :host, :string
    field :guests, :integer, min: 1
    field :price, :float, min: 0
    field :tags, {:array, :string}, max_items: 6
  end
end

defmodule Demo do
  @ticket """
  Hello support team,

  my name is Ingrid Solheim and I work for Nordlys Labs in Bergen. Since Monday the export crashes \
  every time, and it blocks our whole work. My order number is NF-20417. Please answer right away, \
  you can reach me at ingrid@nordlys.com.

  Many thanks
  Ingrid\
  """

  @order """
  Good morning! This is Marek Dvorak. We would like to order three oak desks at $249.50 each and 12 \
  folding chairs at $38 each for our new office. Please deliver everything to 17 Linden Street in \
  Brno by 2026-09-14. Questions? Call +420 604 118 932.\
  """

  @event """
  Dear friends,

  you are invited to the Harvest Poetry Night on 2026-10-09 at 19:30. We meet in the Alder Library, \
  Ghent. Your host is Lotte Vermeulen, and the topics are poems, rivers and tea. There is room for \
  40 guests and tickets cost €8. Please sign up at poetry@alder.org.\
  """

  @texts [
    {"A support message", Demo.Ticket, @ticket},
    {"An order", Demo.Order, @order},
    {"An invitation", Demo.Event, @event}
  ]

  def run do
    {:ok, model} = Espalier.Model.start_link(path: Espalier.Model.tiny_path())
    Enum.each(@texts, fn {title, schema, text} -> show(title, schema, text, model) end)
  end

  defp show(title, schema, text, model) do
    IO.puts([paint(title, :bright), "\n\n", text, "\n"])

    {microseconds, result} = :timer.tc(fn -> write(schema, text, model) end)

    IO.puts(["\n\n", inspect(result.value, pretty: true, width: 98), "\n"])
    IO.puts([paint(summary(result.usage, microseconds), :faint), "\n"])
  end

  # Prints the text as it comes and gives the result.
  defp write(schema, text, model) do
    schema
    |> Espalier.stream(text, model: model)
    |> Enum.reduce(:bright, fn
      {:tokens, tokens}, _style -> if tokens.forced?, do: :faint, else: :green
      {:text, text}, style -> print(text, style)
      {:done, result}, _style -> result
    end)
  end

  defp print(text, style) do
    IO.write(paint(text, style))
    style
  end

  defp summary(usage, microseconds) do
    "#{usage.completion_tokens} tokens, #{usage.forced_tokens} of them forced by the schema, " <>
      "in #{usage.steps} steps of the model and #{Float.round(microseconds / 1000, 1)} ms"
  end

  defp paint(text, style), do: IO.ANSI.format([style, text])
end

Demo.run()
