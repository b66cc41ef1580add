# How long does a step through the NIF take, and how much later do other processes run meanwhile?
#
#     mix run bench/round_trip.exs path/to/o200k_base.tiktoken path/to/cases.jsonl [--every N] [--seconds N]
#
# The valid instances of each Nth case (100 by default) are cut into tokens, the longest first, and
# walked token by token with `Espalier.Matcher`: cold, with a constraint that was just compiled, and warm,
# with one that has seen the text. Then as many processes as there are schedulers walk texts for N seconds
# (2 by default), or compute in Elixir alone, while another sleeps a millisecond at a time and records how
# late it wakes. The loads take turns, five rounds.

Code.require_file("support/machine.exs", __DIR__)

defmodule Bench.RoundTrip do
  alias Espalier.{Constraint, JSON, Matcher, Vocabulary}

  @rounds 5

  def run(arguments) do
    switches = [every: :integer, seconds: :integer]
    {options, [ranks, cases], []} = OptionParser.parse(arguments, strict: switches)
    tokens = tokens(File.read!(ranks))
    vocabulary = vocabulary(File.read!(ranks), map_size(tokens))
    works = works(cases, options[:every] || 100, tokens, vocabulary)

    IO.puts(Bench.Machine.describe())
    IO.puts("#{length(works)} texts, a vocabulary of #{vocabulary.size} ids, microseconds\n")
    report_steps(works)
    report_delays(works, (options[:seconds] || 2) * 1000)
  end

  defp tokens(ranks) do
    for line <- String.split(ranks, "\n", trim: true), into: %{} do
      [token, id] = String.split(line, " ")
      {Base.decode64!(token), String.to_integer(id)}
    end
  end

  defp vocabulary(ranks, n_tokens) do
    eos = n_tokens + 1
    special = [special_tokens: [{"<|endoftext|>", eos}], eos_ids: [eos]]
    Vocabulary.from_tiktoken!(ranks, special)
  end

  # A schema that compiles, with a valid text in tokens.
  defp works(path, every, tokens, vocabulary) do
    lines = path |> File.read!() |> String.split("\n", trim: true)

    for line <- Enum.take_every(lines, every),
        members = Map.new(JSON.decode!(line, objects: :ordered).members),
        schema = JSON.encode!(members["schema"]),
        {:ok, _constraint} <- [compile(schema, vocabulary)],
        %{members: test} <- members["tests"],
        {"valid", true} in test do
      {"data", data} = List.keyfind(test, "data", 0)
      {schema, vocabulary, data |> JSON.encode!() |> encode(tokens)}
    end
  end

  defp compile(schema, vocabulary) do
    Constraint.json_schema(schema, vocabulary: vocabulary, style: :matching)
  end

  defp encode("", _tokens), do: []

  defp encode(text, tokens) do
    length = Enum.find(min(byte_size(text), 32)..1//-1, &tokens[binary_part(text, 0, &1)])
    <<token::binary-size(length), rest::binary>> = text
    [tokens[token] | encode(rest, tokens)]
  end

  defp report_steps(works) do
    walks = [
      {"advance, cold", &cold/1, &Matcher.advance!/2},
      {"advance, warm", &warm/1, &Matcher.advance!/2},
      {"accept_token and compute_mask, warm", &warm/1, &accept_and_mask/2},
      {"accepting?, warm", &warm/1, fn matcher, _token -> Matcher.accepting?(matcher) end}
    ]

    table(
      ["microseconds", "calls", "median", "p99"],
      for {title, constraint, step} <- walks do
        times = for work <- works, time <- times(constraint.(work), elem(work, 2), step), do: time
        [title, length(times), percentile(times, 0.5) / 1000, percentile(times, 0.99) / 1000]
      end
    )
  end

  defp cold({schema, vocabulary, _tokens}) do
    {:ok, constraint} = compile(schema, vocabulary)
    constraint
  end

  defp warm({_schema, _vocabulary, tokens} = work) do
    constraint = cold(work)
    walk(constraint, tokens)
    constraint
  end

  defp walk(constraint, tokens) do
    matcher = Matcher.new(constraint)
    Enum.each(tokens, &Matcher.advance!(matcher, &1))
  end

  defp accept_and_mask(matcher, token) do
    Matcher.accept_token!(matcher, token)
    Matcher.compute_mask!(matcher)
  end

  # Nanoseconds of each step, in a process of its own: this one has a heap to collect.
  defp times(constraint, tokens, step) do
    walk = fn ->
      matcher = Matcher.new(constraint)
      Matcher.compute_mask!(matcher)

      for token <- tokens do
        started = System.monotonic_time(:nanosecond)
        step.(matcher, token)
        System.monotonic_time(:nanosecond) - started
      end
    end

    walk |> Task.async() |> Task.await(:infinity)
  end

  defp report_delays(works, milliseconds) do
    warm = Enum.map(works, &{warm(&1), elem(&1, 2)})

    loads = [
      {"nothing", fn -> Process.sleep(1) end},
      {"Elixir alone", fn -> Enum.sort(for n <- 1..1000, do: :erlang.phash2(n)) end},
      {"warm steps",
       fn -> with {constraint, tokens} <- Enum.random(warm), do: walk(constraint, tokens) end},
      {"cold steps",
       fn -> with work <- Enum.random(works), do: walk(cold(work), elem(work, 2)) end}
    ]

    rounds =
      for _round <- 1..@rounds, {title, load} <- loads, do: {title, delays(load, milliseconds)}

    table(
      ["microseconds late beside", "wakes", "median", "p99", "max"],
      for {title, _load} <- loads do
        delays = for {^title, delays} <- rounds, delay <- delays, do: delay
        figures = for share <- [0.5, 0.99, 1.0], do: percentile(delays, share) / 1000
        [title, length(delays) | figures]
      end
    )
  end

  # How late a process wakes, in nanoseconds, while each scheduler has a process with the load.
  defp delays(load, milliseconds) do
    workers = for _ <- 1..System.schedulers_online(), do: spawn_link(fn -> repeat(load) end)
    sleeper = Task.async(fn -> late(System.monotonic_time(:millisecond) + milliseconds, []) end)
    delays = Task.await(sleeper, :infinity)

    for worker <- workers do
      Process.unlink(worker)
      monitor = Process.monitor(worker)
      Process.exit(worker, :kill)
      receive do: ({:DOWN, ^monitor, _, _, _} -> :ok)
    end

    delays
  end

  defp repeat(load) do
    load.()
    repeat(load)
  end

  defp late(until, delays) do
    started = System.monotonic_time(:nanosecond)
    Process.sleep(1)
    woken = System.monotonic_time(:nanosecond)
    delays = [woken - started - 1_000_000 | delays]
    if woken < until * 1_000_000, do: late(until, delays), else: delays
  end

  defp percentile(values, share) do
    values |> Enum.sort() |> Enum.at(round((length(values) - 1) * share))
  end

  defp table(head, rows) do
    IO.puts("| #{Enum.join(head, " | ")} |")
    IO.puts("|#{String.duplicate(" --- |", length(head))}")
    Enum.each(rows, &IO.puts("| #{Enum.map_join(&1, " | ", fn cell -> cell(cell) end)} |"))
    IO.puts("")
  end

  defp cell(number) when is_float(number), do: :erlang.float_to_binary(number, decimals: 1)
  defp cell(other), do: to_string(other)
end

Bench.RoundTrip.run(System.argv())
