defmodule Espalier.GenerationError do
  @moduledoc """
  A generation that ended without a value.

  | kind | meaning |
  | --- | --- |
  | `:invalid_prompt` | the prompt is empty, not UTF-8, or no prompt at all: `detail` |
  | `:encoding_failed` | the tokenizer can't read the prompt: `detail` |
  | `:prompt_too_long` | the prompt does not fit the model: `length`, `max_length` in tokens |
  | `:truncated` | the text was cut off at `max_tokens` before it was a value, or not even the shortest completion fits: `text` is what there is |
  | `:cancelled` | the generation was cancelled |
  | `:timeout` | no answer within the time allowed: `text` is what there is |
  | `:incomplete` | the backend broke off: `text` is what there is |
  | `:no_chat_template` | messages were given, and the model has no template for them |
  | `:invalid_chat_template` | the template can't be rendered: `detail` |
  | `:invalid_request` | a sampling parameter or limit that can't be: `detail` |
  | `:computation_failed` | a step of the model failed: `detail`; the model goes on with other requests |
  | `:crashed` | the process of an item of a batch raised or was ended: `detail` |
  | `:invalid_item` | the function of a batch made no request of an item: `detail` |

      iex> {:error, error} = Espalier.generate([name: :string], "Ada is here.", model: MyApp.Model, max_tokens: 3)
      iex> error.kind
      :truncated
  """

  @type t :: %__MODULE__{
          kind: atom,
          message: String.t(),
          text: String.t() | nil,
          length: non_neg_integer | nil,
          max_length: non_neg_integer | nil,
          detail: String.t() | nil
        }

  defexception [:kind, :message, :text, :length, :max_length, :detail]

  @most_detail 500

  @doc false
  # Of a process that ended before it gave a result.
  @spec crashed(Exception.kind(), term) :: t
  def crashed(kind, reason) do
    detail = kind |> Exception.format_banner(reason) |> String.slice(0, @most_detail)
    %__MODULE__{kind: :crashed, message: "no result of the item: " <> detail, detail: detail}
  end
end
