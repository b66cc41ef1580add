defmodule Mix.Tasks.Espalier.Explain do
  @shortdoc "Tells who keeps each rule of a schema"

  alias Espalier.CLI
  alias Espalier.CLI.BackendSwitches
  alias Espalier.CLI.Explanations
  alias Espalier.CLI.SchemaSwitches
  alias Espalier.CLI.Switches
  alias Espalier.JSON

  @switches SchemaSwitches.switches() ++
              Keyword.take(BackendSwitches.switches(), [:backend]) ++
              [
                format: [
                  type: {:in, ["text", "json"]},
                  value: "FORMAT",
                  doc: "`text`, a table, or `json`, an object in each line. The default is `text`"
                ],
                strict: [type: :boolean, doc: "end with 1 if a rule is kept by nothing"]
              ]

  @moduledoc """
  Tells who keeps each rule of a schema: tokens, a provider, a check of the text, your functions, or nothing.

      $ mix espalier.explain --schema MyApp.Ticket --backend anthropic
      at        rule       value                    kept by
      (value)   type       "object"                 provider
      summary   type       "string"                 provider
                maxLength  80                       description
      priority  enum       ["low","medium","high"]  provider

      provider     the provider's mode enforces it; the text is checked all the same
      description  the model reads of it, and the text is checked

      4 rules: 3 by provider, 1 by description

  Paths lead to the values that a rule is about; `*` is any key or place. Without `--backend` it is told for the backend
  that the project is configured for, by default a local model.

  In JSON there is one object for each rule, with its `path` (keys, places, and `null` for any), `keyword`, `value` and
  `by`, which is one of those of `Espalier.Explanation`.

  The exit status is 0, 1 for a schema that is none or that the backend can't keep to, and 2 if the command line is
  wrong.

  ## Options

  #{Switches.docs(@switches)}
  """

  use Mix.Task

  @command %{name: "mix espalier.explain", help: @moduledoc, switches: @switches}

  @impl true
  def run(arguments), do: CLI.run(@command, arguments, &explain/1)

  defp explain(options) do
    source = SchemaSwitches.source!(options)
    CLI.start(:espalier)
    form = SchemaSwitches.form!(source)
    rules = Espalier.explain(form, BackendSwitches.backend!(options))
    options |> lines(rules) |> Enum.each(&CLI.puts/1)

    if options[:strict] && Enum.any?(rules, &(&1.by == :nothing)),
      do: {:error, "a rule is kept by nothing"},
      else: :ok
  end

  defp lines(options, rules) do
    if options[:format] == "json",
      do: Enum.map(rules, &JSON.encode!(Explanations.object(&1))),
      else: Explanations.text(rules, CLI.columns(), CLI.colors?())
  end
end
