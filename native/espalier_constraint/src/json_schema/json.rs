//! [`Json`]: a JSON text as it was read, its strings borrowed from it where they can be.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Number, Value};

#[derive(Clone, Debug)]
pub(super) enum Json<'t> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'t, str>),
    Array(Vec<Json<'t>>),
    Object(Object<'t>),
}

/// The members of an object in their order, each key once: the last value that it has in the text.
#[derive(Clone, Debug, Default)]
pub(super) struct Object<'t> {
    members: Members<'t>,
    /// Where these are many: their places, ascending by key.
    by_key: Box<[u32]>,
}

type Members<'t> = Vec<(Cow<'t, str>, Json<'t>)>;

/// Looking at so many keys is quicker than searching in order.
const FEW: usize = 16;

/// The key of the digits of a number that `serde_json` gives as an object: of any but small integers.
const NUMBER: &str = "$serde_json::private::Number";

impl<'t> Json<'t> {
    /// Reads a text.
    pub(super) fn read(text: &'t str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    pub(super) fn as_number(&self) -> Option<&Number> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    pub(super) fn as_object(&self) -> Option<&Object<'t>> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The value of a key, if this is an object that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }
}

impl<'t> Object<'t> {
    fn new(members: Members<'t>) -> Self {
        let by_key = if members.len() > FEW { in_order(&members) } else { Box::default() };
        if is_repeated(&members, &by_key) {
            return Self::new(each_key_once(members));
        }
        Self { members, by_key }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Json<'t>> {
        if self.by_key.is_empty() {
            return self.members.iter().find(|(other, _)| other == key).map(|(_, value)| value);
        }
        let key_of = |index: u32| &*self.members[index as usize].0;
        let found = self.by_key.binary_search_by(|&index| key_of(index).cmp(key)).ok()?;
        Some(&self.members[self.by_key[found] as usize].1)
    }

    pub(super) fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(key, _)| &**key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Json<'t>)> {
        self.members.iter().map(|(key, value)| (&**key, value))
    }
}

/// The places of the members, ascending by key.
fn in_order(members: &Members<'_>) -> Box<[u32]> {
    let mut by_key: Box<[u32]> = (0..members.len() as u32).collect();
    by_key.sort_unstable_by_key(|&index| &members[index as usize].0);
    by_key
}

/// Whether some key is there twice.
fn is_repeated(members: &Members<'_>, by_key: &[u32]) -> bool {
    let key_of = |index: usize| &members[index].0;
    if by_key.is_empty() {
        return (1..members.len())
            .any(|index| (0..index).any(|other| key_of(other) == key_of(index)));
    }
    by_key.windows(2).any(|pair| key_of(pair[0] as usize) == key_of(pair[1] as usize))
}

/// Each key in its first place with its last value.
fn each_key_once(members: Members<'_>) -> Members<'_> {
    let (mut places, mut kept): (HashMap<_, usize>, _) = (HashMap::new(), Members::new());
    for (key, value) in members {
        match places.entry(key.clone()) {
            Entry::Occupied(place) => kept[*place.get()].1 = value,
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push((key, value));
            }
        }
    }
    kept
}

impl<'t> From<&'t Value> for Json<'t> {
    fn from(value: &'t Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::String(text.into()),
            Value::Array(items) => Self::Array(items.iter().map(Into::into).collect()),
            Value::Object(members) => {
                let members = members.iter().map(|(key, value)| (key.into(), value.into()));
                Self::Object(Object::new(members.collect()))
            }
        }
    }
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(object) => {
                let mut map = serializer.serialize_map(Some(object.len()))?;
                for (key, value) in object.iter() {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'t> Deserialize<'t> for Json<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'t> Visitor<'t> for JsonVisitor {
    type Value = Json<'t>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'t>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json<'t>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json<'t>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Json<'t>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json<'t>, E> {
        Ok(Json::String(text.to_owned().into()))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'t str) -> Result<Json<'t>, E> {
        Ok(Json::String(text.into()))
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut items: A) -> Result<Json<'t>, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Json::Array(all))
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Json<'t>, A::Error> {
        let mut members = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            if members.is_empty() && key == NUMBER {
                let digits: String = map.next_value()?;
                return Number::from_str(&digits).map(Json::Number).map_err(Error::custom);
            }
            members.push((key, map.next_value()?));
        }
        Ok(Json::Object(Object::new(members)))
    }
}

/// A key, borrowed where it can be.
struct Key<'t>(Cow<'t, str>);

impl<'t> Deserialize<'t> for Key<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'t> Visitor<'t> for KeyVisitor {
    type Value = Key<'t>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Key<'t>, E> {
        Ok(Key(text.to_owned().into()))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'t str) -> Result<Key<'t>, E> {
        Ok(Key(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object with so many members.
    fn object(n_members: usize) -> String {
        let members = (0..n_members).map(|index| format!(r#""k{}":{index}"#, index * 7 % 101));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn is_read_as_serde_json_reads_it() {
        let texts = [
            r#"{"b": [null, true, -0, 1, -7, 1.50, 1e999, 123456789012345678901234567890], "a": {}}"#,
            r#"{"a": 1, "b": 2, "a": [3]}"#,
            r#"{"é\n\"": "\ud83d\ude00/\/", "": ""}"#,
            &object(16),
            &object(17),
            &object(150),
        ];
        for text in texts {
            let other: Value = serde_json::from_str(text).unwrap();
            assert_eq!(Json::read(text).unwrap().to_string(), other.to_string());
            assert_eq!(Json::from(&other).to_string(), other.to_string());
        }
        for text in ["", "{", "[1,]", r#"{"a" 1}"#, "01", "\"\\x\"", "1 2"] {
            let other = serde_json::from_str::<Value>(text).unwrap_err();
            assert_eq!(Json::read(text).unwrap_err().to_string(), other.to_string());
        }
    }

    #[test]
    fn values_are_found_by_key() {
        for n_members in [0, 16, 17, 150] {
            let text = object(n_members);
            let (json, other): (_, Value) =
                (Json::read(&text).unwrap(), serde_json::from_str(&text).unwrap());
            for key in (0..=101).map(|index| format!("k{index}")) {
                let value = json.get(&key).map(Json::to_string);
                assert_eq!(value, other.get(&key).map(Value::to_string), "{key} of {n_members}");
            }
        }
    }
}
