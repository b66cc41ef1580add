defmodule Espalier.ConstraintCache.Compilation do
  @moduledoc false
  # What the process does that compiles a constraint, or finds it in the directory.

  alias Espalier.Constraint
  alias Espalier.Constraint.Source
  alias Espalier.ConstraintCache.Directory
  alias Espalier.ConstraintCache.Table
  alias Espalier.Telemetry

  # By the memory that a hundred constraints of each of several kinds took once they were in use.
  @least_bytes 65_536
  @bytes_for_stored 16

  @doc "Sends `{:compiled, pid, result}` to the server, and then stores the constraint where that is asked for."
  @spec run(pid, Source.t(), atom, map) :: :ok
  def run(server, source, name, options) do
    directory = directory(source, options)

    case directory && Directory.load(directory, source) do
      {:ok, constraint, stored} ->
        send_compiled(server, constraint, stored)

      _none ->
        Table.count(options.name, :compilation)
        source |> compile(name) |> finish(server, source, directory)
    end
  end

  # What is loaded has the default limits.
  defp directory(%Source{limits: []}, %{directory: path} = options) when path != nil,
    do: %Directory{path: path, max_bytes: options.max_bytes, max_files: options.max_entries}

  defp directory(_source, _options), do: nil

  defp finish({:ok, constraint}, server, source, directory) do
    stored = Constraint.serialize(constraint)
    send_compiled(server, constraint, stored)
    if directory, do: Directory.store(directory, source, stored), else: :ok
  end

  defp finish({:error, error}, server, _source, _directory) do
    send(server, {:compiled, self(), {:error, error}})
    :ok
  end

  defp send_compiled(server, constraint, stored) do
    bytes = @least_bytes + @bytes_for_stored * byte_size(stored)
    send(server, {:compiled, self(), {:ok, constraint, bytes}})
    :ok
  end

  @doc "Compiles, and tells telemetry."
  @spec compile(Source.t(), atom) :: {:ok, Constraint.t()} | {:error, Exception.t()}
  def compile(source, name),
    do: Telemetry.span(:compile, fn -> %{schema: name} end, fn -> Constraint.compile(source) end)
end
