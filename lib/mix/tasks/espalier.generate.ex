defmodule Mix.Tasks.Espalier.Generate do
  @shortdoc "Generates values of a schema with a local or hosted model"

  alias Espalier.CLI
  alias Espalier.CLI.BackendSwitches
  alias Espalier.CLI.Input
  alias Espalier.CLI.SchemaSwitches
  alias Espalier.CLI.Switches
  alias Espalier.CLI.ValueJSON
  alias Espalier.JSON
  alias Espalier.Trace

  @switches SchemaSwitches.switches() ++
              [
                prompt: [type: :string, value: "TEXT", doc: "the prompt"],
                prompt_file: [
                  type: :string,
                  value: "FILE",
                  doc: "a file with the prompt, `-` for standard input"
                ],
                batch: [
                  type: :string,
                  value: "FILE",
                  doc:
                    "a file with a prompt in each line, `-` for standard input; the lines of one whose name ends " <>
                      "with `.jsonl` are JSON texts"
                ]
              ] ++
              BackendSwitches.switches() ++
              [
                max_tokens: [
                  type: :integer,
                  value: "N",
                  doc: "the most tokens to write, 512 by default"
                ],
                max_reasoning_tokens: [
                  type: :integer,
                  value: "N",
                  doc:
                    "the most tokens that a local model may think before it writes, none by default; with --stream " <>
                      "they go to standard error"
                ],
                max_attempts: [
                  type: :integer,
                  value: "N",
                  doc: "how often a value may be asked for, 3 times by default"
                ],
                temperature: [
                  type: :float,
                  value: "X",
                  doc:
                    "how much chance there is; at 0, the default of local models, the likeliest token is always taken"
                ],
                top_p: [
                  type: :float,
                  value: "X",
                  doc: "draw from the likeliest tokens that have this probability together"
                ],
                top_k: [
                  type: :integer,
                  value: "N",
                  doc: "draw from so many of the likeliest tokens"
                ],
                seed: [
                  type: :integer,
                  value: "N",
                  doc: "the seed of the draws, for a temperature above 0"
                ],
                timeout: [
                  type: :integer,
                  value: "N",
                  doc: "the most milliseconds to take, 60000 by default"
                ],
                stream: [type: :boolean, doc: "print the text as it is written"],
                result: [
                  type: :boolean,
                  doc: "print how the value came about, too, as one JSON object"
                ],
                trace: [
                  type: :boolean,
                  doc: "show on standard error how the text came about, token by token"
                ],
                trace_html: [
                  type: :string,
                  value: "FILE",
                  doc: "write that as an HTML page"
                ],
                max_concurrency: [
                  type: :integer,
                  value: "N",
                  doc: "how many values of a batch are generated at once, and lines read ahead"
                ],
                progress: [
                  type: :boolean,
                  doc:
                    "whether standard error shows how far a batch is; by default if a terminal shows it and not standard output"
                ]
              ]

  @moduledoc """
  Generates a value of a schema, and prints it.

      $ mix espalier.generate --schema ticket.json --prompt "Checkout is down since 9:00!"
      {"summary":"Checkout is down","priority":"high"}

      $ mix espalier.generate --choice question,complaint --prompt "Where is my parcel?"
      question

      $ mix espalier.generate --schema MyApp.Ticket --backend openai --model gpt-4.1-mini --prompt-file mail.txt

  The value is printed on standard output as one line of JSON, a choice or a text of a regular expression as it is, and
  nothing else. What goes wrong is told on standard error, and the exit status is 1, or 2 if the command line is wrong.

  ## Many prompts

      $ mix espalier.generate --schema ticket.json --batch prompts.txt
      {"value":{"summary":"Checkout is down","priority":"high"}}
      {"error":{"type":"Espalier.GenerationError","kind":"invalid_prompt","message":"invalid prompt: the prompt is empty"}}

  There is one JSON object for each line of the file, in order. The exit status is 1 if one of them is an error.

  ## How a value came about

  With `--result` there are, besides the `value`, the `text` that the model wrote, `usage`, `attempts` and what else
  `Espalier.Result` has.

  With `--trace` standard error shows it token by token, and with `--trace-html` a page does: what was forced, how
  likely the model thought the rest, and what it would have written instead.

  With `--stream` the text is printed as it comes. One that is refused or broken off ends its line, standard error says why,
  and the next one begins.

  ## Options

  #{Switches.docs(@switches)}
  """

  use Mix.Task

  @command %{name: "mix espalier.generate", help: @moduledoc, switches: @switches}

  @traces [:trace, :trace_html]
  @passed_on [:max_tokens, :max_reasoning_tokens, :max_attempts, :timeout] ++
               [:temperature, :top_p, :top_k, :seed]

  @impl true
  def run(arguments), do: CLI.run(@command, arguments, &generate/1)

  defp generate(options) do
    source = SchemaSwitches.source!(options)
    ask = ask!(options)
    CLI.start(:project)
    form = SchemaSwitches.form!(source)

    BackendSwitches.with_backend(options, fn backend ->
      ask.(form, backend ++ traced(options) ++ Keyword.take(options, @passed_on), options)
    end)
  end

  defp traced(options),
    do: if(options[:trace] || options[:trace_html], do: [trace: true], else: [])

  # What to do with the schema and the options of a generation.
  defp ask!(options) do
    case Keyword.take(options, [:prompt, :prompt_file, :batch]) do
      [] -> CLI.misuse!("--prompt or --prompt-file is missing, see --help")
      [batch: file] -> batch!(file, options)
      [prompt: prompt] -> one!(prompt, options)
      [prompt_file: file] -> file |> Input.read!() |> one!(options)
      [{one, _}, {other, _} | _] -> both!(one, other)
    end
  end

  defp one!(prompt, options) do
    refuse!(options, [:max_concurrency, :progress], "is for --batch")
    if options[:stream] && options[:result], do: both!(:stream, :result)

    if options[:stream],
      do: &stream(&1, prompt, &2, &3),
      else: &one(&1, prompt, &2, &3)
  end

  defp batch!(file, options) do
    refuse!(options, [:stream | @traces], "is for a single prompt")
    prompts = prompts!(file)
    &batch(&1, prompts, &2, &3)
  end

  defp refuse!(options, names, why) do
    for name <- names,
        Keyword.has_key?(options, name),
        do: CLI.misuse!("#{Switches.spell(name)} #{why}")
  end

  @spec both!(atom, atom) :: no_return
  defp both!(one, other),
    do: CLI.misuse!("#{Switches.spell(one)} and #{Switches.spell(other)} are both given")

  defp prompts!(file) do
    lines = Input.lines!(file)

    if Path.extname(file) == ".jsonl",
      do: lines |> Enum.with_index(1) |> Enum.map(&decode!(&1, file)),
      else: lines
  end

  defp decode!({line, number}, file) do
    case JSON.decode(line) do
      {:ok, prompt} when is_binary(prompt) ->
        prompt

      _no_text ->
        CLI.fail!("line #{number} of #{file} is no JSON text: #{String.slice(line, 0, 80)}")
    end
  end

  defp one(form, prompt, generation, options) do
    with {:ok, result} <- Espalier.generate_result(form, prompt, generation) do
      form |> shown(result, options) |> CLI.puts()
      show_trace(result, options)
    end
  end

  defp shown(form, result, options) do
    case {options[:result], ValueJSON.value(form, result)} do
      {true, _value} -> form |> ValueJSON.result(result) |> JSON.encode!()
      {_, text} when form.kind in [:choice, :regex, :grammar] -> text
      {_, value} -> JSON.encode!(value)
    end
  end

  defp stream(form, prompt, generation, options) do
    {:done, result} =
      form
      |> Espalier.stream(prompt, generation)
      |> Enum.reduce(nil, fn event, _ -> tell(event) end)

    CLI.puts("")
    show_trace(result, options)
  end

  # It returns the event, of which the last one has the result.
  defp tell(event) do
    write(event)
    event
  end

  defp write({:text, text}), do: IO.write(text)
  defp write({:reasoning, text}), do: IO.write(:stderr, text)

  defp write({:attempt, %{number: number, error: error}}) do
    CLI.puts("")
    CLI.note("asked again, attempt #{number}: #{Exception.message(error)}")
  end

  defp write(_event), do: :ok

  defp show_trace(result, options) do
    traces = for %{trace: %Trace{} = trace} <- result.attempts, do: trace

    cond do
      traced(options) == [] -> :ok
      # It was not written now.
      traces == [] -> {:error, "there is no trace of a value from the cache"}
      true -> show_traces(traces, options)
    end
  end

  defp show_traces(traces, options) do
    if options[:trace],
      do: Enum.each(traces, &Trace.print(&1, device: :stderr, colors: CLI.colors?()))

    if file = options[:trace_html], do: write_trace(List.last(traces), file), else: :ok
  end

  defp write_trace(trace, file) do
    with {:error, error} <- Trace.write_html(trace, file), do: CLI.fail!(Exception.message(error))
  end

  defp batch(form, prompts, generation, options) do
    progress = Keyword.get_lazy(options, :progress, &CLI.errors_alone_in_terminal?/0)

    results =
      Espalier.stream_batch_results(
        prompts,
        form,
        [progress: progress] ++ Keyword.take(options, [:max_concurrency]) ++ generation
      )

    failed = Enum.count(results, &(put(&1, form, options) == :failed))
    if failed > 0, do: :failed, else: :ok
  end

  defp put({:ok, result}, form, options) do
    object =
      if options[:result],
        do: ValueJSON.result(form, result),
        else: %{"value" => ValueJSON.value(form, result)}

    CLI.puts(JSON.encode!(object))
  end

  defp put({:error, error}, _form, _options) do
    CLI.puts(JSON.encode!(%{"error" => ValueJSON.error(error)}))
    :failed
  end
end
