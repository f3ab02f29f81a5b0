//! One suite for all backends: every op against the `reference` one, and batch invariance bit by bit.
//!
//! Each backend runs the same tests under its own name. One whose instructions this machine lacks is reported as
//! skipped. The instruction sets of the CPU are held against each other too, bit by bit. Tolerances are stated where they
//! are used: f32 sums against f64 sums, and what a format rounds away.

mod answers;
mod attention;
mod inputs;
mod matmul;
mod rows;
mod sampler;
mod sizes;

use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{
    Advance, Backend, CopyBlocks, Head, Input, Linear, Pointwise, Sampling,
};
use engine_runtime::dtype::{BF16, Dense, Element, F16, F32, Plain};

/// A backend under test, opened with any number of threads; `None` where this machine cannot.
pub trait Subject: Pointwise<Act = f32> + Sampling + Advance {
    fn start(threads: usize) -> Option<Self> {
        engine_runtime::testing::device(threads)
    }
}

impl<B: Pointwise<Act = f32> + Sampling + Advance> Subject for B {}

/// A backend under test with weights, head and cache in `D`.
pub trait Formats<D>: Subject + Linear<Dense<D>> + Head<Dense<D>> + CopyBlocks<Plain<D>>
where
    Dense<D>: engine_runtime::dtype::WeightFormat,
    Plain<D>: engine_runtime::dtype::CacheFormat,
{
}

impl<D, B> Formats<D> for B
where
    Dense<D>: engine_runtime::dtype::WeightFormat,
    Plain<D>: engine_runtime::dtype::CacheFormat,
    B: Subject + Linear<Dense<D>> + Head<Dense<D>> + CopyBlocks<Plain<D>>,
{
}

/// Thread counts under which results must be equal: few, and many more than there are cores or tasks.
pub const THREADS: [usize; 4] = [1, 2, 5, 64];

/// `data` on the device.
pub fn put<B: Backend, T: Element>(device: &mut B, data: &[T]) -> B::Array<T> {
    let mut array = device.alloc("a test array", data.len()).expect("allocates");
    device.upload(&mut array, data).expect("uploads");
    array
}

/// `data` on the device, as a range in the middle of a buffer of words.
pub struct Staged<B: Backend, T> {
    buffer: B::Array<u32>,
    len: usize,
    element: std::marker::PhantomData<T>,
}

impl<B: Backend, T: Element> Staged<B, T> {
    const START: usize = 3;

    pub fn put(device: &mut B, data: &[T]) -> Self {
        let mut words = vec![u32::MAX; Self::START];
        words.extend_from_slice(bytemuck::cast_slice(data));
        words.push(u32::MAX);
        Self {
            buffer: put(device, &words),
            len: data.len(),
            element: std::marker::PhantomData,
        }
    }

    pub fn get(&self) -> Input<'_, B, T> {
        Input::new(&self.buffer, Self::START, self.len)
    }
}

/// The first `len` elements.
pub fn get<B: Backend, T: Element>(device: &mut B, array: &B::Array<T>, len: usize) -> Vec<T> {
    let mut data = vec![T::zeroed(); len];
    device.read(array, &mut data).expect("reads");
    data
}

/// Every element within `tolerance` of the expected one, or both not numbers.
#[track_caller]
pub fn assert_close(what: &str, got: &[f32], expected: &[f32], tolerance: impl Fn(usize) -> f32) {
    assert_eq!(got.len(), expected.len(), "{what}: lengths");
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let close = (got - expected).abs() <= tolerance(i)
            || got == expected
            || got.is_nan() && expected.is_nan();
        assert!(close, "{what}: element {i} is {got}, expected {expected}");
    }
}

#[track_caller]
pub fn assert_same_bits(what: &str, got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len(), "{what}: lengths");
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let same = got.to_bits() == expected.to_bits();
        assert!(same, "{what}: element {i} is {got}, expected {expected}");
    }
}

/// Tests of a backend, and of each format on it.
macro_rules! suites {
    ($($(#[$only:meta])* $name:ident: $backend:ty { $($format:ident: $element:ty,)+ })+) => {$(
        $(#[$only])*
        mod $name {
            use super::*;

            type B = $backend;

            #[test]
            fn norms() {
                rows::norms_agree::<B>();
            }
            #[test]
            fn rope() {
                rows::rope_agrees::<B>();
            }
            #[test]
            fn gates() {
                rows::gates_agree::<B>();
            }
            #[test]
            fn gather_rows() {
                rows::gather_rows_agrees::<B>();
            }
            #[test]
            fn route() {
                rows::routes_agree::<B>();
            }
            #[test]
            fn combine() {
                rows::combine_agrees::<B>();
            }
            #[test]
            fn advance() {
                rows::advance_agrees::<B>();
            }
            #[test]
            fn rows_are_batch_invariant() {
                rows::are_batch_invariant::<B>();
            }
            #[test]
            fn kept_tokens() {
                sampler::keeps_tokens::<B>();
            }
            #[test]
            fn process_logits() {
                sampler::process_agrees::<B>();
            }
            #[test]
            fn sample() {
                sampler::sample_agrees::<B>();
            }
            #[test]
            fn logprobs() {
                sampler::logprobs_agree::<B>();
            }
            #[test]
            fn sampler_is_batch_invariant() {
                sampler::is_batch_invariant::<B>();
            }
            #[test]
            fn a_vocabulary_of_152k() {
                sizes::a_vocabulary_of_152k::<B>();
            }
            $(
                mod $format {
                    use super::*;

                    type D = $element;

                    #[test]
                    fn matmul() {
                        matmul::agrees::<D, B>();
                    }
                    #[test]
                    fn matmul_is_batch_invariant() {
                        matmul::is_batch_invariant::<D, B>();
                    }
                    #[test]
                    fn experts() {
                        matmul::experts_agree::<D, B>();
                    }
                    #[test]
                    fn experts_are_batch_invariant() {
                        matmul::experts_are_batch_invariant::<D, B>();
                    }
                    #[test]
                    fn wrong_experts_are_refused() {
                        matmul::wrong_experts_are_refused::<D, B>();
                    }
                    #[test]
                    fn embed() {
                        rows::embed_agrees::<D, B>();
                    }
                    #[test]
                    fn wrong_indices_are_refused() {
                        rows::wrong_indices_are_refused::<D, B>();
                    }
                    #[test]
                    fn attention() {
                        attention::agrees::<D, B>();
                    }
                    #[test]
                    fn windows() {
                        attention::windows_agree::<D, B>();
                    }
                    #[test]
                    fn attention_is_batch_invariant() {
                        attention::is_batch_invariant::<D, B>();
                    }
                    #[test]
                    fn partitions_are_batch_invariant() {
                        attention::partitions_are_batch_invariant::<D, B>();
                    }
                    #[test]
                    fn windows_are_batch_invariant() {
                        attention::windows_are_batch_invariant::<D, B>();
                    }
                    #[test]
                    fn copy_blocks() {
                        attention::copied_blocks_are_read::<D, B>();
                    }
                    #[test]
                    fn tangled_batches_are_refused() {
                        attention::tangled_batches_are_refused::<D, B>();
                    }
                    #[test]
                    fn a_context_of_many_tiles() {
                        sizes::a_context_of_many_tiles::<D, B>();
                    }
                    #[test]
                    fn a_matrix_beyond_the_caches() {
                        sizes::a_matrix_beyond_the_caches::<D, B>();
                    }
                }
            )+
        }
    )+};
}

#[cfg(target_arch = "x86_64")]
use engine_runtime::backend::cpu::{Avx2, Avx512, Avx512Bf16};

suites! {
    reference: Reference { f32: F32, bf16: BF16, }
    portable: Cpu<Portable> { f32: F32, f16: F16, bf16: BF16, }
    #[cfg(target_arch = "x86_64")]
    avx2: Cpu<Avx2> { f32: F32, f16: F16, bf16: BF16, }
    #[cfg(target_arch = "x86_64")]
    avx512: Cpu<Avx512> { f32: F32, f16: F16, bf16: BF16, }
    #[cfg(target_arch = "x86_64")]
    avx512bf16: Cpu<Avx512Bf16> { f32: F32, f16: F16, bf16: BF16, }
}

/// Holds the answers of some instruction sets against each other.
#[cfg(target_arch = "x86_64")]
macro_rules! same {
    ($answer:tt on $($backend:ident)+) => {
        answers::same(&[$((stringify!($backend), same!(@ $answer $backend)),)+])
    };
    (@ ($op:ident::$answer:ident) $backend:ident) => {
        $op::$answer::<Cpu<$backend>>()
    };
    (@ ($op:ident::$answer:ident of $format:ty) $backend:ident) => {
        $op::$answer::<$format, Cpu<$backend>>()
    };
}

/// Tests that every instruction set has one answer, products on those that have no instruction of their own for them.
#[cfg(target_arch = "x86_64")]
macro_rules! one_answer {
    ($($name:ident: $element:ty { products on $($backend:ident)+ })+) => {
        mod one_answer {
            use super::*;

            #[test]
            fn rows_have_one_answer() {
                same!((rows::answer) on Portable Avx2 Avx512 Avx512Bf16);
            }
            #[test]
            fn the_sampler_has_one_answer() {
                same!((sampler::answer) on Portable Avx2 Avx512 Avx512Bf16);
            }
            $(
                mod $name {
                    use super::*;

                    #[test]
                    fn embeddings_have_one_answer() {
                        same!((rows::embedding_answer of $element) on Portable Avx2 Avx512 Avx512Bf16);
                    }
                    #[test]
                    fn attention_has_one_answer() {
                        same!((attention::answer of $element) on Portable Avx2 Avx512 Avx512Bf16);
                    }
                    #[test]
                    fn products_have_one_answer() {
                        same!((matmul::answer of $element) on $($backend)+);
                    }
                }
            )+
        }
    };
}

#[cfg(target_arch = "x86_64")]
one_answer! {
    f32: F32 { products on Portable Avx2 Avx512 Avx512Bf16 }
    f16: F16 { products on Portable Avx2 Avx512 Avx512Bf16 }
    // `Avx512Bf16` rounds activations to bf16, and then as its instruction does.
    bf16: BF16 { products on Portable Avx2 Avx512 }
}
