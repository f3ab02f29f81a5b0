//! From a plan to the tokens that bind it to the runtime's types.
//!
//! `engine!` and `cargo lathe expand` share this, so that what is shown is what is compiled. The tokens only name
//! types and constants; what those compute is the runtime's business. Emission cannot fail: all that could be wrong
//! was found by [`crate::plan()`].

mod bindings;
mod recipe;
mod section;
mod types;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::manifest::Manifest;
use crate::plan::Answers;

pub use bindings::{Binding, Constant, StandsFor, bindings, constants};
pub use section::SECTION;
pub use types::{Module, Type};

/// What `engine!` expands to behind the declaration of `build`: its recipe and its manifest. `path` is where the
/// profile lies, for whoever meets the recipe in a debugger.
pub fn engine(answers: &Answers, build: &Ident, path: &str) -> TokenStream {
    let recipe = recipe(answers, build, path);
    let manifest = section::of(&Manifest::of(answers).json(), build);
    quote! { #recipe #manifest }
}

/// The recipe, with where it comes from.
pub fn recipe(answers: &Answers, build: &Ident, path: &str) -> TokenStream {
    let about = format!(" The profile `{path}`, plan {}.", answers.hash());
    recipe::of(answers, build, quote! { #[doc = #about] })
}

/// The recipe alone: everything that the engine's code depends on.
pub fn bare_recipe(answers: &Answers, build: &Ident) -> TokenStream {
    recipe::of(answers, build, TokenStream::new())
}

/// What `engine!` expands to for a profile with errors: the smallest engine there is. It never runs, since the
/// errors stand beside it; it is there so that nothing else fails after them.
pub fn stand_in(build: &Ident) -> TokenStream {
    let recipe = recipe::smallest(build);
    let manifest = section::of("{}", build);
    quote! { #recipe #manifest }
}
