defmodule Espalier.Doctor.Platform do
  @moduledoc false
  # Elixir, OTP and schedulers.

  alias Espalier.Doctor.Check

  @oldest_elixir "1.14.0"
  @oldest_otp 25

  @spec checks() :: [Check.t()]
  def checks do
    otp = :otp_release |> :erlang.system_info() |> List.to_integer()
    dirty = :erlang.system_info(:dirty_cpu_schedulers_online)
    [elixir(System.version()), otp(otp), schedulers(System.schedulers_online(), dirty)]
  end

  @doc false
  @spec elixir(String.t()) :: Check.t()
  def elixir(version) do
    if Version.compare(version, @oldest_elixir) == :lt,
      do: Check.fail("Elixir", version, "update to #{@oldest_elixir} or newer"),
      else: Check.ok("Elixir", version)
  end

  @doc false
  @spec otp(pos_integer) :: Check.t()
  def otp(release) do
    if release < @oldest_otp,
      do: Check.fail("OTP", "#{release}", "update to #{@oldest_otp} or newer"),
      else: Check.ok("OTP", "#{release}")
  end

  @doc false
  @spec schedulers(pos_integer, pos_integer) :: Check.t()
  def schedulers(n, 1) do
    message =
      "#{n}, and one dirty one: whoever compiles a schema or computes a mask waits for all others"

    Check.warn("schedulers", message, "give the VM more processors, or +SDcpu 2")
  end

  def schedulers(n, dirty), do: Check.ok("schedulers", "#{n}, and #{dirty} dirty ones")
end
