defmodule Espalier.Truncation do
  @moduledoc false
  # Asking on where a text was cut off at the most tokens: once, as the caller chose.

  alias Espalier.Backend
  alias Espalier.Prompt
  alias Espalier.Request

  @message "Your answer was cut off. Go on exactly where it ended, and write nothing else."

  @doc "The request for the rest of the text, or for all of it with more tokens; the text is all so far."
  @spec request(Request.t(), String.t()) :: {:ok, Request.t()} | :none
  def request(%Request{on_truncation: :error}, _text), do: :none

  def request(%Request{on_truncation: {:max_tokens, max_tokens}} = request, _text),
    do: {:ok, %{request | on_truncation: :error, max_tokens: max_tokens, written: ""}}

  def request(%Request{on_truncation: :continue} = request, text) do
    # There it was not cut off: no value fits.
    if Backend.exact?(request.backend) do
      :none
    else
      prompt = Prompt.reply(request.prompt, text, @message)
      asked = request.prompt
      {:ok, %{request | on_truncation: :error, prompt: prompt, asked: asked, written: text}}
    end
  end

  @doc "The request before its text was gone on with, for all of the text."
  @spec anew(Request.t()) :: Request.t()
  def anew(%Request{asked: nil} = request), do: request
  def anew(request), do: %{request | prompt: request.asked, asked: nil, written: ""}
end
