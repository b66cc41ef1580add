defmodule Espalier.Image do
  @moduledoc """
  An image in a message, for models that see.

  The content of a message is then a list of texts and images:

      messages = [
        %{role: :user, content: ["What does the receipt add up to?", Espalier.Image.new!(File.read!("receipt.png"))]}
      ]

      Espalier.generate([total: :decimal], messages, backend: Espalier.Backends.OpenAI, model: "gpt-5")

  An image is an address that the provider fetches, or bytes that are sent along. A backend whose models don't
  see, such as `Espalier.Backends.Local`, returns an `Espalier.GenerationError` of the kind `:invalid_prompt`.

      iex> image = Espalier.Image.new!(<<0x89, "PNG", 0x0D, 0x0A, 0x1A, 0x0A>>)
      iex> image.media_type
      "image/png"
      iex> Espalier.Image.url!("https://example.org/receipt.png").url
      "https://example.org/receipt.png"
  """

  alias Espalier.Error
  alias Espalier.InputError

  # The bytes are much to read and may be private.
  @derive {Inspect, only: [:url, :media_type]}
  defstruct [:url, :data, :media_type]

  @typedoc "Either `url`, or `data` and `media_type`."
  @type t :: %__MODULE__{
          url: String.t() | nil,
          data: binary | nil,
          media_type: String.t() | nil
        }

  @doc """
  An image of bytes. Without a media type it is that of PNG, JPEG, GIF or WebP, by the first bytes.

      iex> {:error, error} = Espalier.Image.new("no image")
      iex> Exception.message(error)
      "invalid value for input :image: expected bytes of a PNG, JPEG, GIF or WebP image, or a media type beside them, got: \\"no image\\""
      iex> {:ok, %Espalier.Image{}} = Espalier.Image.new("BM...", "image/bmp")
  """
  @spec new(binary, String.t() | nil) :: {:ok, t} | {:error, InputError.t()}
  def new(data, media_type \\ nil) when is_binary(data) do
    case media_type || guess(data) do
      nil ->
        {:error,
         invalid("bytes of a PNG, JPEG, GIF or WebP image, or a media type beside them", data)}

      "image/" <> _kind = type ->
        {:ok, %__MODULE__{data: data, media_type: type}}

      other ->
        {:error, invalid("a media type of images", other)}
    end
  end

  @doc "Like `new/2`, but returns the image and raises the error."
  @spec new!(binary, String.t() | nil) :: t
  def new!(data, media_type \\ nil), do: data |> new(media_type) |> Error.bang!()

  @doc """
  An image at an address, of HTTP or HTTPS.

      iex> {:error, %Espalier.InputError{}} = Espalier.Image.url("file:///etc/passwd")
  """
  @spec url(String.t()) :: {:ok, t} | {:error, InputError.t()}
  def url(url) when is_binary(url) do
    case URI.new(url) do
      {:ok, %URI{scheme: scheme, host: <<_, _::binary>>}} when scheme in ["http", "https"] ->
        {:ok, %__MODULE__{url: url}}

      _other ->
        {:error, invalid("an address of HTTP or HTTPS", url)}
    end
  end

  @doc "Like `url/1`, but returns the image and raises the error."
  @spec url!(String.t()) :: t
  def url!(url), do: url |> url() |> Error.bang!()

  @doc """
  The address of an image, where bytes become a `data:` URL.

      iex> Espalier.Image.to_url(Espalier.Image.new!("BM", "image/bmp"))
      "data:image/bmp;base64,Qk0="
  """
  @spec to_url(t) :: String.t()
  def to_url(%__MODULE__{url: url}) when is_binary(url), do: url
  def to_url(image), do: "data:#{image.media_type};base64,#{Base.encode64(image.data)}"

  defp guess(<<0x89, "PNG", 0x0D, 0x0A, 0x1A, 0x0A, _rest::binary>>), do: "image/png"
  defp guess(<<0xFF, 0xD8, 0xFF, _rest::binary>>), do: "image/jpeg"
  defp guess(<<"GIF8", version, "a", _rest::binary>>) when version in [?7, ?9], do: "image/gif"
  defp guess(<<"RIFF", _size::32, "WEBP", _rest::binary>>), do: "image/webp"
  defp guess(_data), do: nil

  defp invalid(expected, got) do
    %InputError{kind: :invalid, noun: :input, name: :image, expected: expected, got: got}
  end
end
