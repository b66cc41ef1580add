defmodule Espalier.Backends.OpenAI.Access do
  @moduledoc false
  # Who is asked and as whom: what the backends for OpenAI's APIs have in common.

  alias Espalier.Backends.OpenAI.Dialect
  alias Espalier.Hosted
  alias Espalier.Hosted.RequestFields
  alias Espalier.OptionsError

  @doc "The options, for an API that these dialects have."
  @spec options([atom]) :: Espalier.Options.schema()
  def options(dialects) do
    [
      dialect: [type: {:in, dialects}, default: :openai, doc: "Who answers."],
      organization: [type: :string, doc: "The organization that is charged."],
      project: [type: :string, doc: "The project that is charged."],
      api_version: [
        type: :string,
        doc: "The version of Azure's API, as `2024-10-21`, where it has one."
      ]
    ]
  end

  # What is no dialect is told when the options are checked.
  @spec name(keyword) :: atom
  def name(options) do
    dialect = Keyword.get(options, :dialect, :openai)
    if dialect in Dialect.names(), do: dialect, else: :openai
  end

  @spec defaults(atom) :: keyword
  def defaults(name) do
    case Dialect.fetch!(name).url do
      nil -> []
      url -> [base_url: url]
    end
  end

  @spec key_variable(atom) :: String.t() | nil
  def key_variable(name), do: Dialect.fetch!(name).key

  @doc "The URL of a path; with a version of Azure's API it is another path."
  @spec url(keyword, String.t(), String.t()) :: {:ok, String.t()} | {:error, OptionsError.t()}
  def url(options, path, versioned_path) do
    case {options[:base_url], options[:api_version], options[:dialect]} do
      {nil, _version, _dialect} ->
        {:error, %OptionsError{kind: :missing, option: :base_url, expected: "URL"}}

      {url, nil, _dialect} ->
        {:ok, url <> path}

      {url, version, :azure} ->
        query = URI.encode_query("api-version": version)
        {:ok, "#{url}#{versioned_path}?#{query}"}

      {_url, version, dialect} ->
        {:error, Hosted.unsupported(dialect, :api_version, version)}
    end
  end

  @spec headers(keyword) :: [Espalier.HTTP.header()]
  def headers(options) do
    names = [organization: "openai-organization", project: "openai-project"]
    more = for {option, name} <- names, value = options[option], do: {name, value}
    authorization(options[:api_key], options[:dialect]) ++ more
  end

  defp authorization(key, :azure) when key != nil, do: [{"api-key", key}]
  defp authorization(key, _dialect), do: RequestFields.bearer(key)
end
