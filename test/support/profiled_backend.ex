defmodule Espalier.ProfiledBackend do
  @moduledoc "A backend that has the profile that its option `:profile` names, and never answers."
  @behaviour Espalier.Backend

  @impl true
  def stream(_request), do: {:ok, []}

  @impl true
  def profile(options), do: options |> Keyword.fetch!(:profile) |> Espalier.Profile.fetch!()
end
