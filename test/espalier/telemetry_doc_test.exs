if Code.ensure_loaded?(:telemetry) do
  defmodule Espalier.TelemetryDocTest do
    # Handlers are those of all processes.
    use ExUnit.Case, async: false

    # The one of the example is a local function, of which :telemetry warns.
    @moduletag :capture_log

    doctest Espalier.Telemetry
  end
end
