defmodule Espalier.Hosted.Settings do
  @moduledoc false
  # The options of a provider: what was given, else the application environment under the provider's name, else the
  # provider's defaults, and for the key an environment variable.

  alias Espalier.HTTP
  alias Espalier.HTTP.Head
  alias Espalier.Options
  alias Espalier.OptionsError
  alias Espalier.Secret

  @secrets [:api_key, :headers]

  @common [
    api_key: [
      type: {:custom, "text, or a function that gives it", &__MODULE__.hidden?/1},
      doc: """
      The key, or a function without arguments that gives it. It is shown nowhere. If not given, it is that of \
      the application environment, `config :espalier, NAME: [api_key: "..."]` with the provider's name, or of the \
      environment variable that the provider's own clients read.\
      """
    ],
    base_url: [
      type: {:custom, "URL of http or https without credentials", &__MODULE__.base_url?/1},
      secret: true,
      doc: "Where the API is, if not at the provider's own address."
    ],
    headers: [
      type: {:custom, "list of {name, value} with texts", &__MODULE__.hidden?/1},
      doc: """
      More headers, `[{name, value}]`, or a function without arguments that gives them. They are shown nowhere.\
      """
    ]
  ]

  @doc "The options of all providers that are shown nowhere."
  @spec secrets() :: [atom]
  def secrets, do: @secrets

  @doc "The schema of the options of a provider, from that of its own."
  @spec options(Options.schema()) :: Options.schema()
  def options(own), do: @common ++ own ++ HTTP.options()

  @doc "The checked options of a provider, where secrets are functions, and its name."
  @spec new(module, keyword) :: {:ok, atom, keyword} | {:error, OptionsError.t()}
  def new(provider, given) do
    name = provider.name(given)

    with {:ok, configured} <- configured(name),
         options = provider.defaults(name) |> Keyword.merge(configured) |> Keyword.merge(given),
         options = Secret.hide(options, @secrets),
         {:ok, options} <- Options.validate(options, options(provider.options())),
         {:ok, options} <- put_key(options, provider.key_variable(name)),
         {:ok, options} <- put_headers(options) do
      {:ok, name, trim(options)}
    end
  end

  # Paths begin with a slash.
  defp trim(options) do
    if url = options[:base_url],
      do: Keyword.put(options, :base_url, String.trim_trailing(url, "/")),
      else: options
  end

  @doc "An option as it was given or set in the application environment, without a check."
  @spec option(atom, keyword, atom, term) :: term
  def option(name, given, option, default) do
    with {:ok, configured} <- configured(name) do
      Keyword.get(given, option, Keyword.get(configured, option, default))
    else
      {:error, _error} -> Keyword.get(given, option, default)
    end
  end

  defp configured(name) do
    options = Application.get_env(:espalier, name, [])

    if Keyword.keyword?(options) do
      {:ok, options}
    else
      expected = "keyword list in config :espalier, #{name}"
      {:error, %OptionsError{kind: :not_keyword, expected: expected, got: :hidden}}
    end
  end

  # Each secret is read once, so that it is the one that was checked.
  defp put_key(options, variable) do
    case key(options[:api_key], variable) do
      {:ok, key} -> {:ok, Keyword.put(options, :api_key, key && fn -> key end)}
      error -> error
    end
  end

  defp key(nil, nil), do: {:ok, nil}

  defp key(nil, variable) do
    case System.get_env(variable, "") do
      "" -> {:error, %OptionsError{kind: :missing, option: :api_key, expected: "a key"}}
      key -> key(fn -> key end, variable)
    end
  end

  defp key(given, _variable) do
    case given.() do
      key when is_binary(key) and key != "" ->
        if Head.header?({"x", key}), do: {:ok, key}, else: wrong(:api_key)

      _other ->
        wrong(:api_key)
    end
  end

  defp put_headers(options) do
    headers = if options[:headers], do: options[:headers].(), else: []

    if is_list(headers) and not List.improper?(headers) and Enum.all?(headers, &header?/1) do
      headers = for {name, value} <- headers, do: {String.downcase(name), fn -> value end}
      {:ok, Keyword.put(options, :headers, headers)}
    else
      wrong(:headers)
    end
  end

  # How long the body is, is not the caller's to say.
  defp header?({name, _value} = header) do
    Head.header?(header) and String.downcase(name) not in ["content-length", "transfer-encoding"]
  end

  defp header?(_other), do: false

  # What was given is not told.
  defp wrong(option) do
    {_type, expected, _check} = @common[option][:type]
    {:error, %OptionsError{kind: :invalid, option: option, expected: expected, got: :hidden}}
  end

  @doc false
  def hidden?(value), do: is_function(value, 0)

  @doc false
  def base_url?(url) do
    with true <- is_binary(url) and Head.header?({"x", url}),
         {:ok, uri} <- URI.new(url) do
      uri.scheme in ["http", "https"] and uri.host not in [nil, ""] and uri.port in 1..0xFFFF and
        uri.userinfo == nil and uri.query == nil and uri.fragment == nil
    else
      _invalid -> false
    end
  end
end
