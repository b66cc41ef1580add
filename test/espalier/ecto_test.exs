if Code.ensure_loaded?(Ecto.Schema) do
  defmodule Order.Item do
    use Ecto.Schema

    embedded_schema do
      field :product, :string
      field :quantity, :integer
    end

    def changeset(item, params) do
      item
      |> Ecto.Changeset.cast(params, [:product, :quantity])
      |> Ecto.Changeset.validate_required([:product])
    end
  end

  defmodule Order do
    @moduledoc "The schema in the documentation of `Espalier.Ecto`."
    use Ecto.Schema
    import Ecto.Changeset

    embedded_schema do
      field :customer, :string
      field :status, Ecto.Enum, values: [:new, :paid], default: :new
      embeds_many(:items, Order.Item)
    end

    def changeset(order, params) do
      order
      |> cast(params, [:customer, :status])
      |> validate_required([:customer])
      |> validate_length(:customer, max: 80)
      |> cast_embed(:items, required: true)
    end
  end

  defmodule Espalier.EctoTest do
    use ExUnit.Case, async: true

    alias Espalier.{ChangesetError, JSON, Matcher, Schema, SchemaError, Vocabulary}

    # A walk of a thousand bytes takes its time on a busy machine.
    @moduletag :ecto
    @moduletag timeout: 120_000

    doctest Espalier.Ecto
    doctest Espalier.Ecto.Rule

    defmodule Comment do
      use Ecto.Schema
      import Ecto.Changeset

      embedded_schema do
        field :author, :string
        field :body, :string
        field :stars, :integer
      end

      def changeset(comment, params) do
        comment
        |> cast(params, [:author, :body, :stars])
        |> validate_required([:body])
        |> validate_length(:body, min: 2, count: :codepoints)
        |> validate_inclusion(:stars, 1..5)
        |> validate_exclusion(:author, ["admin", "root"])
      end

      def short(comment, params),
        do: comment |> cast(params, [:body]) |> validate_length(:body, max: 5)
    end

    defmodule Author do
      use Ecto.Schema
      import Ecto.Changeset

      @primary_key false
      embedded_schema do
        field :name, :string
        field :born, :date
      end

      def changeset(author, params),
        do: author |> cast(params, [:name, :born]) |> validate_required([:name, :born])
    end

    defmodule User do
      use Ecto.Schema

      schema "users" do
        field :name, :string
        has_many(:posts, Espalier.EctoTest.Post)
      end

      def changeset(user, params), do: Ecto.Changeset.cast(user, params, [:name])
    end

    defmodule Post do
      use Ecto.Schema
      import Ecto.Changeset

      schema "posts" do
        field :title, :string
        belongs_to(:user, Espalier.EctoTest.User)
        embeds_one(:author, Espalier.EctoTest.Author)
        field :slug, :string
        field :state, Ecto.Enum, values: [:draft, :public], default: :draft
        field :level, Ecto.Enum, values: [low: 1, middle: 2, high: 3]
        field :tags, {:array, :string}, default: []
        field :reviewed, :boolean, virtual: true
        embeds_many(:comments, Espalier.EctoTest.Comment)
        embeds_many(:notes, Espalier.EctoTest.Comment)
        timestamps()
      end

      def changeset(post, params) do
        post
        |> cast(params, [:title, :slug, :state, :level, :tags, :reviewed])
        |> validate_required([:title, :slug, :state])
        |> validate_length(:title, max: 12)
        |> validate_format(:slug, ~r/\A[a-z0-9]+(?:-[a-z0-9]+)*\z/)
        |> validate_exclusion(:level, [:middle])
        |> validate_length(:tags, max: 3)
        |> validate_subset(:tags, ["elixir", "rust", "ai"])
        |> cast_embed(:author, required: true)
        |> cast_embed(:comments)
        |> validate_length(:comments, max: 2)
      end
    end

    defmodule Item do
      use Ecto.Schema
      import Ecto.Changeset

      embedded_schema do
        field :product, :string
        field :quantity, :integer
        field :price, :decimal
        field :weight, :float
      end

      def changeset(item, params) do
        item
        |> cast(params, [:product, :quantity, :price, :weight])
        |> validate_required([:product, :quantity, :price])
        |> validate_number(:quantity, greater_than: 0, less_than_or_equal_to: Decimal.new("99.5"))
        |> validate_number(:price, greater_than: 0, less_than: Decimal.new("1000.10"))
        |> validate_number(:price, not_equal_to: 13)
        |> validate_number(:weight, greater_than_or_equal_to: 0.5)
      end
    end

    defmodule Order do
      use Ecto.Schema
      import Ecto.Changeset

      @primary_key {:id, :binary_id, autogenerate: true}
      schema "orders" do
        field :number, Ecto.UUID
        field :placed_on, :date
        field :ships_at, :utc_datetime
        field :wakes_at, :time_usec
        field :noted_at, :naive_datetime_usec
        field :terms, :boolean
        field :extra, :map
        field :counts, {:map, :integer}
        embeds_many(:items, Espalier.EctoTest.Item)
      end

      def changeset(order, params) do
        order
        |> cast(params, [
          :number,
          :placed_on,
          :ships_at,
          :wakes_at,
          :noted_at,
          :terms,
          :extra,
          :counts
        ])
        |> validate_required([:placed_on, :ships_at])
        |> validate_acceptance(:terms)
        |> validate_length(:counts, max: 2)
        |> cast_embed(:items, required: true)
      end
    end

    defmodule Setting do
      use Ecto.Schema
      import Ecto.Changeset

      @primary_key false
      embedded_schema do
        field :key, :string
        field :value, :string
        embeds_many(:children, __MODULE__)
        embeds_one(:fallback, __MODULE__)
      end

      def changeset(setting, params) do
        setting
        |> cast(params, [:key, :value])
        |> validate_required([:key])
        |> validate_format(:key, ~r/^[a-z_]+$/)
        |> cast_embed(:children, with: &changeset/2)
        |> cast_embed(:fallback)
      end
    end

    # No function of its own: everything without a default is required.
    defmodule Plain do
      use Ecto.Schema

      @primary_key false
      embedded_schema do
        field :name, :string
        field :size, :integer, default: 1

        embeds_one :place, Place, primary_key: false do
          field :city, :string
        end

        embeds_many(:more, __MODULE__)
      end
    end

    # What a changeset function may do, and reflection can't know.
    defmodule Strict do
      use Ecto.Schema
      import Ecto.Changeset

      embedded_schema do
        field :email, :string
        field :nick, :string
        field :ratio, :float
        field :agreed, :boolean, virtual: true
      end

      def changeset(strict, params) do
        strict
        |> cast(params, [:email, :nick, :ratio, :agreed])
        |> validate_format(:email, ~r/^[^\s]+@[^\s]+$/)
        |> validate_format(:email, ~r/\w$/i)
        |> validate_format(:email, ~r/a\Kb/)
        |> validate_length(:nick, min: 2)
        |> validate_number(:ratio, greater_than: 0)
        |> validate_change(:nick, fn :nick, nick ->
          if nick == "xx", do: [nick: "is taken"], else: []
        end)
      end

      def accepted(strict, params),
        do: strict |> changeset(params) |> validate_acceptance(:agreed)

      def demanding(strict, params),
        do: strict |> changeset(params) |> validate_required([:agreed])

      def raising(_strict, %{"email" => _email}), do: raise("unreachable")
    end

    defmodule Endless do
      use Ecto.Schema
      import Ecto.Changeset

      @primary_key false
      embedded_schema do
        field :name, :string
        embeds_many(:children, __MODULE__)
      end

      def changeset(endless, params, depth \\ 0) do
        endless
        |> cast(params, [:name])
        |> cast_embed(:children, with: &changeset(&1, &2, depth + 1))
      end

      # Two levels only.
      def levels(endless, params, 0), do: cast(endless, params, [:name])

      def levels(endless, params, depth) do
        endless
        |> cast(params, [:name])
        |> cast_embed(:children, with: &levels(&1, &2, depth - 1))
      end
    end

    defmodule Shop do
      use Espalier.Schema

      schema do
        field :name, :string
        field :orders, {:array, Espalier.EctoTest.Item}, max_items: 2
      end
    end

    @end_id 256

    defp constraint(schema) do
      vocabulary = Vocabulary.bytes()
      assert {:ok, constraint} = Schema.to_constraint(schema, vocabulary: vocabulary)
      constraint
    end

    # A text as the masks allow it: at random first, then whatever closes what is open.
    defp walk(constraint, seed) do
      :rand.seed(:exsss, {seed, 1, 1})
      walk(Matcher.new(constraint), 0, [])
    end

    defp walk(matcher, n, bytes) when n < 5000 do
      {:ok, allowed} = Matcher.allowed_tokens(matcher)

      case choose(allowed, n) do
        @end_id -> bytes |> Enum.reverse() |> IO.iodata_to_binary()
        byte -> walk(accept(matcher, byte), n + 1, [byte | bytes])
      end
    end

    defp accept(matcher, byte) do
      Matcher.accept_token!(matcher, byte)
      matcher
    end

    defp choose(allowed, n) do
      if n < 250 and :rand.uniform() < 0.8 do
        Enum.random(allowed)
      else
        Enum.find([@end_id, ?", ?}, ?], ?,, ?n, ?9], Enum.random(allowed), &(&1 in allowed))
      end
    end

    defp assert_all_pass(schema, module) do
      constraint = constraint(schema)

      for seed <- 1..40 do
        text = walk(constraint, seed)
        assert {:ok, %{__struct__: ^module}} = Schema.read(schema, text), text
      end
    end

    defp properties(schema) do
      assert {:ok, schema} = Schema.to_json_schema(schema)
      {"properties", properties} = List.keyfind(schema.members, "properties", 0)
      for {key, value} <- properties.members, do: {key, JSON.encode!(value)}
    end

    defp keys(schema), do: Enum.map(properties(schema), &elem(&1, 0))
    defp property(schema, key), do: schema |> properties() |> List.keyfind(key, 0) |> elem(1)

    describe "a blog post" do
      test "has the fields of its struct in order, and neither keys nor timestamps" do
        assert keys(Post) == ~w(title author slug state level tags comments)
        assert property(Post, "state") == ~S({"enum":["draft","public"]})
        assert property(Post, "level") == ~S({"enum":["low","high",null]})

        assert property(Post, "title") ==
                 ~S({"type":"string","pattern":"[^\\s\\u0085]","maxLength":12})

        assert property(Post, "comments") ==
                 ~S({"type":"array","items":{"$ref":"#/$defs/Espalier.EctoTest.Comment"},"maxItems":2})
      end

      test "passes its changeset function, whatever is generated" do
        assert_all_pass(Post, Post)
      end

      test "becomes structs" do
        text =
          ~S({"title":"One","author":{"name":"Ada","born":"1815-12-10"},"slug":"one","state":"public",) <>
            ~S("tags":["ai"],"comments":[{"body":"Well"}]})

        assert {:ok, %Post{author: %Author{born: ~D[1815-12-10]}} = post} =
                 Schema.read(Post, text)

        assert %{state: :public, level: nil, tags: ["ai"], comments: [%Comment{body: "Well"}]} =
                 post
      end

      test "tells what the changeset functions refuse, with paths" do
        json = %{
          "title" => "One",
          "slug" => "A",
          "comments" => [%{"body" => "Well"}, %{"body" => "x"}]
        }

        assert {:error, %ChangesetError{} = error} = Schema.cast(Post, json)
        assert %{path: ["author"], message: "can't be blank"} in error.diagnostics
        assert %{path: ["slug"], message: "has invalid format"} in error.diagnostics

        assert %{path: ["comments", 1, "body"], message: "should be at least 2 character(s)"} in error.diagnostics

        assert Exception.message(error) =~ "comments.1.body should be at least 2 character(s)"
        assert error.changeset.action == :insert
      end

      test "takes associations in when asked" do
        defmodule Member do
          use Ecto.Schema
          import Ecto.Changeset

          schema "members" do
            field :nick, :string
            has_many(:comments, Comment)
            belongs_to(:user, User)
          end

          def changeset(member, params),
            do: member |> cast(params, [:nick]) |> cast_assoc(:user, required: true)
        end

        assert {:error, %SchemaError{message: message}} = Schema.to_json_schema(Member)
        assert message =~ "asks for :user, which is left out"
        schema = Espalier.Ecto.schema(Member, include: [:user])
        assert keys(schema) == ["nick", "user"]

        assert {:ok, %{user: %User{name: "Ada"}}} =
                 Schema.read(schema, ~S({"user":{"name":"Ada"}}))
      end
    end

    describe "an order" do
      test "has bounds of decimals and days of the calendar" do
        assert keys(Order) ==
                 ~w(number placed_on ships_at wakes_at noted_at terms extra counts items)

        assert property(Order, "terms") == ~S({"const":true})
        assert property(Order, "items") =~ ~S("minItems":1)

        assert property(Item, "price") ==
                 ~S({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1000.10,"not":{"enum":[13]}})

        assert property(Item, "quantity") ==
                 ~S({"type":"integer","exclusiveMinimum":0,"maximum":99.5})
      end

      test "passes its changeset function, whatever is generated" do
        assert_all_pass(Order, Order)
      end

      test "keeps the digits of decimals" do
        text = ~S({"product":"Lamp","quantity":2,"price":12.345678901234567890123456789})

        assert {:ok, item} = Schema.read(Item, text)
        assert Decimal.to_string(item.price) == "12.345678901234567890123456789"
      end
    end

    describe "a tree of settings" do
      test "refers to itself" do
        assert property(Setting, "children") =~ ~S("$ref":"#/$defs/Espalier.EctoTest.Setting.)
        assert property(Setting, "fallback") == ~S({"anyOf":[{"$ref":"#"},{"type":"null"}]})
      end

      test "passes its changeset function, whatever is generated" do
        assert_all_pass(Setting, Setting)
      end

      test "has its depth where the function counts it, and an error where there is no end" do
        two = Espalier.Ecto.schema(Endless, changeset: &Endless.levels(&1, &2, 2))

        assert {:ok, %Endless{children: [%Endless{children: [_]}]}} =
                 Schema.read(two, ~S({"children":[{"children":[{"name":"a"}]}]}))

        assert {:ok, _} = Schema.to_json_schema(two)
        assert {:error, %SchemaError{message: message}} = Schema.to_json_schema(Endless)
        assert message =~ "more than 1000 schemas"
      end
    end

    describe "a module without a changeset function" do
      test "requires what has no default" do
        assert property(Plain, "name") == ~S({"type":"string","pattern":"[^\\s\\u0085]"})
        assert property(Plain, "size") == ~S({"type":"integer"})
        assert property(Plain, "place") == ~S({"$ref":"#/$defs/Espalier.EctoTest.Plain.Place"})
        assert_all_pass(Plain, Plain)
      end

      test "is cast with what is chosen" do
        schema = Espalier.Ecto.schema(Plain, only: [:size, :name])
        assert keys(schema) == ["name", "size"]
        assert {:ok, %Plain{name: "a", place: nil}} = Schema.read(schema, ~S({"name":"a"}))
      end
    end

    # Ecto has the type where it was compiled by an Elixir that has the module.
    if Code.ensure_loaded?(Duration) and Ecto.Type.base?(:duration) and
         Ecto.Type.cast(:duration, struct!(Duration)) != :error do
      defmodule Timer do
        use Ecto.Schema

        @primary_key false
        embedded_schema do
          field :takes, :duration
        end
      end

      test "a duration is cast by the changeset function" do
        assert {:ok, %{__struct__: Timer, takes: takes}} =
                 Schema.read(Timer, ~S({"takes":"P1DT12H"}))

        assert takes == struct!(Duration, day: 1, hour: 12)
      end
    end

    describe "schema/2" do
      test "takes another changeset function" do
        schema = Espalier.Ecto.schema(Comment, changeset: &Comment.short/2, only: [:body])
        assert property(schema, "body") == ~S({"type":["string","null"],"maxLength":5})
        assert_all_pass(schema, Comment)
      end

      test "refuses a function that asks for what is left out" do
        for function <- [&Strict.accepted/2, &Strict.demanding/2] do
          schema = Espalier.Ecto.schema(Strict, changeset: function)
          assert {:error, %SchemaError{message: message}} = Schema.to_json_schema(schema)
          assert message =~ "asks for :agreed, which is left out"
        end

        schema = Espalier.Ecto.schema(Strict, changeset: &Strict.accepted/2, include: [:agreed])
        assert property(schema, "agreed") == ~S({"const":true})
      end

      test "stands within other schemas" do
        assert {:ok, %Shop{orders: [%Item{quantity: 2}]}} =
                 Schema.read(
                   Shop,
                   ~S({"name":"a","orders":[{"product":"p","quantity":2,"price":1}]})
                 )

        fields = [a: Espalier.Ecto.schema(Comment, only: [:body]), b: Comment]

        assert {:ok, %{a: %Comment{}, b: %Comment{stars: 2}}} =
                 Schema.read(fields, ~S({"a":{"body":"aa"},"b":{"body":"bb","stars":2}}))

        assert {:error, %ChangesetError{diagnostics: [%{path: ["orders", 0, "product"]}]}} =
                 Schema.cast(Shop, %{
                   "name" => "a",
                   "orders" => [%{"quantity" => 2, "price" => 1}]
                 })

        constraint = constraint(fields)
        for seed <- 1..10, do: assert({:ok, _} = Schema.read(fields, walk(constraint, seed)))
      end

      test "is described for a prompt" do
        assert {:ok, text} = Schema.describe(Setting)
        assert text =~ ~S("key": string, not blank)
        assert text =~ "another object like the Setting above"
      end
    end

    test "Espalier.explain/2 tells what the changeset function is left to check" do
      told = Espalier.explain(rules: {:array, Post})
      told = for rule <- told, do: {rule.path, rule.keyword, rule.by}
      assert {["rules", :*, "title"], "maxLength", :tokens} in told
      assert {["rules", :*], "changeset", :unseen} in told
      assert {["rules", :*, "comments"], "changeset", :unseen} in told
    end

    describe "explain/2" do
      defp rules(module, options \\ []), do: Espalier.Ecto.explain(module, options)
      defp by(rules, path, rule), do: for(%{path: ^path, rule: ^rule, by: by} <- rules, do: by)

      test "tells what tokens keep, also within embeds" do
        rules = rules(Post)
        assert by(rules, [:title], :required) == [:tokens]
        assert by(rules, [:title], {:length, [max: 12]}) == [:tokens]
        assert by(rules, [:comments, :stars], {:inclusion, 1..5}) == [:tokens]
        assert by(rules, [:author, :born], :type) == [:tokens]
        assert by(rules, [:notes], :cast) == [:unseen]
        assert by(rules, [:comments], :changeset) == [:unseen]
      end

      test "ends with recursive embeds" do
        assert by(rules(Setting), [:fallback], :changeset) == []
        assert by(rules(Setting), [:key], :required) == [:tokens]
      end

      test "tells what is checked afterwards" do
        rules = rules(Strict)
        assert by(rules, [:email], {:format, ~r/^[^\s]+@[^\s]+$/}) == [:tokens]
        # Beyond ASCII it is about bytes.
        assert by(rules, [:email], {:format, ~r/\w$/i}) == [:tokens, :after]
        assert by(rules, [:email], {:format, ~r/a\Kb/}) == [:after]
        assert by(rules, [:nick], {:length, [min: 2]}) == [:tokens, :after]
        assert by(rules, [:ratio], {:number, [greater_than: 0]}) == [:tokens, :after]
        assert [%{by: :unseen, text: text}] = Enum.filter(rules, &(&1.path == []))
        assert text =~ "validate_change/3"
      end

      test "tells that a function can't be asked" do
        rules = rules(Strict, changeset: &Strict.raising/2)
        assert [%{by: :unseen, text: text}] = Enum.filter(rules, &(&1.path == []))
        assert text =~ "raised FunctionClauseError for empty params"
      end
    end

    test "Espalier.generate/3 gives the struct" do
      model = start_supervised!({Espalier.Model, path: Espalier.Model.tiny_path()})

      for seed <- 1..3 do
        options = [model: model, seed: seed, temperature: 1.5, max_tokens: 150]

        assert {:ok, %Post{author: %Author{}}} =
                 Espalier.generate(Post, "Write something.", options)
      end
    end

    test "a text that no constraint held is read, and cast by the changeset function" do
      text =
        "Here:\n```json\n{'customer': 'Ada', items: [{product: 'lamp', quantity: \"2\"}]}\n```"

      options = [backend: {Espalier.StubBackend, pieces: [text]}]
      assert {:ok, order} = Espalier.generate(Elixir.Order, "Two lamps for Ada.", options)
      assert %Elixir.Order{customer: "Ada", items: [%{product: "lamp", quantity: 2}]} = order

      options = [max_attempts: 1, backend: {Espalier.StubBackend, pieces: ["{customer: 'Ada'}"]}]

      assert {:error, %ChangesetError{diagnostics: [fault]}} =
               Espalier.generate(Elixir.Order, "?", options)

      assert fault.path == ["items"]
    end
  end
end
