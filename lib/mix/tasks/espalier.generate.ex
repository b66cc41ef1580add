defmodule Mix.Tasks.Espalier.Generate do
  @shortdoc "Generates a JSON value of a schema with a local model"

  @moduledoc """
  Generates a JSON value of a schema with a local model, and prints it.

      $ mix espalier.generate --schema ticket.json --prompt "Checkout is down since 9:00!"
      {"summary":"Checkout is down","priority":"high"}

  The value is printed on standard output, and nothing else. What goes wrong is told on standard error,
  and the exit status is 1.

  ## Options

    * `--schema FILE` - a file with a JSON Schema. Required
    * `--prompt TEXT` - the prompt
    * `--prompt-file FILE` - a file with the prompt, `-` for standard input
    * `--model PATH` - the folder of the model. The default is the tiny model that Espalier ships
    * `--max-tokens N` - the most tokens to write, 512 by default
    * `--temperature X` - 0 by default: the likeliest token is always taken
    * `--seed N` - the seed of the draws, for a temperature above 0
    * `--timeout N` - the most milliseconds to take, 60000 by default
    * `--stream` - print the text as it is written
    * `--help` - print this
  """

  use Mix.Task

  alias Espalier.Model

  @switches [
    schema: :string,
    prompt: :string,
    prompt_file: :string,
    model: :string,
    max_tokens: :integer,
    temperature: :float,
    seed: :integer,
    timeout: :integer,
    stream: :boolean,
    help: :boolean
  ]

  @passed_on [:max_tokens, :temperature, :seed, :timeout]

  @impl true
  def run(arguments) do
    case OptionParser.parse(arguments, strict: @switches) do
      {options, [], []} -> if options[:help], do: help(), else: generate(options)
      {_options, [argument | _], []} -> fail("unexpected argument #{argument}, see --help")
      {_options, _arguments, [{switch, nil} | _]} -> fail(wrong_switch(switch))
      {_options, _arguments, [{switch, value} | _]} -> fail("wrong value for #{switch}: #{value}")
    end
  end

  defp help, do: IO.puts(@moduledoc)

  defp wrong_switch(switch) do
    known = for {name, _type} <- @switches, do: "--" <> String.replace(to_string(name), "_", "-")

    cond do
      switch in known ->
        "#{switch} needs a value"

      near = Espalier.Options.nearest(switch, known) ->
        "unknown option #{switch}. Did you mean #{near}?"

      true ->
        "unknown option #{switch}, see --help"
    end
  end

  defp generate(options) do
    schema = read!(options[:schema] || fail("--schema is missing, see --help"))
    prompt = prompt!(options)
    Mix.Task.run("app.start")
    # A model that can't be loaded is an error to tell, and not the end of this process.
    Process.flag(:trap_exit, true)

    with {:ok, model} <- Model.start_link(path: options[:model] || Model.tiny_path()),
         :ok <-
           print(schema, prompt, [model: model] ++ Keyword.take(options, @passed_on), options) do
      Model.stop(model)
    else
      {:error, error} -> fail(Exception.message(error))
    end
  end

  defp print(schema, prompt, generation, options) do
    if options[:stream] do
      for {:text, text} <- Espalier.stream(schema, prompt, generation), do: IO.write(text)
      IO.puts("")
    else
      with {:ok, result} <- Espalier.generate_result(schema, prompt, generation) do
        IO.puts(result.text)
      end
    end
  rescue
    error -> {:error, error}
  end

  defp prompt!(options) do
    case {options[:prompt], options[:prompt_file]} do
      {nil, nil} -> fail("--prompt or --prompt-file is missing, see --help")
      {prompt, nil} -> prompt
      {nil, "-"} -> read_input!()
      {nil, file} -> read!(file)
      {_prompt, _file} -> fail("--prompt and --prompt-file are both given")
    end
  end

  defp read_input! do
    case IO.read(:stdio, :eof) do
      text when is_binary(text) -> text
      :eof -> ""
      {:error, reason} -> fail("can't read standard input: #{inspect(reason)}")
    end
  end

  defp read!(file) do
    case File.read(file) do
      {:ok, text} -> text
      {:error, reason} -> fail("can't read #{file}: #{:file.format_error(reason)}")
    end
  end

  @spec fail(String.t()) :: no_return
  defp fail(message) do
    IO.puts(:stderr, "mix espalier.generate: " <> message)
    exit({:shutdown, 1})
  end
end
