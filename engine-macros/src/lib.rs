//! The two macros between what is planned and what is compiled.
//!
//! `engine!` binds the profile of this build to the runtime's types and is the only reporter of a profile's errors.
//! `legal!` turns the matrix into trait bounds, for recipes that no profile stands behind. Neither decides anything:
//! both ask `engine-spec`.
#![forbid(unsafe_code)]

mod engine;
mod legal;

use proc_macro::TokenStream;

/// Binds the profile of this build to the runtime's types: `engine! { struct Build; }` declares `Build` and its
/// `Recipe`. A profile with errors is reported here, at the struct's name, each error once and with its excerpt.
#[proc_macro]
pub fn engine(declaration: TokenStream) -> TokenStream {
    engine::expand(syn::parse_macro_input!(declaration as engine::Declared)).into()
}

/// Expands to the matrix as types: `mark`, `family`, `WorksWith`, `RunsOn` and `Legal`. For `engine-runtime` alone.
#[proc_macro]
pub fn legal(_: TokenStream) -> TokenStream {
    legal::expand().into()
}
