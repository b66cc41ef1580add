//! What the integration tests share.
#![allow(dead_code, unused_imports, unused_macros, reason = "each test crate uses a part of it")]

pub(crate) mod data;
pub(crate) mod exported;
pub(crate) mod following;
pub(crate) mod hostile;
pub(crate) mod instances;
pub(crate) mod oracle;
pub(crate) mod property;
pub(crate) mod random;
pub(crate) mod schemas;
pub(crate) mod sealed;
pub(crate) mod spelling;
pub(crate) mod walk;
