//! The matrix as trait bounds: the source of `engine-runtime/src/legal.rs`.
//!
//! One mark for each feature, family and backend; an impl for each cell that this engine proves; and `Legal`, whose only
//! impl demands all of a recipe's cells at once. A recipe whose features have no such impl does not compile, and rustc
//! says so in the words below.

use engine_spec::matrix::CellId;
use engine_spec::{BackendKind, Family, Feature, Matrix};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// The file as it is committed.
pub fn source(matrix: &Matrix) -> String {
    let (marks, families, backends) = (marks(), families(), backends());
    let (works_with, runs_on, legal, has) = (works_with(matrix), runs_on(matrix), legal(), has());
    let names = names();
    let file = quote! {
        //! The matrix as types: the second safety net, for recipes that no profile stands behind.
        //!
        //! Made from engine-spec's tables by its test `proofs`, which fails when this file is stale. Declare a proof at
        //! its test, then run: LATHE_BLESS=1 cargo test -p engine-spec --test proofs
        use crate::backend::Backend;
        use crate::parts::Part;
        use crate::recipe::Recipe;

        #marks
        #families
        #backends
        #works_with
        #runs_on
        #legal
        #has
        #names
    };
    spaced(&prettyplease::unparse(
        &syn::parse2(file).expect("a file of Rust"),
    ))
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
    quote! {
        /// One mark for each feature of the matrix; parts name theirs in [`Part::Mark`](crate::parts::Part::Mark).
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
        let doc = format!(" The column `{family}` of the matrix.");
        let name = ident(&format!("{family:?}"));
        let backend = backend_mark(family.backend());
        quote! {
            #[doc = #doc]
            #[derive(Debug, Clone, Copy)]
            pub struct #name;

            impl Column for #name {
                type Backend = super::backend::#backend;
            }
        }
    });
    quote! {
        /// One mark for each hardware family; backends name theirs in [`Backend::Family`](crate::backend::Backend::Family).
        pub mod family {
            /// A hardware column of the matrix.
            pub trait Column {
                /// The backend that runs it, one of [`super::backend`].
                type Backend;
            }
            #(#families)*
        }
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
        /// One mark for each backend: a pair that is proven on one is not proven on another.
        pub mod backend {
            #(#backends)*
        }
    }
}

fn works_with(matrix: &Matrix) -> TokenStream {
    let alone = Feature::ALL.map(|feature| {
        let mark = mark(feature);
        quote! { impl<On> WorksWith<mark::Nothing, On> for mark::#mark {} }
    });
    let proven = matrix.cells().iter().flat_map(|cell| {
        let impls = cell
            .engine
            .proofs()
            .filter_map(|(backend, _)| match cell.id {
                CellId::Pair(a, b) => {
                    let (a, b, on) = (mark(a), mark(b), backend_mark(backend));
                    Some(quote! { impl WorksWith<mark::#b, backend::#on> for mark::#a {} })
                }
                CellId::Hardware(..) => None,
            });
        impls.collect::<Vec<_>>()
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
        #(#proven)*
    }
}

fn runs_on(matrix: &Matrix) -> TokenStream {
    let proven = matrix
        .cells()
        .iter()
        .filter(|cell| cell.engine.is_proven())
        .filter_map(|cell| match cell.id {
            CellId::Hardware(feature, family) => {
                let (feature, family) = (mark(feature), ident(&format!("{family:?}")));
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

/// The marks by the names that profiles use: what [`proves!`] reads.
fn names() -> TokenStream {
    let features = Feature::ALL.map(|feature| {
        let (name, mark) = (words(feature.name()), mark(feature));
        quote! { (#name) => { $crate::legal::mark::#mark }; }
    });
    let families = Family::ALL.map(|family| {
        let (name, mark) = (words(family.name()), ident(&format!("{family:?}")));
        quote! { (#name) => { $crate::legal::family::#mark }; }
    });
    quote! {
        /// The mark of a feature, by its name in a profile.
        #[doc(hidden)]
        #[macro_export]
        macro_rules! mark { #(#features)* }

        /// The mark of a family, by its name in a profile.
        #[doc(hidden)]
        #[macro_export]
        macro_rules! family { #(#families)* }
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
