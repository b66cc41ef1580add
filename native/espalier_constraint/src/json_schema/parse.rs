//! The text of a schema, read into nodes; each mistake is an error with its place.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::decimal::{Decimal, MAX_PLACES};
use super::number_range::Bound;
use super::schema::{Constants, Node, NodeId, Types};
use crate::dfa::Dfa;
use crate::error::Error;
use crate::regex;

/// The bytes that the text of a schema may have.
const MAX_SCHEMA_BYTES: usize = 16 << 20;
/// Bounds on lengths and counts above this mean the same as this.
const MAX_COUNT: u32 = u32::MAX / 2;

/// The nodes of a schema and of all schemas that it refers to; the first is the whole schema's.
pub(super) fn read_nodes(text: &str) -> Result<Vec<Node>, Error> {
    if text.len() > MAX_SCHEMA_BYTES {
        return Err(Error::LimitExceeded {
            limit: "schema_bytes",
            value: MAX_SCHEMA_BYTES,
            pointer: None,
        });
    }
    let document: Value = serde_json::from_str(text).map_err(|error| Error::InvalidJson {
        message: strip_position(&error.to_string()),
        line: error.line(),
        column: error.column(),
    })?;
    let mut parser = Parser::new(&document)?;
    parser.node_at(String::new(), &document);
    while let Some((id, pointer, value)) = parser.queue.pop_front() {
        parser.nodes[id as usize] = parser.read_node(pointer, value)?;
    }
    Ok(parser.nodes)
}

/// Which of the rules that changed between drafts hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Draft {
    Draft4,
    Draft6,
    Draft7,
    Draft2019,
    Draft2020,
}

struct Parser<'a> {
    document: &'a Value,
    draft: Draft,
    nodes: Vec<Node>,
    by_pointer: FxHashMap<String, NodeId>,
    queue: VecDeque<(NodeId, String, &'a Value)>,
}

/// A value in the schema, with its place.
#[derive(Clone, Copy)]
struct At<'a, 'p> {
    value: &'a Value,
    pointer: &'p str,
}

impl<'a> Parser<'a> {
    fn new(document: &'a Value) -> Result<Self, Error> {
        Ok(Self {
            document,
            draft: draft_of(document)?,
            nodes: Vec::new(),
            by_pointer: FxHashMap::default(),
            queue: VecDeque::new(),
        })
    }

    /// The node of the schema at a place; it is read later.
    fn node_at(&mut self, pointer: String, value: &'a Value) -> NodeId {
        if let Some(&id) = self.by_pointer.get(&pointer) {
            return id;
        }
        let id = self.nodes.len() as NodeId;
        self.nodes.push(Node::default());
        self.by_pointer.insert(pointer.clone(), id);
        self.queue.push_back((id, pointer, value));
        id
    }

    fn add_node(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() as NodeId - 1
    }

    fn read_node(&mut self, pointer: String, value: &'a Value) -> Result<Node, Error> {
        let keywords = match value {
            Value::Bool(true) => return Ok(Node { pointer, ..Node::default() }),
            Value::Bool(false) => {
                return Ok(Node { pointer, types: Types::NONE, ..Node::default() });
            }
            Value::Object(keywords) => keywords,
            other => return Err(invalid(&pointer, "a schema (an object or a boolean)", other)),
        };
        let mut node = Node { pointer, ..Node::default() };
        if self.draft <= Draft::Draft7 && keywords.contains_key("$ref") {
            // Up to draft 7 the siblings of a reference mean nothing.
            self.read_keyword(&mut node, "$ref", &keywords["$ref"], keywords)?;
            return Ok(node);
        }
        for (keyword, value) in keywords {
            self.read_keyword(&mut node, keyword, value, keywords)?;
        }
        Ok(node)
    }

    fn read_keyword(
        &mut self,
        node: &mut Node,
        keyword: &str,
        value: &'a Value,
        siblings: &'a serde_json::Map<String, Value>,
    ) -> Result<(), Error> {
        let pointer = child(&node.pointer, keyword);
        let at = At { value, pointer: &pointer };
        match keyword {
            "type" => {
                node.types = types(at)?;
                node.number.is_spelled_whole =
                    self.draft == Draft::Draft4 && !node.types.contains(Types::NUMBER);
            }
            "enum" => self.read_enum(node, at)?,
            "const" => self.read_constants(node, std::slice::from_ref(value), at.pointer)?,
            "$ref" => node.all_of.push(self.reference(at)?),
            "allOf" => node.all_of.extend(self.schemas(at)?),
            "anyOf" => node.any_of.push(self.schemas(at)?),
            "properties" => node.object.properties = self.properties(at)?,
            "required" => node.object.required = strings(at)?,
            "additionalProperties" => node.object.additional = Some(self.schema(at)),
            "prefixItems" => node.array.prefix = self.schemas(at)?,
            "items" if value.is_array() && self.draft < Draft::Draft2020 => {
                node.array.prefix = self.schemas(at)?;
            }
            "items" => node.array.items = Some(self.schema(at)),
            "minItems" => node.array.min = count(at)?,
            "maxItems" => node.array.max = Some(count(at)?),
            "minLength" => node.length.min = count(at)?,
            "maxLength" => node.length.max = Some(count(at)?),
            "pattern" => node.patterns.push(pattern(at)?),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                self.read_bound(node, keyword, at, siblings)?;
            }
            "$defs" | "definitions" if !value.is_object() => {
                return Err(invalid(at.pointer, "an object of schemas", value));
            }
            "$id" | "id" if node.pointer.is_empty() => {}
            _ if ANNOTATIONS.contains(&keyword) => {}
            _ => return Err(unsupported(at.pointer, keyword)),
        }
        Ok(())
    }

    fn schema(&mut self, at: At<'a, '_>) -> NodeId {
        self.node_at(at.pointer.to_owned(), at.value)
    }

    fn schemas(&mut self, at: At<'a, '_>) -> Result<Vec<NodeId>, Error> {
        let schemas = at.value.as_array().filter(|schemas| !schemas.is_empty());
        let schemas =
            schemas.ok_or_else(|| invalid(at.pointer, "a list of schemas, not empty", at.value))?;
        let nodes = schemas.iter().enumerate();
        Ok(nodes
            .map(|(index, value)| self.node_at(child(at.pointer, &index.to_string()), value))
            .collect())
    }

    fn properties(&mut self, at: At<'a, '_>) -> Result<Vec<(Arc<str>, NodeId)>, Error> {
        let Some(properties) = at.value.as_object() else {
            return Err(invalid(at.pointer, "an object of schemas", at.value));
        };
        let nodes = properties.iter();
        Ok(nodes
            .map(|(name, value)| {
                (name.as_str().into(), self.node_at(child(at.pointer, name), value))
            })
            .collect())
    }

    fn read_enum(&mut self, node: &mut Node, at: At<'a, '_>) -> Result<(), Error> {
        let Some(values) = at.value.as_array() else {
            return Err(invalid(at.pointer, "a list of values", at.value));
        };
        self.read_constants(node, values, at.pointer)
    }

    /// `enum` and `const` of one schema: where there are both, both hold.
    fn read_constants(
        &mut self,
        node: &mut Node,
        values: &[Value],
        pointer: &str,
    ) -> Result<(), Error> {
        let constants = self.constants(values, pointer)?;
        if node.constants.is_none() {
            node.constants = Some(constants);
        } else {
            let pointer = pointer.to_owned();
            let other =
                self.add_node(Node { pointer, constants: Some(constants), ..Node::default() });
            node.all_of.push(other);
        }
        Ok(())
    }

    fn constants(&mut self, values: &[Value], pointer: &str) -> Result<Constants, Error> {
        let mut constants = Constants::default();
        for value in values {
            match value {
                Value::Null => constants.null = true,
                Value::Bool(value) => constants.booleans[usize::from(*value)] = true,
                Value::Number(_) => constants.numbers.push(decimal(At { value, pointer })?),
                Value::String(text) => constants.strings.push(text.as_bytes().into()),
                Value::Array(_) | Value::Object(_) => {
                    constants.containers.push(self.container(value, pointer)?);
                }
            }
        }
        Ok(constants)
    }

    /// The node that only an array or an object equal to the value satisfies.
    fn container(&mut self, value: &Value, pointer: &str) -> Result<NodeId, Error> {
        let mut node = Node { pointer: pointer.to_owned(), ..Node::default() };
        match value {
            Value::Array(items) => {
                node.types = Types::ARRAY;
                node.array.min = items.len() as u32;
                node.array.max = Some(items.len() as u32);
                for item in items {
                    node.array.prefix.push(self.constant(item, pointer)?);
                }
            }
            Value::Object(members) => {
                node.types = Types::OBJECT;
                for (name, value) in members {
                    let name: Arc<str> = name.as_str().into();
                    node.object.required.push(name.clone());
                    node.object.properties.push((name, self.constant(value, pointer)?));
                }
                let none =
                    Node { pointer: pointer.to_owned(), types: Types::NONE, ..Node::default() };
                node.object.additional = Some(self.add_node(none));
            }
            _ => {}
        }
        Ok(self.add_node(node))
    }

    fn constant(&mut self, value: &Value, pointer: &str) -> Result<NodeId, Error> {
        let constants = Some(self.constants(std::slice::from_ref(value), pointer)?);
        Ok(self.add_node(Node { pointer: pointer.to_owned(), constants, ..Node::default() }))
    }

    fn read_bound(
        &mut self,
        node: &mut Node,
        keyword: &str,
        at: At<'a, '_>,
        siblings: &serde_json::Map<String, Value>,
    ) -> Result<(), Error> {
        let is_lower = keyword.ends_with("inimum");
        let is_exclusive = keyword.starts_with("exclusive");
        if self.draft == Draft::Draft4 && is_exclusive {
            // Draft 4: a boolean beside the bound, which is read there.
            return at
                .value
                .as_bool()
                .map(drop)
                .ok_or_else(|| invalid(at.pointer, "a boolean", at.value));
        }
        let beside = if is_lower { "exclusiveMinimum" } else { "exclusiveMaximum" };
        let is_exclusive = is_exclusive
            || self.draft == Draft::Draft4
                && siblings.get(beside).is_some_and(|value| value == &Value::Bool(true));
        let bound = Bound { value: decimal(at)?, is_exclusive };
        if is_lower {
            node.number.raise_lower(bound);
        } else {
            node.number.reduce_upper(bound);
        }
        Ok(())
    }

    /// Follows a reference within the document.
    fn reference(&mut self, at: At<'a, '_>) -> Result<NodeId, Error> {
        let Some(reference) = at.value.as_str() else {
            return Err(invalid(at.pointer, "a URI reference", at.value));
        };
        let id =
            self.document.get("$id").or_else(|| self.document.get("id")).and_then(Value::as_str);
        let local =
            id.and_then(|id| reference.strip_prefix(id.trim_end_matches('#'))).unwrap_or(reference);
        let Some(fragment) = local.strip_prefix('#').or_else(|| local.is_empty().then_some(""))
        else {
            return Err(unsupported_because(at.pointer, "$ref", "it leads out of the document"));
        };
        let pointer = decode_percent(fragment);
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(unsupported_because(at.pointer, "$ref", "anchors are not supported yet"));
        }
        let Some(value) = self.document.pointer(&pointer) else {
            return Err(invalid(at.pointer, "a reference to a schema in this document", at.value));
        };
        Ok(self.node_at(pointer, value))
    }
}

const ANNOTATIONS: [&str; 12] = [
    "$schema",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
];

fn draft_of(document: &Value) -> Result<Draft, Error> {
    let Some(value) = document.get("$schema") else { return Ok(Draft::Draft2020) };
    let uri = value.as_str().unwrap_or_default();
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest).trim_end_matches('#');
    Ok(match rest {
        "json-schema.org/draft-04/schema" => Draft::Draft4,
        "json-schema.org/draft-06/schema" => Draft::Draft6,
        "json-schema.org/draft-07/schema" => Draft::Draft7,
        "json-schema.org/draft/2019-09/schema" => Draft::Draft2019,
        "json-schema.org/draft/2020-12/schema" | "json-schema.org/schema" => Draft::Draft2020,
        _ => {
            return Err(invalid("/$schema", "the URI of draft 4, 6, 7, 2019-09 or 2020-12", value));
        }
    })
}

fn types(at: At<'_, '_>) -> Result<Types, Error> {
    let names = match at.value {
        Value::Array(names) if !names.is_empty() => &names[..],
        name => std::slice::from_ref(name),
    };
    let mut all = Types::NONE;
    for name in names {
        let known = name.as_str().and_then(Types::named);
        let expected = "the name of a JSON type, or a list of them";
        all = all.or(known.ok_or_else(|| invalid(at.pointer, expected, at.value))?);
    }
    Ok(all)
}

fn strings(at: At<'_, '_>) -> Result<Vec<Arc<str>>, Error> {
    let strings = at.value.as_array().and_then(|values| {
        values.iter().map(|value| value.as_str().map(Into::into)).collect::<Option<Vec<Arc<str>>>>()
    });
    strings.ok_or_else(|| invalid(at.pointer, "a list of strings", at.value))
}

fn count(at: At<'_, '_>) -> Result<u32, Error> {
    let count = at.value.as_number().map(|number| Decimal::parse(number.as_str()));
    let count = count.filter(|count| count.is_integer() && !count.is_negative);
    let count = count.ok_or_else(|| invalid(at.pointer, "a whole number from 0", at.value))?;
    let plain = count.to_plain().and_then(|text| text.parse().ok());
    Ok(plain.map_or(MAX_COUNT, |count: u32| count.min(MAX_COUNT)))
}

fn decimal(at: At<'_, '_>) -> Result<Decimal, Error> {
    let number = at.value.as_number().ok_or_else(|| invalid(at.pointer, "a number", at.value))?;
    let decimal = Decimal::parse(number.as_str());
    if decimal.is_of_reasonable_length() {
        return Ok(decimal);
    }
    let pointer = Some(at.pointer.to_owned());
    Err(Error::LimitExceeded { limit: "number_places", value: MAX_PLACES as usize, pointer })
}

fn pattern(at: At<'_, '_>) -> Result<Arc<Dfa>, Error> {
    let pattern =
        at.value.as_str().ok_or_else(|| invalid(at.pointer, "a regular expression", at.value))?;
    regex::compile_ecma(pattern).map(Arc::new).map_err(|error| error.at(at.pointer))
}

/// The pointer of a member or an item.
fn child(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", token.replace('~', "~0").replace('/', "~1"))
}

fn decode_percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = (byte == b'%').then(|| after.get(..2)).flatten();
        let decoded =
            hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn invalid(pointer: &str, expected: &str, got: &Value) -> Error {
    Error::InvalidSchema {
        pointer: pointer.to_owned(),
        expected: expected.to_owned(),
        got: shorten(&got.to_string()),
    }
}

pub(super) fn loop_at(pointer: &str) -> Error {
    Error::InvalidSchema {
        pointer: pointer.to_owned(),
        expected: "a schema that does not apply itself to the same value again".to_owned(),
        got: "a loop of references".to_owned(),
    }
}

fn unsupported(pointer: &str, keyword: &str) -> Error {
    unsupported_because(pointer, keyword, "it is not enforced yet, and no keyword is ignored")
}

fn unsupported_because(pointer: &str, keyword: &str, reason: &str) -> Error {
    let (pointer, keyword, reason) = (pointer.to_owned(), keyword.to_owned(), reason.to_owned());
    Error::UnsupportedKeyword { keyword, pointer, reason }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn strip_position(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}
