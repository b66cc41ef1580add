# The field specs of Ex Outlines (https://hex.pm/packages/ex_outlines), kind by kind, as Espalier has them.
#
#     mix run examples/field_specs.exs
#
# | Ex Outlines | Espalier |
# | --- | --- |
# | `:string` with `min_length`, `max_length` | the same |
# | `pattern: regex` | `format: regex`; `{:regex, source}` where the whole text is to match |
# | `format: :email`, `:uuid`, `:date` | the types `:email`, `:uuid`, `:date` |
# | `format: :url`, `:phone` | a `{:regex, source}`; the type `:uri` for URIs of any scheme |
# | `:integer` and `:number` with `min`, `max` | the same |
# | `positive: true` | `min: 1` |
# | `exclusive_min`, `exclusive_max`, `multiple_of` | `greater_than`, `less_than`, `multiple_of` |
# | `:boolean`, `:null`, `{:enum, texts}` | the same; atoms are values of an enum, too |
# | `{:array, spec}` with `min_items`, `max_items`, `unique_items` | the same; the last is `unique` |
# | `{:tuple, specs}`, `{:union, specs}` | the same; a tuple's value is a tuple |
# | a union with `:null` | `nullable: true` |
# | `{:object, schema}` | a schema module or a keyword list of fields |
# | `required: true` | nothing, for it is the default; the others have `required: false` |
# | `depends_on` another field | a union with tags |
# | `description` | the same |
#
# Ex Outlines validates the text that a model wrote, and asks again with the errors. Here the rules hold
# while a local model writes: what would break one can't be written, so there is nothing to ask again. A
# `:date` is a day of the calendar, an `:email` any address that JSON Schema's format admits, and objects
# have no other keys than their fields.
#
# First come values that fit each spec, and JSON that doesn't: the bar stands before the first byte that
# can't be written there. Then the tiny model that Espalier ships reads four short texts.

defmodule FieldSpecs.Contact do
  use Espalier.Schema

  schema description: "The head of a CV" do
    field :name, :string, min_length: 2, max_length: 50
    field :role, :string, max_length: 50
    field :email, :email
    field :phone, {:regex, ~r/\d{3}-\d{3}-\d{4}/}, nullable: true
    field :website, {:regex, ~r"https?://\S+"}, max_length: 60
    field :city, :string
  end
end

defmodule FieldSpecs.Ticket do
  use Espalier.Schema

  schema description: "A message to the support, sorted" do
    field :name, :string, max_length: 50
    field :email, :email
    field :order_id, :string, format: ~r/^[A-Z]{2}-\d{5}$/
    field :category, {:enum, [:technical, :billing, :account, :shipping]}
    field :priority, {:enum, [:low, :medium, :high]}
    field :urgent, :boolean
  end
end

defmodule FieldSpecs.Item do
  use Espalier.Schema

  schema do
    field :product, :string, min_length: 3, max_length: 100
    field :quantity, :integer, min: 1, max: 9999
  end
end

defmodule FieldSpecs.Order do
  use Espalier.Schema

  schema do
    field :customer, :string
    field :items, {:array, FieldSpecs.Item}, min_items: 1, max_items: 2
    field :address, street: :string, city: :string
    field :payment, {:enum, [:card, :invoice, :cash]}
  end
end

defmodule FieldSpecs.Event do
  use Espalier.Schema

  schema do
    field :title, :string, min_length: 3, max_length: 100
    field :date, :date
    field :time, {:regex, ~r/\d{2}:\d{2}/}
    field :venue, :string, max_length: 60
    field :guests, :integer, min: 1
    field :price, :number, min: 0
    field :tags, {:array, {:string, min_length: 2, max_length: 20}}, max_items: 5, unique: true
  end
end

defmodule FieldSpecs do
  alias Espalier.Matcher
  alias Espalier.Schema

  def run do
    {:ok, model} = Espalier.Model.start_link(path: Espalier.Model.tiny_path())
    %{vocabulary: vocabulary} = Espalier.Model.fetch!(model)

    for {title, specs} <- specs() do
      IO.puts(IO.ANSI.format([:bright, title]))
      for spec <- specs, do: show(spec, vocabulary)
      IO.puts("")
    end

    for {title, schema, text} <- texts() do
      value = Espalier.generate!(schema, text, model: model)
      IO.puts([IO.ANSI.format([:bright, title]), "\n", text])
      IO.puts([inspect(value, pretty: true, width: 98), "\n"])
    end
  end

  # For each kind: schemas of one field, each with JSON that fits it and JSON that doesn't.
  def specs do
    [
      {"Strings", strings()},
      {"Formats", formats()},
      {"Numbers", numbers()},
      {"Booleans and enums", choices()},
      {"Arrays and tuples", arrays()},
      {"Objects", objects()},
      {"Unions and null", unions()},
      {"Fields that depend on another", dependent()}
    ]
  end

  defp strings do
    [
      {[username: {:string, min_length: 3, max_length: 20}], ~S("ada_36"), ~S("al")},
      {[state: {:string, min_length: 2, max_length: 2}], ~S("CA"), ~S("Calif.")},
      {[slug: {:string, format: ~r/^[a-z0-9-]+$/}], ~S("oak-and-ash"), ~S("Oak and ash")},
      {[sku: {:regex, ~r/[A-Z]{3}\d{6}/}], ~S("LMP004217"), ~S("LMP42")},
      {[doi: {:regex, ~r"10\.\d{4,9}/\S+"}], ~S("10.5281/oak.417"), ~S("10.52/oak")},
      {[error_code: {:regex, ~r/[A-Z_]+/}], ~S("NOT_FOUND"), ~S("not found")}
    ]
  end

  defp formats do
    [
      {[email: :email], ~S("ada@brightloom.com"), ~S("ada at brightloom.com")},
      {[website: {:regex, ~r"https?://\S+"}], ~S("https://brightloom.com"), ~S("brightloom.com")},
      {[id: :uuid], ~S("5f0c3a52-98d1-4e7b-a0f6-2c4b8e1d7a90"), ~S("5f0c3a52")},
      {[phone: {:regex, ~r/\d{3}-\d{3}-\d{4}/}], ~S("212-555-0148"), ~S("+44 20 5550148")},
      {[published: :date], ~S("2028-02-29"), ~S("2027-02-29")}
    ]
  end

  defp numbers do
    [
      {[age: {:integer, min: 13, max: 120}], "36", "150"},
      {[quantity: {:integer, min: 1}], "12", "0"},
      {[rating: {:integer, min: 1, max: 5}], "4", "4.5"},
      {[price: {:number, min: 0.01, max: 999_999.99}], "39.9", "0.001"},
      {[celsius: {:number, min: -273.15}], "-40", "-300"},
      {[confidence: {:number, min: 0, max: 1}], "0.93", "1.5"},
      {[share: {:number, greater_than: 0, less_than: 1}], "0.5", "1"},
      {[minutes: {:integer, multiple_of: 15}], "45", "50"}
    ]
  end

  defp choices do
    [
      {[in_stock: :boolean], "true", ~S("true")},
      {[status: {:enum, ["pending", "approved", "rejected"]}], ~S("approved"), ~S("maybe")},
      {[priority: {:enum, [:low, :medium, :high, :critical]}], ~S("high"), ~S("HIGH")}
    ]
  end

  defp arrays do
    tag = {:string, min_length: 2, max_length: 20}
    skill = {:enum, [:elixir, :python, :rust]}
    location = {:tuple, [{:number, min: -90, max: 90}, {:number, min: -180, max: 180}]}

    [
      {[tags: {{:array, tag}, min_items: 1, max_items: 3}], ~S(["oak","lamp"]), "[]"},
      {[color: {{:array, {:integer, min: 0, max: 255}}, min_items: 3, max_items: 3}],
       "[70,130,180]", "[70,130]"},
      {[skills: {{:array, skill}, unique: true}], ~S(["rust","elixir"]), ~S(["rust","rust"])},
      {[tags: {:array, :string}], ~S(["oak","lamp"]), ~S(["oak",7])},
      {[location: location], "[59.91,10.75]", "[59.91,200]"}
    ]
  end

  defp objects do
    address = [city: :string, location: [latitude: {:number, min: -90, max: 90}]]
    review = [rating: {:integer, min: 1, max: 5}, comment: {:string, min_length: 10}]
    profile = [bio: {:string, max_length: 500}]

    [
      {[address: address], ~S({"city":"Oslo","location":{"latitude":59.91}}),
       ~S({"city":"Oslo","location":{"latitude":"north"}})},
      {[address: address], ~S({"city":"Oslo","location":{"latitude":-90}}),
       ~S({"city":"Oslo","location":{"latitude":-91}})},
      {[reviews: {{:array, review}, max_items: 50}], ~S([{"rating":5,"comment":"A fine lamp."}]),
       ~S([{"rating":5,"comment":"Fine."}])},
      {[user: [name: :string, profile: {profile, required: false}]], ~S({"name":"Ada"}), "{}"},
      {[user: [name: :string]], ~S({"name":"Ada"}), ~S({"name":"Ada","age":36})}
    ]
  end

  defp unions do
    sku = {:regex, ~r/[A-Z]{3}\d{6}/}
    phone = {:regex, ~r/\d{3}-\d{3}-\d{4}/}
    month = {:regex, ~r/\d{4}-\d{2}/}

    [
      {[id: {:union, [sku, {:integer, min: 1}]}], "7", "-7"},
      {[id: {:union, [sku, {:integer, min: 1}]}], ~S("LMP004217"), ~S("7")},
      {[contact: {:union, [:email, phone]}], ~S("212-555-0148"), ~S("by pigeon")},
      {[middle_name: {:string, max_length: 50, nullable: true}], "null", "7"},
      {[gpa: {:number, min: 0, max: 4, nullable: true}], "3.7", "4.3"},
      {[until: {:union, [month, {:const, :present}, :null]}], ~S("present"), ~S("2026")},
      {[result: {:union, [:string, :integer, :null]}], "42", "true"}
    ]
  end

  # A company needs a tax number, a person may have one.
  defp dependent do
    customer =
      {:union, person: [tax_number: {:string, required: false}], company: [tax_number: :string]}

    [
      {[customer: customer], ~S({"type":"person"}), ~S({"type":"robot"})},
      {[customer: customer], ~S({"type":"company","tax_number":"GB 417"}), ~S({"type":"company"})}
    ]
  end

  # What people use such specs for, in the kinds of text that the tiny model knows.
  def texts do
    [
      {"The head of a CV", FieldSpecs.Contact,
       "Ada Winter is a senior developer at Brightloom in Leeds. Write to ada@brightloom.com. " <>
         "Her page is https://www.adawinter.dev."},
      {"A support message", FieldSpecs.Ticket,
       "Hello support team, my name is Mira Holt. The invoice is wrong and I was charged twice. " <>
         "My order number is QK-31860. Please answer right away, you can reach me at mira@holt.org."},
      {"An order", FieldSpecs.Order,
       "Hi, Jonas Falk here. We need two desk lamps and 4 oak desks. " <>
         "Please deliver to 12 Mill Lane in Leeds. I pay by card."},
      {"An event", FieldSpecs.Event,
       "You are invited to the Winter Jazz Evening on 2026-12-04 at 20:00. We meet in the Corner " <>
         "Hall, Leeds. The topics are jazz, soul and tea. There is room for 60 guests and tickets " <>
         "cost €12."}
    ]
  end

  defp show({[{name, _type}] = schema, good, bad}, vocabulary) do
    {:ok, value} = read(schema, text(name, good), vocabulary)
    {:refused, place, error} = read(schema, text(name, bad), vocabulary)

    IO.puts("  #{name}: #{inspect(Map.fetch!(value, name))}")
    IO.puts("    not #{place}")
    IO.puts("    #{Exception.message(error)}")
  end

  defp text(name, json), do: ~s({"#{name}":#{json}})

  # The value that a text stands for, or the text with a bar where it can't go on.
  #
  # With the bar comes the error of `Espalier.Schema.read/2`, which says all that is wrong, and where.
  def read(schema, text, vocabulary) do
    {:ok, constraint} = Schema.to_constraint(schema, vocabulary: vocabulary)

    case constraint |> Matcher.new() |> Matcher.accept_text(text) do
      :ok -> Schema.read(schema, text)
      {:error, error} -> {:refused, bar(text, error.offset), read_error(schema, text)}
    end
  end

  defp bar(text, offset) do
    <<written::binary-size(offset), rest::binary>> = text
    written <> "|" <> rest
  end

  defp read_error(schema, text) do
    {:error, error} = Schema.read(schema, text)
    error
  end
end

FieldSpecs.run()
