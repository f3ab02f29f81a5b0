//! The recipe as tokens: one `impl` that names a type or a constant for every answer of the plan.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

use super::bindings::{BAKED, Binding};
use crate::plan::{Dims, KvMemory, Limits, Plan};
use crate::shape::Shape;

/// The recipe of `build`, in a block of its own so that its imports stay there.
pub fn of(plan: &Plan, build: &Ident) -> TokenStream {
    let recipe = tokens(
        &plan.name,
        &limits(&plan.limits),
        &super::bindings(plan),
        build,
    );
    let dims = match &plan.model.dims {
        Dims::Loaded => TokenStream::new(),
        Dims::Baked(shape) => baked(shape),
    };
    block(recipe, dims)
}

/// The smallest recipe there is.
pub fn smallest(build: &Ident) -> TokenStream {
    let limits = quote! {
        Limits { max_model_len: 1, max_seqs: 1, max_batched_tokens: 1, block_size: 1, kv_memory: KvMemory::Auto }
    };
    block(
        tokens("", &limits, &super::bindings::smallest(), build),
        TokenStream::new(),
    )
}

fn block(recipe: TokenStream, dims: TokenStream) -> TokenStream {
    quote! { const _: () = { #recipe #dims }; }
}

fn tokens(profile: &str, limits: &TokenStream, bindings: &[Binding], build: &Ident) -> TokenStream {
    let imports = imports(bindings);
    let names = bindings.iter().map(|binding| ident(binding.name));
    let types = bindings.iter().map(|binding| rust(&binding.bound));
    quote! {
        #imports
        use ::engine_runtime::{KvMemory, Limits, Recipe};

        impl Recipe for #build {
            const NAME: &'static str = #profile;
            const LIMITS: Limits = #limits;
            #(type #names = #types;)*
        }
    }
}

/// One `use` for each module, of the names that the recipe mentions.
fn imports(bindings: &[Binding]) -> TokenStream {
    let mut modules: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for binding in bindings {
        modules
            .entry(binding.module)
            .or_default()
            .extend(binding.imports());
    }
    let uses = modules.iter().map(|(module, names)| {
        let (module, names) = (rust(module), names.iter().copied().map(ident));
        quote! { use ::engine_runtime::#module::{#(#names),*}; }
    });
    uses.collect()
}

fn limits(limits: &Limits) -> TokenStream {
    let [len, seqs, tokens, block] = [
        limits.max_model_len,
        limits.max_seqs,
        limits.max_batched_tokens,
        limits.block_size,
    ]
    .map(number);
    let memory = match limits.kv_memory {
        KvMemory::Bytes(bytes) => {
            let bytes = number(bytes);
            quote! { KvMemory::Bytes(#bytes) }
        }
        KvMemory::DeviceShare { .. } => quote! { KvMemory::Auto },
    };
    quote! {
        Limits {
            max_model_len: #len,
            max_seqs: #seqs,
            max_batched_tokens: #tokens,
            block_size: #block,
            kv_memory: #memory,
        }
    }
}

/// The dimensions as constants.
fn baked(shape: &Shape) -> TokenStream {
    let baked = ident(BAKED);
    let [layers, hidden, heads, kv_heads, head_dim, ffn, vocab] = [
        shape.layers,
        shape.hidden,
        shape.heads,
        shape.kv_heads,
        shape.head_dim,
        shape.ffn,
        shape.vocab,
    ]
    .map(number);
    quote! {
        use ::engine_runtime::models::{Dims, Shape};

        pub struct #baked;

        impl Shape for #baked {
            const KNOWN: Option<Dims> = Some(Dims {
                layers: #layers,
                hidden: #hidden,
                q_heads: #heads,
                kv_heads: #kv_heads,
                head_dim: #head_dim,
                ffn: #ffn,
                vocab: #vocab,
            });
        }
    }
}

fn number(number: u64) -> Literal {
    Literal::u64_unsuffixed(number)
}

fn ident(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}

/// A path or type that this module wrote itself.
fn rust(text: &str) -> TokenStream {
    text.parse().expect("bindings are Rust")
}
