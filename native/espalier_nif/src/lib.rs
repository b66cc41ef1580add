//! Espalier's engine and models as functions of the Erlang VM.
//!
//! The functions translate and decide nothing: they take terms apart, call the engine or a model,
//! and give back `{:ok, value}`, `:ok`, or `{:error, {kind, message, details}}` (see [`error`]).
//! Their Elixir side is `lib/espalier/native.ex`; a file here is named after the module there that
//! it serves.
//!
//! A function runs on a dirty scheduler unless its work is bounded to microseconds and it takes no
//! lock that a longer one may hold.

#![allow(clippy::needless_pass_by_value, reason = "rustler hands arguments over by value")]

mod atoms;
mod constraint;
mod error;
mod generation;
mod guard;
mod json;
mod limits;
mod matcher;
mod model;
mod packed;
mod reaper;
mod resources;
mod schema;
mod vocabulary;

rustler::init!("Elixir.Espalier.Native");
