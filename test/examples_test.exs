defmodule Espalier.ExamplesTest do
  @moduledoc "Every script of `examples/` runs with the shipped model and prints something."
  use ExUnit.Case

  import ExUnit.CaptureIO

  alias Espalier.Model

  # Modules of a script are there once it has run.
  @compile {:no_warn_undefined, FieldSpecs}

  @folder Path.expand("../examples", __DIR__)

  # A script without arguments, whatever the tests were started with.
  setup do
    arguments = System.argv()
    System.argv([])
    on_exit(fn -> System.argv(arguments) end)
  end

  for path <- Path.wildcard(Path.join(@folder, "*.exs")),
      Path.basename(path) != "field_specs.exs" do
    test Path.basename(path) do
      assert run(unquote(path)) != ""
    end
  end

  describe "field_specs.exs" do
    setup do
      # The modules stay when a test ends.
      unless Code.ensure_loaded?(FieldSpecs), do: run(Path.join(@folder, "field_specs.exs"))
      model = start_supervised!({Model, path: Model.tiny_path()})
      %{model: model, vocabulary: Model.fetch!(model).vocabulary}
    end

    test "says what becomes of a value, and where another one can't go on" do
      output = capture_io(fn -> FieldSpecs.run() end)

      for lines <- [
            ~S"""
              username: "ada_36"
                not {"username":"al|"}
            """,
            ~S"""
              published: ~D[2028-02-29]
                not {"published":"2027-02-2|9"}
                invalid value: at published: "2027-02-29" is not a "date"
            """,
            ~S"""
              age: 36
                not {"age":15|0}
            """,
            ~S"""
              priority: :high
                not {"priority":"|HIGH"}
                invalid value: at priority: "HIGH" is not one of "low", "medium" or 2 other candidates
            """,
            ~S"""
              skills: [:rust, :elixir]
                not {"skills":["rust","|rust"]}
            """,
            ~S"""
              address: %{city: "Oslo", location: %{latitude: 59.91}}
                not {"address":{"city":"Oslo","location":{"latitude":|"north"}}}
                invalid value: at address.location.latitude: "north" is not of type "number"
            """,
            ~S"""
              user: %{name: "Ada", profile: nil}
                not {"user":{|}}
                invalid value: at user: "name" is a required property
            """,
            ~S"""
              until: :present
                not {"until":"2026|"}
            """,
            ~S"""
              customer: %{tax_number: "GB 417", type: :company}
                not {"customer":{"type":"company"|}}
                invalid value: at customer: "tax_number" is a required property
            """
          ] do
        assert output =~ lines
      end
    end

    test "makes structs of the declared shape from texts", %{model: model} do
      [contact, ticket, order, event] =
        for {_title, schema, text} <- FieldSpecs.texts() do
          value = Espalier.generate!(schema, text, model: model)
          assert is_struct(value, schema)
          value
        end

      assert String.length(contact.name) in 2..50
      assert contact.email =~ "@"
      assert contact.phone == nil or contact.phone =~ ~r/\A\d{3}-\d{3}-\d{4}\z/
      assert contact.website =~ ~r"\Ahttps?://\S+\z"

      assert ticket.order_id =~ ~r/\A[A-Z]{2}-\d{5}\z/
      assert ticket.category in [:technical, :billing, :account, :shipping]
      assert ticket.priority in [:low, :medium, :high]
      assert is_boolean(ticket.urgent)

      assert length(order.items) in 1..2
      assert Enum.all?(order.items, &(is_struct(&1, FieldSpecs.Item) and &1.quantity in 1..9999))
      assert %{street: _street, city: _city} = order.address

      assert %Date{} = event.date
      assert event.guests >= 1
      assert length(event.tags) <= 5
      assert event.tags == Enum.uniq(event.tags)
    end
  end

  defp run(path), do: capture_io(fn -> Code.require_file(path) end)
end
