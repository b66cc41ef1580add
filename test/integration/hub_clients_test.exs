defmodule Espalier.Integration.HubClientsTest do
  @moduledoc "What the hub's own client in Python has in the cache is found, and the other way round."
  use ExUnit.Case, async: true

  alias Espalier.Hub
  alias Espalier.HubServer
  alias Espalier.JSON

  @moduletag :huggingface_hub
  @moduletag :tmp_dir

  @files %{
    "config.json" => "{}",
    "tokenizer.json" => "",
    "model.safetensors.index.json" => ~s({"weight_map": {"a": "parts/1.safetensors"}}),
    "parts/1.safetensors" => String.duplicate("weights", 100_000)
  }

  # Prints the path of each file, `null` for those that are not there.
  @script """
  import json, sys
  from huggingface_hub import hf_hub_download
  from huggingface_hub.errors import EntryNotFoundError

  def path(file, cache, offline):
      try:
          return hf_hub_download("org/tiny", file, cache_dir=cache, local_files_only=offline)
      except EntryNotFoundError:
          return None

  cache, offline, *files = sys.argv[1:]
  print(json.dumps({file: path(file, cache, offline == "offline") for file in files}))
  """

  defp python(hub, cache, offline, files) do
    python = System.fetch_env!("ESPALIER_HUB_PYTHON")

    environment = [
      {"HF_ENDPOINT", hub.url},
      {"HF_HUB_DISABLE_TELEMETRY", "1"},
      {"HF_HOME", cache <> "-home"}
    ]

    {output, 0} = System.cmd(python, ["-c", @script, cache, offline | files], env: environment)

    JSON.decode!(output)
  end

  defp hub, do: HubServer.start_link("org/tiny", @files, large: ["parts/1.safetensors"])

  # Everything in the cache but what is Python's own.
  defp tree(cache) do
    for path <- Path.wildcard(cache <> "/models--*/**", match_dot: true),
        not File.dir?(path),
        into: %{},
        do:
          {Path.relative_to(path, cache),
           {File.read_link(path), HubServer.sha256(File.read!(path))}}
  end

  test "both make the same of a repository", %{tmp_dir: folder} do
    hub = hub()

    names =
      Map.keys(@files) ++
        ["tokenizer_config.json", "generation_config.json", "chat_template.jinja"]

    [ours, theirs] = for name <- ["ours", "theirs"], do: Path.join(folder, name)
    assert {:ok, path} = Hub.download("org/tiny", base_url: hub.url, cache_dir: ours)
    their_paths = python(hub, theirs, "online", names)
    assert tree(ours) == tree(theirs)

    assert {:ok, their_path} =
             Hub.download("org/tiny", base_url: hub.url, cache_dir: theirs, offline: true)

    assert their_paths["config.json"] == Path.join(their_path, "config.json")

    our_paths = python(hub, ours, "offline", names)
    for {name, _content} <- @files, do: assert(our_paths[name] == Path.join(path, name))
  end

  test "where the one has a file the other doesn't download it", %{tmp_dir: folder} do
    hub = hub()
    python(hub, folder, "online", ["parts/1.safetensors"])
    n = length(Espalier.Loopback.requests(hub.other))
    assert {:ok, _path} = Hub.download("org/tiny", base_url: hub.url, cache_dir: folder)
    assert length(Espalier.Loopback.requests(hub.other)) == n
  end
end
