defmodule Espalier.Hosted.Shape do
  @moduledoc false
  # The schema of a request as a provider's mode takes it, and how the value's text is found in what is written.
  #
  #   * `schema` - what to send
  #   * `wrapper` - the start of a wrapper, where the value is within an object
  #   * `adapted` - what the schema was made from, if something has to be taken back

  alias Espalier.Hosted.Wrapper
  alias Espalier.JSON.Object
  alias Espalier.Profile
  alias Espalier.Profile.Adapted
  alias Espalier.Profile.Statement
  alias Espalier.Request
  alias Espalier.Schema.Form

  @enforce_keys [:schema, :wrapper]
  defstruct @enforce_keys ++ [:adapted]

  @type t :: %__MODULE__{
          schema: Object.t() | boolean,
          wrapper: Wrapper.t() | nil,
          adapted: Adapted.t() | nil
        }

  @doc """
  The shape for the profile of that name. What a root of `:object` demands is an object, whatever the mode takes: a
  tool's arguments, and what a choice or a regular expression writes, which is no JSON.
  """
  @spec new(Request.t(), atom, :any | :object) :: {:ok, t} | {:error, Exception.t()}
  def new(%Request{schema: form} = request, name, root \\ :any) do
    kind = if form.kind in [:regex, :choice], do: :text, else: :json
    root = if kind == :text, do: :object, else: root
    profile = Profile.fetch!(name)

    with {:ok, schema} <- schema(form) do
      if Profile.rule(profile, :unchanged),
        do: {:ok, unchanged(schema, kind, root)},
        else: adapted(request, profile, schema, kind, root)
    end
  end

  defp schema(%{kind: kind} = form) when kind in [:regex, :choice] do
    with {:ok, %Object{members: members}} <- Form.to_json_schema(form),
         do: {:ok, %Object{members: [{"type", "string"} | List.keydelete(members, "type", 0)]}}
  end

  defp schema(form), do: Form.to_json_schema(form)

  defp unchanged(schema, kind, root) do
    if root == :any or object?(schema),
      do: %__MODULE__{schema: schema, wrapper: nil},
      else: %__MODULE__{schema: Wrapper.schema(schema), wrapper: Wrapper.new(kind)}
  end

  defp object?(%Object{members: members}) do
    List.keyfind(members, "type", 0) == {"type", "object"} and
      not Enum.any?(["anyOf", "oneOf", "allOf"], &List.keymember?(members, &1, 0))
  end

  defp object?(_schema), do: false

  defp adapted(request, profile, schema, kind, root) do
    options = Keyword.take(request.text_options, [:format, :documents])

    with {:ok, adapted} <- profile |> with_root(root) |> Profile.adapt(schema, options) do
      wrapper = if adapted.wrapper, do: Wrapper.new(kind)
      {:ok, %__MODULE__{schema: adapted.schema, wrapper: wrapper, adapted: adapted}}
    end
  end

  defp with_root(profile, :any), do: profile

  # What is stated first counts.
  defp with_root(%{statements: [first | _] = statements} = profile, :object) do
    root = %Statement{rule: :root, value: :object, source: first.source, date: first.date}
    %{profile | statements: [root | statements]}
  end

  @doc """
  The text of the value as the request's schema has it, from that of the mode's schema without its wrapper; `nil`
  where they are the same.
  """
  @spec restore(Adapted.t() | nil, String.t()) :: String.t() | nil
  def restore(nil, _text), do: nil

  def restore(%Adapted{nulls: nulls, wrapper: wrapper} = adapted, text) do
    if MapSet.size(nulls) > 0 do
      wrapped = if wrapper, do: ~s({"#{wrapper}":#{text}}), else: text
      with {:ok, text} <- Adapted.restore(adapted, wrapped), do: text, else: (_no_json -> nil)
    end
  end
end
