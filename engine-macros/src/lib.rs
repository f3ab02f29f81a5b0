//! The macro between what is planned and what is compiled: `engine!` binds the profile of this build to the runtime's
//! types and is the only reporter of a profile's errors. It decides nothing: it asks `engine-spec`.
#![forbid(unsafe_code)]

mod engine;

use proc_macro::TokenStream;

/// Binds the profile of this build to the runtime's types: `engine! { struct Build; }` declares `Build` and its
/// `Recipe`. A profile with errors is reported here, at the struct's name, each error once and with its excerpt.
#[proc_macro]
pub fn engine(declaration: TokenStream) -> TokenStream {
    engine::expand(syn::parse_macro_input!(declaration as engine::Declared)).into()
}
