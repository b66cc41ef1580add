defmodule Espalier.Budgets do
  @moduledoc """
  Schemas of ten kinds, and what must hold of a generation whatever its `max_tokens`, for `Espalier.TruncationTest` and
  `bench/truncation.exs`.
  """

  alias Espalier.Constraint
  alias Espalier.GenerationError
  alias Espalier.JSON
  alias Espalier.Matcher
  alias Espalier.Model
  alias Espalier.Native
  alias Espalier.Result
  alias Espalier.Schema
  alias Espalier.Vocabulary

  defmodule Ticket do
    @moduledoc false
    use Schema

    schema do
      field :summary, :string, max_length: 80
      field :priority, {:enum, [:low, :medium, :high]}
      field :components, {:array, :string}, max_items: 4
    end
  end

  @tree ~S({"$defs":{"tree":{"type":"object","properties":{"value":{"type":"integer"},) <>
          ~S("children":{"type":"array","items":{"$ref":"#/$defs/tree"}}},) <>
          ~S("required":["value","children"],"additionalProperties":false}},"$ref":"#/$defs/tree"})

  # Each with one of its shortest texts, which no other one of them has fewer tokens than.
  @schemas [
    {"strings", [name: {:string, max_length: 40}, city: {:string, min_length: 1}],
     ~S({"name":"","city":"a"})},
    {"enums", [status: {:enum, [:new, :paid, :shipped]}, answer: {:enum, ["yes", "no", "maybe"]}],
     ~S({"status":"new","answer":"no"})},
    {"nested objects",
     [
       customer: [
         name: {:string, max_length: 25},
         address: [street: {:string, max_length: 25}, country: :string]
       ],
       note: {:string, required: false}
     ], ~S({"customer":{"name":"","address":{"street":"","country":""}}})},
    {"arrays",
     [
       tags: {{:array, :string}, min_items: 2, max_items: 6},
       flags: {{:array, :boolean}, min_items: 3}
     ], ~S({"tags":["",""],"flags":[true,true,true]})},
    {"numbers",
     [
       small: {:integer, min: -12, max: 12},
       large: {:integer, min: 1_000_000},
       share: {:number, min: 0, max: 1}
     ], ~S({"small":0,"large":1000000,"share":0})},
    {"unions", [value: {:union, [:integer, :boolean, {:array, :number}, [reason: :string]]}],
     ~S({"value":0})},
    {"recursion", @tree, ~S({"value":0,"children":[]})},
    {"formats", [day: :date, at: :utc_datetime, id: :uuid, mail: :email],
     ~S({"day":"2020-01-01","at":"2020-01-01T00:00:00Z",) <>
       ~S("id":"00000000-0000-0000-0000-000000000000","mail":"a@a"})},
    {"patterns", [code: {:regex, "[A-Z]{2}-[0-9]{4,6}"}, ref: {:regex, "(ab|cde)+"}],
     ~S({"code":"AA-0000","ref":"ab"})},
    {"a ticket", Ticket, ~S({"summary":"","priority":"low","components":[]})}
  ]

  @typedoc """
  A schema for a model. `json_schema` is what the validation judges by, and `enough` a number of tokens that is enough for
  a value, found without the engine.
  """
  @type case_ :: %{
          name: String.t(),
          schema: Schema.t(),
          json_schema: String.t(),
          constraint: Constraint.t(),
          enough: pos_integer
        }

  @doc "The schemas for a model."
  @spec cases(Model.t()) :: [case_]
  def cases(%Model{vocabulary: vocabulary} = model) do
    spellings = spellings(model)

    for {name, schema, text} <- @schemas do
      {:ok, constraint} = Schema.to_constraint(schema, vocabulary: vocabulary)
      {:ok, json_schema} = Schema.to_json_schema(schema)
      tokens = fewest_tokens(text, spellings)
      :ok = constraint |> Matcher.new() |> Matcher.accept_tokens!(tokens)

      %{
        name: name,
        schema: schema,
        json_schema: JSON.encode!(json_schema),
        constraint: constraint,
        enough: length(tokens)
      }
    end
  end

  defp spellings(%Model{vocabulary: vocabulary, info: info}) do
    for id <- (info.size - 1)..0,
        bytes = Vocabulary.token_bytes(vocabulary, id),
        bytes != "",
        into: %{},
        do: {bytes, id}
  end

  # From the back: for each rest of the text the fewest tokens that spell it.
  defp fewest_tokens(text, spellings) do
    size = byte_size(text)

    best =
      for from <- (size - 1)..0, reduce: %{size => {0, []}} do
        best ->
          choices =
            for to <- (from + 1)..size,
                id = spellings[binary_part(text, from, to - from)],
                {count, ids} <- List.wrap(best[to]),
                do: {count + 1, [id | ids]}

          if choices == [], do: best, else: Map.put(best, from, Enum.min(choices))
      end

    best |> Map.fetch!(0) |> elem(1)
  end

  @doc """
  Generates with so many tokens, as a whole if the seed is even and as a stream otherwise. What is wrong is `{:wrong,
  reason}`; `:right` comes with whether there is a value or the text did not fit.
  """
  @spec generate(case_, pos_integer, non_neg_integer, Model.server()) ::
          {:right, :value | :truncated} | {:wrong, term}
  def generate(case_, max_tokens, seed, model) do
    options = [model: model, max_tokens: max_tokens, seed: seed, temperature: 1.5]
    {result, read} = ask(case_, "Write something, number #{seed}.", options, rem(seed, 2) == 0)

    with :ok <- check_read(read, result, max_tokens), do: check(result, case_, max_tokens)
  end

  defp ask(case_, prompt, options, true),
    do: {Espalier.generate_result(case_.schema, prompt, options), nil}

  defp ask(case_, prompt, options, false) do
    events = Espalier.stream(case_.schema, prompt, options)
    {result, ids, text} = Enum.reduce(events, {nil, [], ""}, &read/2)
    {result, {ids, text}}
  rescue
    error in GenerationError -> {{:error, error}, nil}
  end

  defp read({:tokens, tokens}, {result, ids, text}),
    do: {result, ids ++ tokens.ids, text <> tokens.text}

  defp read({:done, result}, {_none, ids, text}), do: {{:ok, result}, ids, text}
  defp read(_event, read), do: read

  defp check_read({ids, text}, {:ok, result}, max_tokens) do
    cond do
      text != result.text -> {:wrong, {:streamed, text, result.text}}
      length(ids) != result.usage.completion_tokens -> {:wrong, {:counted, ids, result.usage}}
      length(ids) > max_tokens -> {:wrong, {:longer, ids}}
      true -> :ok
    end
  end

  defp check_read(_nothing, _result, _max_tokens), do: :ok

  defp check({:ok, %Result{} = result}, case_, max_tokens) do
    cond do
      result.usage.completion_tokens > max_tokens ->
        {:wrong, {:longer, result}}

      Native.schema_validate(case_.json_schema, result.text, true, []) != {:ok, []} ->
        {:wrong, {:invalid, result.text}}

      Schema.read(case_.schema, result.text) != {:ok, result.value} ->
        {:wrong, {:cast, result}}

      true ->
        {:right, :value}
    end
  end

  defp check({:error, %GenerationError{kind: :truncated, text: text}}, case_, max_tokens)
       when is_binary(text) do
    cond do
      max_tokens >= case_.enough -> {:wrong, {:truncated, case_.enough}}
      not prefix?(text, case_.constraint) -> {:wrong, {:no_prefix, text}}
      true -> {:right, :truncated}
    end
  end

  defp check({:error, error}, _case, _max_tokens), do: {:wrong, error}

  @doc "Whether the outcomes, by ascending budgets, are values from where the first one is."
  @spec monotonic?([{pos_integer, term}]) :: boolean
  def monotonic?(outcomes) do
    outcomes
    |> Enum.drop_while(fn {_budget, outcome} -> outcome == {:right, :truncated} end)
    |> Enum.all?(fn {_budget, outcome} -> outcome == {:right, :value} end)
  end

  @doc "Whether a text is the start of a value, as the matcher sees it."
  @spec prefix?(String.t(), Constraint.t()) :: boolean
  def prefix?(text, constraint),
    do: constraint |> Matcher.new() |> Matcher.accept_text(text) == :ok
end
