defmodule Espalier.Schema.Validation do
  @moduledoc false
  # Whether a text is a value of a schema, exactly, and if not all that is wrong with it.
  #
  # JSON is checked by a validator that shares nothing with the engine. What is no JSON is read by the engine,
  # byte by byte.

  alias Espalier.Constraint
  alias Espalier.ConstraintCache
  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.JSON.Pointer
  alias Espalier.Matcher
  alias Espalier.Schema.Form
  alias Espalier.ValidationError
  alias Espalier.Vocabulary

  @doc "Whether a JSON text is a value of a JSON Schema, which is a text or its terms."
  @spec check_json(String.t() | Object.t(), String.t(), keyword) :: :ok | {:error, Exception.t()}
  def check_json(schema, text, options \\ [])

  def check_json(%Object{} = schema, text, options),
    do: check_json(JSON.encode!(schema), text, options)

  def check_json(schema, text, options) do
    case JSON.validate(schema, text, Keyword.take(options, [:format, :documents])) do
      {:ok, []} -> :ok
      {:ok, violations} -> {:error, error(violations, JSON.decode!(text, numbers: :exact))}
      {:error, _error} = error -> error
    end
  end

  defp error(violations, value) do
    violations =
      for violation <- violations do
        %{
          path: path(violation.instance_pointer, value),
          keyword: violation.keyword,
          expected: violation.expected,
          got: violation.got,
          message: violation.message
        }
      end

    %ValidationError{violations: violations}
  end

  defp path(pointer, value) do
    {path, _value} = pointer |> Pointer.tokens() |> Enum.map_reduce(value, &step/2)
    path
  end

  defp step(token, items) when is_list(items) do
    index = String.to_integer(token)
    {index, Enum.at(items, index)}
  end

  defp step(key, members), do: {key, members[key]}

  @doc "Whether a constraint admits the whole text."
  @spec check_text(Constraint.t(), String.t()) :: :ok | {:error, Exception.t()}
  def check_text(constraint, text) do
    matcher = Matcher.new(constraint)

    case Matcher.accept_text(matcher, text) do
      :ok ->
        if Matcher.accepting?(matcher), do: :ok, else: {:error, refused(text, "it ends too soon")}

      {:error, %{kind: :text_not_allowed, offset: offset}} ->
        {:error, refused(text, "byte #{offset} can't follow")}

      {:error, _error} = error ->
        error
    end
  end

  defp refused(text, reason) do
    got = String.slice(text, 0, 200)
    message = "#{inspect(got)} is not a text of the constraint: #{reason}"
    violation = %{path: [], keyword: "constraint", expected: "", got: got, message: message}
    %ValidationError{violations: [violation]}
  end

  @doc "What the engine finds in a text of a form of parts: names and texts."
  @spec check_sequence(Form.t(), String.t(), keyword) ::
          {:ok, [{String.t(), String.t()}]} | {:error, Exception.t()}
  def check_sequence(form, text, options) do
    options = Keyword.take(options, [:format]) ++ [style: :matching]

    with {:ok, constraint} <-
           ConstraintCache.fetch(form, [vocabulary: Vocabulary.bytes()] ++ options),
         {:ok, found} <- Constraint.captures(constraint, text) do
      # Where it is none the matcher tells how far it gets.
      if found,
        do: {:ok, found},
        else: with(:ok <- check_text(constraint, text), do: {:error, refused(text, "it is none")})
    end
  end

  @doc "Whether the grammar has the whole text; JSON in it may look in any way."
  @spec check_grammar(Form.t(), String.t(), keyword) :: :ok | {:error, Exception.t()}
  def check_grammar(form, text, options) do
    options =
      [vocabulary: Vocabulary.bytes(), style: :matching] ++ Keyword.take(options, [:format])

    with {:ok, constraint} <- ConstraintCache.fetch(form, options),
         {:error, %ValidationError{violations: [violation]}} <- check_text(constraint, text) do
      message = String.replace(violation.message, "of the constraint", "of the grammar")
      violation = %{violation | keyword: "grammar", message: message}
      {:error, %ValidationError{violations: [violation]}}
    end
  end

  @doc "Whether the expression of a form matches the whole text."
  @spec check_regex(Form.t(), String.t()) :: :ok | {:error, Exception.t()}
  def check_regex(%{content: source} = form, text) do
    with {:ok, constraint} <- ConstraintCache.fetch(form, vocabulary: Vocabulary.bytes()),
         {:error, %ValidationError{violations: [violation]}} <- check_text(constraint, text) do
      message = "#{inspect(violation.got)} does not match #{source}"
      violation = %{violation | keyword: "pattern", expected: source, message: message}
      {:error, %ValidationError{violations: [violation]}}
    end
  end
end
