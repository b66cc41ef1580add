defmodule Espalier.NativeBuildTest do
  use ExUnit.Case, async: true

  alias Mix.Tasks.Compile.EspalierNative

  test "features come from the variable, or else from the configuration" do
    for {variable, configured, names} <- [
          {nil, [], nil},
          {"", [], nil},
          {"metal", [], "metal"},
          {"cuda, metal", [], "cuda,metal"},
          {"cuda", [:metal], "cuda"},
          {nil, [:metal], "metal"},
          {"", :cuda, "cuda"},
          {nil, ["cuda"], "cuda"}
        ] do
      arguments = if names, do: ["--features", names], else: []
      assert EspalierNative.features(variable, configured) == {:ok, arguments}
    end
  end

  test "unknown features are refused" do
    for {variable, configured} <- [{"vulkan", []}, {"cuda;metal", []}, {nil, [:gpu]}, {",", []}] do
      assert {:error, message} = EspalierNative.features(variable, configured)
      assert message =~ "cuda and metal"
    end
  end
end
