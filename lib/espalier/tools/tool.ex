defmodule Espalier.Tools.Tool do
  @moduledoc false
  # Tools as callers give them, checked, with the forms of their parameters.

  alias Espalier.JSON
  alias Espalier.Matcher
  alias Espalier.OptionsError
  alias Espalier.Prompt
  alias Espalier.Schema.Form
  alias Espalier.SchemaError
  alias Espalier.Vocabulary

  @keys [:name, :description, :parameters]
  @objects ~s(a schema of objects and nothing else, as with "type": "object",)

  @type t :: %{
          required(:name) => String.t(),
          required(:parameters) => Form.t(),
          optional(:description) => String.t() | nil
        }

  @doc "The tools of a list; raises what is wrong with the first that is none."
  @spec list!(term) :: [t]
  def list!([_ | _] = tools) do
    if List.improper?(tools), do: wrong!("a list of tools", tools)
    named = for {tool, place} <- Enum.with_index(tools, 1), do: named!(tool, place)
    with {:error, error} <- Prompt.Tools.check_unique(named), do: raise(error)
    for tool <- named, do: %{tool | parameters: form!(tool)}
  end

  def list!(other), do: wrong!("a list of tools, one at least", other)

  defp named!(%{name: name, parameters: _schema} = tool, place) when not is_struct(tool) do
    cond do
      Map.keys(tool) -- @keys != [] ->
        wrong!("tool #{place} to have no other keys than #{inspect(@keys)}", tool)

      not name?(name) ->
        expected = "tool #{place} to have a :name of 1 to 64 letters of ASCII, digits, _ and -"
        wrong!(expected, tool)

      not text?(tool[:description]) ->
        wrong!("tool #{place} to have a text in UTF-8 as its :description", tool)

      true ->
        tool
    end
  end

  defp named!(tool, place),
    do: wrong!("tool #{place} to be a map with a :name and :parameters", tool)

  # One with quotes or brackets would not be what is written, and one in other letters could be spelled in two ways.
  defp name?(name), do: is_binary(name) and name =~ ~r/\A[A-Za-z0-9_-]{1,64}\z/

  defp text?(text), do: text == nil or (is_binary(text) and String.valid?(text))

  defp form!(%{name: name, parameters: parameters}) do
    with {:ok, form} <- new(parameters),
         :ok <- check_kind(form, name, parameters),
         {:ok, object?} <- object?(form) do
      unless object?, do: wrong!("#{@objects} as the :parameters of #{name}", parameters)
      form
    else
      {:error, error} -> raise placed(error, name)
    end
  end

  # One that says nothing means any object.
  defp new(parameters) do
    with {:ok, %{kind: :json_schema, content: text}} <- Form.new(parameters),
         {:ok, schema} when schema == %{} <- JSON.decode(text),
         do: Form.new(%{"type" => "object"}),
         else: (_other -> Form.new(parameters))
  end

  defp check_kind(%{kind: kind}, _name, _parameters) when kind in [:typed, :json_schema], do: :ok

  defp check_kind(_form, name, parameters),
    do: wrong!("a schema of JSON as the :parameters of #{name}", parameters)

  # Behind a name nothing but a brace tells where the arguments begin. A schema beyond the limits is told where it is
  # compiled, with limits that may be larger.
  defp object?(form) do
    with {:ok, constraint} <- Form.to_constraint(form, vocabulary: Vocabulary.bytes()),
         {:ok, starts} <- constraint |> Matcher.new() |> Matcher.allowed_tokens() do
      {:ok, starts == [?{]}
    else
      {:error, %SchemaError{kind: :limit_exceeded}} -> {:ok, true}
      error -> error
    end
  end

  defp placed(%SchemaError{} = error, name),
    do: %{error | message: error.message <> where(name)}

  defp placed(error, name), do: SchemaError.invalid(Exception.message(error) <> where(name))

  defp where(name), do: " (in the :parameters of the tool #{name})"

  @spec wrong!(String.t(), term) :: no_return
  defp wrong!(expected, got),
    do: raise(OptionsError, kind: :invalid, option: :tools, expected: expected, got: got)
end
