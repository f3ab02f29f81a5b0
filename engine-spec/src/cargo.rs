//! What Lathe and cargo say to each other: which profile a call builds, and what a plan tells cargo and rustc.

mod conflict;
mod flags;
mod selection;

pub use conflict::Conflict;
pub use flags::Rustc;
pub use selection::{CargoCall, SELECTED, VARIABLE, tracked_files};
