//! Espalier's constraint engine beside its peers, on the same cases, in one run.
//!
//! Engines take turns at each case, and what is measured is the processor time of the thread: other
//! programs disturb it less than the time on the clock.

pub mod cases;
pub mod clock;
pub mod engine;
pub mod espalier;
pub mod figures;
pub mod isolated;
pub mod llguidance;
pub mod machine;
pub mod memory;
pub mod outlines;
pub mod table;
pub mod tokenizer;
pub mod walk;
