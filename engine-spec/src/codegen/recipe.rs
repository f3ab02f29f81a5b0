//! The recipe as tokens: one `impl` that names a type or a constant for every answer of the plan.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use super::bindings::{BAKED, Binding, Constant, StandsFor};
use super::types::{Imports, Type, ident};
use crate::plan::{Answers, KvMemory, Limits};
use crate::shape::{Baked, Shape};

/// The recipe of `build`, in a block of its own so that its imports stay there.
pub fn of(answers: &Answers, build: &Ident, about: TokenStream) -> TokenStream {
    let mut imports = Imports::default();
    let dims = match &answers.model.shape {
        Shape::Loaded { .. } => TokenStream::new(),
        Shape::Baked(shape) => baked(shape, &mut imports),
    };
    let constants = super::constants(answers);
    let limits = limits(&answers.limits);
    let recipe = Recipe {
        about,
        profile: &answers.name,
        limits,
        constants: &constants,
        head_dims: match &answers.model.shape {
            Shape::Loaded { head_dims } => head_dims,
            Shape::Baked(_) => &[],
        },
        bindings: &super::bindings(answers),
    };
    recipe.block(build, imports, dims)
}

/// The smallest recipe there is.
pub fn smallest(build: &Ident) -> TokenStream {
    let one = Limits {
        max_model_len: 1,
        max_seqs: 1,
        max_batched_tokens: 1,
        block_size: 1,
        kv_memory: KvMemory::Needed,
    };
    let recipe = Recipe {
        about: TokenStream::new(),
        profile: "",
        limits: limits(&one),
        constants: &[],
        head_dims: &[],
        bindings: &super::bindings::smallest(),
    };
    recipe.block(build, Imports::default(), TokenStream::new())
}

/// What stands in an `impl Recipe`.
struct Recipe<'a> {
    /// Its documentation.
    about: TokenStream,
    profile: &'a str,
    limits: TokenStream,
    constants: &'a [Constant],
    /// Empty where any will do, which needs no word.
    head_dims: &'a [u64],
    bindings: &'a [Binding],
}

impl Recipe<'_> {
    fn block(&self, build: &Ident, mut imports: Imports, dims: TokenStream) -> TokenStream {
        for name in ["KvMemory", "Limits", "Recipe"] {
            imports.add(&Type::of(&[], name));
        }
        self.constants
            .iter()
            .for_each(|constant| imports.add(&constant.settings_type()));
        self.bindings
            .iter()
            .for_each(|binding| imports.add(&binding.bound));
        let (about, profile, limits) = (&self.about, self.profile, &self.limits);
        let constants = self.constants.iter().map(constant);
        let head_dims = self.head_dims.iter().copied().map(number);
        let head_dims = (!self.head_dims.is_empty())
            .then(|| quote! { const HEAD_DIMS: &'static [usize] = &[#(#head_dims),*]; });
        let (off, on): (Vec<&Binding>, Vec<&Binding>) =
            self.bindings.iter().partition(|binding| is_off(binding));
        let on = on.into_iter().map(bound);
        // Only doc comments survive on the way to the printer, so the heading of what is off is one.
        let heading = (!off.is_empty()).then(|| quote! { #[doc = " Not in this engine."] });
        let off = off.into_iter().map(bound);
        quote! {
            const _: () = {
                #imports

                #dims

                #about
                impl Recipe for #build {
                    const NAME: &'static str = #profile;
                    const LIMITS: Limits = #limits;
                    #head_dims
                    #(#constants)*
                    #(#on)*
                    #heading
                    #(#off)*
                }
            };
        }
    }
}

fn is_off(binding: &Binding) -> bool {
    matches!(binding.stands_for, StandsFor::Absence(_))
}

fn bound(binding: &Binding) -> TokenStream {
    let (name, bound) = (ident(binding.name), &binding.bound);
    quote! { type #name = #bound; }
}

/// The settings of a feature, each by its name.
fn constant(constant: &Constant) -> TokenStream {
    let (name, settings) = (ident(&constant.name()), constant.settings_type());
    let keys = constant.settings.iter().map(|(key, _)| ident(key));
    let values = constant.settings.iter().map(|(_, value)| number(*value));
    quote! { const #name: #settings = #settings { #(#keys: #values),* }; }
}

fn limits(limits: &Limits) -> TokenStream {
    let Limits {
        max_model_len,
        max_seqs,
        max_batched_tokens,
        block_size,
        kv_memory,
    } = *limits;
    let kv_memory = self::kv_memory(kv_memory);
    let [len, seqs, tokens, block] =
        [max_model_len, max_seqs, max_batched_tokens, block_size].map(number);
    quote! {
        Limits {
            max_model_len: #len,
            max_seqs: #seqs,
            max_batched_tokens: #tokens,
            block_size: #block,
            kv_memory: #kv_memory,
        }
    }
}

fn kv_memory(memory: KvMemory) -> TokenStream {
    match memory {
        KvMemory::Needed => quote! { KvMemory::Needed },
        KvMemory::Bytes(bytes) => {
            let bytes = size(bytes);
            quote! { KvMemory::Bytes(#bytes) }
        }
        KvMemory::Within(bytes) => {
            let bytes = size(bytes);
            quote! { KvMemory::Within(#bytes) }
        }
    }
}

/// The dimensions as constants.
fn baked(shape: &Baked, imports: &mut Imports) -> TokenStream {
    for name in ["Dims", "Shape"] {
        imports.add(&Type::of(&["models"], name));
    }
    let baked = ident(BAKED);
    let dims = &shape.config.dims;
    let [layers, hidden, heads, kv_heads, head_dim, ffn, vocab] = [
        dims.layers,
        dims.hidden,
        dims.q_heads,
        dims.kv_heads,
        dims.head_dim,
        dims.ffn,
        dims.vocab,
    ]
    .map(Literal::usize_unsuffixed);
    quote! {
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

/// Bytes as a person would write them: `6 << 30`.
fn size(bytes: u64) -> TokenStream {
    let shift = [30_u32, 20, 10]
        .into_iter()
        .find(|shift| bytes > 0 && bytes.trailing_zeros() >= *shift);
    match shift {
        Some(shift) => {
            let (count, shift) = (number(bytes >> shift), number(shift.into()));
            quote! { #count << #shift }
        }
        None => {
            let bytes = number(bytes);
            quote! { #bytes }
        }
    }
}
