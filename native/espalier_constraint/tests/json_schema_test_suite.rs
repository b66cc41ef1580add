//! Verdicts on the official JSON-Schema-Test-Suite.
//!
//! `ESPALIER_JSON_SCHEMA_TEST_SUITE=path/to/suite cargo test --test json_schema_test_suite --
//! --ignored --nocapture`. What differs from the suite is listed here, and the lists are exact: they
//! only become shorter.
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use espalier_constraint::{Compiler, Error, FormatMode, JsonSchemaOptions};
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

/// The tests that are judged otherwise knowingly, in all drafts that have them: why, and in which
/// file. All of them are valid strings that are refused.
const KNOWN: [(&str, &str, &[&str]); 7] = [
    (
        "Punycode is not regular, so labels with two hyphens in third and fourth place are left out",
        "format/hostname.json",
        &[
            "hostname with consecutive hyphens (RFC1123)",
            "a valid punycoded IDN hostname",
            "a valid host name (example.test in Hangul)",
            "Exceptions that are PVALID, left-to-right chars",
            "Exceptions that are PVALID, right-to-left chars",
            "MIDDLE DOT with surrounding 'l's",
            "Greek KERAIA followed by Greek",
            "Hebrew GERESH preceded by Hebrew",
            "Hebrew GERSHAYIM preceded by Hebrew",
            "KATAKANA MIDDLE DOT with Hiragana",
            "KATAKANA MIDDLE DOT with Katakana",
            "KATAKANA MIDDLE DOT with Han",
            "Arabic-Indic digits not mixed with Extended Arabic-Indic digits",
            "Extended Arabic-Indic digits not mixed with Arabic-Indic digits",
            "ZERO WIDTH JOINER preceded by Virama",
            "ZERO WIDTH NON-JOINER preceded by Virama",
            "ZERO WIDTH NON-JOINER not preceded by Virama but matches regexp",
        ],
    ),
    ("the same", "format/idn-hostname.json", &["valid Chinese Punycode"]),
    (
        "scripts are not mixed, and these digits are left out",
        "format/idn-hostname.json",
        &[
            "Exceptions that are PVALID, left-to-right chars",
            "Extended Arabic-Indic digits not mixed with Arabic-Indic digits",
        ],
    ),
    (
        "since RFC 5890 labels are separated by the full stop alone",
        "format/idn-hostname.json",
        &[
            "ideographic full stop as label separator",
            "fullwidth full stop as label separator",
            "halfwidth ideographic full stop as label separator",
        ],
    ),
    (
        "a label of 52 letters is valid for what they become in Punycode; here they are counted",
        "format/idn-hostname.json",
        &[
            "label too long if separator ignored (full stop)",
            "label too long if separator ignored (ideographic full stop)",
            "label too long if separator ignored (fullwidth full stop)",
            "label too long if separator ignored (halfwidth ideographic full stop)",
        ],
    ),
    (
        "RFC 5890 wants labels in normalization form C",
        "format/idn-email.json",
        &["a domain label that is not in Unicode NFC is valid"],
    ),
    (
        "that the name is one that was given to a group is not regular",
        "format/ecmascript-regex.json",
        &["an ECMA 262 named backreference \\k<name>"],
    ),
];

/// The groups whose schemas are refused with a typed error: why, in which file, and which; those in
/// folders of optional tests are marked.
const REFUSED: [(&str, &str, &[&str]); 3] = [
    (
        "a metaschema of one's own is not known",
        "vocabulary.json",
        &[
            "schema that uses custom metaschema with with no validation vocabulary",
            "ignore unrecognized optional vocabulary",
        ],
    ),
    (
        "the same",
        "optional/format-assertion.json",
        &[
            "schema that uses custom metaschema with format-assertion: false",
            "schema that uses custom metaschema with format-assertion: true",
        ],
    ),
    (
        "a document of another draft is not read by its own rules",
        "optional/cross-draft.json",
        &[
            "refs to future drafts are processed as future drafts",
            "refs to historic drafts are processed as historic drafts",
        ],
    ),
];

#[test]
#[ignore = "needs the suite"]
fn verdicts_are_right() {
    let root = std::env::var("ESPALIER_JSON_SCHEMA_TEST_SUITE").expect("the path of the suite");
    let (mut wrong, mut refused) = (Vec::new(), BTreeSet::new());
    for (draft, metaschema) in DRAFTS {
        let folder = Path::new(&root).join("tests").join(draft);
        let remotes = remotes(&Path::new(&root).join("remotes"), draft);
        let (mut n_judged, mut n_formats, mut n_refused) = (0, 0, 0);
        for (file, group) in groups(&folder) {
            let Some(verdicts) = verdicts(&group, metaschema, mode_of(&file), &remotes) else {
                n_refused += 1;
                refused.insert((file, group["description"].as_str().unwrap_or("").to_owned()));
                continue;
            };
            n_judged += verdicts.len();
            n_formats += if file.starts_with("format/") { verdicts.len() } else { 0 };
            let wrong_ones = verdicts.into_iter().filter(|(_, is_right)| !is_right);
            wrong.extend(wrong_ones.map(|(test, _)| (draft, file.clone(), test)));
        }
        println!(
            "{draft}: {n_judged} tests judged ({n_formats} of formats), {n_refused} schemas refused"
        );
    }
    let listed = REFUSED.iter().flat_map(|(_, file, groups)| {
        groups.iter().map(|group| ((*file).to_owned(), (*group).to_owned()))
    });
    assert_eq!(refused, listed.collect(), "the groups whose schemas are refused");
    let is_known = |(_, file, test): &(&str, String, String)| {
        let is_named = |name: &&str| test.ends_with(&format!(": {name}"));
        KNOWN.iter().any(|(_, known, tests)| known == file && tests.iter().any(is_named))
    };
    let (known, wrong): (Vec<_>, Vec<_>) = wrong.into_iter().partition(is_known);
    println!("{} tests judged otherwise knowingly", known.len());
    for (reason, file, tests) in KNOWN {
        for test in tests {
            let is_met = known
                .iter()
                .any(|(_, of, name)| of == file && name.ends_with(&format!(": {test}")));
            assert!(is_met, "listed as judged otherwise ({reason}), but is not: {file}: {test}");
        }
    }
    let wrong: Vec<String> =
        wrong.into_iter().map(|(draft, file, test)| format!("{draft} {file}: {test}")).collect();
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
    // Encodings and media types of strings are annotations here, as the specification has them.
    let files = files.filter(|path| !path.ends_with("optional/content.json"));
    let groups_of = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a file of the suite");
        let groups: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let is_in = |folder| path.parent().is_some_and(|parent| parent.ends_with(folder));
        let name = match () {
            () if is_in("optional/format") => format!("format/{name}"),
            () if is_in("optional") => format!("optional/{name}"),
            () => name,
        };
        groups.into_iter().map(move |group| (name.clone(), group))
    };
    files.flat_map(groups_of).collect()
}

/// Whether the verdict on each test is right; `None` when the schema is refused.
fn verdicts(
    group: &Value,
    metaschema: &str,
    format: FormatMode,
    remotes: &[(String, String)],
) -> Option<Vec<(String, bool)>> {
    let mut schema = group["schema"].clone();
    if let Some(keywords) = schema.as_object_mut() {
        keywords.entry("$schema").or_insert_with(|| metaschema.into());
    }
    let vocabulary = data::read_vocabulary("bytes");
    let options = JsonSchemaOptions { format, ..JsonSchemaOptions::matching() };
    let compiler = Compiler::new(&vocabulary);
    let compiler =
        remotes.iter().fold(compiler, |compiler, (uri, text)| compiler.document(uri, text));
    let constraint = match compiler.json_schema(&schema.to_string(), &options) {
        Ok(constraint) => Some(constraint),
        Err(Error::Unsatisfiable { .. }) => None,
        Err(_) => return None,
    };
    let tests = group["tests"].as_array().expect("tests").iter();
    let verdict = |test: &Value| {
        let text = Spelling::Python.write(&test["data"]);
        let accepted = (constraint.as_ref())
            .is_some_and(|constraint| following::by_text(constraint, text.as_bytes()).is_ok());
        let named =
            [group, test].map(|at| at["description"].as_str().unwrap_or_default()).join(": ");
        (named, accepted == (test["valid"] == true))
    };
    Some(tests.map(verdict).collect())
}
