//! Espalier's engine and models as functions of the Erlang VM.

rustler::init!("Elixir.Espalier.Native");
