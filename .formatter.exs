# The words of `Espalier.Schema`, written without parentheses here and in projects that import
# this file's `:export`.
schema_words = [field: 2, field: 3, schema: 1]

[
  inputs: ["{mix,.formatter}.exs", "{lib,test,examples,bench}/**/*.{ex,exs}"],
  locals_without_parens: schema_words,
  export: [locals_without_parens: schema_words]
]
