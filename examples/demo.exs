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
    field :issue, :string
    field :priority, {:enum, [:low, :medium, :high]}
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
    field :order_number, :string
    field :items, {:array, Demo.Item}, min_items: 1
    field :city, :string
  end
end

defmodule Demo.Event do
  use Espalier.Schema

  schema do
    field :title, :string
    field :date, :string
    field :venue, :string
    field :tags, {:array, :string}, max_items: 6
  end
end

defmodule Demo do
  @texts [
    {"A support message", Demo.Ticket,
     """
     Hello, my name is Ada Novak. Since this morning, the checkout page shows an error. \
     This is very urgent! You can reach me at ada.novak@brightlamp.com.\
     """},
    {"An order", Demo.Order,
     """
     Hi, this is Omar Reed. Order SO-4711: two oak desks at $120.50 each and 3 red lamps at $19.99 each. \
     Please send them to Lisbon.\
     """},
    {"An event", Demo.Event,
     """
     You are invited to the Midnight Poetry Reading on 14 March 2027 at the Orchard Library. \
     Tags: books, art, music.\
     """}
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
