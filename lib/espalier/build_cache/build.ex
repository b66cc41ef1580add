defmodule Espalier.BuildCache.Build do
  @moduledoc false
  # What the process does that builds a value, or finds it in the directory.

  alias Espalier.BuildCache
  alias Espalier.BuildCache.Directory
  alias Espalier.BuildCache.Table

  @doc "Sends `{:built, pid, result}` to the server, and then stores the value where that is asked for."
  @spec run(pid, BuildCache.recipe(), map) :: :ok
  def run(server, %module{} = recipe, options) do
    directory = directory(recipe, options)

    case directory && Directory.load(directory, recipe) do
      {:ok, value, stored} ->
        send_built(server, recipe, value, stored)

      _none ->
        Table.count(options.name, :build)
        recipe |> module.build() |> finish(server, recipe, directory)
    end
  end

  defp directory(_recipe, %{directory: nil}), do: nil

  defp directory(%module{} = recipe, %{directory: path} = options) do
    with key when key != nil <- module.file_key(recipe) do
      bounds = [max_bytes: options.max_bytes, max_files: options.max_entries]
      struct!(Directory, [path: path, noun: module.noun(), key: key] ++ bounds)
    end
  end

  defp finish({:ok, value}, server, %module{} = recipe, directory) do
    stored = module.serialize(value)
    send_built(server, recipe, value, stored)
    if directory, do: Directory.store(directory, stored), else: :ok
  end

  defp finish({:error, error}, server, _recipe, _directory) do
    send(server, {:built, self(), {:error, error}})
    :ok
  end

  defp send_built(server, %module{} = recipe, value, stored) do
    bytes = module.bytes(recipe, byte_size(stored))
    send(server, {:built, self(), {:ok, value, bytes}})
    :ok
  end
end
