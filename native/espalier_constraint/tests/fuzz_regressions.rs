//! Runs the inputs of `fuzz/regressions/` that once made a fuzz target fail, and its seeds.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "a crate of its own has it, too")]
mod fuzz;

/// The inputs in a folder; none if there is no such folder.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort_unstable();
    paths
}

macro_rules! targets {
    ($($target:ident),+ $(,)?) => {
        $(
            #[test]
            fn $target() {
                let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
                let folders = ["seeds", "regressions"];
                let folders = folders.map(|name| fuzz.join(name).join(stringify!($target)));
                let paths: Vec<_> = folders.iter().flat_map(|folder| inputs(folder)).collect();
                assert!(!paths.is_empty(), "each target has a seed");
                for path in paths {
                    eprintln!("{}", path.display());
                    fuzz::$target(&fs::read(&path).expect("an input"));
                }
            }
        )+
    };
}

targets!(
    schema_text,
    schema_tree,
    regex,
    ecma_regex,
    grammar,
    parts,
    vocabulary,
    tokens,
    serialized_constraint,
    serialized_vocabulary,
);
