defmodule Espalier.CLI.SchemaSwitches do
  @moduledoc false
  # The schema that a command line names.

  alias Espalier.CLI
  alias Espalier.CLI.Input
  alias Espalier.CLI.Modules
  alias Espalier.CLI.Switches
  alias Espalier.Error
  alias Espalier.Schema.Form

  @switches [
    schema: [
      type: :string,
      value: "FILE|MODULE",
      doc:
        "a file with a JSON Schema, or the name of a schema module of the project, Espalier's or Ecto's"
    ],
    choice: [type: :string, value: "A,B,...", doc: "one of these texts, in place of `--schema`"],
    regex: [
      type: :string,
      value: "REGEX",
      doc: "a text that matches this as a whole, in place of `--schema`"
    ],
    grammar: [
      type: :string,
      value: "FILE",
      doc:
        "a text of the grammar in this file, which is in GBNF if its name ends in .gbnf, and else in Lark, " <>
          "in place of `--schema`"
    ]
  ]

  @typedoc "A schema whose module was not looked for yet."
  @type source ::
          {:text, String.t()}
          | {:module, String.t()}
          | {:choice, [String.t()]}
          | {:regex, String.t()}
          | {:grammar, String.t(), keyword}

  @spec switches() :: Switches.t()
  def switches, do: @switches

  @doc "What the options name, as far as the project is not needed to tell."
  @spec source!(keyword) :: source
  def source!(options) do
    case Keyword.take(options, Keyword.keys(@switches)) do
      [{name, value}] ->
        source(name, value)

      [] ->
        CLI.misuse!("--schema is missing, see --help")

      [{one, _value}, {other, _other_value} | _] ->
        CLI.misuse!("#{Switches.spell(one)} and #{Switches.spell(other)} are both given")
    end
  end

  defp source(:regex, regex), do: {:regex, regex}

  defp source(:grammar, file) do
    syntax = if Path.extname(file) == ".gbnf", do: :gbnf, else: :lark
    {:grammar, utf8!(file), syntax: syntax}
  end

  defp source(:choice, texts) do
    texts = texts |> String.split(",") |> Enum.map(&String.trim/1)
    if "" in texts, do: CLI.misuse!("wrong value for --choice: an empty text among the choices")
    {:choice, texts}
  end

  defp source(:schema, name) do
    if Modules.name?(name) and not File.regular?(name),
      do: {:module, name},
      else: {:text, utf8!(name)}
  end

  defp utf8!(file) do
    text = Input.read!(file)
    if String.valid?(text), do: text, else: CLI.fail!("can't read #{file}: it is not UTF-8")
  end

  @doc "The schema, once the project's modules can be loaded."
  @spec form!(source) :: Form.t()
  def form!({:text, text}), do: text |> Form.new() |> Error.bang!()
  def form!({:module, name}), do: name |> module!() |> Form.new() |> Error.bang!()
  def form!(no_json), do: no_json |> Form.new() |> Error.bang!()

  defp module!(name) do
    with :error <- Modules.fetch(name) do
      near = Modules.nearest(name)
      suggestion = if near, do: ". Did you mean #{near}?", else: ""
      CLI.fail!("there is neither a file nor a module #{name}" <> suggestion)
    else
      {:ok, module} -> module
    end
  end
end
