defmodule Espalier.Reply do
  @moduledoc """
  Reads what a model wrote that no constraint held: a hosted model, or a backend of your own.

  Such replies have the right value in the wrong clothes: in a code block, after a sentence, with a comma too
  many, as a Python dict. `read/3` finds the text that is a value of the schema and tells what it had to do:

      iex> schema = [name: :string, age: :integer, tags: {:array, :string}]
      iex> reply = "Here you are:\\n```json\\n{'name': 'Ada', 'age': \\"36\\", 'tags': ['x',],}\\n```"
      iex> {:ok, text, fixes} = Espalier.Reply.read(schema, reply)
      iex> text
      ~s({"name":"Ada","age":36,"tags":["x"]})
      iex> fixes
      [:surrounding_text, :code_fence, :single_quotes, :trailing_comma, :string_to_number]

  The text is a value of the schema or there is an error; a fix that would be a guess is not made.
  `candidates/1` has the values that a reply may stand for, whatever the schema.

  ## The text

  | fix | what was wrong | what is done |
  | --- | --- | --- |
  | `:byte_order_mark` | one at the start | left out |
  | `:invalid_utf8` | bytes that are no UTF-8 | each becomes U+FFFD |
  | `:reasoning` | `<think>...</think>` before the answer | left out; without the end there is no answer |
  | `:surrounding_space` | white space around a text that is not JSON | left out |
  | `:surrounding_text` | sentences and the like around the value | left out |
  | `:code_fence` | a Markdown code block, or code in a line | its content is read |
  | `:surrounding_quotes` | quotes around a text that is not JSON | left out |
  | `:several_values` | more values than one | each is a candidate; those with nothing between them also as one array |
  | `:html_entities` | `{&quot;a&quot;: 1}` | unescaped |
  | `:comment` | `// ...`, `/* ... */`, `# ...` | left out |
  | `:unusual_space` | no-break spaces and others that JSON hasn't | left out between the parts |
  | `:unquoted_key` | `{a: 1}` | quoted |
  | `:single_quotes` | `'a'` | `"a"` |
  | `:smart_quotes` | `“a”`, `‘a’` | `"a"` |
  | `:unescaped_quote` | `"say "hi" to her"` | escaped, where no other end of the text is possible |
  | `:unescaped_control` | line breaks, tabs and others in a text | escaped |
  | `:invalid_escape` | `"\\d"`, `"\\'"`, `"\\x41"`, half a surrogate pair | the backslash is kept, `'`, `A`, U+FFFD |
  | `:number_format` | `+1`, `.5`, `1.`, `0x1F`, `1_000`, `007` | the number; `010`, which may be octal, is refused |
  | `:not_a_number` | `NaN`, `Infinity` | `null`, for JSON has no such number |
  | `:python_literal` | `True`, `False`, `None`, also `TRUE`, `NULL`, `nil` | `true`, `false`, `null` |
  | `:undefined` | `undefined` | `null` |
  | `:unquoted_text` | a single word as a value within an object | quoted |
  | `:key_sign` | `=` or `=>` after a key | `:` |
  | `:missing_comma` | none between two members or items | put there |
  | `:extra_comma` | several between two members | one is left |
  | `:trailing_comma` | one behind the last member or item | left out |
  | `:ellipsis` | `...` in place of members or items | left out |
  | `:missing_bracket` | an array or object not closed before its parent is | closed |
  | `:truncated` | the end is missing | texts, arrays and objects are closed; a key without a value, and a number or word that the end cuts off, are left out |
  | `:double_encoded` | `{\\"a\\": 1}`, or a text in place of an object or array that it holds as JSON | unescaped, decoded |
  | `:completed` | the end is missing, and only one value of the schema begins so | its end, such as the rest of a word or of a choice |

  ## The value

  Where a candidate is no value of the schema, what the validator names is changed if there is one way to
  do it, and the result validated again:

  | fix | what was wrong | what is done |
  | --- | --- | --- |
  | `:wrapped_value` | `{"result": {...}}` that the schema refuses | the only member is taken |
  | `:string_to_number` | `"5"`, and no text is allowed | `5`; `"1,234"`, `"5 kg"` and `"007"` are refused |
  | `:string_to_boolean` | `"true"`, and no text is allowed | `true` |
  | `:number_to_string` | `5`, and no number is allowed | `"5"` |
  | `:single_to_list` | an item in place of an array | an array of it |
  | `:enum_case` | `"HIGH"` for `"high"` | the one member that differs in case only |
  | `:null_to_absent` | `null` for what may be absent but not `null` | left out |

  With the option `:lossy` also what is too much is cut off:

  | fix | what was wrong | what is done |
  | --- | --- | --- |
  | `:cut_text` | a text longer than `maxLength` | its start |
  | `:cut_list` | an array longer than `maxItems` | its first items |
  | `:repeated_item` | an array with equal items that has `uniqueItems` | each once |
  | `:unknown_key` | a key that `additionalProperties: false` refuses | left out |

  Of an Ecto schema a value is one that its changeset function takes.

  Replies are read in time that grows as their length does, and no deeper than `Espalier.JSON.decode/2` does.
  """

  alias Espalier.CastError
  alias Espalier.ChangesetError
  alias Espalier.JSON
  alias Espalier.JSON.Documents
  alias Espalier.Options
  alias Espalier.Reply.Candidate
  alias Espalier.Reply.Coercion
  alias Espalier.Reply.Completion
  alias Espalier.Reply.Fixes
  alias Espalier.Reply.Plain
  alias Espalier.Reply.Reasoning
  alias Espalier.Reply.Scanner
  alias Espalier.Schema
  alias Espalier.Schema.Form
  alias Espalier.ValidationError

  @typedoc "One of the names in the tables above."
  @type fix :: atom

  @max_candidates 8

  @options [
    strict: [
      type: :boolean,
      default: false,
      doc: "Take the reply as it is: it is a value of the schema or there is an error."
    ],
    lossy: [
      type: :boolean,
      default: false,
      doc: "Whether a part of the value may be lost, as the last table tells."
    ],
    format: [
      type: {:in, [:assert, :ignore]},
      default: :assert,
      doc: "Whether `format` asserts, as in `Espalier.Constraint.json_schema/2`."
    ],
    documents: [
      type: {:custom, "a map of JSON Schemas by URI", &Documents.documents?/1},
      doc: "Other schemas that a JSON Schema refers to, as in `Espalier.Constraint`."
    ]
  ]

  @doc """
  The text of the reply that is a value of the schema, and the fixes that were made for it.

  Of the candidates the first that is a value of the schema counts, then the first that becomes one by
  changes of the value. If there is none the error is that of the candidate with the fewest violations, and
  an `Espalier.JSONError` where nothing in the reply is like JSON.

  For a choice, a regular expression or a constraint the reply is tried as it is, then without white space
  and reasoning around it, then without a code block or quotes. The letter case of a choice is overlooked
  where exactly one matches.

  ## Options

  #{Options.docs(@options)}
  ## Examples

      iex> Espalier.Reply.read(%{"type" => "array", "items" => %{"enum" => ["low", "high"]}}, "['HIGH']")
      {:ok, ~s(["high"]), [:single_quotes, :enum_case]}
      iex> Espalier.Reply.read({:choice, [:yes, :no]}, "`Yes`")
      {:ok, "yes", [:code_fence, :enum_case]}
      iex> {:error, error} = Espalier.Reply.read([age: :integer], ~s({'age': '1,234'}))
      iex> Exception.message(error)
      ~s(invalid value: at age: "1,234" is not of type "integer")
      iex> {:error, %Espalier.JSONError{}} = Espalier.Reply.read([age: :integer], "{'age': 5}", strict: true)
  """
  @spec read(Schema.t() | Form.t(), binary, keyword) ::
          {:ok, String.t(), [fix]} | {:error, Exception.t()}
  def read(schema, text, options \\ []) when is_binary(text) do
    with {:ok, options} <- Options.validate(options, @options),
         {:ok, form} <- Form.new(schema) do
      {strict?, options} = Keyword.pop!(options, :strict)
      read(form, text, strict?, options)
    end
  end

  defp read(form, text, true, options) do
    with :ok <- Plain.check(form, text, options), do: {:ok, text, []}
  end

  defp read(%Form{kind: kind} = form, text, false, options) when kind in [:typed, :json_schema] do
    result =
      case candidates(text) do
        [] -> {:error, _error} = JSON.decode(text)
        candidates -> best(form, candidates, options)
      end

    with {:error, _error} <- result, do: completed(form, text, options) || result
  end

  defp read(form, text, false, options), do: Plain.read(form, text, options)

  # Of what is before the value only sentences and the like are left out here.
  defp completed(form, text, options) do
    {start, fixes} =
      case :binary.match(text, ["{", "["]) do
        {at, _length} when at > 0 ->
          {binary_part(text, at, byte_size(text) - at), before(text, at)}

        _none ->
          {trim(text), []}
      end

    with true <- start != "",
         {:ok, text} <- Completion.complete(form, start, options),
         :ok <- Form.validate(form, text, options) do
      {:ok, text, fixes ++ [:completed]}
    else
      _several_ways -> nil
    end
  end

  defp before(text, at),
    do: if(trim(binary_part(text, 0, at)) == "", do: [], else: [:surrounding_text])

  defp best(form, candidates, options) do
    case check(candidates, form, options, []) do
      {:ok, candidate} ->
        {:ok, candidate.text, candidate.fixes}

      refused ->
        coerced(form, refused, options) ||
          refused |> Enum.map(&elem(&1, 1)) |> Enum.min_by(&n_violations/1)
    end
  end

  # The first that is a value, or what is wrong with each.
  defp check([], _form, _options, refused), do: Enum.reverse(refused)

  defp check([candidate | others], form, options, refused) do
    case Form.validate(form, candidate.text, options) do
      :ok -> {:ok, candidate}
      error -> check(others, form, options, [{candidate, error} | refused])
    end
  end

  defp coerced(form, refused, options) do
    Enum.find_value(refused, fn {candidate, {:error, error}} ->
      with true <- value_error?(error),
           {:ok, text, fixes} <- Coercion.coerce(form, candidate.text, options),
           :ok <- Form.validate(form, text, options) do
        {:ok, text, Fixes.sort(candidate.fixes ++ fixes)}
      else
        _no_value -> nil
      end
    end)
  end

  defp value_error?(%error{}), do: error in [CastError, ChangesetError, ValidationError]

  # What is wrong with the schema itself comes before all else.
  defp n_violations({:error, %ValidationError{violations: violations}}), do: length(violations)
  defp n_violations({:error, _error}), do: 0

  @doc """
  The JSON values that a reply may stand for, at most #{@max_candidates}.

  A reply that is JSON has itself as its only candidate. Others come in the order of the number of their
  fixes, then longer ones first, then as they come in the reply.

      iex> Espalier.Reply.candidates(~s( {"a": 1} ))
      [%Espalier.Reply.Candidate{text: ~s({"a": 1}), fixes: []}]
      iex> for c <- Espalier.Reply.candidates("{a: 1} and [2, 3, "), do: {c.text, c.fixes}
      [
        {~s({"a":1}), [:surrounding_text, :several_values, :unquoted_key]},
        {"[2,3]", [:surrounding_text, :several_values, :truncated]}
      ]
      iex> Espalier.Reply.candidates("I can't say.")
      []
  """
  @spec candidates(binary) :: [Candidate.t()]
  def candidates(text) when is_binary(text) do
    trimmed = trim(text)
    if json?(trimmed), do: [%Candidate{text: trimmed}], else: tolerant(text)
  end

  defp tolerant(text) do
    {text, fixes} = characters(text)

    case Reasoning.remove(text) do
      {:ok, answer} -> values(answer, [:reasoning | fixes])
      :none -> values(text, fixes)
      :unfinished -> []
    end
  end

  defp values(text, fixes) do
    text
    |> Scanner.values()
    |> Enum.map(fn {text, more} ->
      %Candidate{text: text, fixes: Fixes.sort(fixes ++ more)}
    end)
    |> Enum.sort_by(&{length(&1.fixes), -byte_size(&1.text)})
    |> Enum.uniq_by(& &1.text)
    |> Stream.filter(&json?(&1.text))
    |> Enum.take(@max_candidates)
  end

  defp characters(text) do
    {text, fixes} = if String.valid?(text), do: {text, []}, else: {repair(text), [:invalid_utf8]}

    case text do
      "\uFEFF" <> rest -> {rest, [:byte_order_mark | fixes]}
      _other -> {text, fixes}
    end
  end

  defp repair(text), do: text |> repair(text, 0, []) |> Enum.reverse() |> IO.iodata_to_binary()

  defp repair(<<character::utf8, rest::binary>>, run, length, done),
    do: repair(rest, run, length + byte_size(<<character::utf8>>), done)

  defp repair(<<_byte, rest::binary>>, run, length, done),
    do: repair(rest, rest, 0, ["\uFFFD", binary_part(run, 0, length) | done])

  defp repair("", run, length, done), do: [binary_part(run, 0, length) | done]

  defp json?(text), do: match?({:ok, _value}, JSON.decode(text, numbers: :exact))

  @space [?\s, ?\t, ?\r, ?\n]

  defp trim(<<byte, rest::binary>>) when byte in @space, do: trim(rest)
  defp trim(text), do: trim_end(text, byte_size(text))

  defp trim_end(text, size) when size > 0 do
    if :binary.at(text, size - 1) in @space,
      do: trim_end(text, size - 1),
      else: binary_part(text, 0, size)
  end

  defp trim_end(_text, 0), do: ""
end
