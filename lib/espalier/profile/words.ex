defmodule Espalier.Profile.Words do
  @moduledoc false
  # A keyword in plain words, for the model to read.

  alias Espalier.JSON

  @spec say(String.t(), term) :: String.t()
  def say("minLength", 1), do: "At least 1 character."
  def say("minLength", count), do: "At least #{show(count)} characters."
  def say("maxLength", count), do: "At most #{show(count)} characters."
  def say("minItems", 1), do: "At least 1 item."
  def say("minItems", count), do: "At least #{show(count)} items."
  def say("maxItems", count), do: "At most #{show(count)} items."
  def say("minProperties", count), do: "At least #{show(count)} properties."
  def say("maxProperties", count), do: "At most #{show(count)} properties."
  def say("minimum", number), do: "At least #{show(number)}."
  def say("maximum", number), do: "At most #{show(number)}."
  def say("exclusiveMinimum", number), do: "Greater than #{show(number)}."
  def say("exclusiveMaximum", number), do: "Less than #{show(number)}."
  def say("multipleOf", number), do: "A multiple of #{show(number)}."
  def say("pattern", source), do: "The regular expression #{source} matches."
  def say("format", format), do: "In the format #{show(format)}."
  def say("uniqueItems", _true), do: "No two items are equal."
  def say("enum", values), do: "One of #{Enum.map_join(values, ", ", &show/1)}."
  def say("const", value), do: "The value is #{show(value)}."

  def say("prefixItems", items),
    do: "The first items are values of these JSON Schemas, in this order: #{show(items)}."

  def say("anyOf", schemas),
    do: "A value of at least one of these JSON Schemas: #{show(schemas)}."

  def say("oneOf", schemas), do: "A value of exactly one of these JSON Schemas: #{show(schemas)}."
  def say("allOf", schemas), do: "A value of all of these JSON Schemas: #{show(schemas)}."
  def say("not", schema), do: "No value of this JSON Schema: #{show(schema)}."

  def say("patternProperties", schemas),
    do:
      "The values of properties whose names match these regular expressions are values of these JSON Schemas: #{show(schemas)}."

  def say("additionalProperties", schema),
    do: "The values of all other properties are values of this JSON Schema: #{show(schema)}."

  def say("propertyNames", schema),
    do: "The names of properties are values of this JSON Schema: #{show(schema)}."

  def say(keyword, value), do: "A value of this JSON Schema: #{show(%{keyword => value})}."

  defp show(value), do: JSON.encode!(value)
end
