defmodule Espalier.Dashboard.Demo.Texts do
  @moduledoc false
  # Prompts without an end, of a few kinds that the shipped model can read.

  @names ~w(Ada Grace Ingrid Marek Lotte Anselm Priya Tomas Yuki Noor)
  @goods ["oak desks", "folding chairs", "blue lamps", "paper boxes", "steel shelves"]
  @numbers ~w(two three 5 12 40)
  @problems [
    "the export crashes every time",
    "my invoice has the wrong amount",
    "the parcel has not arrived",
    "I can't sign in any more"
  ]
  @ends ["Please hurry!", "There is no hurry.", "Please answer right away.", "Many thanks."]

  @spec tickets() :: Enumerable.t(String.t())
  def tickets do
    Stream.repeatedly(fn ->
      "Hello, this is #{any(@names)}. Since Monday #{any(@problems)}. #{any(@ends)}"
    end)
  end

  @spec orders() :: Enumerable.t(String.t())
  def orders do
    Stream.repeatedly(fn ->
      "Hi, #{any(@names)} here. #{String.capitalize(any(@numbers))} #{any(@goods)}, please."
    end)
  end

  defp any(list), do: Enum.random(list)
end
