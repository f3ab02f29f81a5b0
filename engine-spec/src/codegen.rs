//! From a plan to the tokens that bind it to the runtime's types.
//!
//! `engine!` and `cargo lathe expand` share this, so that what is shown is what is compiled. The tokens only name
//! types and constants; what those compute is the runtime's business. Emission cannot fail: all that could be wrong
//! was found by [`crate::plan()`].

mod bindings;
pub mod parts;
mod recipe;
mod section;
mod types;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::manifest::Manifest;
use crate::plan::Plan;

pub use bindings::{Binding, Constant, bindings, constants};
pub use section::SECTION;
pub use types::{Module, Type};

/// What `engine!` expands to behind the declaration of `build`: its recipe and its manifest.
pub fn engine(plan: &Plan, build: &Ident) -> TokenStream {
    let recipe = recipe(plan, build);
    let manifest = section::of(&Manifest::from(plan).json(), build);
    quote! { #recipe #manifest }
}

/// The recipe alone.
pub fn recipe(plan: &Plan, build: &Ident) -> TokenStream {
    recipe::of(plan, build)
}

/// What `engine!` expands to for a profile with errors: the smallest engine there is. It never runs, since the
/// errors stand beside it; it is there so that nothing else fails after them.
pub fn stand_in(build: &Ident) -> TokenStream {
    let recipe = recipe::smallest(build);
    let manifest = section::of("{}", build);
    quote! { #recipe #manifest }
}
