defmodule Espalier.Telemetry.Events do
  @moduledoc false
  # The events as data: what is documented, and what tests hold the code to.

  @typedoc """
  `measurements` and `metadata` are the keys of each event with what they are. `about` begins a paragraph of the
  documentation; events without one belong to the one before.
  """
  @type t :: %{
          name: [atom],
          about: String.t() | nil,
          measurements: keyword(String.t()),
          metadata: keyword(String.t())
        }

  @usage [
    prompt_tokens: "tokens read",
    completion_tokens: "tokens written",
    forced_tokens: "those of them that the constraint left no choice of",
    steps: "how often a local model ran",
    cached_tokens: "tokens of prompts that had been read before",
    reasoning_tokens: "tokens written that are no part of the text"
  ]

  @backend [
    backend: "the module that generates",
    model: "what was given as `:model`",
    schema: "the schema module, or the kind of schema"
  ]

  @attempt @backend ++ [attempt: "its number, from 1"]

  @error [
    kind: "`:error`",
    reason: "the exception's module",
    error_kind: "its kind, `nil` if it has none",
    stacktrace: "`[]`"
  ]

  @context [telemetry_span_context: "the same reference in all events of one span"]

  @start [system_time: "when", monotonic_time: "when, for differences"]
  @stop [duration: "how long", monotonic_time: "when, for differences"]

  span = fn name, about, metadata, stop, exception ->
    metadata = metadata ++ @context

    [
      %{
        name: [:espalier, name, :start],
        about: about,
        measurements: @start,
        metadata: metadata
      },
      %{
        name: [:espalier, name, :stop],
        about: nil,
        measurements: @stop ++ Keyword.get(stop, :measurements, []),
        metadata: metadata ++ Keyword.get(stop, :metadata, [])
      },
      %{
        name: [:espalier, name, :exception],
        about: nil,
        measurements: @stop ++ Keyword.get(exception, :measurements, []),
        metadata: metadata ++ @error ++ Keyword.get(exception, :metadata, [])
      }
    ]
  end

  event = fn name, about, measurements, metadata ->
    [%{name: [:espalier | name], about: about, measurements: measurements, metadata: metadata}]
  end

  generate_counts =
    [
      attempts: "attempts that ended",
      retries: "requests that were repeated after a failure that passes"
    ] ++ @usage

  gen_ai = [gen_ai: "attributes as OpenTelemetry names them, see below"]
  content = [content: "`nil`, or what was asked and written, see below"]

  finish_reason = fn more ->
    [finish_reason: "`:stop`, `:max_tokens`, or `:halted` when the reader stopped" <> more]
  end

  batch = [
    backend: "the module that generates",
    model: "what was given as `:model`",
    schema: "the schema module, or the kind of schema; `nil` if a function makes the requests",
    max_concurrency: "how many items are generated at once",
    ordered: "whether results come in the order of the items",
    total: "how many items there are, `nil` if it can't be told"
  ]

  done = [done: "items with a result", failed: "those of them that are errors"]

  cache_size = [
    entries: "how many are there now",
    total_bytes: "their bytes, as the cache counts them"
  ]

  cache = [cache: "the name of the cache"]
  constraint = [schema: "the schema module, or the kind of schema"] ++ cache

  vocabulary = [
    path: "the file",
    format: "`:tokenizer_json`, `:tiktoken` or `:serialized`"
  ]

  @events Enum.concat([
            span.(
              :generate,
              """
              One generation. That of a stream lasts from the first event asked for to the last one, or to where the \
              reader stopped. Where there are several backends, `backend` and `model` are those of the first.
              """,
              @backend ++
                [
                  max_tokens: "as given",
                  temperature: "as given, or the default",
                  seed: "as given, or as drawn"
                ] ++ gen_ai ++ content,
              [
                measurements: generate_counts,
                metadata:
                  finish_reason.("") ++
                    [cached?: "whether the text came from an `Espalier.Cache`"]
              ],
              measurements: generate_counts
            ),
            span.(
              :attempt,
              """
              One time that a value is asked for. It ends with `:exception` where the text is refused or none comes. \
              Requests that are repeated after a failure that passes are of the same attempt.
              """,
              @attempt ++ content,
              [
                measurements:
                  [retries: "requests repeated", fixes: "what was mended to read the text"] ++
                    @usage,
                metadata: finish_reason.("")
              ],
              measurements: [retries: "requests repeated"] ++ @usage
            ),
            span.(
              :request,
              """
              One request to a backend, without what middleware adds. The compilation of its schema, where that is \
              not there yet, is within.
              """,
              @attempt ++ gen_ai,
              [
                measurements:
                  [
                    time_to_first_token:
                      "how long until the first text came, `nil` if none did, and without `Espalier.stream/3`: there " <>
                        "all may come at the end"
                  ] ++
                    @usage,
                metadata:
                  finish_reason.("") ++
                    [
                      node:
                        "the node whose `Espalier.Model` wrote the text; `nil` with another backend, or when the reader stopped"
                    ]
              ],
              []
            ),
            span.(
              :validate,
              "The text of an attempt is read, validated, and made a value.",
              @attempt,
              [measurements: [bytes: "those of the text", fixes: "what was mended to read it"]],
              measurements: [bytes: "those of the text"]
            ),
            span.(
              :repair,
              """
              A value is asked for again after one was refused, with what is wrong about it: from the refusal to the \
              end of the attempt that follows. It ends with `:exception` where that is refused, too, or fails.
              """,
              @attempt ++
                [
                  refusal: "the module of the exception that refused the value",
                  refusal_kind: "its kind, `nil` if it has none"
                ],
              [],
              []
            ),
            event.(
              [:retry],
              "A request is about to be repeated, after a failure that passes.",
              [
                delay: "the wait in milliseconds",
                retries: "those of the generation, this one among them"
              ],
              @attempt ++ Keyword.take(@error, [:reason, :error_kind])
            ),
            event.(
              [:circuit],
              "A circuit of `Espalier.Middleware.CircuitBreaker` changed.",
              [system_time: "when"],
              backend: "the module that generates",
              model: "what was given as `:model`",
              from: "`:closed`, `:open` or `:half_open`",
              to: "another one of these"
            ),
            span.(
              :batch,
              """
              A batch of many generations, each of which has its own span. It lasts from the first result asked for \
              to the last one, or to where the reader stopped. It ends with `:exception` where the items or the \
              function for the progress raise.
              """,
              batch,
              [
                measurements: done,
                metadata: [finish_reason: "`:stop`, or `:halted` when the reader stopped"]
              ],
              measurements: done
            ),
            event.(
              [:batch, :progress],
              "An item of a batch has a result.",
              done ++ [running: "items that are being generated"],
              batch ++ @context
            ),
            span.(
              :compile,
              "A constraint is compiled that is not in the `Espalier.ConstraintCache`, in the process that compiles.",
              [schema: "the schema module, or the kind of schema"],
              [],
              []
            ),
            event.(
              [:constraint_cache, :hit],
              "A constraint was in the cache. This and `:miss` are told in the process of the caller.",
              [system_time: "when"],
              constraint
            ),
            event.(
              [:constraint_cache, :miss],
              "A constraint was not in the cache. Many misses of one schema at a time are one compilation.",
              [system_time: "when"],
              constraint
            ),
            event.(
              [:constraint_cache, :store],
              "A constraint was put into the cache.",
              [bytes: "those of the constraint"] ++ cache_size,
              constraint
            ),
            event.(
              [:constraint_cache, :eviction],
              "A constraint was dropped from the cache.",
              [bytes: "those of the constraint"] ++ cache_size,
              [
                reason:
                  "`:full`, `:unused` when its vocabulary is gone, or `:cleared` when all were dropped"
              ] ++ cache
            ),
            span.(
              :vocabulary_build,
              "A vocabulary is made of a file that is not in the `Espalier.VocabularyCache`, in the process that makes it.",
              vocabulary,
              [measurements: [vocabulary_size: "the number of its token ids"]],
              []
            ),
            event.(
              [:vocabulary_cache, :hit],
              "A vocabulary was in the cache. This and `:miss` are told in the process of the caller.",
              [system_time: "when"],
              vocabulary ++ cache
            ),
            event.(
              [:vocabulary_cache, :miss],
              "A vocabulary was not in the cache. It may be built, found in the directory, or still in use.",
              [system_time: "when"],
              vocabulary ++ cache
            ),
            event.(
              [:vocabulary_cache, :store],
              "A vocabulary was put into the cache.",
              [bytes: "those of the vocabulary"] ++ cache_size,
              vocabulary ++ cache
            ),
            event.(
              [:vocabulary_cache, :eviction],
              "A vocabulary was dropped from the cache.",
              [bytes: "those of the vocabulary"] ++ cache_size,
              [reason: "`:full`, or `:cleared` when all were dropped"] ++ cache
            ),
            span.(
              :download,
              "What is needed of a repository is looked for in the cache and downloaded, by `Espalier.Hub`.",
              [repository: "its name", revision: "the branch, tag or commit"],
              [
                measurements: [
                  files: "those that were not in the cache",
                  bytes: "the bytes of these"
                ],
                metadata: [commit: "the commit that the revision is"]
              ],
              []
            ),
            span.(
              :model_load,
              "An `Espalier.Model` is loaded.",
              [
                model: "the name that it is given, `nil` without one",
                path: "the folder of its files"
              ],
              [
                measurements: [
                  parameters: "the number of its weights",
                  vocabulary_size: "the number of its token ids"
                ],
                metadata: [architecture: "as its files name it"]
              ],
              []
            ),
            event.(
              [:model_step],
              """
              What an `Espalier.Model` did since the last such event, once a second while it has something to do, and \
              once when it has nothing more. It runs a batch of requests, each of which gets on by a step at a time.
              """,
              [
                duration: "since when",
                steps: "steps",
                batch_size: "requests that a step advanced, on average",
                running: "requests in the batch now",
                queue_length: "requests that wait for a place in it now",
                prompt_tokens: "tokens of prompts",
                cached_tokens:
                  "those of them that were not read, as other prompts had begun with them",
                completion_tokens: "tokens that were written, forced ones included",
                forced_tokens: "those of them that constraints left no choice of",
                tokens_per_second: "of those that were written",
                kv_cache_tokens: "tokens of the batch in the KV cache now",
                kv_cache_bytes:
                  "bytes of the KV cache now, what is kept for prompts to come among them",
                forward_time: "of forward passes, summed over threads",
                mask_time: "of token masks, which are computed beside them, summed over threads"
              ],
              model: "the model's name, or its process without one"
            )
          ])

  @doc "All events, in the order of the documentation."
  @spec all() :: [t]
  def all, do: @events

  @doc "The documentation of the events: a heading, a paragraph and a table for each group."
  @spec docs() :: String.t()
  def docs do
    @events
    |> Enum.chunk_while([], &group/2, &{:cont, Enum.reverse(&1), []})
    |> Enum.reject(&(&1 == []))
    |> Enum.map_join("\n", &group_docs/1)
  end

  defp group(%{about: nil} = event, group), do: {:cont, [event | group]}
  defp group(event, group), do: {:cont, Enum.reverse(group), [event]}

  defp group_docs([%{name: name, about: about} = first | _others] = events) do
    heading = if length(events) == 1, do: inspect(name), else: group_name(name)

    """
    ### `#{heading}`

    #{about}
    | event | measurements | metadata |
    | --- | --- | --- |
    #{Enum.map_join(events, "\n", &row(&1, first))}
    """
  end

  defp group_name(name), do: name |> List.replace_at(-1, :_) |> inspect()

  defp row(%{name: name} = event, first) do
    metadata = if event == first, do: keys(event.metadata), else: more(event, first)
    "| `#{inspect(List.last(name))}` | #{keys(event.measurements)} | #{metadata} |"
  end

  defp more(event, first) do
    ["as at the start" | keys(event.metadata -- first.metadata) |> List.wrap()]
    |> Enum.reject(&(&1 == ""))
    |> Enum.join(", and ")
  end

  defp keys(keys), do: Enum.map_join(keys, ", ", fn {key, about} -> "`#{key}`: #{about}" end)
end
