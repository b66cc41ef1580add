# The kinds of output that a model can be held to: a choice, a regular expression, a keyword list of fields,
# a struct, and a JSON Schema.
#
#     mix run examples/kinds_of_output.exs
#
# The tiny model that Espalier ships fills in the values; how good they are is up to the model, that they fit
# is up to Espalier.

defmodule Example.Weapon do
  use Espalier.Schema

  schema do
    field :name, :string, min_length: 3, max_length: 20
    field :damage, :integer, min: 1, max: 12
  end
end

defmodule Example.Character do
  use Espalier.Schema

  schema description: "A character of a role-playing game" do
    field :name, :string, max_length: 20, format: ~r/^[A-Z][a-z]+$/
    field :age, :integer, greater_than: 18, less_than: 99
    field :armor, {:enum, [:leather, :chainmail, :plate]}
    embeds_one(:weapon, Example.Weapon)
    field :strength, :float, min: 0, max: 10

    field :languages, {:array, {:string, one_of: ["Common", "Elvish", "Dwarvish"]}},
      unique: true,
      min_items: 1

    field :born, :date

    field :mount, {:union, horse: [speed: :integer], dragon: [breath: {:enum, [:fire, :ice]}]},
      discriminator: :kind
  end
end

{:ok, model} = Espalier.Model.start_link(path: Espalier.Model.tiny_path())

show = fn title, schema, prompt ->
  value = Espalier.generate!(schema, prompt, model: model, max_tokens: 300, seed: 7)
  IO.puts("#{title}: #{inspect(value, pretty: true)}")
end

show.("A choice", {:choice, [:positive, :negative]}, "The soup was cold and the waiter rude.")

show.(
  "A phone number",
  {:regex, ~r/\([0-9]{3}\) [0-9]{3}-[0-9]{4}/},
  "Call me at (415) 555-0199."
)

show.(
  "Fields",
  [city: {:string, max_length: 20}, guests: {:integer, min: 1, max: 99}],
  "A dinner for 12 in Oslo."
)

show.("A struct", Example.Character, "A brave knight named Ada with a sword.")

show.(
  "A JSON Schema",
  ~S({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3}),
  "2, 3 and 5"
)
