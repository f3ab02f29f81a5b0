//! The house rules that a machine can hold: one test a rule, each naming every place that breaks it.

#[path = "tidy/absence.rs"]
mod absence;
#[path = "tidy/checkout.rs"]
mod checkout;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/unsafe_code.rs"]
mod unsafe_code;
