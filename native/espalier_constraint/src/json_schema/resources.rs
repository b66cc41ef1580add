//! [`Resources`]: the documents of a schema, and what references lead to.
//!
//! A place is a JSON Pointer into the schema's own document, or the URI of another document, `#` and a
//! JSON Pointer into that. Identifiers and anchors are only looked for where schemas stand.

use std::sync::{Arc, LazyLock};

use referencing::{Uri, UriRef, meta};
use rustc_hash::{FxHashMap, FxHashSet};

use super::draft::Draft;
use super::json::{Json, Object};
use super::place::{decode_percent, parent, push_child, value_at};
use crate::error::Error;
use crate::limits::limit;
use crate::meter::Meter;

/// What identifiers are resolved against where there is no other.
const DEFAULT_BASE: &str = "espalier:///schema";

/// All documents, and where their identifiers are.
#[derive(Debug)]
pub(super) struct Resources<'a> {
    documents: Vec<Document<'a>>,
    /// The place of each schema with an identifier, by its absolute URI.
    by_uri: FxHashMap<String, String>,
    /// The URI of each schema with an identifier, by its place.
    uris: FxHashMap<String, String>,
    /// Places by URI and anchor.
    anchors: FxHashMap<(String, String), String>,
    dynamic_anchors: FxHashSet<(String, String)>,
    uris_with_dynamic_anchors: FxHashSet<String>,
}

#[derive(Debug)]
struct Document<'a> {
    /// What the places in it begin with.
    prefix: String,
    value: &'a Json<'a>,
    draft: Draft,
}

static METASCHEMAS: LazyLock<Vec<(Draft, Json<'static>)>> = LazyLock::new(|| {
    let metaschemas = TEXTS.iter();
    metaschemas.map(|(draft, value)| (*draft, Json::from(&****value))).collect()
});

static TEXTS: [(Draft, &LazyLock<Arc<serde_json::Value>>); 18] = [
    (Draft::Draft4, &meta::DRAFT4),
    (Draft::Draft6, &meta::DRAFT6),
    (Draft::Draft7, &meta::DRAFT7),
    (Draft::Draft2019, &meta::DRAFT201909),
    (Draft::Draft2019, &meta::DRAFT201909_CORE),
    (Draft::Draft2019, &meta::DRAFT201909_APPLICATOR),
    (Draft::Draft2019, &meta::DRAFT201909_VALIDATION),
    (Draft::Draft2019, &meta::DRAFT201909_META_DATA),
    (Draft::Draft2019, &meta::DRAFT201909_FORMAT),
    (Draft::Draft2019, &meta::DRAFT201909_CONTENT),
    (Draft::Draft2020, &meta::DRAFT202012),
    (Draft::Draft2020, &meta::DRAFT202012_CORE),
    (Draft::Draft2020, &meta::DRAFT202012_APPLICATOR),
    (Draft::Draft2020, &meta::DRAFT202012_UNEVALUATED),
    (Draft::Draft2020, &meta::DRAFT202012_VALIDATION),
    (Draft::Draft2020, &meta::DRAFT202012_META_DATA),
    (Draft::Draft2020, &meta::DRAFT202012_FORMAT_ANNOTATION),
    (Draft::Draft2020, &meta::DRAFT202012_CONTENT),
];

/// The name that `$recursiveAnchor` gives.
const RECURSIVE: &str = "";

impl<'a> Resources<'a> {
    /// The schema's own document, and others by URI.
    pub(super) fn new(
        document: (&'a Json<'a>, Draft),
        others: &'a [(String, Json<'a>, Draft)],
        meter: &Meter,
    ) -> Result<Self, Error> {
        let mut resources = Self {
            documents: Vec::new(),
            by_uri: FxHashMap::default(),
            uris: FxHashMap::default(),
            anchors: FxHashMap::default(),
            dynamic_anchors: FxHashSet::default(),
            uris_with_dynamic_anchors: FxHashSet::default(),
        };
        resources.add(String::new(), DEFAULT_BASE, document, meter)?;
        for (uri, value, draft) in others {
            let uri = uri.trim_end_matches('#');
            resources.add(format!("{uri}#"), uri, (value, *draft), meter)?;
        }
        Ok(resources)
    }

    fn add(
        &mut self,
        prefix: String,
        uri: &str,
        (value, draft): (&'a Json<'a>, Draft),
        meter: &Meter,
    ) -> Result<(), Error> {
        let mut n_place_bytes = 0;
        self.by_uri.insert(uri.to_owned(), prefix.clone());
        self.uris.insert(prefix.clone(), uri.to_owned());
        // Places are only spelled where there is an identifier: each is what is added to the one before.
        let mut steps: Vec<Step<'_>> = Vec::new();
        let mut open = vec![Open { step: None, n_bytes: prefix.len(), base: uri.into(), value }];
        while let Some(Open { step, n_bytes, mut base, value }) = open.pop() {
            meter.spend(1 + n_bytes / 16)?;
            if has_identifier(value) {
                let place = spell(&prefix, &steps, step);
                base = self.add_identifiers(&place, (*base).to_owned(), value, draft).into();
            }
            for_each_subschema(value, draft, |keyword, member, value| {
                let n_bytes = n_bytes + 1 + keyword.len() + member.n_bytes();
                n_place_bytes += n_bytes;
                steps.push(Step { before: step, keyword, member });
                let step = Some(steps.len() - 1);
                open.push(Open { step, n_bytes, base: base.clone(), value });
            });
            limit!(meter.limits(), place_bytes).check(n_place_bytes)?;
        }
        self.documents.push(Document { prefix, value, draft });
        Ok(())
    }

    /// The base of what stands in the schema.
    fn add_identifiers(
        &mut self,
        place: &str,
        mut base: String,
        schema: &Json<'_>,
        draft: Draft,
    ) -> String {
        let keyword = if draft == Draft::Draft4 { "id" } else { "$id" };
        let text = |name: &str| schema.get(name).and_then(Json::as_str);
        // Up to draft 7 the siblings of a reference mean nothing.
        let has_identifier = draft > Draft::Draft7 || schema.get("$ref").is_none();
        if let Some(id) = text(keyword).filter(|_| has_identifier) {
            let (uri, fragment) = resolve(&base, id);
            if !uri.is_empty() && uri != base || fragment.is_empty() {
                self.by_uri.entry(uri.clone()).or_insert_with(|| place.to_owned());
                self.uris.insert(place.to_owned(), uri.clone());
                base = uri;
            }
            if !fragment.is_empty() {
                self.anchors.insert((base.clone(), fragment), place.to_owned());
            }
        }
        if draft >= Draft::Draft2019 {
            let recursive = schema.get("$recursiveAnchor").and_then(Json::as_bool) == Some(true);
            let dynamic = text("$dynamicAnchor").or(recursive.then_some(RECURSIVE));
            for name in text("$anchor").into_iter().chain(dynamic) {
                self.anchors.insert((base.clone(), name.to_owned()), place.to_owned());
            }
            self.dynamic_anchors.extend(dynamic.map(|name| (base.clone(), name.to_owned())));
            self.uris_with_dynamic_anchors.extend(dynamic.map(|_| base.clone()));
        }
        base
    }

    /// Adds the schemas of schemas of all drafts.
    pub(super) fn add_metaschemas(&mut self, meter: &Meter) -> Result<(), Error> {
        for (draft, metaschema) in METASCHEMAS.iter() {
            let id = metaschema.get("$id").or_else(|| metaschema.get("id")).and_then(Json::as_str);
            let uri = id.unwrap_or_default().trim_end_matches('#');
            self.add(format!("{uri}#"), uri, (metaschema, *draft), meter)?;
        }
        Ok(())
    }

    /// The value at a place, if there is one.
    pub(super) fn get(&self, place: &str) -> Option<&'a Json<'a>> {
        let document = self.document(place);
        value_at(document.value, &place[document.prefix.len()..])
    }

    pub(super) fn draft(&self, place: &str) -> Draft {
        self.document(place).draft
    }

    fn document(&self, place: &str) -> &Document<'a> {
        let others = self.documents[1..].iter().filter(|other| place.starts_with(&other.prefix));
        others.max_by_key(|other| other.prefix.len()).unwrap_or(&self.documents[0])
    }

    /// The URI against which references at a place are resolved.
    pub(super) fn base(&self, place: &str, meter: &Meter) -> Result<&str, Error> {
        let mut at = if self.uris.len() == 1 { "" } else { place };
        loop {
            meter.spend(1 + at.len() / 16)?;
            if let Some(uri) = self.uris.get(at) {
                return Ok(uri);
            }
            if at.is_empty() {
                return Ok(DEFAULT_BASE);
            }
            at = parent(at);
        }
    }

    /// The place that a reference from another place leads to, whether or not something is there.
    pub(super) fn target(
        &self,
        from: &str,
        reference: &str,
        meter: &Meter,
    ) -> Result<Option<String>, Error> {
        meter.spend(1 + reference.len() / 4)?;
        let (uri, fragment) = resolve(self.base(from, meter)?, reference);
        let Some(root) = self.by_uri.get(&uri) else { return Ok(None) };
        if fragment.is_empty() || fragment.starts_with('/') {
            return Ok(Some(format!("{root}{fragment}")));
        }
        Ok(self.anchors.get(&(uri, fragment)).cloned())
    }

    /// Whether a reference names a dynamic anchor; that name.
    pub(super) fn dynamic_name(
        &self,
        from: &str,
        reference: &str,
        meter: &Meter,
    ) -> Result<Option<String>, Error> {
        let (uri, fragment) = resolve(self.base(from, meter)?, reference);
        Ok(self.dynamic_anchors.contains(&(uri, fragment.clone())).then_some(fragment))
    }

    /// Whether the schemas of a URI have a dynamic anchor.
    pub(super) fn has_dynamic_anchor(&self, uri: &str) -> bool {
        self.uris_with_dynamic_anchors.contains(uri)
    }

    /// The place of a dynamic anchor.
    pub(super) fn dynamic_target(&self, uri: &str, name: &str) -> Option<String> {
        let key = (uri.to_owned(), name.to_owned());
        self.dynamic_anchors.contains(&key).then(|| self.anchors.get(&key).cloned()).flatten()
    }
}

/// The absolute URI of a reference without its fragment, and the fragment, decoded.
fn resolve(base: &str, reference: &str) -> (String, String) {
    let (reference, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let fragment = decode_percent(fragment);
    if reference.is_empty() {
        return (base.to_owned(), fragment);
    }
    let resolved = UriRef::parse(reference).ok().and_then(|reference| {
        let base = Uri::parse(base).ok()?;
        reference.resolve_against(&base).ok()
    });
    let uri = resolved.map_or_else(|| reference.to_owned(), |uri| uri.as_str().to_owned());
    (uri, fragment)
}

/// A schema whose subschemas are looked for.
struct Open<'a> {
    /// The last step to it.
    step: Option<usize>,
    /// About the bytes of its place.
    n_bytes: usize,
    base: Arc<str>,
    value: &'a Json<'a>,
}

/// From a schema to one in it.
struct Step<'a> {
    /// The step that led to the schema.
    before: Option<usize>,
    keyword: &'a str,
    member: Member<'a>,
}

/// Which of the schemas of a keyword.
#[derive(Clone, Copy)]
enum Member<'a> {
    Only,
    Index(usize),
    Name(&'a str),
}

impl Member<'_> {
    fn n_bytes(self) -> usize {
        match self {
            Self::Only => 0,
            Self::Index(_) => 2,
            Self::Name(name) => 1 + name.len(),
        }
    }
}

/// The place that the steps lead to.
fn spell(prefix: &str, steps: &[Step<'_>], last: Option<usize>) -> String {
    let way = std::iter::successors(last, |&step| steps[step].before);
    let mut place = prefix.to_owned();
    for step in way.collect::<Vec<_>>().into_iter().rev() {
        push_child(&mut place, steps[step].keyword);
        match steps[step].member {
            Member::Only => {}
            Member::Index(index) => push_child(&mut place, &index.to_string()),
            Member::Name(name) => push_child(&mut place, name),
        }
    }
    place
}

/// Whether a schema has a keyword that gives it a name, in any draft.
fn has_identifier(schema: &Json<'_>) -> bool {
    let names = ["id", "$id", "$anchor", "$recursiveAnchor", "$dynamicAnchor"];
    let mut keywords = schema.as_object().into_iter().flat_map(Object::keys);
    keywords.any(|keyword| names.contains(&keyword))
}

/// Calls with each schema in a schema: the keyword, which of its schemas it is, and the schema.
fn for_each_subschema<'a>(
    schema: &'a Json<'a>,
    draft: Draft,
    mut call: impl FnMut(&'a str, Member<'a>, &'a Json<'a>),
) {
    for (keyword, value) in schema.as_object().into_iter().flat_map(Object::iter) {
        match (keyword, value) {
            ("items" | "dependencies", Json::Array(_)) if draft >= Draft::Draft2020 => {}
            ("allOf" | "anyOf" | "oneOf" | "prefixItems" | "items", Json::Array(schemas)) => {
                for (index, value) in schemas.iter().enumerate() {
                    call(keyword, Member::Index(index), value);
                }
            }
            (
                "$defs" | "definitions" | "properties" | "patternProperties" | "dependentSchemas"
                | "dependencies",
                Json::Object(schemas),
            ) => {
                for (name, value) in schemas.iter().filter(|(_, value)| value.as_array().is_none())
                {
                    call(keyword, Member::Name(name), value);
                }
            }
            (
                "additionalItems"
                | "additionalProperties"
                | "contains"
                | "contentSchema"
                | "else"
                | "if"
                | "items"
                | "not"
                | "propertyNames"
                | "then"
                | "unevaluatedItems"
                | "unevaluatedProperties",
                Json::Object(_) | Json::Bool(_),
            ) => call(keyword, Member::Only, value),
            _ => {}
        }
    }
}
