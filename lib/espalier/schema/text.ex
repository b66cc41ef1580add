defmodule Espalier.Schema.Text do
  @moduledoc false
  # The kinds of values that JSON writes as strings of some form: dates and times, UUIDs, addresses, bytes.
  #
  # For each: what JSON Schema says of the string, the value that it stands for, and the way back. What
  # the JSON Schema admits can always be read, but for durations of very many digits.

  @date "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|" <>
          "02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|" <>
          "(?:[02468][048]|[13579][26])00)-02-29)"
  @time "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?"
  @base64 "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?"

  @date_units [year: "Y", month: "M", day: "D"]
  @time_units [hour: "H", minute: "M", second: "S"]
  @max_duration_bytes 100_000

  @kinds [:date, :time, :naive_datetime, :utc_datetime, :duration, :uuid, :uri, :email, :binary]

  @type kind ::
          :date
          | :time
          | :naive_datetime
          | :utc_datetime
          | :duration
          | :uuid
          | :uri
          | :email
          | :binary

  @spec kinds() :: [kind]
  def kinds, do: @kinds

  @doc "Why a kind can't be used here, if it can't."
  @spec unavailable(kind) :: String.t() | nil
  def unavailable(:duration) do
    unless Code.ensure_loaded?(Duration), do: "the type :duration needs Elixir 1.17 or newer"
  end

  def unavailable(_kind), do: nil

  @doc "What JSON Schema says of the strings of a kind."
  @spec json_schema(kind) :: keyword
  def json_schema(:date), do: [type: "string", format: "date"]
  def json_schema(:time), do: [type: "string", pattern: "^#{@time}$"]
  def json_schema(:naive_datetime), do: [type: "string", pattern: "^#{@date}T#{@time}$"]

  # Of the instants that the format has, those in UTC and without leap seconds, as Elixir has none.
  def json_schema(:utc_datetime),
    do: [type: "string", format: "date-time", pattern: "^[^T]*T#{@time}Z$"]

  def json_schema(:binary),
    do: [type: "string", contentEncoding: "base64", pattern: "^#{@base64}$"]

  def json_schema(kind), do: [type: "string", format: Atom.to_string(kind)]

  @doc "The value that a string stands for."
  @spec cast(kind, String.t()) :: {:ok, term} | :error
  def cast(:date, text), do: ok(Date.from_iso8601(text))
  def cast(:time, text), do: ok(Time.from_iso8601(text))
  def cast(:naive_datetime, text), do: ok(NaiveDateTime.from_iso8601(text))

  def cast(:utc_datetime, text) do
    with {:ok, datetime, _offset} <- DateTime.from_iso8601(text),
         do: {:ok, datetime},
         else: (_ -> :error)
  end

  # The module is there where the kind is. Its time grows with the square of the digits.
  def cast(:duration, text) do
    if byte_size(text) <= @max_duration_bytes,
      do: ok(apply(Duration, :from_iso8601, [text])),
      else: :error
  end

  def cast(:uri, text), do: ok(URI.new(text))
  def cast(:binary, text), do: Base.decode64(text)

  def cast(:uuid, text) do
    if text =~ ~r/\A[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\z/,
      do: {:ok, text},
      else: :error
  end

  def cast(:email, text),
    do: if(text =~ ~r/\A[^@\s]+@[^@\s]+\z|\A".*"@\S+\z/, do: {:ok, text}, else: :error)

  defp ok({:ok, value}), do: {:ok, value}
  defp ok(_error), do: :error

  @doc "The string that stands for a value."
  @spec dump(kind, term) :: String.t()
  def dump(:binary, bytes), do: Base.encode64(bytes)

  # Unlike ISO 8601, JSON Schema leaves out no unit between two others, and weeks stand alone.
  def dump(:duration, duration) do
    case {duration.week, units(duration, @date_units), units(duration, @time_units)} do
      {0, "", ""} -> "PT0S"
      {weeks, "", ""} -> "P#{weeks}W"
      {0, date, ""} -> "P#{date}"
      {0, date, time} -> "P#{date}T#{time}"
      {weeks, _, _} -> dump(:duration, %{duration | week: 0, day: duration.day + 7 * weeks})
    end
  end

  def dump(kind, text) when kind in [:uuid, :email], do: text
  def dump(:uri, uri), do: URI.to_string(uri)
  def dump(_kind, %module{} = value), do: module.to_iso8601(value)

  defp units(duration, units) do
    unused? = fn {unit, _letter} -> Map.fetch!(duration, unit) == 0 end

    units
    |> Enum.drop_while(unused?)
    |> Enum.reverse()
    |> Enum.drop_while(unused?)
    |> Enum.reverse()
    |> Enum.map_join(fn {unit, letter} -> "#{Map.fetch!(duration, unit)}#{letter}" end)
  end

  @doc "Whether a term is a value of the kind: what it is dumped to can be read again."
  @spec member?(kind, term) :: boolean
  def member?(:date, value), do: is_struct(value, Date)
  def member?(:time, value), do: is_struct(value, Time)
  def member?(:naive_datetime, value), do: is_struct(value, NaiveDateTime)
  def member?(:utc_datetime, value), do: match?(%DateTime{time_zone: "Etc/UTC"}, value)

  def member?(:duration, value) do
    is_struct(value, Duration) and match?({0, _precision}, value.microsecond) and
      Enum.all?([:week | Keyword.keys(@date_units ++ @time_units)], &(Map.fetch!(value, &1) >= 0))
  end

  def member?(:uri, value), do: is_struct(value, URI)
  def member?(:binary, value), do: is_binary(value)
  def member?(kind, value), do: is_binary(value) and match?({:ok, _text}, cast(kind, value))

  @doc "The quoted type of the values."
  @spec typespec(kind) :: Macro.t()
  def typespec(:date), do: quote(do: Date.t())
  def typespec(:time), do: quote(do: Time.t())
  def typespec(:naive_datetime), do: quote(do: NaiveDateTime.t())
  def typespec(:utc_datetime), do: quote(do: DateTime.t())
  def typespec(:duration), do: quote(do: Duration.t())
  def typespec(:uri), do: quote(do: URI.t())
  def typespec(:binary), do: quote(do: binary())
  def typespec(kind) when kind in [:uuid, :email], do: quote(do: String.t())
end
