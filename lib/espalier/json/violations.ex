defmodule Espalier.JSON.Violations do
  @moduledoc false
  # What is wrong with a value, where the schema has choices.

  @most 100

  # What tells the branches of a choice apart.
  @kinds ["type", "enum", "falseSchema"]

  @doc """
  The violations without those of branches. In place of a choice of which one branch is meant there are that
  branch's.
  """
  @spec meant([map]) :: [Espalier.JSON.violation()]
  def meant(violations), do: violations |> Enum.flat_map(&choose/1) |> Enum.take(@most)

  defp choose(violation) do
    {branches, violation} = Map.pop!(violation, :branches)

    case Enum.filter(branches, &meant?(&1, violation.instance_pointer)) do
      [branch] -> Enum.flat_map(branch, &choose/1)
      _none_or_several -> [violation]
    end
  end

  # The value is of the kind that the branch asks for, and so are its members that tell kinds apart.
  defp meant?(branch, pointer) do
    Enum.all?(branch, fn violation ->
      below = String.replace_prefix(violation.instance_pointer, pointer, "")

      case violation.keyword do
        "const" -> length(String.split(below, "/")) > 2
        keyword when keyword in @kinds -> below != ""
        _keyword -> true
      end
    end)
  end
end
