defmodule Espalier.Partial do
  @moduledoc false
  # What is there of a value while its text is written.
  #
  # Every part of it is the start of a value of the schema: tokens that are constrained can't write anything else,
  # and other texts are read by a matcher along the way. Where that refuses a text, the last part was
  # the last. Members that are null where the schema does not take it are absent, as they are in the end.

  alias Espalier.Backend
  alias Espalier.ConstraintCache
  alias Espalier.JSON
  alias Espalier.Matcher
  alias Espalier.MatcherError
  alias Espalier.Partial.Cast
  alias Espalier.Partial.Nulls
  alias Espalier.Partial.Prefix
  alias Espalier.Request
  alias Espalier.Schema.Form
  alias Espalier.Vocabulary

  # A long text is decoded again when it is longer by this share of it, so that the work stays in bounds.
  @share 50

  # `matcher` is nil where the text is right by the way it is written.
  @enforce_keys [:form, :matcher, :started?]
  defstruct @enforce_keys ++
              [prefix: %Prefix{}, nulls: %Nulls{}, decoded: 0, last: :none, ended?: false]

  @type t :: %__MODULE__{} | :off

  @doc "Before the text of a request; `:off` where nobody asked for parts, or the value has none."
  @spec new(Request.t()) :: t
  def new(%Request{partial: true, schema: %{kind: kind} = form} = request)
      when kind in [:typed, :json_schema] do
    if Backend.exact?(request.backend) do
      %__MODULE__{form: form, matcher: nil, started?: true}
    else
      case matcher(request) do
        {:ok, matcher} -> %__MODULE__{form: form, matcher: matcher, started?: false}
        {:error, _error} -> :off
      end
    end
  end

  def new(%Request{}), do: :off

  defp matcher(request) do
    options = Keyword.take(request.text_options, [:format, :documents])
    options = [vocabulary: Vocabulary.bytes(), style: :matching] ++ options

    with {:ok, constraint} <- ConstraintCache.fetch(request.schema, options),
         do: {:ok, Matcher.new(constraint)}
  end

  @doc "What is there after some more of the text, if it is another value than before."
  @spec next(t, String.t()) :: {:ok, term, t} | {:none, t}
  def next(%__MODULE__{ended?: false} = partial, text) do
    {text, partial} = partial |> start(text) |> accept()
    partial = %{partial | prefix: Prefix.push(partial.prefix, text)}
    if due?(partial), do: decode(partial), else: {:none, partial}
  end

  def next(off, _text), do: {:none, off}

  # Sentences and code fences may come before the value.
  defp start(%{started?: true} = partial, text), do: {text, partial}

  defp start(partial, text) do
    case :binary.match(text, ["{", "["]) do
      {at, _length} -> {binary_part(text, at, byte_size(text) - at), %{partial | started?: true}}
      :nomatch -> {"", partial}
    end
  end

  defp accept({text, %{matcher: nil} = partial}), do: {text, partial}
  defp accept({"", partial}), do: {"", partial}

  defp accept({text, partial}), do: accept(text, partial, "")

  defp accept(text, partial, done) do
    case Nulls.next(partial.nulls, text) do
      {:text, text, nulls} ->
        {text, partial} = accept_text(text, %{partial | nulls: nulls})
        {done <> text, partial}

      {:null, text, member, rest, nulls} ->
        {text, partial} = accept_text(text, %{partial | nulls: nulls})
        {member, partial} = accept_null(member, partial)
        accept(rest, partial, <<done::binary, text::binary, member::binary>>)
    end
  end

  defp accept_text(_text, %{ended?: true} = partial), do: {"", partial}
  defp accept_text("", partial), do: {"", partial}

  defp accept_text(text, partial) do
    case Matcher.accept_text(partial.matcher, text) do
      :ok -> {text, partial}
      {:error, error} -> {accepted(text, error), %{partial | ended?: true}}
    end
  end

  defp accept_null(_member, %{ended?: true} = partial), do: {"", partial}

  defp accept_null(member, partial) do
    null_at = byte_size(member) - byte_size("null")

    case Matcher.accept_text(partial.matcher, member) do
      :ok ->
        {member, partial}

      {:error, %MatcherError{offset: offset}} when is_integer(offset) and offset >= null_at ->
        {"", %{partial | nulls: Nulls.left_out(partial.nulls, member)}}

      {:error, error} ->
        {accepted(member, error), %{partial | ended?: true}}
    end
  end

  defp accepted(text, %MatcherError{offset: offset}) when is_integer(offset),
    do: binary_part(text, 0, offset)

  defp accepted(_text, _error), do: ""

  defp due?(%{prefix: %{n: n}, decoded: decoded}),
    do: n > decoded and n - decoded >= div(n, @share)

  defp decode(%{form: form, prefix: prefix, last: last} = partial) do
    partial = %{partial | decoded: prefix.n}

    with {:ok, text, n_open} <- Prefix.closed(prefix),
         {:ok, value} when value != last <- value(form, text, n_open) do
      {:ok, value, %{partial | last: value}}
    else
      _nothing_new -> {:none, partial}
    end
  end

  defp value(%Form{kind: :json_schema}, text, _n_open), do: JSON.decode(text)

  defp value(%Form{content: type} = form, text, n_open) do
    with {:ok, json} <- JSON.decode(text, objects: :ordered, numbers: Form.numbers(form)),
         do: Cast.cast(type, json, n_open)
  end
end
