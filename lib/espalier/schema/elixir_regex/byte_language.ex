defmodule Espalier.Schema.ElixirRegex.ByteLanguage do
  @moduledoc false
  # Whether a pattern that PCRE reads byte by byte matches the same texts when it is read character by character.
  #
  # It does if it can't tell one byte beyond ASCII from several of them: what can follow after one can follow after
  # two, and the other way round. That is seen from its places (those of Glushkov's automaton): which may come
  # first, which last, and which after which. And nothing must be asked for between two bytes of one character.

  alias Espalier.Schema.ElixirRegex.Parser
  alias Espalier.Schema.ElixirRegex.Refusal

  # Repetitions with a count are written out, up to so many places.
  @most 400

  @any {:repeat, {:set, nil, {:wide, "the text around it"}}, 0, :infinity}
  @unknown {:set, nil, :unknown}

  @doc "Refuses a pattern for whole texts, or for texts that it matches somewhere, where that is not so."
  @spec check!(Parser.parsed(), :whole | :anywhere) :: :ok
  def check!(node, scope) do
    if scope == :anywhere or beyond_ascii?(node) do
      for {:within, place} <- reaches(node),
          do: refuse("#{place} takes some bytes of other characters than those of ASCII")

      Enum.each([around(node, scope) | Enum.map(looks(node), &around/1)], &check_places!/1)
    else
      :ok
    end
  catch
    :too_large -> refuse("it is too large to tell whether that makes a difference")
  end

  defp around(node, :whole), do: node
  defp around(node, :anywhere), do: {:sequence, [@any, node, @any]}
  defp around({:look, :ahead, _negated?, node}), do: {:sequence, [@unknown, node, @any]}
  defp around({:look, :behind, _negated?, node}), do: {:sequence, [@any, node, @unknown]}

  defp looks(node), do: for({:look, _, _, _} = look <- parts(node), do: look)
  defp reaches(node), do: for({:set, _set, reach} <- parts(node), do: reach)

  defp beyond_ascii?(node),
    do: Enum.any?(reaches(node), &(&1 == :literal or match?({:wide, _place}, &1)))

  # A node and all that is in it.
  defp parts(node), do: [node | Enum.flat_map(children(node), &parts/1)]

  defp children({kind, nodes}) when kind in [:sequence, :branches], do: nodes
  defp children({:group, _kind, node}), do: [node]
  defp children({:repeat, node, _least, _most}), do: [node]
  defp children({:look, _direction, _negated?, node}), do: [node]
  defp children(_node), do: []

  defp check_places!(node) do
    {part, automaton} = build(node, %{kinds: %{}, follow: %{}})

    automaton =
      Map.merge(automaton, %{before: inverse(automaton, part), last: part.last, first: part.first})

    for {place, kind} <- automaton.kinds do
      case kind do
        {:wide, where} -> check_wide!(place, where, automaton)
        :boundary -> check_boundary!(place, automaton)
        :look -> check_look!(place, automaton)
        _other -> :ok
      end
    end

    :ok
  end

  # After one byte it has to be where it can be after two, and after two where it can be after one.
  defp check_wide!(place, where, automaton) do
    next = for next <- follow(automaton, place), wide_place?(automaton, next), do: next

    unless Enum.any?(next, &covers?(automaton, &1, place)) and
             Enum.all?(next, &(&1 == place or early?(automaton, place, &1))),
           do: refuse("#{where} takes one of them at a time, and how many makes a difference")
  end

  defp early?(automaton, place, next) do
    covers?(automaton, place, next) or
      Enum.all?(automaton.before[place], &(next in follow(automaton, &1)))
  end

  # Whether all that follows after one place follows after another.
  defp covers?(automaton, place, other) do
    MapSet.subset?(follow(automaton, other), follow(automaton, place)) and
      (other not in automaton.last or place in automaton.last)
  end

  defp check_boundary!(place, automaton) do
    for direction <- [:before, :follow],
        neighbour <- neighbours(automaton, direction, place),
        automaton.kinds[neighbour] not in [:ascii, :edge, nil],
        do: refuse("a word boundary, \\b or \\B, may be beside such a character")
  end

  defp check_look!(place, automaton) do
    if Enum.all?([:before, :follow], fn direction ->
         automaton |> neighbours(direction, place) |> Enum.any?(&wide_place?(automaton, &1))
       end),
       do: refuse("what it looks around from may be within a character")
  end

  # The places beside one, those of no width left out.
  defp neighbours(automaton, direction, place),
    do: automaton |> beside(direction, [place], MapSet.new())

  defp beside(automaton, direction, places, seen) do
    next =
      places
      |> Enum.flat_map(&adjacent(automaton, direction, &1))
      |> Enum.reject(&(&1 in seen))
      |> Enum.uniq()

    {without_width, others} = Enum.split_with(next, &(automaton.kinds[&1] in [:look, :boundary]))
    seen = MapSet.union(seen, MapSet.new(next))

    if without_width == [],
      do: others,
      else: others ++ beside(automaton, direction, without_width, seen)
  end

  defp adjacent(automaton, :before, place), do: Map.get(automaton.before, place, [])
  defp adjacent(automaton, :follow, place), do: automaton |> follow(place) |> MapSet.to_list()

  defp wide_place?(automaton, place), do: match?({:wide, _where}, automaton.kinds[place])

  # What comes first follows after the place 0.
  defp follow(automaton, 0), do: automaton.first
  defp follow(automaton, place), do: Map.get(automaton.follow, place, MapSet.new())

  defp inverse(automaton, part) do
    follow = Map.put(automaton.follow, 0, part.first)
    pairs = for {place, next} <- follow, next <- next, do: {next, place}
    Enum.group_by(pairs, &elem(&1, 0), &elem(&1, 1))
  end

  # A part that takes nothing beyond ASCII may be any letter.
  defp build(node, automaton) do
    if Enum.all?(parts(node), &ascii?/1) do
      {part, automaton} = place(:ascii, automaton)
      {%{part | empty?: empty?(node)}, automaton}
    else
      build_parts(node, automaton)
    end
  end

  defp ascii?({:set, _set, reach}), do: reach == :characters or match?({:within, _place}, reach)
  defp ascii?(node), do: elem(node, 0) not in [:look, :boundary, :edge]

  defp empty?({:set, _set, _reach}), do: false
  defp empty?({:sequence, nodes}), do: Enum.all?(nodes, &empty?/1)
  defp empty?({:branches, nodes}), do: Enum.any?(nodes, &empty?/1)
  defp empty?({:group, _kind, node}), do: empty?(node)
  defp empty?({:repeat, node, least, _most}), do: least == 0 or empty?(node)

  defp build_parts({:set, _set, reach}, automaton), do: place(reach, automaton)
  defp build_parts({:group, _kind, node}, automaton), do: build(node, automaton)

  defp build_parts({:sequence, nodes}, automaton),
    do: Enum.reduce(nodes, {nothing(), automaton}, &build_next/2)

  defp build_parts({:branches, nodes}, automaton) do
    {parts, automaton} = Enum.map_reduce(nodes, automaton, &build/2)
    {Enum.reduce(parts, &either/2), automaton}
  end

  defp build_parts({:repeat, _node, 0, 0}, automaton), do: {nothing(), automaton}

  defp build_parts({:repeat, node, 0, 1}, automaton) do
    {part, automaton} = build(node, automaton)
    {%{part | empty?: true}, automaton}
  end

  defp build_parts({:repeat, node, least, :infinity}, automaton) when least < 2 do
    {part, automaton} = build(node, automaton)
    {%{part | empty?: part.empty? or least == 0}, connect(automaton, part.last, part.first)}
  end

  defp build_parts({:repeat, node, least, most}, automaton) do
    if least > @most or (most != :infinity and most > @most), do: throw(:too_large)
    build({:sequence, List.duplicate(node, least) ++ [optional(node, least, most)]}, automaton)
  end

  defp build_parts(assertion, automaton), do: place(elem(assertion, 0), automaton)

  defp optional(node, _least, :infinity), do: {:repeat, node, 0, :infinity}

  defp optional(node, least, most) do
    Enum.reduce(Enum.drop(least..most, 1), {:sequence, []}, fn _time, more ->
      {:repeat, {:sequence, [node, more]}, 0, 1}
    end)
  end

  defp build_next(node, {before, automaton}) do
    {part, automaton} = build(node, automaton)
    first = if before.empty?, do: MapSet.union(before.first, part.first), else: before.first
    last = if part.empty?, do: MapSet.union(before.last, part.last), else: part.last
    joined = %{first: first, last: last, empty?: before.empty? and part.empty?}
    {joined, connect(automaton, before.last, part.first)}
  end

  defp either(one, other) do
    first = MapSet.union(one.first, other.first)
    %{first: first, last: MapSet.union(one.last, other.last), empty?: one.empty? or other.empty?}
  end

  defp nothing, do: %{first: MapSet.new(), last: MapSet.new(), empty?: true}

  defp place(kind, automaton) do
    place = map_size(automaton.kinds) + 1
    if place > @most, do: throw(:too_large)
    alone = MapSet.new([place])
    {%{first: alone, last: alone, empty?: false}, put_in(automaton.kinds[place], kind)}
  end

  defp connect(automaton, places, next) do
    follow =
      Enum.reduce(
        places,
        automaton.follow,
        &Map.update(&2, &1, next, fn others -> MapSet.union(others, next) end)
      )

    %{automaton | follow: follow}
  end

  defp refuse(detail), do: Refusal.refuse_bytes(detail)
end
