//! Verdicts on the official JSON-Schema-Test-Suite.
//!
//! `ESPALIER_JSON_SCHEMA_TEST_SUITE=path/to/suite cargo test --test json_schema_test_suite --
//! --ignored --nocapture`. Schemas with keywords that are not supported are counted, not judged.
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use espalier_constraint::{Constraint, Error, JsonSchemaOptions};
use serde_json::Value;
use support::data;
use support::following;
use support::spelling::Spelling;

const DRAFTS: [(&str, &str); 5] = [
    ("draft4", "http://json-schema.org/draft-04/schema#"),
    ("draft6", "http://json-schema.org/draft-06/schema#"),
    ("draft7", "http://json-schema.org/draft-07/schema#"),
    ("draft2019-09", "https://json-schema.org/draft/2019-09/schema"),
    ("draft2020-12", "https://json-schema.org/draft/2020-12/schema"),
];

#[test]
#[ignore = "needs the suite"]
fn verdicts_are_right() {
    let root = std::env::var("ESPALIER_JSON_SCHEMA_TEST_SUITE").expect("the path of the suite");
    let mut wrong = Vec::new();
    for (draft, metaschema) in DRAFTS {
        let folder = Path::new(&root).join("tests").join(draft);
        let remotes = remotes(&Path::new(&root).join("remotes"), draft);
        let (mut n_judged, mut n_refused) = (0, 0);
        for (file, group) in groups(&folder) {
            match verdicts(&group, metaschema, &remotes) {
                Some(verdicts) => {
                    n_judged += verdicts.len();
                    let wrong_ones = verdicts.into_iter().filter(|(_, is_right)| !is_right);
                    wrong.extend(wrong_ones.map(|(test, _)| format!("{draft} {file}: {test}")));
                }
                None => n_refused += 1,
            }
        }
        println!("{draft}: {n_judged} tests judged, {n_refused} schemas refused");
    }
    assert!(wrong.is_empty(), "{} verdicts are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The documents that the suite's schemas refer to, by URI: those of the draft, and those of all.
fn remotes(folder: &Path, draft: &str) -> Vec<(String, String)> {
    let mut open = vec![folder.to_owned()];
    let mut remotes = Vec::new();
    while let Some(path) = open.pop() {
        let inside = path.strip_prefix(folder).expect("below").to_string_lossy().into_owned();
        let is_other = DRAFTS.iter().any(|(other, _)| *other != draft && inside == *other);
        if path.is_dir() && !is_other && inside != "v1" && inside != "draft3" {
            let files = fs::read_dir(&path).expect("a folder of the suite");
            open.extend(files.map(|file| file.expect("a file").path()));
        } else if path.is_file() {
            let text = fs::read_to_string(&path).expect("a file of the suite");
            remotes.push((format!("http://localhost:1234/{inside}"), text));
        }
    }
    remotes
}

/// The groups of all files in the folder and in its folder `optional`, with the file's name.
fn groups(folder: &Path) -> Vec<(String, Value)> {
    let files_of = |folder: PathBuf| {
        let files = fs::read_dir(folder).expect("a folder of the suite");
        files.map(|file| file.expect("a file").path()).filter(|path| path.is_file())
    };
    let files = files_of(folder.to_owned()).chain(files_of(folder.join("optional")));
    // Encodings and media types of strings are annotations here, as the specification has them.
    let files = files.filter(|path| !path.ends_with("content.json"));
    let groups_of = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a file of the suite");
        let groups: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        groups.into_iter().map(move |group| (name.clone(), group))
    };
    files.flat_map(groups_of).collect()
}

/// Whether the verdict on each test is right; `None` when the schema is refused.
fn verdicts(
    group: &Value,
    metaschema: &str,
    remotes: &[(String, String)],
) -> Option<Vec<(String, bool)>> {
    let mut schema = group["schema"].clone();
    if let Some(keywords) = schema.as_object_mut() {
        keywords.entry("$schema").or_insert_with(|| metaschema.into());
    }
    let vocabulary = data::read_vocabulary("bytes");
    let options = JsonSchemaOptions::matching();
    let remotes: Vec<(&str, &str)> =
        remotes.iter().map(|(uri, text)| (uri.as_str(), text.as_str())).collect();
    let schema = schema.to_string();
    let constraint = match Constraint::json_schema_with(&schema, &remotes, &options, &vocabulary) {
        Ok(constraint) => Some(constraint),
        Err(Error::Unsatisfiable { .. }) => None,
        Err(_) => return None,
    };
    let tests = group["tests"].as_array().expect("tests").iter();
    let verdict = |test: &Value| {
        let text = Spelling::Python.write(&test["data"]);
        let accepted = (constraint.as_ref())
            .is_some_and(|constraint| following::by_text(constraint, text.as_bytes()).is_ok());
        let named = format!("{}: {}", group["description"], test["description"]);
        (named, accepted == (test["valid"] == true))
    };
    Some(tests.map(verdict).collect())
}
