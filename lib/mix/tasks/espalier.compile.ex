defmodule Mix.Tasks.Espalier.Compile do
  @shortdoc "Compiles a schema for the tokens of a model, and tells what that takes"

  alias Espalier.CLI
  alias Espalier.CLI.Compilation
  alias Espalier.CLI.Explanations
  alias Espalier.CLI.SchemaSwitches
  alias Espalier.CLI.Switches
  alias Espalier.CLI.Table
  alias Espalier.CLI.VocabularyFile
  alias Espalier.Constraint
  alias Espalier.Error
  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.Model

  @switches SchemaSwitches.switches() ++
              [
                model: [
                  type: :string,
                  value: "PATH",
                  doc:
                    "the folder of the model whose tokens are compiled for, by default the tiny model that Espalier ships"
                ],
                vocabulary: [
                  type: :string,
                  value: "FILE",
                  doc:
                    "in place of a model, a `tokenizer.json`, a file of ranks as tiktoken has them, or what " <>
                      "`Espalier.Vocabulary.serialize/1` wrote"
                ],
                eos: [
                  type: :string,
                  value: "TOKENS",
                  doc:
                    "the tokens of `--vocabulary` that end a sequence, with commas between them: `\"<|im_end|>\"`, and " <>
                      "with their ids for ranks: `\"<|endoftext|>=199999\"`"
                ],
                output: [
                  type: :string,
                  value: "FILE",
                  doc: "where to write the constraint, for `Espalier.Constraint.deserialize/2`"
                ],
                export: [
                  type: {:in, ["regex", "gbnf", "lark"]},
                  value: "NOTATION",
                  doc:
                    "in place of all that, write the schema as a regular expression, as a grammar in GBNF or as one for " <>
                      "Lark: `regex`, `gbnf` or `lark`, see `Espalier.Constraint.to_regex/2`"
                ],
                depth: [
                  type: :integer,
                  value: "N",
                  doc: "how deep what leads back to itself may be nested, for `--export regex`"
                ],
                repeated_keys: [
                  type: {:in, ["refuse", "allow"]},
                  value: "WHETHER",
                  doc:
                    "whether keys without a name may come twice in what is exported: `refuse` or `allow`. The default is `refuse`"
                ],
                format: [
                  type: {:in, ["text", "json"]},
                  value: "FORMAT",
                  doc: "`text` or `json`. The default is `text`"
                ]
              ]

  @moduledoc """
  Compiles a schema for the tokens of a model, and tells what that takes.

      $ mix espalier.compile --schema ticket.json
      tokens          2560
      first compiled  0.61 ms
      compiled        0.34 ms, the median of 25 times
      first mask      0.12 ms, 1 token allowed
      serialised      2164 bytes

  What tokens don't keep comes after that: keywords that state nothing, and functions that are asked when the value is
  there. In JSON it is all one object, with times in microseconds.

  With `--export` the schema is written for another engine instead:

      $ mix espalier.compile --schema ticket.json --export gbnf > ticket.gbnf

  The exit status is 0, 1 for a schema that can't be compiled, with its place in the schema on standard error, and 2 if
  the command line is wrong.

  ## Options

  #{Switches.docs(@switches)}
  """

  use Mix.Task

  @command %{name: "mix espalier.compile", help: @moduledoc, switches: @switches}

  @impl true
  def run(arguments), do: CLI.run(@command, arguments, &compile/1)

  defp compile(options) do
    source = SchemaSwitches.source!(options)
    check!(options)
    CLI.start(:espalier)

    if options[:export],
      do: CLI.puts(export!(SchemaSwitches.form!(source), options)),
      else: measure(source, options)
  end

  @exporting [:depth, :repeated_keys]
  @measuring [:model, :vocabulary, :eos, :output, :format]

  defp export!(form, options) do
    own =
      for {name, value} <- Keyword.take(options, @exporting),
          do: {name, if(is_binary(value), do: String.to_existing_atom(value), else: value)}

    text =
      case options[:export] do
        "regex" -> Constraint.to_regex(form, own)
        "gbnf" -> Constraint.to_gbnf(form, own)
        "lark" -> Constraint.to_lark(form, own)
      end

    text |> Error.bang!() |> String.trim_trailing("\n")
  end

  defp measure(source, options) do
    compilation = source |> SchemaSwitches.form!() |> Compilation.new!(vocabulary!(options))
    if file = options[:output], do: write!(file, compilation.bytes)
    compilation |> lines(options[:format]) |> Enum.each(&CLI.puts/1)
  end

  defp check!(options) do
    if options[:model] && options[:vocabulary],
      do: CLI.misuse!("--model and --vocabulary are both given")

    if options[:eos] && !options[:vocabulary], do: CLI.misuse!("--eos is for --vocabulary")
    others = if options[:export], do: @measuring, else: @exporting
    verb = if options[:export], do: "is not for", else: "is for"

    for {name, _value} <- Keyword.take(options, others),
        do: CLI.misuse!("#{Switches.spell(name)} #{verb} --export")

    if options[:depth] && options[:export] != "regex",
      do: CLI.misuse!("--depth is for --export regex")
  end

  defp vocabulary!(options) do
    if file = options[:vocabulary],
      do: VocabularyFile.read!(file, options[:eos]),
      else: of_model!(options[:model] || Model.tiny_path())
  end

  # A model that can't be loaded is an error to tell, and not the end of this process.
  defp of_model!(path) do
    Process.flag(:trap_exit, true)
    pid = [path: path] |> Model.start_link() |> Error.bang!()
    vocabulary = Model.fetch!(pid).vocabulary
    Model.stop(pid)
    vocabulary
  end

  defp write!(file, bytes) do
    with {:error, reason} <- File.write(file, bytes),
         do: CLI.fail!("can't write #{file}: #{:file.format_error(reason)}")
  end

  defp lines(compilation, "json") do
    [
      JSON.encode!(%Object{
        members: [
          {"tokens", compilation.constraint.vocabulary.size},
          {"first_compiled_us", compilation.first},
          {"compiled_us", compilation.median},
          {"times", compilation.n_times},
          {"first_mask_us", compilation.first_mask},
          {"allowed_tokens", compilation.allowed},
          {"serialised_bytes", byte_size(compilation.bytes)},
          {"not_by_tokens", Enum.map(compilation.rules, &Explanations.object/1)}
        ]
      })
    ]
  end

  defp lines(compilation, _text) do
    rows = [
      ["tokens", Integer.to_string(compilation.constraint.vocabulary.size)],
      ["first compiled", milliseconds(compilation.first)],
      [
        "compiled",
        "#{milliseconds(compilation.median)}, the median of #{compilation.n_times} times"
      ],
      [
        "first mask",
        "#{milliseconds(compilation.first_mask)}, #{tokens(compilation.allowed)} allowed"
      ],
      ["serialised", "#{byte_size(compilation.bytes)} bytes"]
    ]

    Table.lines(rows, []) ++ others(compilation.rules)
  end

  defp others([]), do: []

  defp others(rules) do
    ["", "Not kept by tokens:", ""] ++
      Explanations.text(rules, CLI.columns(), CLI.colors?())
  end

  defp milliseconds(microseconds),
    do: :erlang.float_to_binary(microseconds / 1000, decimals: 2) <> " ms"

  defp tokens(1), do: "1 token"
  defp tokens(n), do: "#{n} tokens"
end
