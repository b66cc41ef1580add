defmodule Espalier.CLI.BackendSwitches do
  @moduledoc false
  # The backend and model that a command line names.

  alias Espalier.Backends
  alias Espalier.Backends.OpenAI.Dialect
  alias Espalier.CLI
  alias Espalier.CLI.Modules
  alias Espalier.CLI.Switches
  alias Espalier.Hosted
  alias Espalier.Model
  alias Espalier.Options

  @own %{
    "local" => {Backends.Local, []},
    "openai" => {Backends.OpenAI, []},
    "openai-responses" => {Backends.OpenAIResponses, []},
    "anthropic" => {Backends.Anthropic, []},
    "gemini" => {Backends.Gemini, []},
    "ollama" => {Backends.Ollama, []}
  }

  @dialects for dialect <- Dialect.names(),
                dialect != :openai,
                into: %{},
                do:
                  {dialect |> Atom.to_string() |> String.replace("_", "-"),
                   {Backends.OpenAI, dialect: dialect}}

  @backends Map.merge(@dialects, @own)

  @switches [
    backend: [
      type: :string,
      value: "NAME",
      doc:
        "who generates: " <>
          (@backends |> Map.keys() |> Enum.map_join(", ", &"`#{&1}`")) <>
          ", or the name of a module. Keys are taken from the environment variable that the provider's own " <>
          "clients read"
    ],
    base_url: [
      type: :string,
      value: "URL",
      doc: "where a hosted backend is, if not at its own address"
    ],
    model: [
      type: :string,
      value: "PATH|NAME",
      doc:
        "the folder of a local model, the name of one that the project serves, or the name of a hosted one. " <>
          "The default is what the project is configured for, and else the tiny model that Espalier ships"
    ]
  ]

  @type backend :: {module, keyword}

  @spec switches() :: Switches.t()
  def switches, do: @switches

  @doc "The backends that have a name, with their options."
  @spec backends() :: [backend]
  def backends, do: Map.values(@backends)

  @doc "The backend that the options name, if they do."
  @spec backend!(keyword) :: backend | nil
  def backend!(options) do
    backend = if name = options[:backend], do: named!(name)
    url = options[:base_url]

    case {backend, url} do
      {backend, nil} -> backend
      {nil, _url} -> CLI.misuse!("--base-url needs a --backend")
      {{Backends.Local, _}, _url} -> CLI.misuse!("--base-url is for hosted backends")
      {{module, given}, url} -> {module, Keyword.put(given, :base_url, url)}
    end
  end

  defp named!(name) do
    with :error <- Map.fetch(@backends, name),
         :error <- module(name) do
      near = Options.nearest(name, Map.keys(@backends))
      suggestion = if near, do: ". Did you mean #{near}?", else: ""
      CLI.misuse!("there is no backend #{name}" <> suggestion)
    else
      {:ok, backend} -> backend
    end
  end

  defp module(name) do
    with {:ok, module} <- Modules.fetch(name) do
      if function_exported?(module, :stream, 1), do: {:ok, {module, []}}, else: :error
    end
  end

  @doc "Calls a function with the options of a generation, while the model is there that they need."
  @spec with_backend(keyword, (keyword -> result)) :: result | {:error, Exception.t()}
        when result: term
  def with_backend(options, function) do
    backend = backend!(options)
    given = if backend, do: [backend: backend], else: []

    cond do
      not local?(backend) -> hosted(given, options[:model], function)
      options[:model] -> local(given, options[:model], function)
      Application.get_env(:espalier, :model) -> function.(given)
      true -> serve(given, Model.tiny_path(), function)
    end
  end

  @doc "Whether a backend is that of local models; if none was named, whether that is the one of the configuration."
  @spec local?(backend | nil) :: boolean
  def local?(nil),
    do:
      Application.get_env(:espalier, :backend, Backends.Local) in [
        Backends.Local,
        {Backends.Local, []}
      ]

  def local?({module, _options}), do: module == Backends.Local

  defp hosted(given, model, function) do
    with {:missing, variable} <- key(given[:backend]) do
      CLI.fail!("there is no key: set the environment variable #{variable}")
    else
      _there -> function.(if model, do: [model: model] ++ given, else: given)
    end
  end

  @doc "Where the key of a backend is, as far as it is known to need one."
  @spec key(backend | nil) :: :not_needed | :configured | {:variable | :missing, String.t()}
  def key(nil), do: :not_needed

  def key({module, options}) do
    if Hosted.provider?(module),
      do: key(module.name(options), options, module.key_variable(module.name(options))),
      else: :not_needed
  end

  defp key(name, options, variable) do
    cond do
      Hosted.option(name, options, :api_key, nil) -> :configured
      variable == nil -> :not_needed
      System.get_env(variable, "") == "" -> {:missing, variable}
      true -> {:variable, variable}
    end
  end

  # A name that is no served model's is that of a folder.
  defp local(given, name, function) do
    with {:ok, server} <- Modules.existing(name),
         {:ok, _model} <- Model.fetch(server) do
      function.([model: server] ++ given)
    else
      _not_served -> serve(given, name, function)
    end
  end

  # A model that can't be loaded is an error to tell, and not the end of this process.
  defp serve(given, path, function) do
    Process.flag(:trap_exit, true)

    with {:ok, model} <- Model.start_link(path: path) do
      try do
        function.([model: model] ++ given)
      after
        Model.stop(model)
      end
    end
  end
end
