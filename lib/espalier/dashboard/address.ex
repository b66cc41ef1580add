defmodule Espalier.Dashboard.Address do
  @moduledoc false
  # IP addresses as options, in URLs, and in what browsers say whom they ask.

  @type ip :: :inet.ip_address()

  @host ~r/\A(?:\[(?<six>[0-9a-fA-F:.]+)\]|(?<name>[^:\[\]]+))(?::[0-9]{1,5})?\z/

  @doc "Whether an option is an address: a tuple, or a text such as `\"::1\"`."
  @spec ip?(term) :: boolean
  def ip?(term), do: match?({:ok, _ip}, parse(term))

  @spec port?(term) :: boolean
  def port?(term), do: is_integer(term) and term in 0..65_535

  @spec parse(term) :: {:ok, ip} | :error
  def parse(text) when is_binary(text) and byte_size(text) < 64 do
    case text |> :binary.bin_to_list() |> :inet.parse_strict_address() do
      {:ok, ip} -> {:ok, ip}
      {:error, _reason} -> :error
    end
  end

  def parse(tuple) when is_tuple(tuple),
    do: if(:inet.is_ip_address(tuple), do: {:ok, tuple}, else: :error)

  def parse(_term), do: :error

  @doc "The address as a browser on this machine writes it."
  @spec authority(ip, :inet.port_number()) :: String.t()
  def authority({0, 0, 0, 0}, port), do: authority({127, 0, 0, 1}, port)

  def authority({0, 0, 0, 0, 0, 0, 0, 0}, port),
    do: authority({0, 0, 0, 0, 0, 0, 0, 1}, port)

  def authority(ip, port), do: listened(ip, port)

  @doc "The address and port, as they are in a URL."
  @spec listened(ip, :inet.port_number()) :: String.t()
  def listened(ip, port) when tuple_size(ip) == 4, do: "#{:inet.ntoa(ip)}:#{port}"
  def listened(ip, port), do: "[#{:inet.ntoa(ip)}]:#{port}"

  @doc """
  Whether a `Host` header names this machine by itself: a loopback name or address, the address that is listened on,
  or one of `names`. A page that has its own name resolve to this machine is thus told nothing.
  """
  @spec host?(String.t(), ip, [String.t()]) :: boolean
  def host?(host, ip, names) do
    case Regex.named_captures(@host, host) do
      %{"six" => six} when six != "" -> address?(six, ip)
      %{"name" => name} -> name?(String.downcase(name), names) or address?(name, ip)
      nil -> false
    end
  end

  defp name?("localhost", _names), do: true
  defp name?(name, names), do: name in Enum.map(names, &String.downcase/1)

  defp address?(text, ip) do
    case parse(text) do
      {:ok, {127, _, _, _}} -> true
      {:ok, {0, 0, 0, 0, 0, 0, 0, 1}} -> true
      {:ok, ^ip} -> true
      # No name was resolved for it, and all addresses are listened on.
      {:ok, _other} -> ip in [{0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, 0, 0}]
      :error -> false
    end
  end
end
