defmodule Bench.Machine do
  @moduledoc "When and where a benchmark ran."

  def describe do
    "#{Date.utc_today()}, #{cpu()}, #{System.schedulers_online()} cores, " <>
      "Elixir #{System.version()}, OTP #{System.otp_release()}"
  end

  defp cpu do
    with {:ok, text} <- File.read("/proc/cpuinfo"),
         [_, model] <- Regex.run(~r/^model name\s*: (.*)$/m, text) do
      model
    else
      _other -> to_string(:erlang.system_info(:system_architecture))
    end
  end
end
