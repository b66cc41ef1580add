defmodule Espalier.RequestTest do
  # The application environment is one for all processes.
  use ExUnit.Case, async: false

  alias Espalier.OptionsError
  alias Espalier.Request
  alias Espalier.StubBackend

  defp put_env(options) do
    for {name, value} <- options do
      Application.put_env(:espalier, name, value)
      on_exit(fn -> Application.delete_env(:espalier, name) end)
    end
  end

  test "defaults come from the application environment, and are checked like options" do
    put_env(backend: {StubBackend, to: self()}, model: :default, max_tokens: 7, other: :unknown)
    assert {:ok, %{}} = Espalier.generate(%{}, "?")
    assert_received {:started, %Request{model: :default, max_tokens: 7, timeout: 60_000}}
    assert {:ok, %{}} = Espalier.generate(%{}, "?", model: :mine, timeout: :infinity)
    assert_received {:started, %Request{model: :mine, max_tokens: 7, timeout: :infinity}}

    put_env(max_tokens: -1)
    assert {:error, %OptionsError{option: :max_tokens, got: -1}} = Espalier.generate(%{}, "?")
  end

  test "a backend makes what it needs of the schema" do
    put_env(backend: {StubBackend, to: self(), pieces: ["no"]})
    assert {:ok, :no} = Espalier.generate({:choice, [:yes, :no]}, "?")
    assert_received {:started, %Request{schema: schema, backend_options: [{:to, _} | _]}}
    assert {:ok, %{members: [{"enum", ["yes", "no"]}]}} = Espalier.Schema.to_json_schema(schema)
  end
end
