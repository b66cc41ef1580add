//! Random schemas over the supported keywords.

use serde_json::{Map, Value, json};

use super::random::Random;

const KEYS: [&str; 6] = ["a", "b", "ab", "é", "c\"", ""];
const DIVISORS: [&str; 10] = ["1", "2", "3", "0.5", "0.1", "0.25", "1.5", "10", "7", "33"];
const PATTERNS: [&str; 16] = [
    "a",
    "^a",
    "b$",
    "^(ab)*$",
    "^[ab]*$",
    "^a|b$",
    "^.{2}$",
    "\\d",
    "^[^a]",
    "é",
    "^$",
    "^\\w+$",
    "\\s",
    "(a|bb)c?",
    "^(a{3}|b{5})$",
    "^[^\"\\\\]*$",
];
const BOUNDS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "1.5",
    "-0.5",
    "10",
    "0.1",
    "100",
    "2.5",
    "1e2",
    "-3",
    "99.99",
    "0.001",
    "1234567890123",
];
const TYPES: [&str; 7] = ["string", "integer", "number", "array", "object", "null", "boolean"];
/// What `enum` and `const` are made of.
const CONSTANTS: [&str; 22] = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "1.0",
    "-1",
    "10",
    "1.5",
    "1e2",
    "\"\"",
    "\"a\"",
    "\"ab\"",
    "\"é\"",
    "\"b\\\"\"",
    "\"abab\"",
    "[]",
    "[1]",
    "[1,\"a\"]",
    "{}",
    "{\"a\":1}",
    "{\"b\":{\"a\":[]},\"a\":\"ab\"}",
];

/// A schema with definitions that may be recursive, for the draft 2020-12.
pub(crate) fn random_schema(random: &mut Random) -> Value {
    let n_definitions = random.below(3);
    let mut generator = Generator { random, n_definitions };
    let mut schema = generator.schema(3);
    if let Some(members) = schema.as_object_mut()
        && n_definitions > 0
    {
        let definitions =
            (0..n_definitions).map(|index| (format!("d{index}"), generator.schema(2)));
        members.insert("$defs".to_owned(), Value::Object(definitions.collect()));
        return schema;
    }
    // A boolean schema has no definitions, so nothing may refer to them.
    if n_definitions > 0 { json!({}) } else { schema }
}

/// A constant out of those that schemas are made of.
pub(crate) fn random_constant(random: &mut Random) -> Value {
    parse(random.pick::<&str>(&CONSTANTS))
}

pub(crate) fn random_key(random: &mut Random) -> String {
    (*random.pick(&KEYS)).to_owned()
}

/// Of these the numbers of a random instance are made, too.
pub(crate) fn random_bound(random: &mut Random) -> Value {
    parse(random.pick::<&str>(&BOUNDS))
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("valid JSON")
}

struct Generator<'a> {
    random: &'a mut Random,
    n_definitions: usize,
}

impl Generator<'_> {
    fn schema(&mut self, depth: usize) -> Value {
        match self.random.below(22) {
            0 => Value::from(!self.random.one_in(3)),
            1 => json!({"const": random_constant(self.random)}),
            2 | 3 => self.enumeration(),
            4 | 5 if depth > 0 => self.combination("anyOf", depth),
            6 if depth > 0 => self.combination("allOf", depth),
            17 if depth > 0 => self.combination("oneOf", depth),
            18 if depth > 0 => self.negation(depth),
            19 if depth > 0 => self.conditional(depth),
            7 => {
                let mut members = self.any_type(depth);
                members.insert(
                    "type".to_owned(),
                    json!([self.random.pick(&TYPES[..3]), self.random.pick(&TYPES[3..])]),
                );
                Value::Object(members)
            }
            8 => Value::Object(self.any_type(depth)),
            9..14 if depth > 0 => self.typed("object", depth),
            14..17 if depth > 0 => self.typed("array", depth),
            _ => {
                let name = *self.random.pick(&TYPES);
                self.typed(name, depth)
            }
        }
    }

    /// A schema in the place of a child value, where a reference can do no harm.
    fn child(&mut self, depth: usize) -> Value {
        if self.random.one_in(4) {
            let target = match self.n_definitions {
                0 => "#".to_owned(),
                n => format!("#/$defs/d{}", self.random.below(n)),
            };
            let mut members = if self.random.one_in(4) { self.any_type(0) } else { Map::new() };
            members.insert("$ref".to_owned(), target.into());
            return Value::Object(members);
        }
        self.schema(depth.saturating_sub(1))
    }

    fn enumeration(&mut self) -> Value {
        let n = 1 + self.random.below(4);
        let mut values: Vec<Value> = Vec::new();
        for value in (0..n).map(|_| random_constant(self.random)).collect::<Vec<_>>() {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        json!({"enum": values})
    }

    fn combination(&mut self, keyword: &str, depth: usize) -> Value {
        let mut members = if self.random.one_in(3) { self.any_type(depth - 1) } else { Map::new() };
        let n = 1 + self.random.below(3);
        // Branches of one type are the interesting ones.
        let name = *self.random.pick(&TYPES[..5]);
        let of_one_type = !self.random.one_in(3);
        let branch = |generator: &mut Self| {
            if of_one_type { generator.typed(name, depth - 1) } else { generator.schema(depth - 1) }
        };
        let branches: Vec<Value> = (0..n).map(|_| branch(self)).collect();
        members.insert(keyword.to_owned(), branches.into());
        Value::Object(members)
    }

    /// `not`, beside other keywords or alone.
    fn negation(&mut self, depth: usize) -> Value {
        let name = *self.random.pick(&TYPES[..5]);
        let denied = self.typed(name, depth - 1);
        let mut members = match self.typed(name, depth - 1) {
            Value::Object(members) if !self.random.one_in(3) => members,
            _ => Map::new(),
        };
        members.insert("not".to_owned(), denied);
        Value::Object(members)
    }

    fn conditional(&mut self, depth: usize) -> Value {
        let name = *self.random.pick(&TYPES[..5]);
        let mut members = if self.random.one_in(3) { self.any_type(depth - 1) } else { Map::new() };
        for keyword in ["if", "then", "else"] {
            if keyword == "if" || !self.random.one_in(4) {
                members.insert(keyword.to_owned(), self.typed(name, depth - 1));
            }
        }
        Value::Object(members)
    }

    fn typed(&mut self, name: &str, depth: usize) -> Value {
        let mut members = Map::new();
        if !self.random.one_in(8) {
            members.insert("type".to_owned(), name.into());
        }
        match name {
            "string" => self.string(&mut members),
            "integer" | "number" => self.number(&mut members),
            "array" => self.array(&mut members, depth),
            "object" => self.object(&mut members, depth),
            _ => {}
        }
        Value::Object(members)
    }

    /// Keywords of several types.
    fn any_type(&mut self, depth: usize) -> Map<String, Value> {
        let mut members = Map::new();
        if self.random.one_in(2) {
            self.string(&mut members);
        }
        if self.random.one_in(2) {
            self.number(&mut members);
        }
        if self.random.one_in(3) {
            self.array(&mut members, depth);
        }
        if self.random.one_in(3) {
            self.object(&mut members, depth);
        }
        members
    }

    fn string(&mut self, members: &mut Map<String, Value>) {
        self.count(members, "minLength", 4);
        self.count(members, "maxLength", 6);
        if self.random.one_in(3) {
            members.insert("pattern".to_owned(), (*self.random.pick(&PATTERNS)).into());
        }
    }

    fn number(&mut self, members: &mut Map<String, Value>) {
        for keyword in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
            if self.random.one_in(4) {
                members.insert(keyword.to_owned(), random_bound(self.random));
            }
        }
        if self.random.one_in(4) {
            members.insert("multipleOf".to_owned(), parse(self.random.pick::<&str>(&DIVISORS)));
        }
    }

    fn array(&mut self, members: &mut Map<String, Value>, depth: usize) {
        self.count(members, "minItems", 3);
        self.count(members, "maxItems", 4);
        if self.random.one_in(3) {
            let n = 1 + self.random.below(3);
            let items: Vec<Value> = (0..n).map(|_| self.child(depth)).collect();
            members.insert("prefixItems".to_owned(), items.into());
        }
        if self.random.one_in(2) {
            members.insert("items".to_owned(), self.child(depth));
        }
        if self.random.one_in(8) {
            members.insert("unevaluatedItems".to_owned(), self.child(depth));
        }
        if self.random.one_in(6) {
            members.insert("uniqueItems".to_owned(), true.into());
        } else if self.random.one_in(5) {
            members.insert("contains".to_owned(), self.child(depth));
            self.count(members, "minContains", 3);
            self.count(members, "maxContains", 3);
        }
    }

    fn object(&mut self, members: &mut Map<String, Value>, depth: usize) {
        if !self.random.one_in(4) {
            let n = 1 + self.random.below(3);
            let properties = (0..n).map(|_| (random_key(self.random), self.child(depth)));
            let properties = Value::Object(properties.collect());
            members.insert("properties".to_owned(), properties);
        }
        if self.random.one_in(2) {
            let mut names: Vec<String> =
                (0..=self.random.below(2)).map(|_| random_key(self.random)).collect();
            names.dedup();
            members.insert("required".to_owned(), names.into());
        }
        if self.random.one_in(3) {
            let rest = if self.random.one_in(2) { Value::from(false) } else { self.child(depth) };
            members.insert("additionalProperties".to_owned(), rest);
        }
        if self.random.one_in(5) {
            let n = 1 + self.random.below(2);
            let pattern = |random: &mut Random| (*random.pick(&PATTERNS)).to_owned();
            let patterns = (0..n).map(|_| (pattern(self.random), self.child(depth)));
            let patterns = Value::Object(patterns.collect());
            members.insert("patternProperties".to_owned(), patterns);
        }
        if self.random.one_in(8) {
            members.insert("unevaluatedProperties".to_owned(), self.child(depth));
        }
        if self.random.one_in(8) {
            members.insert("propertyNames".to_owned(), self.typed("string", 0));
        }
        self.count(members, "minProperties", 3);
        self.count(members, "maxProperties", 4);
        if self.random.one_in(8) {
            let (key, needed) = (random_key(self.random), random_key(self.random));
            members.insert("dependentRequired".to_owned(), json!({key: [needed]}));
        }
        if self.random.one_in(8) && depth > 0 {
            let key = random_key(self.random);
            let needed = self.typed("object", depth - 1);
            members.insert("dependentSchemas".to_owned(), json!({key: needed}));
        }
    }

    fn count(&mut self, members: &mut Map<String, Value>, keyword: &str, end: usize) {
        if self.random.one_in(4) {
            members.insert(keyword.to_owned(), self.random.below(end).into());
        }
    }
}

/// Makes a value that fails smaller, as long as it fails: takes out one part after another.
pub(crate) fn shrink(value: &Value, fails: &dyn Fn(&Value) -> bool) -> Value {
    let mut smallest = value.clone();
    while let Some(smaller) = smaller_values(&smallest).into_iter().find(|smaller| fails(smaller)) {
        smallest = smaller;
    }
    smallest
}

/// The value with one part less, for each part.
fn smaller_values(value: &Value) -> Vec<Value> {
    let mut smaller = Vec::new();
    match value {
        Value::Object(members) => {
            for key in members.keys() {
                let mut fewer = members.clone();
                fewer.shift_remove(key);
                smaller.push(Value::Object(fewer));
            }
            for (key, part) in members {
                let parts = smaller_values(part).into_iter();
                smaller.extend(parts.map(|part| {
                    let mut members = members.clone();
                    members.insert(key.clone(), part);
                    Value::Object(members)
                }));
            }
        }
        Value::Array(items) => {
            for index in 0..items.len() {
                let mut fewer = items.clone();
                fewer.remove(index);
                smaller.push(Value::Array(fewer));
                let parts = smaller_values(&items[index]).into_iter();
                smaller.extend(parts.map(|part| {
                    let mut items = items.clone();
                    items[index] = part;
                    Value::Array(items)
                }));
            }
        }
        _ => {}
    }
    smaller
}
