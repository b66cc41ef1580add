defmodule Espalier.CLI.Switches do
  @moduledoc false
  # The switches of a command line, read and documented from one declaration:
  #
  #     [schema: [type: :string, value: "FILE", required: true, doc: "a file with a JSON Schema"], ...]
  #
  # `:type` is one of those of `OptionParser`, or `{:in, texts}`; `:value` stands for the value in the documentation.

  alias Espalier.Options

  @type t :: [
          {atom,
           [
             type: :string | :integer | :float | :boolean | {:in, [String.t()]},
             value: String.t(),
             required: boolean,
             doc: String.t()
           ]}
        ]

  @help [type: :boolean, doc: "print this"]

  @doc "The options that arguments give. Each is given once, and nothing else is given."
  @spec parse([String.t()], t) :: {:ok, keyword} | :help | {:error, String.t()}
  def parse(arguments, switches) do
    switches = switches ++ [help: @help]
    strict = for {name, entry} <- switches, do: {name, type(entry[:type])}
    {options, rest, invalid} = OptionParser.parse(arguments, strict: strict, aliases: [h: :help])

    with false <- options[:help] == true,
         nil <- wrong(invalid, switches) || unexpected(rest),
         nil <- repeated(options) || not_one_of(options, switches) || missing(options, switches) do
      {:ok, options}
    else
      true -> :help
      message -> {:error, message}
    end
  end

  @doc "The switches as a Markdown list."
  @spec docs(t) :: String.t()
  def docs(switches) do
    Enum.map_join(switches ++ [help: @help], "\n", fn {name, entry} ->
      value = if entry[:value], do: " " <> entry[:value], else: ""
      required = if entry[:required], do: ". Required", else: ""
      "  * `#{spell(name)}#{value}` - #{entry[:doc]}#{required}"
    end)
  end

  @doc "A switch as it is written on a command line."
  @spec spell(atom) :: String.t()
  def spell(name), do: "--" <> (name |> Atom.to_string() |> String.replace("_", "-"))

  # Otherwise the last one would count, and the others be lost.
  defp type({:in, _texts}), do: [:string, :keep]
  defp type(type), do: [type, :keep]

  defp wrong([], _switches), do: nil

  defp wrong([{switch, nil} | _], switches) do
    known = for {name, _entry} <- switches, do: spell(name)

    cond do
      switch in known ->
        "#{switch} needs a value; one that begins with a dash is given as #{switch}=VALUE"

      near = Options.nearest(switch, known) ->
        "unknown option #{switch}. Did you mean #{near}?"

      true ->
        "unknown option #{switch}"
    end
  end

  defp wrong([{switch, value} | _], _switches), do: "wrong value for #{switch}: #{value}"

  defp unexpected([]), do: nil
  defp unexpected([argument | _]), do: "unexpected argument #{argument}"

  defp repeated(options) do
    case Keyword.keys(options) -- Enum.uniq(Keyword.keys(options)) do
      [] -> nil
      [name | _] -> "#{spell(name)} is given twice"
    end
  end

  defp not_one_of(options, switches) do
    Enum.find_value(options, fn {name, value} ->
      case switches[name][:type] do
        {:in, texts} -> unless value in texts, do: not_in(name, value, texts)
        _type -> nil
      end
    end)
  end

  defp not_in(name, value, texts),
    do: "wrong value for #{spell(name)}: expected #{Enum.join(texts, " or ")}, got #{value}"

  defp missing(options, switches) do
    Enum.find_value(switches, fn {name, entry} ->
      if entry[:required] && options[name] == nil, do: "#{spell(name)} is missing"
    end)
  end
end
