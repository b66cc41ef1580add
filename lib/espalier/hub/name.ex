defmodule Espalier.Hub.Name do
  @moduledoc false
  # What repositories, revisions and files may be called, so that a name stays within its folder on every platform and
  # is one thing in a URL.

  @most_bytes 255

  @doc "A name or a namespace and a name, as the hub allows them."
  @spec repository?(term) :: boolean
  def repository?(name) do
    is_binary(name) and byte_size(name) <= @most_bytes and
      name =~ ~r"\A(\w[\w.-]*/)?\w[\w.-]*\z" and
      not (name =~ ~r"--|\.\.|[.-](/|\z)|\.git\z")
  end

  @doc "A branch, tag or commit."
  @spec revision?(term) :: boolean
  def revision?(name), do: file?(name)

  @doc "A file, or one in a folder."
  @spec file?(term) :: boolean
  def file?(name) do
    is_binary(name) and name != "" and byte_size(name) <= @most_bytes and String.valid?(name) and
      not (name =~ ~r/[\x00-\x1F\x7F\\:*?"<>|]/) and
      Enum.all?(String.split(name, "/"), &(&1 not in ["", ".", ".."]))
  end

  @doc "Whether a revision is a whole commit id, of which the files never change."
  @spec commit?(term) :: boolean
  def commit?(name), do: is_binary(name) and name =~ ~r/\A[0-9a-f]{40}\z/

  @doc "A name with slashes as a part of a URL's path."
  @spec encode(String.t()) :: String.t()
  def encode(name), do: URI.encode(name, &(&1 == ?/ or URI.char_unreserved?(&1)))

  @doc "A name as one segment of a URL's path."
  @spec encode_segment(String.t()) :: String.t()
  def encode_segment(name), do: URI.encode(name, &URI.char_unreserved?/1)
end
