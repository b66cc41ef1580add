defmodule Espalier.Profile.Adapter do
  @moduledoc false
  # A schema is first made a value of few forms, each exactly: a reference alone, a choice alone, or keywords of
  # one place. Then each is written with what the profile takes, and what is left over goes into words.
  #
  # `context` is what is known on the way down, `account` what was found so far.

  alias Espalier.Constraint
  alias Espalier.ConstraintCache
  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.JSON.Pointer
  alias Espalier.Profile
  alias Espalier.Profile.Account
  alias Espalier.Profile.Adapted
  alias Espalier.Profile.Grammar
  alias Espalier.Profile.Keywords
  alias Espalier.Profile.Measure
  alias Espalier.Profile.Merge
  alias Espalier.Profile.Node
  alias Espalier.Profile.References
  alias Espalier.Profile.Words
  alias Espalier.SchemaError
  alias Espalier.Vocabulary

  # What a validator may do all the same.
  @beyond_the_engine [:unsupported_keyword, :unsupported_regex, :limit_exceeded]

  @most_branches 200
  @wrapper "value"
  @openapi "https://spec.openapis.org/oas/3.0/schema"

  @spec adapt(Profile.t(), term, keyword) :: {:ok, Adapted.t()} | {:error, Exception.t()}
  def adapt(profile, json, options) do
    {root, options} = Keyword.pop!(options, :root)

    with {:ok, unknown} <- unknown(json, options),
         {:ok, index} <- References.index(json, options[:documents], unknown) do
      place = References.root("", nil, unknown)
      context = profile |> context(index, options) |> root_rule(root)

      if context.rules.unchanged,
        do: {:ok, unchanged(profile, json, place, context)},
        else: root(profile, json, place, context)
    end
  catch
    {:refused, error} -> {:error, error}
  end

  defp unknown(json, options) do
    case ConstraintCache.fetch(JSON.encode!(json), [vocabulary: Vocabulary.bytes()] ++ options) do
      {:ok, constraint} -> {:ok, constraint |> Constraint.unknown_keywords() |> MapSet.new()}
      {:error, %SchemaError{kind: kind}} when kind in @beyond_the_engine -> {:ok, MapSet.new()}
      {:error, _error} = error -> error
    end
  end

  defp context(profile, index, options) do
    names =
      ~w(takes annotations values enum_values patterns apart integer_bounds root types typed all_required
               closed references order unchanged grammar limit)a

    %{
      rules: Map.new(names, &{&1, Profile.rule(profile, &1)}),
      index: index,
      options: options,
      root?: true,
      # The references that lead here, and whether an optional property was passed since.
      stack: %{},
      # Those that were put in place while schemas were merged.
      merging: MapSet.new(),
      branches: 1
    }
  end

  defp root_rule(context, :any), do: context
  defp root_rule(context, :object), do: put_in(context.rules.root, :object)

  defp unchanged(profile, json, place, context) do
    {hints, conditions} = json |> Node.read(place) |> hints_and_conditions()
    {decision, effect, detail} = conditions(json, context)

    account =
      Account.new()
      |> Account.tell(hints, :kept, :same, "it is in the prompt")
      |> Account.tell(conditions, decision, effect, detail)
      |> Account.rest(json, place)

    %Adapted{profile: profile, schema: json, decisions: Account.decisions(account)}
  end

  defp conditions(_json, %{rules: %{grammar: false}}),
    do: {:described, :wider, "it is in the prompt"}

  defp conditions(json, context) do
    case Grammar.gbnf(json, context.options) do
      {:ok, _gbnf} -> {:rewritten, :same, "it is in the grammar"}
      {:error, error} -> throw({:refused, error})
    end
  end

  defp hints_and_conditions(false), do: {[], []}

  defp hints_and_conditions(node) do
    node.members
    |> Node.origins()
    |> Enum.split_with(&(Node.annotation?(&1.keyword) or String.starts_with?(&1.keyword, "$")))
  end

  defp root(profile, json, place, context) do
    {schema, account} = write(Node.read(json, place), context, Account.new())

    if schema == false,
      do: refuse(%{pointer: "", keyword: nil}, "it takes no schema without values")

    {schema, wrapper} = wrap(schema, context.rules.root)
    {schema, nulls} = finish(schema, account)
    Measure.check!(schema, context.rules.limit)
    satisfiable!(schema, context.rules.types)
    account = Account.rest(account, json, place)

    {:ok,
     %Adapted{
       profile: profile,
       schema: schema,
       wrapper: wrapper,
       nulls: nulls,
       decisions: Account.decisions(account)
     }}
  end

  # What is narrower may have no values left.
  defp satisfiable!(%Object{members: members} = schema, types) do
    # The drafts of JSON Schema have no `nullable`.
    schema =
      if types == :one, do: %Object{members: [{"$schema", @openapi} | members]}, else: schema

    case ConstraintCache.fetch(schema, vocabulary: Vocabulary.bytes()) do
      {:error, %SchemaError{kind: :unsatisfiable}} ->
        refuse(%{pointer: "", keyword: nil}, "what it takes of the schema has no values")

      _satisfiable_or_unknown ->
        :ok
    end
  end

  defp wrap(schema, :any), do: {schema, nil}

  defp wrap(%Object{members: members} = schema, :object) do
    if List.keyfind(members, "type", 0) == {"type", "object"} do
      {schema, nil}
    else
      properties = %Object{members: [{@wrapper, schema}]}

      {%Object{
         members: [
           {"type", "object"},
           {"properties", properties},
           {"required", [@wrapper]},
           {"additionalProperties", false}
         ]
       }, @wrapper}
    end
  end

  defp finish(schema, account) do
    definitions = Account.definitions(account)

    schema =
      if definitions == [],
        do: schema,
        else: %{schema | members: schema.members ++ [{"$defs", %Object{members: definitions}}]}

    unmark(schema, "")
  end

  # Takes out the marks of properties of which null stands for absence, and tells where they were.
  defp unmark(%Object{members: members}, pointer) do
    {marks, members} = Enum.split_with(members, &(elem(&1, 0) == :absent))

    {members, nulls} =
      Enum.map_reduce(members, [], fn {key, value}, nulls ->
        {value, more} = unmark(value, Pointer.child(pointer, key))
        {{key, value}, nulls ++ MapSet.to_list(more)}
      end)

    own = if marks == [], do: [], else: [pointer]
    {%Object{members: members}, MapSet.new(own ++ nulls)}
  end

  defp unmark(items, pointer) when is_list(items) do
    {items, nulls} =
      items
      |> Enum.with_index()
      |> Enum.map_reduce([], fn {item, index}, nulls ->
        {item, more} = unmark(item, "#{pointer}/#{index}")
        {item, nulls ++ MapSet.to_list(more)}
      end)

    {items, MapSet.new(nulls)}
  end

  defp unmark(value, _pointer), do: {value, MapSet.new()}

  # The schema as the provider gets it, or `false` if no value satisfies it.
  @doc false
  def write(false, _context, account), do: {false, account}

  def write(%Node{} = node, context, account) do
    case form(node, context, Account.spend!(account)) do
      {false, account} ->
        {false, tell_all(account, node, :removed, :same, "no value satisfies it")}

      written ->
        written
    end
  end

  defp form(node, context, account) do
    below = %{context | root?: false}

    cond do
      reference?(node) -> reference(node, context, account)
      needs_merge?(node) -> node |> flatten(context, account) |> write_flat(context)
      choice(node) -> choose(node, below, account)
      true -> Keywords.write(node, below, account)
    end
  end

  defp write_flat({node, account}, context), do: write(node, context, account)

  defp reference?(node),
    do: match?([_], Node.get(node, "$ref")) and Enum.count(node.members, &Node.assertion?/1) == 1

  defp needs_merge?(node), do: Enum.any?(node.members, &(elem(&1, 0) in ["$ref", "allOf"]))
  defp choice(node), do: Enum.find(node.members, &(elem(&1, 0) in ["anyOf", "oneOf"]))

  # References

  defp reference(node, context, account) do
    [{{:ref, uri, base}, [origin | _] = origins}] = Node.get(node, "$ref")
    {json, place} = resolve!(uri, base, origin, context)
    key = place.document <> place.pointer
    {notes, account} = notes(Node.drop(node, ["$ref"]).members, context, account)

    cond do
      context.root? and context.rules.root == :object ->
        in_place({json, place, key}, notes, origins, context, account)

      context.rules.references == :none ->
        in_place({json, place, key}, notes, origins, context, account)

      true ->
        definition({json, place, key}, notes, origins, %{context | root?: false}, account)
    end
  end

  defp resolve!(uri, base, origin, context) do
    References.resolve(context.index, uri, base) ||
      refuse(origin, "the reference leads to a schema that is not known")
  end

  defp in_place({json, place, key}, notes, origins, context, account) do
    if Map.has_key?(context.stack, key), do: refuse(hd(origins), "it takes no recursion")

    account =
      Account.tell(account, origins, :rewritten, :same, "what it leads to is in its place")

    context = %{context | stack: Map.put(context.stack, key, false)}
    {schema, account} = json |> Node.read(place) |> write(context, account)
    {with_notes(schema, notes), account}
  end

  defp definition({json, place, key}, notes, origins, context, account) do
    check_recursion!(context, key, hd(origins))

    {name, account} =
      case Account.name(account, key) do
        {:known, name} ->
          {name, account}

        :new ->
          {name, account} = Account.define(account, key, place.pointer)
          context = %{context | stack: Map.put(context.stack, key, false)}
          {schema, account} = json |> Node.read(place) |> write(context, account)
          {name, Account.defined(account, name, schema)}
      end

    target = "#/$defs/" <> URI.encode(Pointer.escape(name), &URI.char_unreserved?/1)
    kept? = match?([%{value: ^target}], origins)

    account =
      Account.tell(
        account,
        origins,
        if(kept?, do: :kept, else: :rewritten),
        :same,
        "it leads to #{target}"
      )

    case {Account.defined?(account, name), notes} do
      {false, _notes} ->
        {false, account}

      {true, []} ->
        {%Object{members: [{"$ref", target}]}, account}

      {true, notes} ->
        {%Object{members: [{"anyOf", [%Object{members: [{"$ref", target}]}]} | notes]}, account}
    end
  end

  defp check_recursion!(%{rules: rules, stack: stack}, key, origin) do
    case {rules.references, stack} do
      {:acyclic, %{^key => _optional?}} ->
        refuse(origin, "it takes no recursion")

      {:optional, %{^key => false}} ->
        refuse(origin, "it takes recursion through optional properties only")

      _fine ->
        :ok
    end
  end

  # Merging

  # The node without `$ref` and `allOf`: what they say is said by the node itself.
  defp flatten(node, context, account),
    do: flatten_more(node, context, %{account | merged: MapSet.new()})

  # `account.merged` are the references that are a part of it already: said twice is said once.
  defp flatten_more(false, _context, account), do: {false, account}

  defp flatten_more(node, context, account) do
    {parts, rest} = Enum.split_with(node.members, &(elem(&1, 0) in ["$ref", "allOf"]))
    Enum.reduce(parts, {%{node | members: rest}, account}, &part(&1, &2, context))
  end

  defp part(_part, {false, account}, _context), do: {false, account}

  defp part({"$ref", {:ref, uri, base}, [origin | _] = origins}, {node, account}, context) do
    {json, place} = resolve!(uri, base, origin, context)
    key = place.document <> place.pointer

    in_place = "what it leads to is in its place"

    cond do
      MapSet.member?(context.merging, key) ->
        describe(node, {"$ref", nil, origins}, account)

      MapSet.member?(account.merged, key) ->
        {node, Account.tell(account, origins, :rewritten, :same, in_place)}

      true ->
        context = %{context | merging: MapSet.put(context.merging, key)}
        read = Node.read(json, place)
        merged = account.merged
        {target, account} = flatten_more(read, context, Account.spend!(account, Node.count(read)))

        case Merge.merge(node, target) do
          {:ok, both} ->
            account = %{account | merged: MapSet.put(account.merged, key)}
            {both, Account.tell(account, origins, :rewritten, :same, in_place)}

          false ->
            {false,
             Account.tell(
               account,
               origins,
               :rewritten,
               :same,
               "nothing satisfies it and what is beside it"
             )}

          :error ->
            describe(node, {"$ref", nil, origins}, %{account | merged: merged})
        end
    end
  end

  defp part({"allOf", {:schemas, branches}, origins}, {node, account}, context) do
    Enum.reduce(
      branches,
      {node, Account.tell(account, origins, :rewritten, :same, "its schemas are one")},
      fn branch, {node, account} ->
        conjunct(branch, node, account, context)
      end
    )
  end

  defp conjunct(_branch, false, account, _context), do: {false, account}

  defp conjunct(branch, node, account, context) do
    merged = account.merged
    {flat, account} = flatten_more(branch, context, Account.spend!(account))

    case Merge.merge(node, flat) do
      {:ok, both} ->
        {both, account}

      false ->
        {false,
         tell_all(
           account,
           branch,
           :rewritten,
           :same,
           "nothing satisfies it and what is beside it"
         )}

      :error ->
        describe_members(node, flat.members, %{account | merged: merged})
    end
  end

  # Each condition of a branch that can't be merged as a whole goes into words.
  defp describe_members(node, members, account) do
    Enum.reduce(members, {node, account}, fn member, {node, account} ->
      if Node.assertion?(member),
        do: describe(node, member, account),
        else: {%{node | members: node.members ++ [member]}, account}
    end)
  end

  @doc false
  # Puts a member into words.
  def describe(node, {_keyword, _value, origins} = member, account) do
    account =
      Account.tell(
        account,
        Node.origins([member]),
        :described,
        :wider,
        "it is in the description"
      )

    words =
      for origin <- origins,
          do: {"description", {:words, Words.say(origin.keyword, origin.value)}, []}

    {%{node | members: node.members ++ words}, account}
  end

  defp tell_all(account, false, _decision, _effect, _detail), do: account

  defp tell_all(account, node, decision, effect, detail),
    do: Account.tell(account, Node.origins(node.members), decision, effect, detail)

  # Choices

  defp choose(node, context, account) do
    {keyword, {:schemas, branches}, origins} = member = choice(node)
    rest = %{node | members: List.delete(node.members, member)}
    beside? = Enum.any?(rest.members, &Node.assertion?/1)
    context = %{context | branches: context.branches * max(length(branches), 1)}

    cond do
      beside? and context.branches > @most_branches -> not_chosen(rest, member, context, account)
      not beside? -> alternatives(branches, keyword, origins, rest, context, account)
      true -> distribute(rest, member, context, account)
    end
  end

  defp not_chosen(rest, member, context, account) do
    {node, account} = describe(rest, member, account)
    write(node, context, account)
  end

  # What is beside a choice holds in each of its branches.
  defp distribute(rest, {keyword, {:schemas, branches}, origins} = member, context, account) do
    {conditions, notes} = Enum.split_with(rest.members, &Node.assertion?/1)
    base = %{rest | members: conditions}

    {merged, account} =
      Enum.map_reduce(branches, account, fn branch, account ->
        {flat, account} = flatten(branch, context, Account.spend!(account))
        {Merge.merge(base, flat), account}
      end)

    if :error in merged do
      not_chosen(rest, member, context, account)
    else
      account =
        for {false, branch} <- Enum.zip(merged, branches), reduce: account do
          account ->
            tell_all(
              account,
              branch,
              :rewritten,
              :same,
              "nothing satisfies it and what is beside it"
            )
        end

      branches = Enum.map(merged, &with({:ok, node} <- &1, do: node))
      alternatives(branches, keyword, origins, %{rest | members: notes}, context, account)
    end
  end

  defp alternatives(branches, keyword, origins, rest, context, account) do
    if "anyOf" in context.rules.takes do
      {schemas, account} = Enum.map_reduce(branches, account, &write(&1, context, &2))
      {effect, detail} = exclusive(keyword, branches)

      schemas =
        schemas |> Enum.reject(&(&1 == false)) |> Enum.flat_map(&branches/1) |> Enum.uniq()

      decision =
        if keyword == "anyOf" and length(schemas) == length(branches), do: :kept, else: :rewritten

      account = Account.tell(account, origins, decision, effect, detail)
      {notes, account} = notes(rest.members, context, account)
      {schemas |> any_of(context) |> with_notes(notes), account}
    else
      not_chosen(rest, {keyword, {:schemas, branches}, origins}, context, account)
    end
  end

  defp branches(%Object{members: [{"anyOf", schemas}]}), do: schemas
  defp branches(schema), do: [schema]

  @doc false
  # One of several schemas that were written.
  def any_of([], _context), do: false
  def any_of([schema], _context), do: schema
  def any_of(schemas, %{rules: %{types: :many}}), do: %Object{members: [{"anyOf", schemas}]}

  # Where there are no lists of types, null is a mark of another branch.
  def any_of(schemas, _context) do
    case Enum.split_with(schemas, &(&1.members == [{"type", "null"}])) do
      {[_ | _], [%Object{members: [{"type", _} = type | rest]} | others]} ->
        nullable = %Object{
          members: [type, {"nullable", true} | List.keydelete(rest, "nullable", 0)]
        }

        if others == [], do: nullable, else: %Object{members: [{"anyOf", [nullable | others]}]}

      {_nulls, _others} ->
        %Object{members: [{"anyOf", schemas}]}
    end
  end

  defp exclusive("anyOf", _branches), do: {:same, "as anyOf"}

  defp exclusive("oneOf", branches) do
    if Merge.apart?(branches),
      do: {:same, "as anyOf, since no value satisfies two of its schemas"},
      else: {:wider, "as anyOf: a value may satisfy two of its schemas"}
  end

  # Notes

  @doc false
  # The hints for readers, and the words, as members.
  def notes(members, context, account) do
    {titles, account} = hints(members, ["title"], context, account)
    {texts, account} = hints(members, ["description"], context, account)

    others =
      for {keyword, _, _} <- members,
          Node.annotation?(keyword),
          keyword not in ["title", "description"],
          uniq: true,
          do: keyword

    {others, account} = hints(members, others, context, account)
    words = for {"description", {:words, text}, _origins} <- members, do: text
    account = silence(members, account)
    description = Enum.map(texts, &elem(&1, 1)) ++ Enum.uniq(words)

    {Enum.take(titles, 1) ++ described(description) ++ Enum.uniq_by(others, &elem(&1, 0)),
     account}
  end

  defp described([]), do: []
  defp described(texts), do: [{"description", Enum.join(texts, "\n")}]

  defp hints(members, keywords, context, account) do
    members =
      for {keyword, {:json, value}, origins} <- members,
          keyword in keywords,
          do: {keyword, value, origins}

    Enum.flat_map_reduce(members, account, fn {keyword, value, origins}, account ->
      if keyword in context.rules.annotations,
        do:
          {[{keyword, value}],
           Account.tell(account, origins, :kept, :same, "a hint for the model")},
        else: {[], Account.tell(account, origins, :removed, :same, "it states nothing")}
    end)
  end

  defp silence(members, account) do
    for {_keyword, {:silent, detail, below}, origins} <- members, reduce: account do
      account -> Account.tell(account, origins ++ below, :removed, :same, detail)
    end
  end

  @doc false
  # A written schema with hints.
  def with_notes(schema, []), do: schema
  def with_notes(false, _notes), do: false

  def with_notes(%Object{members: [{"$ref", _}]} = schema, notes),
    do: %Object{members: [{"anyOf", [schema]} | notes]}

  def with_notes(%Object{members: members}, notes) do
    members = Enum.reduce(notes, members, &add_note/2)
    %Object{members: members}
  end

  defp add_note({"description", text}, members) do
    case List.keyfind(members, "description", 0) do
      {_keyword, ^text} ->
        members

      {_keyword, other} ->
        List.keyreplace(members, "description", 0, {"description", text <> "\n" <> other})

      nil ->
        members ++ [{"description", text}]
    end
  end

  defp add_note({keyword, value}, members),
    do: List.keystore(members, keyword, 0, {keyword, value})

  @doc false
  @spec refuse(%{pointer: String.t(), keyword: String.t() | nil}, String.t()) :: no_return
  def refuse(origin, detail) do
    throw(
      {:refused,
       %SchemaError{
         kind: :unsupported_by_provider,
         keyword: origin.keyword,
         pointer: origin.pointer,
         detail: detail,
         message:
           "the provider can't be given #{inspect(origin.keyword)} at #{inspect(origin.pointer)}: #{detail}"
       }}
    )
  end
end
