//! [`read`]: texts made of parts, as rules. Of the parts only grammars lead to themselves.
//!
//! Parts are told as JSON: an object each, with one of these.
//!
//! | member | the text |
//! | --- | --- |
//! | `"literal"` | this text |
//! | `"regex"`, `"syntax"` | a text that the pattern matches as a whole, in the syntax `"rust"` or `"ecma"` |
//! | `"grammar"`, `"syntax"`, `"start"` | one of the grammar, in the syntax `"lark"` or `"gbnf"`, beginning with that rule |
//! | `"json_schema"` | JSON of the schema, of which this is the text |
//! | `"sequence"` | those of all parts of the list, one after the other |
//! | `"choice"` | that of one part of the list |
//! | `"repeat"`, `"min"`, `"max"` | that of the part, so often; without `"max"` as often as one likes |
//! | `"until"`, `"end"` | any text up to the first of these texts, with the one of the index `"end"`; with `null`, a text without any of them |
//! | and `"max_tokens"` | the same; when that many tokens lie in the text, it ends as soon as it can |
//! | `"special_token"` | the token of that name |
//! | `"capture"`, `"of"` | that of the part, by a name |

use serde_json::{Map, Value};

use super::objects::Objects;
use super::rules::{Grammar, Node, NodeId, Place, RuleId, Terminal, TerminalId};
use super::syntax::{self, GrammarOptions};
use crate::error::Error;
use crate::limits::limit;
use crate::meter::Meter;

/// The name of the rule of whole texts.
const WHOLE: &str = "parts";

/// Reads parts. Nothing recurses on how deep they lie in each other.
///
/// # Errors
/// [`Error::InvalidParts`], [`Error::InvalidPart`] for grammars, and [`Error::LimitExceeded`]. Terminals have their
/// places.
pub(crate) fn read(text: &str, meter: &Meter) -> Result<Grammar, Error> {
    let objects = &Objects::read(text).map_err(|error| invalid("", &error.to_string()))?;
    let (grammar, pointer) = (Grammar::default(), String::new());
    let mut reader = Reader { objects, grammar, pointer, meter };
    let start = reader.grammar.declare(WHOLE, Place::default());
    let body = reader.whole()?;
    reader.grammar.define(start, body);
    reader.grammar.start = start;
    Ok(reader.grammar)
}

struct Reader<'a> {
    objects: &'a Objects<'a>,
    grammar: Grammar,
    pointer: String,
    meter: &'a Meter,
}

type Members = Map<String, Value>;

/// A part that others lie in.
struct Group<'a> {
    members: &'a Members,
    kind: &'static str,
    /// Those, and the last step to each.
    parts: std::vec::IntoIter<(String, &'a Value)>,
    nodes: Vec<NodeId>,
    /// The length of its pointer.
    length: usize,
    /// That of a capture.
    rule: Option<RuleId>,
}

/// What has others in it is read part by part.
enum Read<'a> {
    Node(NodeId),
    Group(Group<'a>),
}

impl<'a> Reader<'a> {
    fn whole(&mut self) -> Result<NodeId, Error> {
        let nesting = limit!(self.meter.limits(), grammar_nesting);
        let (mut open, mut part): (Vec<Group>, _) = (Vec::new(), &self.objects.root);
        loop {
            self.meter.spend(1)?;
            let mut done = match self.part(part)? {
                Read::Node(node) => Some(node),
                Read::Group(group) => {
                    open.push(group);
                    nesting.check(open.len())?;
                    None
                }
            };
            part = loop {
                match (open.last_mut(), done) {
                    (None, Some(node)) => return Ok(node),
                    (None, None) => unreachable!("a part is a node or open"),
                    (Some(group), node) => {
                        group.nodes.extend(node);
                        self.pointer.truncate(group.length);
                        if let Some((step, part)) = group.parts.next() {
                            self.pointer.push_str(&step);
                            break part;
                        }
                    }
                }
                done = open.pop().map(|group| self.close(group)).transpose()?;
            };
        }
    }

    fn part(&mut self, part: &'a Value) -> Result<Read<'a>, Error> {
        let Some(members) = self.objects.members(part) else {
            return self.wrong("an object", part);
        };
        let kinds = ["literal", "regex", "grammar", "json_schema", "sequence", "choice", "repeat"];
        let kinds = kinds.into_iter().chain(["until", "special_token", "capture"]);
        let mut known = kinds.filter_map(|kind| Some((kind, members.get(kind)?)));
        let (Some((kind, content)), None) = (known.next(), known.next()) else {
            return self.wrong("one kind of part", part);
        };
        let node = match kind {
            "literal" => {
                let node = Node::Literal(self.text(kind, content)?.into());
                self.has_only(&[kind], members)?;
                self.grammar.add(node)
            }
            "regex" => self.regex(content, members)?,
            "grammar" => self.included(content, members)?,
            "json_schema" => self.json_schema(content, members)?,
            "special_token" => {
                let name = self.text(kind, content)?.to_owned();
                if name.is_empty() {
                    return self.within(kind, |reader| reader.wrong("a name", content));
                }
                self.has_only(&[kind], members)?;
                self.grammar.add_terminal(Terminal::SpecialToken { name })
            }
            "until" => self.until(content, members)?,
            _ => return self.group(kind, content, members).map(Read::Group),
        };
        Ok(Read::Node(node))
    }

    fn group(
        &mut self,
        kind: &'static str,
        content: &'a Value,
        members: &'a Members,
    ) -> Result<Group<'a>, Error> {
        let names: &[&str] = match kind {
            "repeat" => &["repeat", "min", "max"],
            "capture" => &["capture", "of"],
            _ => &[kind],
        };
        let mut rule = None;
        let parts = match kind {
            "repeat" => vec![("/repeat".to_owned(), content)],
            "capture" => {
                let name = self.text(kind, content)?.to_owned();
                let Some(of) = members.get("of") else {
                    return self.wrong("\"of\" beside \"capture\"", content);
                };
                let declared = self.grammar.declare(name, Place::default());
                self.grammar.captures.push(declared);
                rule = Some(declared);
                vec![("/of".to_owned(), of)]
            }
            _ => self.list(kind, content)?,
        };
        self.has_only(names, members)?;
        let (nodes, length) = (Vec::with_capacity(parts.len()), self.pointer.len());
        Ok(Group { members, kind, parts: parts.into_iter(), nodes, length, rule })
    }

    /// The node of a group of which all parts were read.
    fn close(&mut self, group: Group) -> Result<NodeId, Error> {
        let Group { members, kind, nodes, rule, .. } = group;
        Ok(match (kind, rule) {
            ("sequence", _) => self.grammar.add(Node::Sequence(nodes)),
            ("choice", _) => self.grammar.add(Node::Choice(nodes)),
            (_, Some(rule)) => {
                self.grammar.define(rule, nodes[0]);
                self.grammar.add(Node::Rule(rule))
            }
            _ => return self.repeat(nodes[0], members),
        })
    }

    fn json_schema(&mut self, content: &Value, members: &Members) -> Result<NodeId, Error> {
        self.has_only(&["json_schema"], members)?;
        let text = self.text("json_schema", content)?.to_owned();
        self.terminal("json_schema", Terminal::JsonSchema { text, place: Place::default() })
    }

    /// The node of a terminal, of which the place is kept for what is found to be wrong with it later.
    fn terminal(&mut self, kind: &str, terminal: Terminal) -> Result<NodeId, Error> {
        let pointer = self.within(kind, |reader| Ok(reader.pointer.clone()))?;
        // Long ones take memory.
        self.meter.spend(pointer.len() / 4)?;
        self.grammar.pointers.push((self.grammar.terminals.len() as TerminalId, pointer));
        Ok(self.grammar.add_terminal(terminal))
    }

    fn regex(&mut self, content: &Value, members: &Members) -> Result<NodeId, Error> {
        self.has_only(&["regex", "syntax"], members)?;
        let (pattern, place) = (self.text("regex", content)?.to_owned(), Place::default());
        match members.get("syntax").map(Value::as_str) {
            None | Some(Some("rust")) => self.terminal("regex", Terminal::Regex { pattern, place }),
            Some(Some("ecma")) => self.terminal("regex", Terminal::EcmaRegex { pattern }),
            Some(_) => {
                let got = members["syntax"].clone();
                self.within("syntax", |reader| reader.wrong("\"rust\" or \"ecma\"", &got))
            }
        }
    }

    fn included(&mut self, content: &Value, members: &Members) -> Result<NodeId, Error> {
        self.has_only(&["grammar", "syntax", "start"], members)?;
        let text = self.text("grammar", content)?.to_owned();
        let mut options = match members.get("syntax").map(Value::as_str) {
            None | Some(Some("lark")) => GrammarOptions::lark(),
            Some(Some("gbnf")) => GrammarOptions::gbnf(),
            Some(_) => {
                let got = members["syntax"].clone();
                return self.within("syntax", |reader| reader.wrong("\"lark\" or \"gbnf\"", &got));
            }
        };
        if let Some(start) = members.get("start").filter(|start| !start.is_null()) {
            self.text("start", start)?.clone_into(&mut options.start);
        }
        self.within("grammar", |reader| {
            let grammar = syntax::parse(&text, &options, reader.meter)
                .map_err(|error| error.in_part(&reader.pointer))?;
            Ok(reader.grammar.include(grammar, &reader.pointer))
        })
    }

    fn repeat(&mut self, of: NodeId, members: &Members) -> Result<NodeId, Error> {
        let min = self.count("min", members)?.unwrap_or(0);
        let max = self.count("max", members)?;
        if max.is_some_and(|max| max < min) {
            let expected = format!("a number from {min}");
            return self.within("max", |reader| reader.wrong(&expected, &max.into()));
        }
        Ok(self.grammar.add(Node::Repeat { of, min, max }))
    }

    fn until(&mut self, content: &Value, members: &Members) -> Result<NodeId, Error> {
        let list = content.as_array().map_or(&[][..], Vec::as_slice);
        let stops: Option<Vec<String>> =
            list.iter().map(|stop| stop.as_str().map(str::to_owned)).collect();
        let is_right = |stops: &Vec<String>| !stops.iter().any(String::is_empty);
        let Some(stops) = stops.filter(is_right).filter(|_| content.is_array()) else {
            return self.within("until", |reader| reader.wrong("a list of texts", content));
        };
        let end = self.count("end", members)?;
        if end.is_some_and(|end| end as usize >= stops.len()) {
            let expected = "the index of one of the texts";
            return self.within("end", |reader| reader.wrong(expected, &end.into()));
        }
        let max_tokens = self.count("max_tokens", members)?;
        self.has_only(&["until", "end", "max_tokens"], members)?;
        self.terminal("until", Terminal::Until { stops, end, max_tokens })
    }

    fn list(&mut self, kind: &str, content: &'a Value) -> Result<Vec<(String, &'a Value)>, Error> {
        let Some(parts) = content.as_array() else {
            return self.within(kind, |reader| reader.wrong("a list", content));
        };
        let step = |(index, part)| (format!("/{kind}/{index}"), part);
        Ok(parts.iter().enumerate().map(step).collect())
    }

    fn text<'t>(&mut self, kind: &str, content: &'t Value) -> Result<&'t str, Error> {
        match content.as_str() {
            Some(text) => Ok(text),
            None => self.within(kind, |reader| reader.wrong("a text", content)),
        }
    }

    fn count(&mut self, name: &str, members: &Members) -> Result<Option<u32>, Error> {
        let Some(value) = members.get(name).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
            Some(count) => Ok(Some(count)),
            None => {
                self.within(name, |reader| reader.wrong("a number from 0 to 4294967295", value))
            }
        }
    }

    fn has_only(&self, names: &[&str], members: &Members) -> Result<(), Error> {
        match members.keys().find(|name| !names.contains(&&name[..])) {
            Some(other) => self.wrong(&names.join(", "), &other[..].into()),
            None => Ok(()),
        }
    }

    fn within<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(name);
        let result = read(self);
        self.pointer.truncate(length);
        result
    }

    fn wrong<T>(&self, expected: &str, got: &Value) -> Result<T, Error> {
        const SHOWN: usize = 80;
        let written = self.objects.written(got).map_or_else(|| got.to_string(), str::to_owned);
        let got: String = written.chars().take(SHOWN).collect();
        Err(invalid(&self.pointer, &format!("expected {expected}, got: {got}")))
    }
}

fn invalid(pointer: &str, message: &str) -> Error {
    Error::InvalidParts { message: message.to_owned(), pointer: pointer.to_owned() }
}
