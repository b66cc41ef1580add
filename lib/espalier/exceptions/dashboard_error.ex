defmodule Espalier.DashboardError do
  @moduledoc """
  An `Espalier.Dashboard` that can't listen where it was told to.

  | kind | meaning |
  | --- | --- |
  | `:port_in_use` | something else listens on that port |
  | `:not_permitted` | the system lets only others use that port, as those below 1024 |
  | `:no_such_address` | the address is none of this machine's |
  | `:listen` | another reason: `detail` |

      iex> error = %Espalier.DashboardError{kind: :port_in_use, address: "127.0.0.1:4001"}
      iex> Exception.message(error)
      "can't listen on 127.0.0.1:4001: the port is in use"
  """

  @type t :: %__MODULE__{
          kind: :port_in_use | :not_permitted | :no_such_address | :listen,
          address: String.t(),
          detail: String.t() | nil
        }

  defexception [:kind, :address, :detail]

  @impl true
  def message(%{kind: kind, address: address, detail: detail}) do
    why =
      case kind do
        :port_in_use -> "the port is in use"
        :not_permitted -> "permission is denied"
        :no_such_address -> "the address is none of this machine's"
        :listen -> detail
      end

    "can't listen on #{address}: #{why}"
  end
end
