//! Verdicts on the official JSON-Schema-Test-Suite.
//!
//! `ESPALIER_JSON_SCHEMA_TEST_SUITE=path/to/suite cargo test --test json_schema_test_suite --
//! --ignored --nocapture`. Schemas with keywords that are not supported are counted, not judged.
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use espalier_constraint::{Constraint, Error, FormatMode, JsonSchemaOptions};
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

/// The tests that are judged otherwise knowingly: why, and in which file.
const KNOWN: &[(&str, &str, &[&str])] = &[];

#[test]
#[ignore = "needs the suite"]
fn verdicts_are_right() {
    let root = std::env::var("ESPALIER_JSON_SCHEMA_TEST_SUITE").expect("the path of the suite");
    let mut wrong = Vec::new();
    for (draft, metaschema) in DRAFTS {
        let folder = Path::new(&root).join("tests").join(draft);
        let (mut n_judged, mut n_refused) = (0, 0);
        for (file, group) in groups(&folder) {
            match verdicts(&group, metaschema, mode_of(&file)) {
                Some(verdicts) => {
                    n_judged += verdicts.len();
                    let wrong_ones = verdicts.into_iter().filter(|(_, is_right)| !is_right);
                    wrong.extend(wrong_ones.map(|(test, _)| (draft, file.clone(), test)));
                }
                None => n_refused += 1,
            }
        }
        println!("{draft}: {n_judged} tests judged, {n_refused} schemas refused");
    }
    let is_known = |(_, file, test): &(&str, String, String)| {
        KNOWN.iter().any(|(_, known, tests)| known == file && tests.contains(&test.as_str()))
    };
    let (known, wrong): (Vec<_>, Vec<_>) = wrong.into_iter().partition(is_known);
    println!("{} tests judged otherwise knowingly", known.len());
    for (reason, file, tests) in KNOWN {
        for test in *tests {
            let is_met = known.iter().any(|(_, of, name)| of == file && name == test);
            assert!(is_met, "listed as judged otherwise ({reason}), but is not: {file}: {test}");
        }
    }
    let wrong: Vec<String> =
        wrong.into_iter().map(|(draft, file, test)| format!("{draft} {file}: {test}")).collect();
    assert!(wrong.is_empty(), "{} verdicts are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The suite's own tests of `format` take it for an annotation, the optional ones for an assertion.
fn mode_of(file: &str) -> FormatMode {
    if file == "format.json" { FormatMode::Ignore } else { FormatMode::Assert }
}

/// The groups of all files in the folder and in its folders `optional` and `optional/format`, with
/// the file's name there.
fn groups(folder: &Path) -> Vec<(String, Value)> {
    let files_of = |folder: PathBuf| {
        let files = fs::read_dir(folder).expect("a folder of the suite");
        files.map(|file| file.expect("a file").path()).filter(|path| path.is_file())
    };
    let folders = ["", "optional", "optional/format"];
    let files = folders.into_iter().flat_map(|inner| files_of(folder.join(inner)));
    let groups_of = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a file of the suite");
        let groups: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let is_format = path.parent().is_some_and(|folder| folder.ends_with("optional/format"));
        let name = if is_format { format!("format/{name}") } else { name };
        groups.into_iter().map(move |group| (name.clone(), group))
    };
    files.flat_map(groups_of).collect()
}

/// Whether the verdict on each test is right; `None` when the schema is refused.
fn verdicts(
    group: &Value,
    metaschema: &str,
    format: FormatMode,
) -> Option<Vec<(String, bool)>> {
    let mut schema = group["schema"].clone();
    if let Some(keywords) = schema.as_object_mut() {
        keywords.entry("$schema").or_insert_with(|| metaschema.into());
    }
    let vocabulary = data::read_vocabulary("bytes");
    let options = JsonSchemaOptions { format, ..JsonSchemaOptions::matching() };
    let constraint = match Constraint::json_schema(&schema.to_string(), &options, &vocabulary) {
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
