defmodule Espalier.Doctor do
  @moduledoc false
  # Whether all that Espalier needs is there, for the Mix task: one `Espalier.Doctor.Check` for each thing.

  alias Espalier.Doctor.Backends
  alias Espalier.Doctor.Check
  alias Espalier.Doctor.Configuration
  alias Espalier.Doctor.Library
  alias Espalier.Doctor.Packages
  alias Espalier.Doctor.Platform

  @doc """
  The checks, made as they are read.

  Options are the `:path` of a model, a `:backend` with its options and its `:model`, and whether to ask it something,
  `:online`.
  """
  @spec checks(keyword) :: Enumerable.t(Check.t())
  def checks(options) do
    Stream.flat_map(
      [
        fn -> Platform.checks() end,
        fn -> Packages.checks() end,
        fn -> Configuration.checks() end,
        fn -> Library.checks(options[:path]) end,
        fn -> Backends.checks(options) end
      ],
      & &1.()
    )
  end
end
