//! The text of a schema, read into nodes; each mistake is an error with its place.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::FormatMode;
use super::automata::Automata;
use super::decimal::Decimal;
use super::draft::Draft;
use super::json::{Json, Object};
use super::nodes::Nodes;
use super::number_range::Bound;
use super::place::{Children, child, parent};
use super::resources::Resources;
use super::schema::{Kind, Literal, Members, NodeId, Types};
use crate::dfa::Dfa;
use crate::error::Error;
use crate::limits::limit;
use crate::meter::Meter;

/// Bounds on lengths and counts above this mean the same as this.
const MAX_COUNT: u32 = u32::MAX / 2;

/// The nodes of a schema and of all schemas that it refers to; the first is the whole schema's.
/// `others` are the texts of documents that it may refer to, by URI.
pub(super) fn read_nodes(
    text: &str,
    others: &[(&str, &str)],
    format: FormatMode,
    automata: &mut Automata,
    meter: &Meter,
) -> Result<Parsed, Error> {
    let n_bytes = others.iter().map(|(_, text)| text.len()).sum::<usize>() + text.len();
    limit!(meter.limits(), schema_bytes).check(n_bytes)?;
    let document = read_json(text, meter)?;
    let draft = draft_of(&document)?.unwrap_or(Draft::Draft2020);
    let mut documents = Vec::new();
    for (uri, text) in others {
        let other = read_json(text, meter)?;
        let draft = draft_of(&other)?.unwrap_or(draft);
        documents.push(((*uri).to_owned(), other, draft));
    }
    let resources = Resources::new((&document, draft), &documents, meter)?;
    let mut parser = Parser::new(resources, format, automata, meter);
    parser.schema_at("", &document)?;
    let mut place = String::new();
    while let Some(Unread { node, scope, value }) = parser.queue.pop_front() {
        place.clear();
        place.push_str(parser.nodes.pointer(node));
        parser.draft = parser.resources.draft(&place);
        parser.scope = scope;
        let kind = parser.read_schema(&place, value).map_err(|error| error.at(&place))?;
        parser.nodes.replace(node, kind);
    }
    Ok(Parsed { nodes: parser.nodes, unknown: parser.unknown })
}

fn read_json<'t>(text: &'t str, meter: &Meter) -> Result<Json<'t>, Error> {
    meter.spend(text.len() / 4)?;
    let nesting = limit!(meter.limits(), schema_nesting);
    let read = Json::read(text);
    // What was read is nested no deeper than that.
    if read.is_err() || nesting.value < READ_NESTING {
        nesting.check(json_nesting(text.as_bytes()))?;
    }
    read.map_err(|error| Error::InvalidJson {
        message: strip_position(&error.to_string()),
        line: error.line(),
        column: error.column(),
    })
}

/// How deep it is read.
const READ_NESTING: usize = 127;

/// How deep a JSON text is nested, found without nesting of calls.
pub(super) fn json_nesting(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut is_text, mut is_escaped) = (0usize, 0, false, false);
    for byte in text {
        match byte {
            _ if std::mem::take(&mut is_escaped) => {}
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What was read of a schema.
pub(super) struct Parsed {
    pub(super) nodes: Nodes,
    /// The places of keywords that JSON Schema doesn't know.
    pub(super) unknown: Vec<String>,
}

struct Parser<'a> {
    resources: Resources<'a>,
    format: FormatMode,
    automata: &'a mut Automata,
    nodes: Nodes,
    /// Those that were met, by where they are in memory.
    by_address: FxHashMap<(*const Json<'a>, Scope), NodeId>,
    queue: VecDeque<Unread<'a>>,
    /// Of the schema that is being read.
    draft: Draft,
    scope: Scope,
    /// A statement that always holds.
    anything: Option<Literal>,
    unknown: Vec<String>,
    meter: &'a Meter,
}

/// The URIs of the schemas with dynamic anchors on the way to a place, the outermost first.
type Scope = Arc<[String]>;

/// A schema that is read later.
struct Unread<'a> {
    node: NodeId,
    scope: Scope,
    value: &'a Json<'a>,
}

/// A value in the schema, with its place.
#[derive(Clone, Copy)]
struct At<'a, 'p> {
    value: &'a Json<'a>,
    pointer: &'p str,
}

type Siblings<'a> = &'a Object<'a>;

impl<'a> Parser<'a> {
    fn new(
        resources: Resources<'a>,
        format: FormatMode,
        automata: &'a mut Automata,
        meter: &'a Meter,
    ) -> Self {
        Self {
            resources,
            format,
            automata,
            nodes: Nodes::default(),
            by_address: FxHashMap::default(),
            queue: VecDeque::new(),
            draft: Draft::Draft2020,
            scope: Arc::new([]),
            anything: None,
            unknown: Vec::new(),
            meter,
        }
    }

    /// The schema at a place; it is read later.
    fn schema_at(&mut self, place: &str, value: &'a Json<'a>) -> Result<Literal, Error> {
        self.nodes.check(self.meter)?;
        self.meter.spend(place.len() / 16)?;
        let scope = self.scope_at(place)?;
        match self.by_address.entry((std::ptr::from_ref(value), scope.clone())) {
            Entry::Occupied(known) => Ok(Literal::of(*known.get())),
            Entry::Vacant(entry) => {
                let literal = self.nodes.add(place, Kind::All(Vec::new()));
                self.queue.push_back(Unread { node: literal.node(), scope, value });
                entry.insert(literal.node());
                Ok(literal)
            }
        }
    }

    /// The scope of a place that is entered from here.
    fn scope_at(&mut self, place: &str) -> Result<Scope, Error> {
        let uri = self.resources.base(place, self.meter)?;
        self.meter.spend(self.scope.len())?;
        if !self.resources.has_dynamic_anchor(uri) || self.scope.iter().any(|other| other == uri) {
            return Ok(self.scope.clone());
        }
        let scope: Scope = self.scope.iter().cloned().chain([uri.to_owned()]).collect();
        self.nodes.add_place_bytes(scope.iter().map(|uri| uri.len() + size_of::<String>()).sum());
        Ok(scope)
    }

    fn add(&mut self, pointer: &str, kind: Kind) -> Literal {
        self.nodes.add(pointer, kind)
    }

    fn anything(&mut self) -> Literal {
        if let Some(literal) = self.anything {
            return literal;
        }
        let literal = self.add("", Kind::All(Vec::new()));
        *self.anything.insert(literal)
    }

    fn read_schema(&mut self, pointer: &str, value: &'a Json<'a>) -> Result<Kind, Error> {
        let keywords = match value {
            Json::Bool(true) => return Ok(Kind::All(Vec::new())),
            Json::Bool(false) => return Ok(Kind::Types(Types::NONE)),
            Json::Object(keywords) => keywords,
            other => return Err(invalid(pointer, "a schema (an object or a boolean)", other)),
        };
        let mut statements = Vec::with_capacity(keywords.len());
        // Up to draft 7 the siblings of a reference mean nothing.
        let only_reference = self.draft <= Draft::Draft7 && keywords.get("$ref").is_some();
        let mut places = Children::of(pointer);
        for (keyword, value) in
            keywords.iter().filter(|(name, _)| !only_reference || *name == "$ref")
        {
            let at = At { value, pointer: places.at(keyword) };
            statements.extend(self.read_keyword(keyword, at, keywords)?);
        }
        let is_unevaluated = |keyword: &str| keyword.starts_with("unevaluated");
        if self.draft >= Draft::Draft2019 && keywords.keys().any(is_unevaluated) {
            self.add_unevaluated(pointer, keywords, &mut statements)?;
        }
        Ok(Kind::All(statements))
    }

    /// These two depend on all keywords beside them.
    fn add_unevaluated(
        &mut self,
        pointer: &str,
        keywords: Siblings<'a>,
        statements: &mut Vec<Literal>,
    ) -> Result<(), Error> {
        let mut schema_of = |keyword: &str| {
            let pointer = child(pointer, keyword);
            let schema = keywords.get(keyword).map(|value| self.schema_at(&pointer, value));
            Ok::<_, Error>(schema.transpose()?.map(|schema| (pointer, schema)))
        };
        let (items, properties) =
            (schema_of("unevaluatedItems")?, schema_of("unevaluatedProperties")?);
        let beside = statements.clone();
        statements.extend(items.map(|(pointer, item)| {
            let statements = beside.clone();
            self.nodes.add(&pointer, Kind::UnevaluatedItems { statements, item })
        }));
        statements.extend(properties.map(|(pointer, value)| {
            let statements = beside.clone();
            self.nodes.add(&pointer, Kind::UnevaluatedProperties { statements, value })
        }));
        Ok(())
    }

    /// What a keyword states; nothing if it is an annotation, or is read with another one.
    fn read_keyword(
        &mut self,
        keyword: &str,
        at: At<'a, '_>,
        siblings: Siblings<'a>,
    ) -> Result<Option<Literal>, Error> {
        let kind = match keyword {
            _ if self.is_reference(keyword) => return self.reference(keyword, at).map(Some),
            "allOf" => Kind::All(self.schemas(at)?),
            "anyOf" => Kind::Any(self.schemas(at)?),
            "oneOf" => Kind::One(self.schemas(at)?),
            "not" => Kind::All(vec![self.schema(at)?.negated()]),
            "if" if self.draft >= Draft::Draft7 => self.conditional(at, siblings)?,
            "type" => return self.types(at, siblings).map(Some),
            "enum" => Kind::Constants(self.nodes.constants(list(at)?, at.pointer, self.meter)?),
            "const" if self.draft >= Draft::Draft6 => {
                let value = std::slice::from_ref(at.value);
                Kind::Constants(self.nodes.constants(value, at.pointer, self.meter)?)
            }
            _ => match self.read_assertion(keyword, at, siblings)? {
                Some(kind) => kind,
                None => return Ok(None),
            },
        };
        Ok(Some(self.add(at.pointer, kind)))
    }

    fn is_reference(&self, keyword: &str) -> bool {
        match keyword {
            "$ref" => true,
            "$recursiveRef" => self.draft == Draft::Draft2019,
            "$dynamicRef" => self.draft >= Draft::Draft2020,
            _ => false,
        }
    }

    /// Whether a keyword is read with another one, which is there.
    fn is_read_elsewhere(&self, keyword: &str, siblings: Siblings<'a>) -> bool {
        match keyword {
            "then" | "else" => self.draft >= Draft::Draft7 && siblings.contains_key("if"),
            "minContains" | "maxContains" => {
                self.draft >= Draft::Draft2019 && siblings.contains_key("contains")
            }
            "unevaluatedItems" | "unevaluatedProperties" => self.draft >= Draft::Draft2019,
            "nullable" => self.draft == Draft::OpenApi30 && siblings.contains_key("type"),
            _ => false,
        }
    }

    /// What a keyword states of values of one type.
    fn read_assertion(
        &mut self,
        keyword: &str,
        at: At<'a, '_>,
        siblings: Siblings<'a>,
    ) -> Result<Option<Kind>, Error> {
        Ok(Some(match keyword {
            "minLength" => Kind::MinLength(count(at)?),
            "maxLength" => Kind::MaxLength(count(at)?),
            "pattern" => Kind::Pattern(self.pattern(at)?),
            "format" => return Ok(self.format(at)?.map(Kind::Pattern)),
            "exclusiveMinimum" | "exclusiveMaximum" if self.draft <= Draft::Draft4 => {
                // A boolean beside the bound, which is read there.
                at.value.as_bool().ok_or_else(|| invalid(at.pointer, "a boolean", at.value))?;
                return Ok(None);
            }
            "multipleOf" => Kind::MultipleOf(divisor(at, self.meter)?),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                self.bound(keyword, at, siblings)?
            }
            "minItems" => Kind::MinItems(count(at)?),
            "maxItems" => Kind::MaxItems(count(at)?),
            "items" | "prefixItems" | "additionalItems" => {
                return self.items(keyword, at, siblings);
            }
            "contains" if self.draft >= Draft::Draft6 => self.contains(at, siblings)?,
            "required" => Kind::All(self.required(at)?),
            "minProperties" => Kind::MinProperties(count(at)?),
            "maxProperties" => Kind::MaxProperties(count(at)?),
            "properties" | "patternProperties" | "additionalProperties" => {
                return self.members(keyword, at, siblings);
            }
            "propertyNames" if self.draft >= Draft::Draft6 => Kind::Names(self.schema(at)?),
            "dependencies" => Kind::All(self.dependencies(at)?),
            "dependentRequired" | "dependentSchemas" if self.draft >= Draft::Draft2019 => {
                Kind::All(self.dependencies(at)?)
            }
            "id" if self.draft <= Draft::Draft4 => return Ok(None),
            _ if self.is_read_elsewhere(keyword, siblings) => return Ok(None),
            "$defs" | "definitions" if at.value.as_object().is_none() => {
                return Err(invalid(at.pointer, "an object of schemas", at.value));
            }
            "uniqueItems" => match at.value.as_bool() {
                Some(true) => Kind::Unique,
                Some(false) => return Ok(None),
                None => return Err(invalid(at.pointer, "a boolean", at.value)),
            },
            _ if ANNOTATIONS.contains(&keyword) => return Ok(None),
            _ => {
                // JSON Schema has such keywords as annotations.
                self.unknown.push(at.pointer.to_owned());
                return Ok(None);
            }
        }))
    }

    /// The strings of a format that is known, if formats are asserted.
    fn format(&mut self, at: At<'_, '_>) -> Result<Option<Arc<Dfa>>, Error> {
        let name = at.value.as_str();
        let name = name.ok_or_else(|| invalid(at.pointer, "the name of a format", at.value))?;
        if self.format == FormatMode::Ignore {
            return Ok(None);
        }
        let automaton = self.automata.format(name)?;
        if automaton.is_none() {
            self.unknown.push(at.pointer.to_owned());
        }
        Ok(automaton)
    }

    /// The strings in which a pattern matches.
    fn pattern(&mut self, at: At<'_, '_>) -> Result<Arc<Dfa>, Error> {
        let pattern = at.value.as_str();
        let pattern =
            pattern.ok_or_else(|| invalid(at.pointer, "a regular expression", at.value))?;
        self.automata.pattern(pattern, self.meter).map_err(|error| error.at(at.pointer))
    }

    fn schema(&mut self, at: At<'a, '_>) -> Result<Literal, Error> {
        self.schema_at(at.pointer, at.value)
    }

    fn schemas(&mut self, at: At<'a, '_>) -> Result<Vec<Literal>, Error> {
        let schemas = at.value.as_array().filter(|schemas| !schemas.is_empty());
        let schemas =
            schemas.ok_or_else(|| invalid(at.pointer, "a list of schemas, not empty", at.value))?;
        let mut places = Children::of(at.pointer);
        let schemas = schemas.iter().enumerate();
        schemas.map(|(index, value)| self.schema_at(places.at(&index.to_string()), value)).collect()
    }

    /// The schema of a keyword beside another one, if it is there.
    fn sibling(
        &mut self,
        at: At<'a, '_>,
        name: &str,
        siblings: Siblings<'a>,
    ) -> Result<Option<Literal>, Error> {
        let value = siblings.get(name);
        value.map(|value| self.schema_at(&child(parent(at.pointer), name), value)).transpose()
    }

    fn conditional(&mut self, at: At<'a, '_>, siblings: Siblings<'a>) -> Result<Kind, Error> {
        let condition = self.schema(at)?;
        let anything = self.anything();
        let then = self.sibling(at, "then", siblings)?.unwrap_or(anything);
        let otherwise = self.sibling(at, "else", siblings)?.unwrap_or(anything);
        Ok(Kind::If { condition, then, otherwise })
    }

    fn types(&mut self, at: At<'_, '_>, siblings: Siblings<'_>) -> Result<Literal, Error> {
        let mut types = types(at)?;
        if self.draft == Draft::OpenApi30
            && let Some(nullable) = siblings.get("nullable")
        {
            let pointer = child(parent(at.pointer), "nullable");
            match nullable.as_bool() {
                Some(true) => types = types.or(Types::NULL),
                Some(false) => {}
                None => return Err(invalid(&pointer, "a boolean", nullable)),
            }
        }
        let statement = self.add(at.pointer, Kind::Types(types));
        if self.draft > Draft::Draft4
            || types.contains(Types::FRACTION)
            || !types.contains(Types::INTEGER)
        {
            return Ok(statement);
        }
        let spelling = self.add(at.pointer, Kind::SpelledWhole);
        Ok(self.add(at.pointer, Kind::All(vec![statement, spelling])))
    }

    fn bound(
        &mut self,
        keyword: &str,
        at: At<'a, '_>,
        siblings: Siblings<'a>,
    ) -> Result<Kind, Error> {
        let is_lower = keyword.ends_with("inimum");
        let beside = if is_lower { "exclusiveMinimum" } else { "exclusiveMaximum" };
        let is_exclusive = keyword.starts_with("exclusive")
            || self.draft <= Draft::Draft4
                && siblings.get(beside).and_then(Json::as_bool) == Some(true);
        let bound = Bound { value: decimal_of(at.value, at.pointer, self.meter)?, is_exclusive };
        Ok(if is_lower { Kind::Lower(bound) } else { Kind::Upper(bound) })
    }

    /// The keywords on items by position make one statement, which is read at the first of them.
    fn items(
        &mut self,
        keyword: &str,
        at: At<'a, '_>,
        siblings: Siblings<'a>,
    ) -> Result<Option<Kind>, Error> {
        let has_list = self.draft < Draft::Draft2020;
        let (list, rest) =
            if has_list { ("items", "additionalItems") } else { ("prefixItems", "items") };
        if keyword == if has_list { "prefixItems" } else { "additionalItems" } {
            self.unknown.push(at.pointer.to_owned());
            return Ok(None);
        }
        if has_list && siblings.get("items").and_then(Json::as_array).is_none() {
            // One schema for all items; "additionalItems" means nothing beside it.
            let rest = (keyword == "items").then(|| self.schema(at)).transpose()?;
            return Ok(rest.map(|rest| Kind::Items { prefix: Vec::new(), rest: Some(rest) }));
        }
        if keyword == rest && siblings.contains_key(list) {
            return Ok(None);
        }
        let prefix = if keyword == list { self.schemas(at)? } else { Vec::new() };
        let rest = self.sibling(at, rest, siblings)?;
        Ok(Some(Kind::Items { prefix, rest }))
    }

    fn contains(&mut self, at: At<'a, '_>, siblings: Siblings<'a>) -> Result<Kind, Error> {
        let item = self.schema(at)?;
        let bound = |name: &str| {
            let value = siblings.get(name).filter(|_| self.draft >= Draft::Draft2019);
            value
                .map(|value| count(At { value, pointer: &child(parent(at.pointer), name) }))
                .transpose()
        };
        Ok(Kind::Contains {
            item,
            min: bound("minContains")?.unwrap_or(1),
            max: bound("maxContains")?,
            is_evaluated: self.draft >= Draft::Draft2020,
        })
    }

    fn required(&mut self, at: At<'_, '_>) -> Result<Vec<Literal>, Error> {
        let names = strings(at)?.into_iter();
        names
            .map(|name| {
                self.nodes.check(self.meter)?;
                Ok(self.add(at.pointer, Kind::Required(name)))
            })
            .collect()
    }

    /// The keywords on members by key make one statement, which is read at the first of them.
    fn members(
        &mut self,
        keyword: &str,
        at: At<'a, '_>,
        siblings: Siblings<'a>,
    ) -> Result<Option<Kind>, Error> {
        const KEYWORDS: [&str; 3] = ["properties", "patternProperties", "additionalProperties"];
        let first = siblings.keys().find(|name| KEYWORDS.contains(name));
        if first.is_some_and(|first| first != keyword) {
            return Ok(None);
        }
        let pointer = |name: &str| child(parent(at.pointer), name);
        let (mut properties, mut patterns) = (Vec::new(), Vec::new());
        let place = pointer("properties");
        let mut places = Children::of(&place);
        for (name, value) in object_of_schemas(siblings, "properties", &place)? {
            properties.push((name.into(), self.schema_at(places.at(name), value)?));
        }
        let place = pointer("patternProperties");
        let mut places = Children::of(&place);
        for (source, value) in object_of_schemas(siblings, "patternProperties", &place)? {
            let place = places.at(source);
            let dfa = self.automata.pattern(source, self.meter);
            let dfa = dfa.map_err(|error| error.at(place))?;
            patterns.push((dfa, self.schema_at(place, value)?));
        }
        let rest = self.sibling(at, "additionalProperties", siblings)?;
        Ok(Some(Kind::Members(Members::new(properties, patterns, rest))))
    }

    /// For each property: names of others that must be there, too, or a schema of the object.
    fn dependencies(&mut self, at: At<'a, '_>) -> Result<Vec<Literal>, Error> {
        let Some(dependencies) = at.value.as_object() else {
            return Err(invalid(at.pointer, "an object of lists of names or of schemas", at.value));
        };
        let mut statements = Vec::new();
        let mut places = Children::of(at.pointer);
        for (name, value) in dependencies.iter() {
            let pointer = places.at(name);
            let needed = if value.as_array().is_some() {
                let required = self.required(At { value, pointer })?;
                self.add(pointer, Kind::All(required))
            } else {
                self.schema_at(pointer, value)?
            };
            statements.push(self.add(pointer, Kind::Dependent(name.into(), needed)));
        }
        Ok(statements)
    }

    /// Follows a reference.
    fn reference(&mut self, keyword: &str, at: At<'a, '_>) -> Result<Literal, Error> {
        let Some(reference) = at.value.as_str() else {
            return Err(invalid(at.pointer, "a URI reference", at.value));
        };
        let mut target = self.resources.target(at.pointer, reference, self.meter)?;
        if target.is_none() && METASCHEMAS.iter().any(|uri| reference.starts_with(uri)) {
            self.resources.add_metaschemas(self.meter)?;
            target = self.resources.target(at.pointer, reference, self.meter)?;
        }
        let Some(mut place) = target else {
            let reason = "it leads to a document or an anchor that is not known";
            return Err(unsupported(at.pointer, keyword, reason));
        };
        if keyword != "$ref"
            && let Some(name) = self.resources.dynamic_name(at.pointer, reference, self.meter)?
        {
            // The outermost schema on the way here that has the anchor.
            let mut scope = self.scope.iter();
            let outermost = scope.find_map(|uri| self.resources.dynamic_target(uri, &name));
            place = outermost.unwrap_or(place);
        }
        match self.resources.get(&place) {
            Some(value) => self.schema_at(&place, value),
            None => Err(invalid(at.pointer, "a reference to a schema in this document", at.value)),
        }
    }
}

/// What the URIs of the schemas of schemas begin with.
const METASCHEMAS: [&str; 2] = ["http://json-schema.org/draft", "https://json-schema.org/draft"];

const ANNOTATIONS: [&str; 20] = [
    "$anchor",
    "$dynamicAnchor",
    "$id",
    "$recursiveAnchor",
    "$vocabulary",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
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

fn draft_of(document: &Json<'_>) -> Result<Option<Draft>, Error> {
    let expected = "the URI of draft 4, 6, 7, 2019-09 or 2020-12, or of OpenAPI 3.0 or 3.1";
    Draft::of(document).map_err(|value| invalid("/$schema", expected, value))
}

fn types(at: At<'_, '_>) -> Result<Types, Error> {
    let names = match at.value {
        Json::Array(names) if !names.is_empty() => &names[..],
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

/// A number above zero that can be written out.
fn divisor(at: At<'_, '_>, meter: &Meter) -> Result<Decimal, Error> {
    let divisor = decimal_of(at.value, at.pointer, meter)?;
    if divisor.is_zero() || divisor.is_negative {
        return Err(invalid(at.pointer, "a number above zero", at.value));
    }
    Ok(divisor)
}

/// A number that can be written out.
pub(super) fn decimal_of(value: &Json<'_>, pointer: &str, meter: &Meter) -> Result<Decimal, Error> {
    let places = limit!(meter.limits(), number_places);
    let number = value.as_number().ok_or_else(|| invalid(pointer, "a number", value))?;
    let decimal = Decimal::parse(number.as_str());
    if decimal.has_places_within(places.value as i64) {
        return Ok(decimal);
    }
    Err(places.exceeded().at(pointer))
}

fn list<'a>(at: At<'a, '_>) -> Result<&'a [Json<'a>], Error> {
    let values = at.value.as_array();
    values.ok_or_else(|| invalid(at.pointer, "a list of values", at.value))
}

/// The members of a keyword's value; none if the keyword is not there.
fn object_of_schemas<'a>(
    keywords: Siblings<'a>,
    keyword: &str,
    pointer: &str,
) -> Result<impl Iterator<Item = (&'a str, &'a Json<'a>)>, Error> {
    let value = keywords.get(keyword);
    let members = value.map(|value| {
        value.as_object().ok_or_else(|| invalid(pointer, "an object of schemas", value))
    });
    Ok(members.transpose()?.into_iter().flat_map(Object::iter))
}

fn invalid(pointer: &str, expected: &str, got: &Json<'_>) -> Error {
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

fn unsupported(pointer: &str, keyword: &str, reason: &str) -> Error {
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
