defmodule Espalier.Model.Group do
  @moduledoc false
  # The models of one name on all connected nodes: a group of processes, as `:pg` keeps them.
  #
  # What is sent between nodes has no format of its own, so groups are for nodes with one version of Espalier.

  alias Espalier.ModelError

  @type name :: term

  @doc false
  def child_spec(_options), do: %{id: __MODULE__, start: {:pg, :start_link, [__MODULE__]}}

  @doc "Makes this process one of a group; without a name it stays alone."
  @spec join(name) :: :ok
  def join(nil), do: :ok
  def join(name), do: :pg.join(__MODULE__, {version(), name}, self())

  @doc "The processes of a group."
  @spec members(name) :: [pid]
  def members(name), do: :pg.get_members(__MODULE__, {version(), name})

  @doc "The processes of this node that are in a group of any name."
  @spec local_members() :: [pid]
  def local_members do
    for group <- :pg.which_groups(__MODULE__),
        pid <- :pg.get_local_members(__MODULE__, group),
        uniq: true,
        do: pid
  end

  @doc "What a request names, if there is such a group."
  @spec fetch(name) :: {:ok, {:group, name}} | {:error, ModelError.t()}
  def fetch(name) do
    case {members(name), versions(name)} do
      {[_ | _], _versions} -> {:ok, {:group, name}}
      {[], []} -> {:error, not_running(name)}
      {[], [version | _]} -> {:error, version_mismatch(name, version)}
    end
  end

  defp versions(name),
    do: for({version, ^name} <- :pg.which_groups(__MODULE__), version != version(), do: version)

  @doc "That no member of the group is there."
  @spec not_running(name) :: ModelError.t()
  def not_running(name) do
    detail = inspect({:group, name})
    message = "no model is running as #{inspect(name)} on this node or a connected one"
    %ModelError{kind: :not_running, message: message, detail: detail}
  end

  @doc "That a member was lost while a request ran there."
  @spec member_lost(node) :: ModelError.t()
  def member_lost(node) do
    message = "the model on #{node} was lost: it was stopped, or its node is gone"

    %ModelError{kind: :member_lost, message: message, detail: Atom.to_string(node)}
  end

  defp version_mismatch(name, version) do
    message =
      "the models running as #{inspect(name)} are of another version of Espalier: " <>
        "expected #{version()}, got: #{version}"

    %ModelError{
      kind: :version_mismatch,
      message: message,
      expected: version(),
      got: version
    }
  end

  defp version, do: :espalier |> Application.spec(:vsn) |> to_string()
end
