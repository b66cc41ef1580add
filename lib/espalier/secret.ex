defmodule Espalier.Secret do
  @moduledoc false
  # Options whose values are never shown: functions stand in their place, and no inspection looks into those.

  @doc "The options with functions for the values of these names; those that are functions stay."
  @spec hide(keyword, [atom]) :: keyword
  def hide(options, names) do
    Enum.map(options, fn {name, value} ->
      {name, if(name in names, do: hide(value), else: value)}
    end)
  end

  defp hide(secret) when is_function(secret, 0), do: secret
  defp hide(secret), do: fn -> secret end
end
