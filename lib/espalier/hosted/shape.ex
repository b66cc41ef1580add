defmodule Espalier.Hosted.Shape do
  @moduledoc false
  # What makes the value's shape known to a model, and how the value's text is found in what it writes.
  #
  #   * `name` - for the schema: at most 64 letters, digits, underscores and hyphens
  #   * `instruction` - the schema in words, where nothing else tells enough
  #   * `schema` - as the mode takes it; none where the model is only told
  #   * `wrapper` - the start of a wrapper, where the value is within an object
  #   * `adapted` - what the schema was made from, if something has to be taken back

  alias Espalier.Hosted.Wrapper
  alias Espalier.JSON
  alias Espalier.JSON.Object
  alias Espalier.Profile
  alias Espalier.Profile.Adapted
  alias Espalier.Request
  alias Espalier.Schema.Form
  alias Espalier.SchemaError

  @enforce_keys [:name]
  defstruct @enforce_keys ++ [:instruction, :schema, :wrapper, :adapted]

  @type t :: %__MODULE__{
          name: String.t(),
          instruction: String.t() | nil,
          schema: Object.t() | boolean | nil,
          wrapper: Wrapper.t() | nil,
          adapted: Adapted.t() | nil
        }

  @doc "The shape where something else than a schema makes it known."
  @spec named(Request.t()) :: t
  def named(%Request{schema: form}), do: %__MODULE__{name: name(form)}

  @doc "The shape where the schema is told in words, and that is all."
  @spec told(Request.t()) :: {:ok, t} | {:error, Exception.t()}
  def told(%Request{schema: form}) do
    with {:ok, words} <- Form.describe(form),
         do: {:ok, %__MODULE__{name: name(form), instruction: instruction(words)}}
  end

  @doc """
  The shape for the profile of that name.

  `root: :object` demands an object whatever the mode takes: a tool's arguments, for example. What a choice or a
  regular expression writes is no JSON, and always within one. `told: true` tells the schema in words as well.
  """
  @spec new(Request.t(), atom, keyword) :: {:ok, t} | {:error, Exception.t()}
  def new(%Request{schema: form} = request, profile, options \\ []) do
    profile = Profile.fetch!(profile)
    kind = if form.kind in [:regex, :choice, :sequence], do: :text, else: :json
    root = if kind == :text, do: :object, else: Keyword.get(options, :root, :any)
    told? = Keyword.get(options, :told, false) or Profile.rule(profile, :prompt)

    with {:ok, schema} <- schema(form),
         {:ok, shape} <- fit(request, profile, schema, kind, root),
         do: if(told?, do: put_instruction(shape, form), else: {:ok, shape})
  end

  defp schema(%{kind: kind} = form) when kind in [:regex, :choice, :sequence] do
    with {:ok, %Object{members: members}} <- Form.to_json_schema(form),
         do: {:ok, %Object{members: [{"type", "string"} | List.keydelete(members, "type", 0)]}}
  end

  defp schema(%{kind: :grammar}) do
    detail = "a grammar has no JSON Schema; `mode: :prompt` tells the model of it in words"
    {:error, %SchemaError{kind: :unsupported_by_provider, detail: detail, message: detail}}
  end

  defp schema(form), do: Form.to_json_schema(form)

  defp fit(request, profile, schema, kind, root) do
    if Profile.rule(profile, :unchanged),
      do: {:ok, unchanged(request, schema, kind, root)},
      else: adapted(request, profile, schema, kind, root)
  end

  defp unchanged(%{schema: form}, schema, kind, root) do
    if root == :any or object?(schema) do
      %__MODULE__{name: name(form), schema: schema}
    else
      wrapped = Wrapper.schema(schema)
      %__MODULE__{name: name(form), schema: wrapped, wrapper: Wrapper.new(kind)}
    end
  end

  defp object?(%Object{members: members}) do
    List.keyfind(members, "type", 0) == {"type", "object"} and
      not Enum.any?(["anyOf", "oneOf", "allOf"], &List.keymember?(members, &1, 0))
  end

  defp object?(_schema), do: false

  defp adapted(request, profile, schema, kind, root) do
    options = Keyword.take(request.text_options, [:format, :documents])

    with {:ok, adapted} <- Profile.adapt(profile, schema, [root: root] ++ options) do
      shape = %__MODULE__{name: name(request.schema), schema: adapted.schema, adapted: adapted}
      {:ok, %{shape | wrapper: if(adapted.wrapper, do: Wrapper.new(kind))}}
    end
  end

  defp put_instruction(%{wrapper: nil} = shape, form) do
    with {:ok, words} <- Form.describe(form),
         do: {:ok, %{shape | instruction: instruction(words)}}
  end

  defp put_instruction(shape, _form) do
    with {:ok, text} <- JSON.encode(shape.schema) do
      words = "A JSON value that this JSON Schema admits: " <> text
      {:ok, %{shape | instruction: instruction(words)}}
    end
  end

  defp instruction(words),
    do: "Answer with nothing but the following, without code fences.\n\n" <> words

  defp name(form) do
    last = form |> Form.name() |> inspect() |> String.split(".") |> List.last()

    case String.replace(last, ~r/[^A-Za-z0-9_-]/, "") do
      "" -> "value"
      name -> String.slice(name, 0, 64)
    end
  end

  @doc """
  The text of the value as the request's schema has it, from that of the mode's schema without its wrapper; `nil`
  where they are the same.
  """
  @spec restore(t, String.t()) :: String.t() | nil
  def restore(%__MODULE__{adapted: nil}, _text), do: nil

  def restore(%__MODULE__{adapted: %{nulls: nulls, wrapper: wrapper} = adapted}, text) do
    if MapSet.size(nulls) > 0 do
      wrapped = if wrapper, do: ~s({"#{wrapper}":#{text}}), else: text
      with {:ok, text} <- Adapted.restore(adapted, wrapped), do: text, else: (_no_json -> nil)
    end
  end
end
