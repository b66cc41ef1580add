defmodule Espalier.JSON.Pointer do
  @moduledoc false
  # JSON Pointers (RFC 6901): `""` is the root, `"/a/0"` the first item of the member `a`.

  @doc "The keys and places that a pointer leads through, as texts."
  @spec tokens(String.t()) :: [String.t()]
  def tokens(pointer), do: pointer |> String.split("/") |> tl() |> Enum.map(&unescape/1)

  @doc "The pointer to what is one step below."
  @spec child(String.t(), term) :: String.t()
  def child(pointer, token), do: pointer <> "/" <> escape(token)

  @doc "A key or place as a pointer has it."
  @spec escape(term) :: String.t()
  def escape(token),
    do: token |> to_string() |> String.replace("~", "~0") |> String.replace("/", "~1")

  @doc "A key or place from how a pointer has it."
  @spec unescape(String.t()) :: String.t()
  def unescape(token), do: token |> String.replace("~1", "/") |> String.replace("~0", "~")
end
