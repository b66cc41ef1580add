//! Random instances: nearly valid ones for a schema, and small changes to them.

use serde_json::{Map, Value, json};

use super::random::Random;
use super::schemas::{random_bound, random_constant, random_key};

const STRINGS: [&str; 18] = [
    "", "a", "b", "ab", "ba", "abab", "ababab", "aa", "aaa", "bbbbb", "é", "a1", " ", "abc", "\n",
    "\"", "😀", "éa",
];
const NUMBERS: [&str; 20] = [
    "0",
    "1",
    "-1",
    "1.5",
    "2",
    "-0.5",
    "10",
    "0.1",
    "100",
    "99",
    "2.50",
    "1e2",
    "1.0",
    "-3",
    "0.001",
    "1e-3",
    "99.99",
    "1234567890123.5",
    "1234567890123",
    "-0",
];

/// An instance that has a fair chance to be valid.
pub(crate) fn random_instance(schema: &Value, random: &mut Random) -> Value {
    instance(schema, schema, 5, random)
}

/// The instance with one small change somewhere.
pub(crate) fn mutated(value: &Value, random: &mut Random) -> Value {
    match value {
        Value::Array(items) if !items.is_empty() && !random.one_in(4) => {
            let index = random.below(items.len());
            let mut items = items.clone();
            match random.below(4) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                _ => items[index] = mutated(&items[index], random),
            }
            items.into()
        }
        Value::Object(members) if !members.is_empty() && !random.one_in(4) => {
            mutated_object(members, random)
        }
        Value::String(string) if !random.one_in(3) => mutated_string(string, random).into(),
        Value::Number(number) if !random.one_in(3) => mutated_number(&number.to_string(), random),
        Value::Array(_) if random.one_in(2) => json!([random_value(2, random)]),
        Value::Object(_) if random.one_in(2) => {
            json!({random_key(random): random_value(2, random)})
        }
        _ => random_value(2, random),
    }
}

fn mutated_object(members: &Map<String, Value>, random: &mut Random) -> Value {
    let key = members.keys().nth(random.below(members.len())).expect("a member").clone();
    let mut members = members.clone();
    match random.below(5) {
        0 => drop(members.shift_remove(&key)),
        1 => drop(members.insert(random_key(random), random_value(1, random))),
        2 => {
            // The order of the keys changes.
            let value = members.shift_remove(&key).expect("a member");
            members.insert(key, value);
        }
        _ => {
            let value = mutated(&members[&key], random);
            members.insert(key, value);
        }
    }
    members.into()
}

fn mutated_string(string: &str, random: &mut Random) -> String {
    let mut characters: Vec<char> = string.chars().collect();
    let index = random.below(characters.len() + 1);
    match random.below(3) {
        0 => characters.insert(index, *random.pick(&['a', 'b', 'é', '1', '"', ' '])),
        1 => drop(characters.pop()),
        _ => characters.extend(string.chars()),
    }
    characters.into_iter().take(12).collect()
}

fn mutated_number(number: &str, random: &mut Random) -> Value {
    let number = match random.below(4) {
        0 if !number.contains(['.', 'e']) => format!("{number}.5"),
        1 => match number.strip_prefix('-') {
            Some(positive) => positive.to_owned(),
            None => format!("-{number}"),
        },
        2 if number.contains('.') && !number.contains('e') => format!("{number}01"),
        _ => return random_number(random),
    };
    serde_json::from_str(&number).expect("a number")
}

fn instance(schema: &Value, root: &Value, depth: usize, random: &mut Random) -> Value {
    if depth == 0 {
        return random_value(0, random);
    }
    let keywords = flat(schema, root, 8, random);
    if let Some(constant) = keywords.get("const") {
        return constant.clone();
    }
    if let Some(values) = keywords.get("enum").and_then(Value::as_array)
        && !values.is_empty()
    {
        return random.pick(values).clone();
    }
    let name = match keywords.get("type") {
        Some(Value::Array(names)) => random.pick(names).as_str().unwrap_or("null").to_owned(),
        Some(Value::String(name)) => name.clone(),
        _ if keywords.contains_key("properties") || keywords.contains_key("required") => {
            "object".to_owned()
        }
        _ if keywords.contains_key("items") || keywords.contains_key("prefixItems") => {
            "array".to_owned()
        }
        _ => return random_value(depth.min(2), random),
    };
    match name.as_str() {
        "string" => (*random.pick(&STRINGS)).into(),
        "integer" | "number" => random_number(random),
        "array" => array(&keywords, root, depth, random),
        "object" => object(&keywords, root, depth, random),
        "boolean" => random.one_in(2).into(),
        _ => Value::Null,
    }
}

fn array(keywords: &Map<String, Value>, root: &Value, depth: usize, random: &mut Random) -> Value {
    let count = |keyword: &str| keywords.get(keyword).and_then(Value::as_u64).map(|n| n as usize);
    let extra = if depth == 0 { 0 } else { random.below(4) };
    let n_items =
        (count("minItems").unwrap_or(0) + extra).min(count("maxItems").unwrap_or(5)).min(5);
    let prefix = keywords.get("prefixItems").and_then(Value::as_array);
    let item = |index: usize| prefix.and_then(|prefix| prefix.get(index)).or(keywords.get("items"));
    let items = (0..n_items).map(|index| match item(index) {
        Some(schema) => instance(schema, root, depth - 1, random),
        None => random_value(1, random),
    });
    items.collect::<Vec<_>>().into()
}

fn object(keywords: &Map<String, Value>, root: &Value, depth: usize, random: &mut Random) -> Value {
    let properties = keywords.get("properties").and_then(Value::as_object);
    let required: Vec<String> =
        (keywords.get("required").and_then(Value::as_array).into_iter().flatten())
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
    let mut names: Vec<String> = (properties.into_iter().flat_map(Map::keys))
        .filter(|name| required.contains(name) || random.one_in(2))
        .cloned()
        .collect();
    names.extend(required);
    if random.one_in(4) {
        names.push(random_key(random));
    }
    let mut members = Map::new();
    for name in names {
        let schema = properties.and_then(|properties| properties.get(&name));
        let value = match schema.or(keywords.get("additionalProperties")) {
            Some(schema) => instance(schema, root, depth - 1, random),
            None => random_value(1, random),
        };
        members.insert(name, value);
    }
    members.into()
}

/// The keywords of a schema with its references and one branch of each choice taken in.
fn flat(schema: &Value, root: &Value, fuel: usize, random: &mut Random) -> Map<String, Value> {
    let Some(keywords) = schema.as_object().filter(|_| fuel > 0) else { return Map::new() };
    let mut merged = Map::new();
    let mut merge = |other: Map<String, Value>| {
        for (key, value) in other {
            match (merged.get_mut(&key), value) {
                (Some(Value::Object(members)), Value::Object(more)) => members.extend(more),
                (_, value) => drop(merged.insert(key, value)),
            }
        }
    };
    if let Some(target) = keywords.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(&target[1..]).unwrap_or(&Value::Null);
        merge(flat(target, root, fuel - 1, random));
    }
    for branch in keywords.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        merge(flat(branch, root, fuel - 1, random));
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(branches) = keywords.get(keyword).and_then(Value::as_array)
            && !branches.is_empty()
        {
            let branch = random.pick(branches);
            merge(flat(branch, root, fuel - 1, random));
        }
    }
    for keyword in ["if", "then", "else"] {
        if let Some(branch) = keywords.get(keyword).filter(|_| random.one_in(2)) {
            merge(flat(branch, root, fuel - 1, random));
        }
    }
    merge(keywords.clone());
    merged
}

fn random_value(depth: usize, random: &mut Random) -> Value {
    match random.below(9) {
        0 | 1 => (*random.pick(&STRINGS)).into(),
        2 | 3 => random_number(random),
        4 => random.one_in(2).into(),
        5 => random_constant(random),
        6 if depth > 0 => {
            let n_items = random.below(4);
            (0..n_items).map(|_| random_value(depth - 1, random)).collect::<Vec<_>>().into()
        }
        7 if depth > 0 => {
            let n_members = random.below(4);
            let members =
                (0..n_members).map(|_| (random_key(random), random_value(depth - 1, random)));
            Value::Object(members.collect())
        }
        _ => Value::Null,
    }
}

fn random_number(random: &mut Random) -> Value {
    if random.one_in(3) {
        return random_bound(random);
    }
    serde_json::from_str(random.pick::<&str>(&NUMBERS)).expect("a number")
}
