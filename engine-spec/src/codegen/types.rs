//! Types of the runtime, as generated code names them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};

/// A path below `engine_runtime`; empty for the crate itself.
pub type Module = &'static [&'static str];

/// A type: where it is declared, its name and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// Nothing for a name that stands for itself, like `Self`.
    pub module: Option<Module>,
    pub name: String,
    pub args: Vec<Type>,
}

impl Type {
    pub fn of(module: Module, name: impl Into<String>) -> Type {
        Type {
            module: Some(module),
            name: name.into(),
            args: Vec::new(),
        }
    }

    /// A name that needs no import.
    pub fn local(name: &str) -> Type {
        Type {
            module: None,
            name: name.to_owned(),
            args: Vec::new(),
        }
    }

    #[must_use]
    pub fn with(mut self, arg: Type) -> Type {
        self.args.push(arg);
        self
    }
}

impl ToTokens for Type {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let (name, args) = (ident(&self.name), &self.args);
        tokens.extend(match args.is_empty() {
            true => quote! { #name },
            false => quote! { #name<#(#args),*> },
        });
    }
}

/// As Rust writes it: `Gpu<Cuda, Sm70>`.
impl fmt::Display for Type {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        for (place, arg) in self.args.iter().enumerate() {
            write!(out, "{}{arg}", if place == 0 { "<" } else { ", " })?;
        }
        out.write_str(if self.args.is_empty() { "" } else { ">" })
    }
}

/// What generated code imports: one `use` for each module.
#[derive(Default)]
pub struct Imports(BTreeMap<Module, BTreeSet<String>>);

impl Imports {
    /// A type and its arguments.
    pub fn add(&mut self, of: &Type) {
        if let Some(module) = of.module {
            self.0.entry(module).or_default().insert(of.name.clone());
        }
        of.args.iter().for_each(|arg| self.add(arg));
    }
}

impl ToTokens for Imports {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for (module, names) in &self.0 {
            let module = module.iter().copied().map(ident);
            let names = names.iter().map(|name| ident(name));
            tokens.extend(quote! { use ::engine_runtime::#(#module::)*{#(#names),*}; });
        }
    }
}

pub(super) fn ident(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}
