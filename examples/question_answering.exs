# Questions about a text become typed answers, with the tiny model that Espalier ships.
#
#     mix run examples/question_answering.exs
#
# The tiny model knows little more than to find a span in a short message: what it answers is of the
# types asked for, and not always right.

defmodule QuestionAnswering.Answer do
  use Espalier.Signature

  signature "Answer the question from the context." do
    input :context, {:array, :string}
    input :question, :string
    output :name, :string, max_length: 40
    output :city, :string, max_length: 40
    output :urgent, :boolean
  end
end

defmodule QuestionAnswering do
  alias Espalier.Signature
  alias QuestionAnswering.Answer

  @inputs [
    context: [
      "Hello, my name is Ingrid Solheim and I work for Nordlys Labs in Bergen.",
      "The export crashes every time, please answer right away!"
    ],
    question: "Who wrote this, from where, and is it urgent?"
  ]

  def run do
    {:ok, model} = Espalier.Model.start_link(path: Espalier.Model.tiny_path())

    for message <- Signature.prompt!(Answer, @inputs) do
      IO.puts([IO.ANSI.format([:bright, "#{message.role}"]), "\n", message.content, "\n"])
    end

    IO.inspect(Signature.run!(Answer, @inputs, model: model))
  end
end

QuestionAnswering.run()
