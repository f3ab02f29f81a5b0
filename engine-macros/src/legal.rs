//! The matrix as trait bounds.
//!
//! One mark for each feature and each family; an impl for each cell that this engine proves; and `Legal`, whose only
//! impl demands all of a recipe's cells at once. A recipe whose features have no such impl does not compile, and
//! rustc says so in the words below.

use engine_spec::codegen::parts::PARTS;
use engine_spec::matrix::{CellId, MATRIX};
use engine_spec::{Family, Feature};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

pub fn expand() -> TokenStream {
    let marks = marks();
    let families = families();
    let works_with = works_with();
    let runs_on = runs_on();
    let legal = legal();
    quote! { #marks #families #works_with #runs_on #legal }
}

fn marks() -> TokenStream {
    let marks = Feature::ALL.map(|feature| {
        let (doc, mark) = (
            format!(" {}: {}.", feature.title(), feature.summary()),
            mark(feature),
        );
        quote! {
            #[doc = #doc]
            #[derive(Debug, Clone, Copy)]
            pub struct #mark;
        }
    });
    quote! {
        /// One mark for each feature of the matrix; parts name theirs in [`crate::parts::Part::Mark`].
        pub mod mark {
            /// What a neutral part switches on.
            #[derive(Debug, Clone, Copy)]
            pub struct Nothing;
            #(#marks)*
        }
    }
}

fn families() -> TokenStream {
    let families = Family::ALL.map(|family| {
        let (doc, name) = (
            format!(" The column `{family}` of the matrix."),
            family_mark(family),
        );
        quote! {
            #[doc = #doc]
            #[derive(Debug, Clone, Copy)]
            pub struct #name;
        }
    });
    quote! {
        /// One mark for each hardware family; backends name theirs in [`crate::backend::Backend::Family`].
        pub mod family {
            #(#families)*
        }
    }
}

fn works_with() -> TokenStream {
    let alone = Feature::ALL.map(|feature| {
        let mark = mark(feature);
        quote! { impl WorksWith<mark::Nothing> for mark::#mark {} }
    });
    let proven = MATRIX
        .cells()
        .iter()
        .filter(|cell| cell.engine.is_yes())
        .filter_map(|cell| match cell.id {
            CellId::Pair(a, b) => {
                let (a, b) = (mark(a), mark(b));
                Some(quote! { impl WorksWith<mark::#b> for mark::#a {} })
            }
            CellId::Hardware(..) => None,
        });
    quote! {
        /// This engine proves these two features together. The later one of the page's order is `Self`.
        #[diagnostic::on_unimplemented(
            message = "this engine has no proof that `{Self}` works with `{Other}`",
            label = "these two parts may not stand in one recipe",
            note = "`cargo lathe explain {Self} {Other}` says why, and what works instead"
        )]
        pub trait WorksWith<Other> {}
        impl<Other> WorksWith<Other> for mark::Nothing {}
        #(#alone)*
        #(#proven)*
    }
}

fn runs_on() -> TokenStream {
    let proven = MATRIX
        .cells()
        .iter()
        .filter(|cell| cell.engine.is_yes())
        .filter_map(|cell| match cell.id {
            CellId::Hardware(feature, family) => {
                let (feature, family) = (mark(feature), family_mark(family));
                Some(quote! { impl RunsOn<family::#family> for mark::#feature {} })
            }
            CellId::Pair(..) => None,
        });
    quote! {
        /// This engine proves this feature on hardware of the family.
        #[diagnostic::on_unimplemented(
            message = "this engine has no proof that `{Self}` runs on `{Hardware}`",
            label = "this part may not stand in a recipe for this backend",
            note = "`cargo lathe explain {Self} {Hardware}` says why, and what works instead"
        )]
        pub trait RunsOn<Hardware> {}
        impl<Hardware> RunsOn<Hardware> for mark::Nothing {}
        #(#proven)*
    }
}

/// The one impl of `Legal`, with a bound for every cell.
fn legal() -> TokenStream {
    let marks = PARTS.map(|part| {
        let name = ident(part.name);
        quote! { <R::#name as crate::parts::Part>::Mark }
    });
    let pairs = (0..marks.len()).flat_map(|later| (0..later).map(move |earlier| (later, earlier)));
    let pairs = pairs.map(|(later, earlier)| {
        let (later, earlier) = (&marks[later], &marks[earlier]);
        quote! { #later: WorksWith<#earlier> }
    });
    quote! {
        /// A recipe that the matrix allows: every pair of its features and every feature on its hardware is proven.
        pub trait Legal: crate::recipe::Recipe {}

        impl<R: crate::recipe::Recipe> Legal for R
        where
            #(#pairs,)*
            #(#marks: RunsOn<<R::Backend as crate::backend::Backend>::Family>,)*
        {
        }
    }
}

fn mark(feature: Feature) -> Ident {
    ident(&format!("{feature:?}"))
}

fn family_mark(family: Family) -> Ident {
    ident(&format!("{family:?}"))
}

fn ident(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}
