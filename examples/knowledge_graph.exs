# A text becomes a graph: what there is in it, and how that is related.
#
#     mix run examples/knowledge_graph.exs
#
# The shape of the graph is exact with any model. The tiny one that Espalier ships has never seen a graph
# and fills it with nonsense; give the folder of a larger model to see a true one:
#
#     mix run examples/knowledge_graph.exs path/to/model

defmodule KnowledgeGraph.Node do
  use Espalier.Schema

  schema do
    field :id, :integer, min: 1, max: 9
    field :label, :string, format: "^[A-Z][a-z]+( [A-Z][a-z]+)*$", max_length: 30
    field :property, {:enum, [:person, :company, :place]}
  end
end

defmodule KnowledgeGraph.Edge do
  use Espalier.Schema

  schema do
    field :source, :integer, min: 1, max: 9, description: "the id of a node"
    field :target, :integer, min: 1, max: 9, description: "the id of another node"
    field :label, {:enum, ["knows", "works for", "is in"]}
  end
end

defmodule KnowledgeGraph.Extract do
  use Espalier.Signature

  alias KnowledgeGraph.Edge
  alias KnowledgeGraph.Node

  signature "Write down who and what there is in the text, and how they are related." do
    input :text, :string
    output :nodes, {:array, Node}, min_items: 1, max_items: 4, unique: true
    output :edges, {:array, Edge}, max_items: 4, unique: true

    example [text: "Ada works in London."],
      nodes: [
        %Node{id: 1, label: "Ada", property: :person},
        %Node{id: 2, label: "London", property: :place}
      ],
      edges: [%Edge{source: 1, target: 2, label: "is in"}]
  end
end

defmodule KnowledgeGraph do
  alias Espalier.Signature
  alias KnowledgeGraph.Extract

  @text "Ingrid Solheim works for Nordlys Labs in Bergen."

  def run(path) do
    {:ok, model} = Espalier.Model.start_link(path: path)
    graph = Signature.run!(Extract, [text: @text], model: model)

    IO.puts([@text, "\n"])
    for node <- graph.nodes, do: IO.puts("#{node.id}: #{node.label} (#{node.property})")
    for edge <- graph.edges, do: IO.puts("#{edge.source} #{edge.label} #{edge.target}")
  end
end

System.argv() |> List.first(Espalier.Model.tiny_path()) |> KnowledgeGraph.run()
