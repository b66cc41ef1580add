defmodule Espalier.Doctor.Configuration do
  @moduledoc false
  # What `config :espalier` has: options that there are, with values that they take.

  alias Espalier.CLI.BackendSwitches
  alias Espalier.ConstraintCache
  alias Espalier.Doctor.Check
  alias Espalier.Hosted
  alias Espalier.Hosted.Settings
  alias Espalier.Middleware
  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Request
  alias Espalier.VocabularyCache

  @caches [
    constraint_cache: {"constraint cache", ConstraintCache},
    vocabulary_cache: {"vocabulary cache", VocabularyCache}
  ]

  @advice "correct config :espalier"

  @spec checks() :: [Check.t()]
  def checks do
    environment = Application.get_all_env(:espalier)

    case unknown(environment) ++ wrong() ++ providers(environment) do
      [] -> [Check.ok("configuration", told(Keyword.keys(environment)))]
      faults -> faults
    end ++ caches(environment)
  end

  defp told([]), do: "nothing is set"
  defp told(names), do: names |> Enum.sort() |> Enum.map_join(", ", &inspect/1)

  # Names that nothing reads are no error anywhere else.
  defp unknown(environment) do
    # The first is for the build of the native library.
    known = [:nif_features | Keyword.keys(@caches ++ Request.options() ++ providers())]

    for name <- Keyword.keys(environment), name not in known do
      near = Options.nearest(name, known)
      advice = if near, do: "did you mean #{inspect(near)}?", else: "remove it"
      Check.warn("configuration", "nothing reads #{inspect(name)}", advice)
    end
  end

  defp wrong do
    with {:ok, options} <- Request.validate([]),
         {:ok, _middleware} <- Middleware.new(options[:middleware]) do
      []
    else
      {:error, error} -> [Check.fail("configuration", Exception.message(error), @advice)]
    end
  end

  defp providers(environment) do
    for {name, {module, options}} <- providers(),
        Keyword.has_key?(environment, name),
        {:error, error} <- [Settings.new(module, options)],
        not no_key?(error),
        do: Check.fail("configuration", "#{inspect(name)}: #{Exception.message(error)}", @advice)
  end

  # Whether it is needed depends on who is asked.
  defp no_key?(error), do: match?(%OptionsError{kind: :missing, option: :api_key}, error)

  # The backends by the names of their options.
  defp providers do
    for {module, options} <- BackendSwitches.backends(),
        Hosted.provider?(module),
        uniq: true,
        do: {module.name(options), {module, options}}
  end

  defp caches(environment) do
    for {name, {title, module}} <- @caches do
      case environment |> Keyword.get(name, []) |> Options.validate(module.options()) do
        {:ok, options} -> directory(title, options[:directory])
        {:error, error} -> Check.fail(title, Exception.message(error), @advice)
      end
    end
  end

  defp directory(title, nil), do: Check.ok(title, "in memory")

  defp directory(title, path) do
    file = Path.join(path, ".espalier_doctor.#{System.pid()}")

    with :ok <- File.mkdir_p(path),
         :ok <- File.write(file, ""),
         :ok <- File.rm(file) do
      Check.ok(title, "in memory and in #{path}")
    else
      {:error, reason} ->
        message = "can't write to #{path}: #{:file.format_error(reason)}"
        Check.fail(title, message, "let this user write there, or name another :directory")
    end
  end
end
