defmodule Espalier.Dashboard.Demo do
  @moduledoc false
  # Something to look at: the shipped model, which is asked without an end, at a pace that leaves the machine alone. Some
  # values are refused, some schemas and prompts are wrong, and one backend does not answer.

  use Supervisor

  alias Espalier.Backends.OpenAI
  alias Espalier.Dashboard.Demo.Order
  alias Espalier.Dashboard.Demo.Ticket
  alias Espalier.Dashboard.Demo.Texts
  alias Espalier.Middleware.CircuitBreaker
  alias Espalier.Model

  @model :espalier_tiny
  @batch 1_000

  # The port for discarding what comes: nothing listens there.
  @nowhere [base_url: "http://127.0.0.1:9/v1", api_key: "none"]

  @spec start_link(term) :: Supervisor.on_start()
  def start_link(_options), do: Supervisor.start_link(__MODULE__, [])

  @impl true
  def init([]) do
    loads = [tickets: &tickets/0, orders: &orders/0, streams: &streams/0]
    wrong = [faults: &faults/0, nowhere: &nowhere/0]
    tasks = for {id, load} <- loads ++ wrong, do: task(id, load)
    model = {Model, name: @model, path: Model.tiny_path(), n_threads: 1}
    Supervisor.init([model | tasks], strategy: :rest_for_one)
  end

  defp task(id, load),
    do: Supervisor.child_spec({Task, fn -> repeat(load) end}, id: id, restart: :permanent)

  defp repeat(load) do
    load.()
    repeat(load)
  end

  # In bursts, as long as it takes to see them.
  defp tickets do
    Texts.tickets()
    |> Enum.take(@batch)
    |> Espalier.stream_batch(Ticket, model: @model, max_concurrency: 6)
    |> Stream.chunk_every(80)
    |> Enum.each(fn _results -> pause(2_000) end)
  end

  defp orders do
    Texts.orders()
    |> Enum.take(div(@batch, 2))
    |> Espalier.stream_batch(Order, model: @model, max_concurrency: 2, ordered: false)
    |> Enum.each(fn _result -> pause(250) end)
  end

  # Somebody who reads along.
  defp streams do
    pause(1_500)
    [text] = Enum.take(Texts.tickets(), 1)
    Ticket |> Espalier.stream(text, model: @model) |> Stream.run()
  end

  defp faults do
    pause(8_000)
    Espalier.generate(Ticket, Enum.at(Texts.tickets(), 0), model: @model, max_tokens: 6)
    pause(8_000)
    Espalier.generate([age: {:integer, min: 2, max: 1}], "Ada is 36.", model: @model)
    pause(8_000)
    Espalier.generate({:choice, [:yes, :no]}, "", model: @model)
  end

  # The circuit opens after the first few.
  defp nowhere do
    pause(10_000)

    Espalier.generate(Ticket, "Is anybody there?",
      backend: {OpenAI, @nowhere},
      model: "large",
      max_retries: 1,
      retry_delay: 200,
      middleware: [{CircuitBreaker, failures: 4}]
    )
  end

  # Not all of the same length, so that something moves.
  defp pause(milliseconds), do: Process.sleep(div(milliseconds, 2) + :rand.uniform(milliseconds))
end
