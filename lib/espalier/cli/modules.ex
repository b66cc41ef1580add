defmodule Espalier.CLI.Modules do
  @moduledoc false
  # Modules by the names that a command line has. No atom is made of a name for which there is no module.

  alias Espalier.Options

  # The most characters of an atom, with "Elixir." before the name and ".beam" behind it.
  @most_characters 240

  @doc "Whether a text looks like the name of a module."
  @spec name?(String.t()) :: boolean
  def name?(text) do
    byte_size(text) <= @most_characters and
      text =~ ~r/\A[A-Z][A-Za-z0-9_]*(\.[A-Z][A-Za-z0-9_]*)*\z/
  end

  @doc "The module of a name, if there is one that can be loaded."
  @spec fetch(String.t()) :: {:ok, module} | :error
  def fetch(name) do
    with true <- name?(name),
         {:ok, module} <- atom("Elixir." <> name),
         {:module, module} <- Code.ensure_loaded(module) do
      {:ok, module}
    else
      _no_module -> :error
    end
  end

  # A module that was not loaded yet may have no atom, but then it has a file.
  defp atom(name) do
    case :code.where_is_file(String.to_charlist(name <> ".beam")) do
      :non_existing -> existing_atom(name)
      _file -> {:ok, String.to_atom(name)}
    end
  end

  defp existing_atom(name) do
    {:ok, String.to_existing_atom(name)}
  rescue
    ArgumentError -> :error
  end

  @doc "The atom of a name that something has that runs, as a process may have one without being a module."
  @spec existing(String.t()) :: {:ok, atom} | :error
  def existing(name), do: if(name?(name), do: existing_atom("Elixir." <> name), else: :error)

  @doc "The name of the project's module that is nearest to this one."
  @spec nearest(String.t()) :: String.t() | nil
  def nearest(name) do
    application = Mix.Project.config()[:app]
    modules = (application && Application.spec(application, :modules)) || []
    Options.nearest(name, Enum.map(modules, &inspect/1))
  end
end
