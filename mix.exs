defmodule Mix.Tasks.Compile.EspalierNative do
  @moduledoc """
  Builds the native library with cargo and installs it in `priv/native`.

  It runs on each compilation: cargo decides what is out of date, and a build with nothing to do
  takes a tenth of a second. With the environment variable `ESPALIER_NIF_PATH` set, the library
  at that path is installed and cargo is not needed.

  The library is built with the cargo features that the environment variable `ESPALIER_NIF_FEATURES` names, divided by
  commas, or else `config :espalier, nif_features: [...]`: `cuda` and `metal`, for models on graphics processors. In a
  project that depends on Espalier, `mix deps.compile espalier --force` builds it again after a change of these.
  """
  use Mix.Task.Compiler

  @root __DIR__
  @extension if match?({:win32, _}, :os.type()), do: ".dll", else: ".so"
  @installed Path.join([@root, "priv", "native", "espalier_nif" <> @extension])
  @package ~w(--release --locked --package espalier_nif)
  @features ~w(cuda metal)

  @impl true
  def run(_arguments) do
    case built_library() do
      {:ok, library} -> install(library)
      {:error, message} -> fail(message)
    end
  end

  @impl true
  def clean do
    File.rm(@installed)

    if cargo = System.find_executable("cargo") do
      System.cmd(cargo, ["clean", "--quiet" | @package], cd: @root)
    end
  end

  defp built_library do
    with :error <- System.fetch_env("ESPALIER_NIF_PATH") do
      case System.find_executable("cargo") do
        nil -> {:error, no_cargo()}
        cargo -> build(cargo)
      end
    end
  end

  # Standard error is the terminal's, so cargo's own progress is seen.
  defp build(cargo) do
    variable = System.get_env("ESPALIER_NIF_FEATURES")
    configured = Application.get_env(:espalier, :nif_features, [])

    with {:ok, features} <- features(variable, configured) do
      arguments = ["build", "--message-format", "json-render-diagnostics" | @package]

      case System.cmd(cargo, arguments ++ features, cd: @root) do
        {messages, 0} -> {:ok, artifact(messages)}
        {_messages, status} -> {:error, "cargo build failed (exit status #{status})"}
      end
    end
  end

  @doc false
  # What cargo is told about features, by the variable or else what is configured.
  def features(variable, configured) do
    names =
      if variable in [nil, ""],
        do: configured |> List.wrap() |> Enum.map(&to_string/1),
        else: variable |> String.split(",") |> Enum.map(&String.trim/1)

    case names -- @features do
      [] when names == [] -> {:ok, []}
      [] -> {:ok, ["--features", Enum.join(names, ",")]}
      [name | _others] -> {:error, unknown_feature(name)}
    end
  end

  defp unknown_feature(name) do
    "Espalier's native library has no feature #{inspect(name)}: " <>
      "ESPALIER_NIF_FEATURES and config :espalier, :nif_features take #{Enum.join(@features, " and ")}"
  end

  defp artifact(messages) do
    message =
      messages
      |> String.split("\n")
      |> Enum.find(&(&1 =~ ~s("compiler-artifact") and &1 =~ ~r/"name":"espalier_nif"/))

    [_, path] = Regex.run(~r/"filenames":\["((?:[^"\\]|\\.)+\.(?:so|dylib|dll))"/, message)
    String.replace(path, "\\\\", "\\")
  end

  # A library that runs in some VM is never written to: a new file takes its place.
  defp install(library) do
    with {:ok, bytes} <- File.read(library),
         true <- File.read(@installed) != {:ok, bytes},
         temporary = "#{@installed}.#{System.pid()}",
         :ok <- File.mkdir_p(Path.dirname(@installed)),
         :ok <- File.write(temporary, bytes),
         :ok <- File.rename(temporary, @installed) do
      # `priv` may not have existed when the build folder was laid out.
      Mix.Project.build_structure()
      {:ok, []}
    else
      false -> {:noop, []}
      {:error, reason} -> fail("cannot install #{library}: #{:file.format_error(reason)}")
    end
  end

  defp fail(message) do
    Mix.shell().error(message)

    diagnostic = %Mix.Task.Compiler.Diagnostic{
      compiler_name: "espalier_native",
      file: Path.join(@root, "Cargo.toml"),
      message: message,
      position: nil,
      severity: :error
    }

    {:error, [diagnostic]}
  end

  defp no_cargo do
    """
    Espalier's native library is built with Rust, and `cargo` was not found. Either

      * install Rust (https://rustup.rs), open a new shell and compile again, or
      * set the environment variable ESPALIER_NIF_PATH to the path of a built library.
    """
  end
end

defmodule Espalier.MixProject do
  use Mix.Project

  @version "0.1.0"
  @source_url "https://github.com/espalier/espalier"

  def project do
    [
      app: :espalier,
      version: @version,
      elixir: "~> 1.14",
      elixirc_paths: elixirc_paths(Mix.env()),
      compilers: [:espalier_native | Mix.compilers()],
      build_path: build_path(),
      start_permanent: Mix.env() == :prod,
      deps: deps(),
      aliases: [ci: "cmd bin/test"],
      name: "Espalier",
      description: "Language models that produce values of the shape your program asked for",
      source_url: @source_url,
      package: package(),
      docs: docs()
    ]
  end

  def application do
    [
      extra_applications: [:crypto, :eex, :logger, :public_key, :ssl],
      mod: {Espalier.Application, []}
    ]
  end

  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(_env), do: ["lib"]

  # Without Hex there are no dependencies: Mix would ask to install it for any of them. What
  # Espalier does with them is then off, and its tests say so.
  defp deps do
    if hex?() do
      [
        {:telemetry, "~> 1.0"},
        {:decimal, "~> 2.0 or ~> 3.0", optional: true},
        {:ecto, "~> 3.10", optional: true},
        {:telemetry_metrics, "~> 1.0", optional: true},
        {:ex_doc, "~> 0.34", only: :dev, runtime: false}
      ]
    else
      []
    end
  end

  # The two kinds of build know different applications and are kept apart.
  defp build_path, do: if(hex?(), do: "_build", else: "_build/no_hex")

  defp hex?, do: Code.ensure_loaded?(Hex) and System.get_env("ESPALIER_NO_HEX") in [nil, ""]

  defp package do
    [
      licenses: ["Apache-2.0"],
      links: %{"GitHub" => @source_url},
      files: ~w(lib guides native/*/src native/*/Cargo.toml bench/src bench/Cargo.toml
                priv/models priv/grafana priv/dashboard .cargo .formatter.exs mix.exs Cargo.toml
                Cargo.lock README.md ARCHITECTURE.md CHANGELOG.md LICENSE)
    ]
  end

  defp docs do
    [
      main: "Espalier",
      source_ref: "v#{@version}",
      extras: [
        "README.md",
        "guides/hosted.md",
        "guides/json_schema.md",
        "guides/grammars.md",
        "guides/benchmarks.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md"
      ],
      groups_for_modules: [
        Backends: [~r/^Espalier\.Backends/],
        Middleware: [~r/^Espalier\.Middleware/],
        Constraints: [
          Espalier.Vocabulary,
          Espalier.Constraint,
          Espalier.ConstraintCache,
          Espalier.VocabularyCache,
          Espalier.Matcher,
          Espalier.LogitsMask,
          Espalier.JSON
        ],
        Profiles: [~r/^Espalier\.Profile/],
        "What is observed": [
          ~r/^Espalier\.Telemetry/,
          ~r/^Espalier\.Trace/,
          Espalier.Dashboard
        ],
        Exceptions: [~r/Error$/]
      ]
    ]
  end
end
