defmodule Espalier.SchedulingTest do
  # Not async: it measures how long processes wait, and other tests would make them wait.
  use ExUnit.Case

  alias Espalier.{Constraint, Matcher, Vocabulary}

  @moduletag :scheduling

  # How often the timer is tried while native functions run in a loop.
  @n_timers 200

  setup_all do
    words = for a <- ?a..?z, b <- ?a..?z, c <- ?a..?z, do: <<a, b, c>>
    bytes = for byte <- 0..255, do: <<byte>>
    tokens = bytes ++ words ++ [""]
    vocabulary = Vocabulary.from_tokens!(tokens, eos_ids: [length(tokens) - 1])
    schema = %{type: :array, items: %{type: :string, maxLength: 500}}
    %{constraint: Constraint.json_schema!(schema, vocabulary: vocabulary)}
  end

  test "loops of native calls don't hold up other processes", %{constraint: constraint} do
    loops = for _ <- 1..System.schedulers_online(), do: Task.async(fn -> masks(constraint) end)
    delays = Enum.sort(for _ <- 1..@n_timers, do: delay_of_timer())
    n_calls = loops |> Enum.map(&stop/1) |> Enum.sum()

    median = Enum.at(delays, div(@n_timers, 2))
    report = "a 1 ms timer was late by #{median} ms (median), #{List.last(delays)} ms (most)"
    IO.puts("\nScheduling: beside #{n_calls} native calls #{report}")

    assert n_calls > 0
    assert median < 500
  end

  defp delay_of_timer do
    before = System.monotonic_time(:microsecond)
    Process.sleep(1)
    (System.monotonic_time(:microsecond) - before - 1000) / 1000
  end

  defp masks(constraint), do: masks(constraint, Matcher.new(constraint), 0)

  defp masks(constraint, matcher, n_calls) do
    Matcher.compute_mask!(matcher)

    matcher =
      case Matcher.accept_text(matcher, ~s(["abc",)) do
        :ok -> matcher
        {:error, _array_is_open} -> restart(matcher)
      end

    receive do
      {:stop, from} -> send(from, {:calls, self(), n_calls + 2})
    after
      0 -> masks(constraint, matcher, n_calls + 2)
    end
  end

  defp restart(matcher), do: Matcher.new(matcher.constraint)

  defp stop(task) do
    send(task.pid, {:stop, self()})
    pid = task.pid

    receive do
      {:calls, ^pid, n_calls} ->
        Task.await(task)
        n_calls
    end
  end
end
