defmodule Espalier.BuildCaches do
  @moduledoc "What goes on in a cache that builds."

  import ExUnit.Assertions

  @doc "Waits until something is so."
  def eventually(condition, tries \\ 2000) do
    cond do
      condition.() -> :ok
      tries == 0 -> flunk("it did not come true")
      true -> Process.sleep(5) && eventually(condition, tries - 1)
    end
  end

  @doc "The processes that build, of a cache that the test supervisor started: they are linked to it."
  def building(cache) do
    {:links, links} = cache |> Process.whereis() |> Process.info(:links)
    {:ok, supervisor} = ExUnit.fetch_test_supervisor()
    links -- [supervisor, Process.whereis(cache) | Process.get(:"$ancestors", [])]
  end

  @doc "How many ask a cache that is suspended."
  def asked(cache) do
    {:message_queue_len, n} = cache |> Process.whereis() |> Process.info(:message_queue_len)
    n
  end
end
