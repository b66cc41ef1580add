defmodule Espalier.Doctor.Backends do
  @moduledoc false
  # The backends that were named, or that the project is configured for: their keys, and one tiny request.

  alias Espalier.CLI.BackendSwitches
  alias Espalier.Doctor.Check
  alias Espalier.Hosted
  alias Espalier.Hosted.Settings
  alias Espalier.Request

  @advice "see whether the model, the key and the address are right"

  @spec checks(keyword) :: [Check.t()]
  def checks(options) do
    given = Keyword.take(options, [:backend, :model])

    case Request.validate(given) do
      {:ok, checked} ->
        checked |> Request.targets() |> Enum.flat_map(&target(&1, options[:online]))

      {:error, error} ->
        [Check.fail("backend", Exception.message(error), "name another backend")]
    end
  end

  defp target(%{backend: Espalier.Backends.Local}, _online), do: []

  defp target(%{backend: module, backend_options: options} = target, online) do
    name = inspect(module)
    key = key(name, {module, options})
    if online && key.status == :ok, do: [key, ask(name, target)], else: [key]
  end

  defp key(name, {module, options} = backend) do
    case {BackendSwitches.key(backend), wrong(module, options)} do
      {{:missing, variable}, nil} -> missing(name, variable)
      {_key, error} when error != nil -> Check.fail("backend", "#{name}: #{error}", @advice)
      {:not_needed, nil} -> Check.ok("backend", "#{name} needs no key")
      {:configured, nil} -> Check.ok("backend", "#{name}: the key is configured")
      {{:variable, variable}, nil} -> Check.ok("backend", "#{name}: the key is in #{variable}")
    end
  end

  defp missing(name, variable) do
    advice = "set the environment variable #{variable}"
    Check.fail("backend", "#{name}: there is no key", advice)
  end

  # That the key is missing is known by then.
  defp wrong(module, options) do
    with true <- Hosted.provider?(module),
         {:error, error} <- Settings.new(module, options),
         false <- match?(%{kind: :missing, option: :api_key}, error) do
      Exception.message(error)
    else
      _nothing_wrong -> nil
    end
  end

  defp ask(name, target) do
    options = [
      backend: {target.backend, target.backend_options},
      model: target.model,
      max_retries: 0,
      max_attempts: 1,
      cache: nil,
      middleware: []
    ]

    case Espalier.generate({:choice, ["yes", "no"]}, "Answer with yes.", options) do
      {:ok, answer} -> Check.ok("backend", "#{name} answered #{answer}")
      {:error, error} -> Check.fail("backend", "#{name}: #{Exception.message(error)}", @advice)
    end
  end
end
