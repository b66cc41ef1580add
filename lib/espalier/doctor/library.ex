defmodule Espalier.Doctor.Library do
  @moduledoc false
  # The native library, and models that run in it.

  alias Espalier.Doctor.Check
  alias Espalier.Error
  alias Espalier.JSON
  alias Espalier.Model
  alias Espalier.Native

  @schema ~s({"type":"object","properties":{"urgent":{"type":"boolean"}},"required":["urgent"],) <>
            ~s("additionalProperties":false})

  @spec checks(Path.t() | nil) :: [Check.t()]
  def checks(path) do
    with %{status: :ok} = library <- library(),
         %{status: :ok} = application <- application() do
      [library, application, tiny()] ++ own(path)
    else
      failed -> [failed]
    end
  end

  defp library do
    Native.limits_default()
    file = :espalier |> Application.app_dir("priv/native") |> Path.relative_to_cwd()

    Check.ok(
      "native library",
      "loaded from #{file} on #{:erlang.system_info(:system_architecture)}"
    )
  rescue
    error in Espalier.NativeError ->
      advice =
        "compile again, with Rust or with ESPALIER_NIF_PATH as the path of a library for this machine"

      Check.fail("native library", Exception.message(error), advice)
  end

  defp application do
    case Application.ensure_all_started(:espalier) do
      {:ok, _started} ->
        Check.ok("application", "started")

      {:error, {name, reason}} ->
        message = "#{name} does not start: #{inspect(reason, limit: 20, printable_limit: 500)}"
        Check.fail("application", message, "see whether config :espalier is right")
    end
  end

  defp tiny do
    advice = "install Espalier anew"

    with_model("shipped model", Model.tiny_path(), advice, fn model ->
      with {:ok, %{text: text}} <-
             Espalier.generate_result(@schema, "Please hurry!",
               backend: Espalier.Backends.Local,
               model: model,
               cache: nil,
               middleware: []
             ),
           {:ok, []} <- JSON.validate(@schema, text) do
        Check.ok("shipped model", "loaded, and wrote the valid value #{text}")
      else
        {:ok, _violations} -> Check.fail("shipped model", "wrote an invalid value", advice)
        {:error, error} -> Check.fail("shipped model", Exception.message(error), advice)
      end
    end)
  end

  defp own(nil), do: []

  defp own(path) do
    advice = "see Espalier.Model for what a model's folder must have"
    [with_model("model", path, advice, &Check.ok("model", described(Model.fetch!(&1).info)))]
  end

  defp described(info) do
    template = if info.has_chat_template, do: "a chat template", else: "no chat template"

    "#{info.architecture}, #{info.parameters} parameters, #{info.size} tokens, " <>
      "a context of #{info.max_length}, #{template}"
  end

  # A model that can't be loaded is something to tell, and not the end of this process.
  defp with_model(name, path, advice, function) do
    Process.flag(:trap_exit, true)

    case Model.start_link(path: path) do
      {:ok, model} ->
        check = function.(model)
        model |> Model.stop() |> Error.bang!()
        check

      {:error, error} ->
        Check.fail(name, Exception.message(error), advice)
    end
  end
end
