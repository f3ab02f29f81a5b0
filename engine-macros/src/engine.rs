//! `engine!`: the profile of this build as a recipe, or its errors.
//!
//! Read, plan, emit. On errors each diagnostic becomes one `compile_error!` at the name that the user gave, and a
//! stand-in takes the recipe's place, so that the profile's errors are all that rustc shows.

use std::path::{Path, PathBuf};

use engine_spec::cargo::{SELECTED, tracked_files};
use engine_spec::{Color, Diagnostics, Format, Machine, Plan, codegen};
use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::DeriveInput;
use syn::parse::{Parse, ParseStream};

/// What stands between the braces: `struct Build;`.
pub struct Declared(DeriveInput);

impl Parse for Declared {
    fn parse(input: ParseStream<'_>) -> syn::Result<Declared> {
        let declared: DeriveInput = input.parse()?;
        match &declared.data {
            syn::Data::Struct(data) if matches!(data.fields, syn::Fields::Unit) => {
                Ok(Declared(declared))
            }
            _ => Err(syn::Error::new_spanned(
                &declared.ident,
                "engine! binds a profile to a unit struct: `struct Build;`",
            )),
        }
    }
}

pub fn expand(declared: Declared) -> TokenStream {
    let Declared(declaration) = declared;
    let build = &declaration.ident;
    let Some(path) = std::env::var_os(SELECTED).map(PathBuf::from) else {
        let error = error(
            build,
            "engine! works in the package whose build.rs selects a profile",
        );
        let stand_in = codegen::stand_in(build);
        return quote! { #declaration #error #stand_in };
    };
    let bound = match plan(&path) {
        Ok(plan) => codegen::engine(&plan, build, &shown(&path)),
        Err(diagnostics) => refuse(build, &diagnostics),
    };
    let tracked = track(&path);
    quote! { #declaration #bound #tracked }
}

fn plan(path: &Path) -> Result<Plan, Diagnostics> {
    let checked = engine_spec::check_file(path, &Machine::detect());
    checked.plan().map_err(|mut diagnostics| {
        diagnostics.source.path = shown(path);
        diagnostics
    })
}

/// One error for each diagnostic, and the stand-in that keeps the rest of the program quiet.
fn refuse(build: &Ident, diagnostics: &Diagnostics) -> TokenStream {
    assert!(
        !diagnostics.is_empty(),
        "a refused profile has an error that says why"
    );
    let errors = diagnostics.iter().map(|one| {
        let rendered = diagnostics.render_one(one, Format::Human(Color::Never));
        // rustc writes `error: ` itself; `error[E0102]: ...` becomes `error: [E0102] ...`.
        let message = rendered
            .strip_prefix("error")
            .unwrap_or(&rendered)
            .replacen("]: ", "] ", 1);
        error(build, &message)
    });
    let stand_in = codegen::stand_in(build);
    quote! { #(#errors)* #stand_in }
}

fn error(at: &Ident, message: &str) -> TokenStream {
    quote_spanned! { at.span() => ::core::compile_error!(#message); }
}

/// Makes rustc list the files that the expansion depends on.
fn track(profile: &Path) -> TokenStream {
    let files = tracked_files(profile)
        .into_iter()
        .filter(|file| file.is_file());
    let files = files.map(|file| file.display().to_string());
    quote! { #(const _: &[u8] = ::core::include_bytes!(#files);)* }
}

/// The path as a person would type it: relative to the package where it lies in there.
fn shown(path: &Path) -> String {
    let root = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    path.strip_prefix(&root)
        .unwrap_or(path)
        .display()
        .to_string()
}
