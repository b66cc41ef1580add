//! Tables as Markdown has them.
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

/// Prints a table; the first row is its head.
pub fn print(rows: &[Vec<String>]) {
    for (index, row) in rows.iter().enumerate() {
        println!("| {} |", row.join(" | "));
        if index == 0 {
            println!("|{}", " --- |".repeat(row.len()));
        }
    }
    println!();
}

/// How one figure compares with another: `1/11.2` when it is that many times less.
#[must_use]
pub fn ratio(ours: f64, theirs: f64) -> String {
    if ours < theirs { format!("1/{:.1}", theirs / ours) } else { format!("{:.1}", ours / theirs) }
}
