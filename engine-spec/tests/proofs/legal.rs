//! The matrix as trait bounds: the source of `engine-runtime/src/legal.rs` and of the files of `legal/`.
//!
//! One mark for each feature, family and backend; an impl for each cell that this engine proves; and `Legal`, whose only
//! impl demands all of a recipe's cells at once. A recipe whose features have no such impl does not compile, and rustc
//! says so in the words below.

use engine_spec::matrix::CellId;
use engine_spec::{BackendKind, Family, Feature, Matrix};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// The files as they are committed: path in `engine-runtime/src`, and text.
pub fn sources(matrix: &Matrix) -> [(&'static str, String); 5] {
    [
        ("legal.rs", source(bounds())),
        ("legal/proven.rs", source(proven(matrix))),
        ("legal/mark.rs", source(marks())),
        ("legal/family.rs", source(families())),
        ("legal/backend.rs", source(backends())),
    ]
}

fn source(file: TokenStream) -> String {
    spaced(&prettyplease::unparse(
        &syn::parse2(file).expect("a file of Rust"),
    ))
}

fn bounds() -> TokenStream {
    let (works_with, runs_on, legal, has) = (works_with(), runs_on(), legal(), has());
    quote! {
        //! The matrix as types: the second safety net, for recipes that no profile stands behind.
        //!
        //! Made, with the files of `legal/`, from engine-spec's tables by its test `proofs`, which fails when one of them
        //! is stale. Declare a proof at its test, then run: LATHE_BLESS=1 cargo test -p engine-spec --test proofs
        pub mod backend;
        pub mod family;
        pub mod mark;
        mod proven;

        use crate::backend::Backend;
        use crate::parts::Part;
        use crate::recipe::Recipe;

        #works_with
        #runs_on
        #legal
        #has
    }
}

/// With an empty line before each item that has a comment, as a person would write it.
fn spaced(text: &str) -> String {
    let mut spaced = String::new();
    let mut ended = false;
    for line in text.lines() {
        if ended && line.trim_start().starts_with("///") {
            spaced.push('\n');
        }
        ended = line.ends_with([';', '}']);
        spaced.push_str(line);
        spaced.push('\n');
    }
    spaced
}

fn marks() -> TokenStream {
    let marks = Feature::ALL.map(|feature| {
        let doc = format!(" {}: {}.", feature.title(), feature.summary());
        let mark = mark(feature);
        quote! {
            #[doc = #doc]
            #[derive(Debug, Clone, Copy)]
            pub struct #mark;
        }
    });
    let names = Feature::ALL.map(|feature| {
        let (name, mark) = (words(feature.name()), mark(feature));
        quote! { (#name) => { $crate::legal::mark::#mark }; }
    });
    quote! {
        //! One mark for each feature of the matrix; parts name theirs in [`Part::Mark`](crate::parts::Part::Mark).

        /// What a neutral part switches on.
        #[derive(Debug, Clone, Copy)]
        pub struct Nothing;
        #(#marks)*

        /// The mark of a feature, by its name in a profile.
        #[doc(hidden)]
        #[macro_export]
        macro_rules! mark { #(#names)* }
    }
}

fn families() -> TokenStream {
    let families = Family::ALL.map(|family| {
        let doc = format!(" The column `{family}` of the matrix.");
        let name = ident(&format!("{family:?}"));
        let backend = backend_mark(family.backend());
        quote! {
            #[doc = #doc]
            #[derive(Debug, Clone, Copy)]
            pub struct #name;

            impl Column for #name {
                type Backend = backend::#backend;
            }
        }
    });
    let names = Family::ALL.map(|family| {
        let (name, mark) = (words(family.name()), ident(&format!("{family:?}")));
        quote! { (#name) => { $crate::legal::family::#mark }; }
    });
    quote! {
        //! One mark for each hardware family; backends name theirs in
        //! [`Backend::Family`](crate::backend::Backend::Family).
        use super::backend;

        /// A hardware column of the matrix.
        pub trait Column {
            /// The backend that runs it, one of [`backend`].
            type Backend;
        }
        #(#families)*

        /// The mark of a family, by its name in a profile.
        #[doc(hidden)]
        #[macro_export]
        macro_rules! family { #(#names)* }
    }
}

fn backends() -> TokenStream {
    let backends = BackendKind::ALL.map(|backend| {
        let doc = format!(" The backend `{}`.", backend.name());
        let name = backend_mark(backend);
        quote! {
            #[doc = #doc]
            #[derive(Debug, Clone, Copy)]
            pub struct #name;
        }
    });
    quote! {
        //! One mark for each backend: a pair that is proven on one is not proven on another.
        #(#backends)*
    }
}

fn works_with() -> TokenStream {
    let alone = Feature::ALL.map(|feature| {
        let mark = mark(feature);
        quote! { impl<On> WorksWith<mark::Nothing, On> for mark::#mark {} }
    });
    quote! {
        /// This engine proves these two features together on a backend. The later one of the matrix's order is `Self`.
        #[diagnostic::on_unimplemented(
            message = "this engine has no proof that `{Self}` works with `{Other}` on `{On}`",
            label = "these two parts may not stand in one recipe",
            note = "`cargo lathe explain {Self} {Other}` says why, and what works instead"
        )]
        pub trait WorksWith<Other, On> {}
        impl<Other, On> WorksWith<Other, On> for mark::Nothing {}
        #(#alone)*
    }
}

fn runs_on() -> TokenStream {
    quote! {
        /// This engine proves this feature on hardware of the family.
        #[diagnostic::on_unimplemented(
            message = "this engine has no proof that `{Self}` runs on `{Hardware}`",
            label = "this part may not stand in a recipe for this backend",
            note = "`cargo lathe explain {Self} {Hardware}` says why, and what works instead"
        )]
        pub trait RunsOn<Hardware> {}
        impl<Hardware> RunsOn<Hardware> for mark::Nothing {}
    }
}

/// A line for each cell and backend that is proven.
fn proven(matrix: &Matrix) -> TokenStream {
    let lines = matrix.cells().iter().flat_map(|cell| {
        let line = |(backend, _)| match cell.id {
            CellId::Pair(a, b) => {
                let (a, b, on) = (mark(a), mark(b), backend_mark(backend));
                quote! { impl WorksWith<mark::#b, backend::#on> for mark::#a {} }
            }
            CellId::Hardware(feature, family) => {
                let (feature, family) = (mark(feature), ident(&format!("{family:?}")));
                quote! { impl RunsOn<family::#family> for mark::#feature {} }
            }
        };
        cell.engine.proofs().map(line).collect::<Vec<_>>()
    });
    quote! {
        //! What this engine proves: one line for each pair on each backend, and for each feature on each family.
        use super::{RunsOn, WorksWith, backend, family, mark};

        #(#lines)*
    }
}

/// The one impl of `Legal`, with a bound for every cell.
fn legal() -> TokenStream {
    let aliases = Feature::ALL.map(|feature| {
        let name = ident(feature.part().name);
        quote! { type #name<R> = <<R as Recipe>::#name as Part>::Mark; }
    });
    let marks = Feature::ALL.map(|feature| {
        let name = ident(feature.part().name);
        quote! { #name<R> }
    });
    let pairs = (0..marks.len()).flat_map(|later| (0..later).map(move |earlier| (later, earlier)));
    let pairs = pairs.map(|(later, earlier)| {
        let (later, earlier) = (&marks[later], &marks[earlier]);
        quote! { #later: WorksWith<#earlier, On<R>> }
    });
    quote! {
        /// A recipe that the matrix allows: every pair of its features is proven on its backend, and every feature on
        /// its hardware.
        pub trait Legal: Recipe {}

        impl<R: Recipe> Legal for R
        where
            #(#pairs,)*
            #(#marks: RunsOn<Hardware<R>>,)*
        {
        }

        type Hardware<R> = <<R as Recipe>::Backend as Backend>::Family;
        type On<R> = <Hardware<R> as family::Column>::Backend;
        #(#aliases)*
    }
}

/// Which part stands for which feature, so that a proof cannot claim what its recipe does not have.
fn has() -> TokenStream {
    let impls = Feature::ALL.map(|feature| {
        let (part, mark) = (ident(feature.part().name), mark(feature));
        quote! {
            impl<R: Recipe> Has<mark::#mark> for R
            where
                R::#part: Part<Mark = mark::#mark>,
            {
            }
        }
    });
    quote! {
        /// A recipe whose part for this feature is on.
        pub trait Has<Feature> {}
        #(#impls)*
    }
}

/// A name with dashes as the tokens that it consists of.
fn words(name: &str) -> TokenStream {
    name.parse().expect("a name is words and dashes")
}

fn mark(feature: Feature) -> Ident {
    ident(&format!("{feature:?}"))
}

fn backend_mark(backend: BackendKind) -> Ident {
    ident(&format!("{backend:?}"))
}

fn ident(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}
