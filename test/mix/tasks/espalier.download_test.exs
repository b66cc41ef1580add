defmodule Mix.Tasks.Espalier.DownloadTest do
  # Standard error is one for all processes.
  use Espalier.TaskCase, async: false

  alias Espalier.HubServer
  alias Mix.Tasks.Espalier.Download

  @files %{"config.json" => "{}", "tokenizer.json" => "{}", "model.safetensors" => "weights"}

  defp run(arguments, folder),
    do: run_task(Download, ["--repository", "org/tiny", "--cache-dir", folder | arguments])

  test "the path is all that is printed", %{tmp_dir: folder} do
    hub = HubServer.start_link("org/tiny", @files, large: ["model.safetensors"])
    assert {0, output, ""} = run(["--base-url", hub.url], folder)
    path = String.trim_trailing(output, "\n")
    assert File.read!(Path.join(path, "model.safetensors")) == "weights"
    assert {0, ^output, ""} = run(["--offline", "--progress"], folder)

    assert {0, file, ""} =
             run(["--offline", "--file", "config.json", "--revision", hub.commit], folder)

    assert file == Path.join(path, "config.json") <> "\n"
  end

  test "standard error shows how far it is, if that is asked for", %{tmp_dir: folder} do
    hub = HubServer.start_link("org/tiny", @files)
    assert {0, _path, errors} = run(["--base-url", hub.url, "--progress"], folder)
    assert errors =~ "model.safetensors\n"
  end

  test "what can't be had and what can't be asked for have their exit statuses", %{
    tmp_dir: folder
  } do
    assert {1, "", errors} = run(["--offline"], folder)
    assert errors =~ "org/tiny: what is needed is not in the cache"

    assert {2, "", errors} = run(["--base-url", "hub.example"], folder)
    assert errors =~ "base_url"

    assert {2, "", errors} = run_task(Download, [])
    assert errors =~ "--repository is missing"

    assert {1, "", errors} = run_task(Download, ["--repository", "a/../b", "--cache-dir", folder])
    assert errors =~ "invalid name"
  end
end
