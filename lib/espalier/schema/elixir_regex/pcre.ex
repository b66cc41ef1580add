defmodule Espalier.Schema.ElixirRegex.PCRE do
  @moduledoc false
  # What differs between the releases of PCRE that Erlang/OTP has: 8 until OTP 27, 10 from OTP 28 on.

  @doc "Whether a release is in use, or one after it."
  @spec since?({major :: pos_integer, minor :: non_neg_integer}) :: boolean
  def since?(release), do: release() >= release

  defp release do
    [major, minor] = ~r/\A(\d+)\.(\d+)/ |> Regex.run(version(), capture: :all_but_first)
    {String.to_integer(major), String.to_integer(minor)}
  end

  defp version, do: to_string(:re.version())
end
