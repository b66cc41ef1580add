//! What llama.cpp does with the same files, and what a `tokenizer.json` does with the same texts.
//!
//! `tools/gguf/peers.py` makes the files and says how to run this.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::gguf::GgufFile;
use crate::model::tests::logits_in_parts;
use crate::model::{LoadedModel, Quantization};
use crate::tokenizer::{GgufTokenizer, Tokenizer};

#[test]
#[ignore = "needs the cases of tools/gguf/peers.py"]
fn peers_agree() {
    let folder = PathBuf::from(std::env::var_os("ESPALIER_GGUF_CASES").unwrap());
    let cases: Value =
        serde_json::from_slice(&fs::read(folder.join("cases.json")).unwrap()).unwrap();
    let texts: Vec<&str> =
        cases["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    for case in cases["cases"].as_array().unwrap() {
        let path = folder.join(case["file"].as_str().unwrap());
        println!("{}", path.display());
        if case["positions"].is_array() {
            compare_logits(&path, case);
        }
        if case["ids"].is_array() {
            compare_tokens(&path, case, &texts);
        }
    }
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn compare_logits(path: &Path, case: &Value) {
    let llama = LoadedModel::read(path, Quantization::None).unwrap().llama;
    let positions = ids(&case["positions"]);
    let logits = logits_in_parts(&llama, &positions, &[positions.len()]);
    let bytes = fs::read(path.with_file_name(case["logits"].as_str().unwrap())).unwrap();
    let theirs: Vec<f32> =
        bytes.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
    assert_eq!(logits.len(), theirs.len());
    let largest = |numbers: &mut dyn Iterator<Item = f32>| numbers.fold(0.0, f32::max);
    let difference = largest(&mut logits.iter().zip(&theirs).map(|(a, b)| (a - b).abs()));
    let scale = largest(&mut theirs.iter().map(|logit| logit.abs()));
    let n_ids = llama.config().n_ids;
    let best = |row: &[f32]| (0..n_ids).max_by(|&a, &b| row[a].total_cmp(&row[b]));
    let rows = || logits.chunks_exact(n_ids).zip(theirs.chunks_exact(n_ids));
    let agree = rows().filter(|(ours, theirs)| best(ours) == best(theirs)).count();
    println!(
        "  logits: largest difference {difference:.5} of {scale:.1}, the same first choice at {agree} of {} positions",
        positions.len()
    );
}

fn compare_tokens(path: &Path, case: &Value, texts: &[&str]) {
    let file = GgufFile::open(path).unwrap();
    let ours = GgufTokenizer::read(file.metadata()).unwrap().tokenizer;
    let theirs: Vec<Vec<u32>> = case["ids"].as_array().unwrap().iter().map(ids).collect();
    differences("llama.cpp", &ours, texts, |index| theirs[index].clone());
    let Some(json) = case["tokenizer"].as_str() else { return };
    let json = Tokenizer::from_json(&fs::read(json).unwrap()).unwrap();
    let n = differences("tokenizer.json", &ours, texts, |index| json.encode(texts[index]).unwrap());
    assert_eq!(n, 0, "tokens differ from those of the model's own tokenizer");
}

/// Prints how many texts have other tokens with a peer, and the first ones.
fn differences(
    peer: &str,
    ours: &Tokenizer,
    texts: &[&str],
    theirs: impl Fn(usize) -> Vec<u32>,
) -> usize {
    let differ = |&index: &usize| ours.encode(texts[index]).unwrap() != theirs(index);
    let differing: Vec<usize> = (0..texts.len()).filter(differ).collect();
    println!("  {} of {} texts have other tokens than with {peer}", differing.len(), texts.len());
    for &index in differing.iter().take(3) {
        println!("    {:?}", texts[index]);
        println!("      {:?}\n      {:?}", ours.encode(texts[index]).unwrap(), theirs(index));
    }
    differing.len()
}
