defmodule Mix.Tasks.Espalier.Doctor do
  @shortdoc "Checks that all is there that Espalier needs"

  alias Espalier.CLI
  alias Espalier.CLI.BackendSwitches
  alias Espalier.CLI.Switches
  alias Espalier.CLI.Table
  alias Espalier.Doctor
  alias Espalier.Doctor.Check
  alias Espalier.JSON
  alias Espalier.JSON.Object

  @switches [
    model: [
      type: :string,
      value: "PATH|NAME",
      doc:
        "the folder of a local model, to see whether it can be loaded; with a hosted backend, the name of its model"
    ],
    backend: [
      type: :string,
      value: "NAME",
      doc:
        "a backend, to see whether its key is there, as in `mix espalier.generate`. By default those that the project " <>
          "is configured for"
    ],
    base_url: [
      type: :string,
      value: "URL",
      doc: "where the backend is, if not at its own address"
    ],
    online: [type: :boolean, doc: "ask the backend something, which may cost a little"],
    format: [
      type: {:in, ["text", "json"]},
      value: "FORMAT",
      doc: "`text`, or `json`, an object in each line. The default is `text`"
    ]
  ]

  @moduledoc """
  Checks that all is there that Espalier needs, and tells what to do about what isn't.

      $ mix espalier.doctor
      ok    Elixir             1.14.0
      ok    OTP                25
      warn  ecto               not there: Ecto schemas are no schemas; add {:ecto, "~> 3.10"} to the dependencies if you need that
      ok    native library     loaded from priv/native on x86_64-pc-linux-gnu
      ok    shipped model      loaded, and wrote the valid value {"urgent":true}
      ...

  No key is ever printed, and without `--online` nothing is sent anywhere. In JSON each line has the `check`, its
  `status`, `ok`, `warn` or `fail`, a `message` and an `advice`, which may be `null`.

  The exit status is 0, 1 if anything fails, and 2 if the command line is wrong.

  ## Options

  #{Switches.docs(@switches)}
  """

  use Mix.Task

  @command %{name: "mix espalier.doctor", help: @moduledoc, switches: @switches}

  @colors [ok: :green, warn: :yellow, fail: :red]

  @impl true
  def run(arguments), do: CLI.run(@command, arguments, &examine/1)

  defp examine(options) do
    CLI.start(:nothing)
    checks = options |> wanted!() |> Doctor.checks() |> Enum.map(&tell(&1, options[:format]))
    unless options[:format] == "json", do: checks |> summary() |> CLI.puts()
    if Enum.any?(checks, &(&1.status == :fail)), do: :failed, else: :ok
  end

  defp wanted!(options) do
    backend = BackendSwitches.backend!(options)
    given = if backend, do: [backend: backend], else: []
    local? = BackendSwitches.local?(backend)
    if options[:online] && local?, do: CLI.misuse!("--online needs a hosted backend")
    given ++ [online: options[:online]] ++ model(options[:model], local?)
  end

  # That of a hosted backend has a name and no folder.
  defp model(nil, _local?), do: []
  defp model(path, true), do: [path: path]
  defp model(name, false), do: [model: name]

  defp tell(check, "json") do
    check |> object() |> JSON.encode!() |> CLI.puts()
    check
  end

  defp tell(check, _text) do
    check |> row() |> CLI.puts()
    check
  end

  defp summary(checks) do
    counts = Enum.frequencies_by(checks, & &1.status)
    "\n#{counts[:ok] || 0} ok, #{counts[:warn] || 0} to look at, #{counts[:fail] || 0} wrong"
  end

  defp object(%Check{} = check) do
    %Object{
      members: [
        {"check", check.name},
        {"status", check.status},
        {"message", check.message},
        {"advice", check.advice}
      ]
    }
  end

  defp row(check) do
    status = {@colors[check.status], Atom.to_string(check.status)}
    advice = if check.advice, do: "; " <> check.advice, else: ""
    cells = [status, check.name, check.message <> advice]
    Table.line(cells, [4, 17, nil], CLI.colors?())
  end
end
