# The words of `Espalier.Schema`, `Espalier.Signature` and `Espalier.Template`, written without
# parentheses here and in projects that import this file's `:export`.
words = [
  field: 2,
  field: 3,
  embeds_one: 2,
  embeds_one: 3,
  embeds_one: 4,
  embeds_many: 2,
  embeds_many: 3,
  embeds_many: 4,
  schema: 1,
  signature: 2,
  signature: 3,
  input: 2,
  input: 3,
  output: 2,
  output: 3,
  example: 2,
  deftemplate: 2
]

[
  inputs: ["{mix,.formatter}.exs", "{lib,test,examples,bench,tools}/**/*.{ex,exs}"],
  locals_without_parens: words,
  export: [locals_without_parens: words]
]
