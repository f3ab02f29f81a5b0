//! AVX-512 with the subsets of x86-64-v4, and the same with bf16 dot products (Zen 4, Cooper Lake and later).

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::{Dot, Isa, Kernel, Level, Pair, pairs};

/// x86-64-v4.
#[derive(Debug, Clone, Copy)]
pub struct Avx512(());

/// x86-64-v4 with AVX512_BF16.
#[derive(Debug, Clone, Copy)]
pub struct Avx512Bf16(());

macro_rules! avx512 {
    ($isa:ident, $level:expr, $features:literal) => {
        impl Isa for $isa {
            const LEVEL: Level = $level;
            const LANES: usize = 16;
            const TILE_ROWS: usize = 12;

            type Vector = __m512;

            fn detect() -> Result<Self, Vec<&'static str>> {
                let missing = Self::LEVEL.missing();
                missing.is_empty().then_some(Self(())).ok_or(missing)
            }

            #[inline(always)]
            fn enter<K: Kernel<Self>>(self, kernel: K) -> K::Out {
                #[target_feature(enable = $features)]
                fn inside<K: Kernel<$isa>>(isa: $isa, kernel: K) -> K::Out {
                    kernel.run(isa)
                }
                // SAFETY: `self` is proof of the instructions.
                unsafe { inside(self, kernel) }
            }

            #[inline(always)]
            fn splat(self, x: f32) -> __m512 {
                // SAFETY: `self` is proof of the instructions.
                unsafe { _mm512_set1_ps(x) }
            }
            #[inline(always)]
            unsafe fn load(self, from: *const f32) -> __m512 {
                // SAFETY: the pointer is the caller's word; unaligned, as f32 pointers are no vectors. (The intrinsic for it
                // stays a call where a development build thinks a path cold.)
                unsafe { from.cast::<__m512>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(self, x: __m512, to: *mut f32) {
                // SAFETY: as in `load`.
                unsafe { to.cast::<__m512>().write_unaligned(x) }
            }
            instructions! {
                __m512;
                add(a, b) = _mm512_add_ps;
                sub(a, b) = _mm512_sub_ps;
                mul(a, b) = _mm512_mul_ps;
                div(a, b) = _mm512_div_ps;
                mul_add(a, b, c) = _mm512_fmadd_ps;
                max(a, b) = _mm512_max_ps;
                min(a, b) = _mm512_min_ps;
            }
            #[inline(always)]
            fn round(self, x: __m512) -> __m512 {
                const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
                // SAFETY: `self` is proof of the instructions.
                unsafe { _mm512_roundscale_ps::<NEAREST>(x) }
            }
            #[inline(always)]
            fn power_of_two(self, x: __m512) -> __m512 {
                // SAFETY: `self` is proof of the instructions.
                unsafe { _mm512_scalef_ps(_mm512_set1_ps(1.0), x) }
            }
            #[inline(always)]
            fn keep_unless_below(self, x: __m512, a: __m512, b: __m512) -> __m512 {
                // SAFETY: `self` is proof of the instructions.
                unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NLT_UQ>(a, b), x) }
            }
            #[inline(always)]
            fn prefetch(self, address: *const u8) {
                // SAFETY: `self` is proof of the instructions.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
            }
        }

        impl Dot<f32> for $isa {
            const GROUP: usize = 1;
            type Group = f32;
            type Weights = __m512;

            #[inline(always)]
            fn group(self, x: &[f32], groups: &mut [f32]) {
                groups.copy_from_slice(x);
            }
            #[inline(always)]
            unsafe fn load_wide(self, from: *const f32) -> __m512 {
                // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
                unsafe { _mm512_loadu_ps(from) }
            }
            #[inline(always)]
            unsafe fn weights(self, from: *const f32) -> __m512 {
                // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
                unsafe { _mm512_loadu_ps(from) }
            }
            #[inline(always)]
            fn accumulate(self, sum: __m512, weights: __m512, x: f32) -> __m512 {
                self.mul_add(weights, self.splat(x), sum)
            }
        }

        impl Dot<f16> for $isa {
            const GROUP: usize = 1;
            type Group = f32;
            type Weights = __m512;

            #[inline(always)]
            fn group(self, x: &[f32], groups: &mut [f32]) {
                groups.copy_from_slice(x);
            }
            #[inline(always)]
            unsafe fn load_wide(self, from: *const f16) -> __m512 {
                // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
                unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
            }
            #[inline(always)]
            unsafe fn weights(self, from: *const f16) -> __m512 {
                // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
                unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
            }
            #[inline(always)]
            fn accumulate(self, sum: __m512, weights: __m512, x: f32) -> __m512 {
                Dot::<f32>::accumulate(self, sum, weights, x)
            }
        }
    };
}

avx512!(
    Avx512,
    Level::V4,
    "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,f16c"
);
avx512!(
    Avx512Bf16,
    Level::V4_BF16,
    "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c"
);

/// Weights are widened, two columns to a load; activations stay in f32.
impl Dot<bf16> for Avx512 {
    const GROUP: usize = 2;
    type Group = Pair;
    type Weights = [__m512; 2];

    #[inline(always)]
    fn group(self, x: &[f32], groups: &mut [Pair]) {
        for (group, pair) in groups.iter_mut().zip(pairs(x)) {
            *group = pair;
        }
    }
    #[inline(always)]
    unsafe fn load_wide(self, from: *const bf16) -> __m512 {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe { widen_bf16(from) }
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const bf16) -> [__m512; 2] {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe { widen_pairs(from) }
    }
    #[inline(always)]
    fn accumulate(self, sum: __m512, weights: [__m512; 2], x: Pair) -> __m512 {
        let first = self.mul_add(weights[0], self.splat(x.0), sum);
        self.mul_add(weights[1], self.splat(x.1), first)
    }
}

/// # Safety
/// The machine has AVX-512F, and `from` is valid for reads of 16 elements.
#[inline(always)]
unsafe fn widen_bf16(from: *const bf16) -> __m512 {
    // SAFETY: the caller's word.
    unsafe {
        let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
    }
}

/// The first and the second of 16 pairs. Not a closure: that would be compiled without the instructions.
///
/// # Safety
/// The machine has AVX-512F, and `from` is valid for reads of 32 elements.
#[inline(always)]
unsafe fn widen_pairs(from: *const bf16) -> [__m512; 2] {
    // SAFETY: the caller's word.
    unsafe {
        let pairs = _mm512_loadu_si512(from.cast());
        let high = _mm512_set1_epi32(0xffff_0000_u32 as i32);
        [
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs)),
            _mm512_castsi512_ps(_mm512_and_si512(pairs, high)),
        ]
    }
}

/// Activations are rounded to bf16, and pairs of columns multiplied and added by one instruction.
impl Dot<bf16> for Avx512Bf16 {
    const GROUP: usize = 2;
    /// The pair, first column in the low half.
    type Group = u32;
    type Weights = __m512i;

    #[inline(always)]
    fn group(self, x: &[f32], groups: &mut [u32]) {
        let (blocks, rest) = x.as_chunks::<32>();
        let (group_blocks, rest_groups) = groups.split_at_mut(16 * blocks.len());
        for (x, groups) in blocks.iter().zip(group_blocks.as_chunks_mut::<16>().0) {
            // SAFETY: `self` is proof of the instructions; 32 elements are read, 16 pairs written.
            unsafe {
                let (low, high) = (
                    _mm512_loadu_ps(x.as_ptr()),
                    _mm512_loadu_ps(x[16..].as_ptr()),
                );
                let rounded: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_storeu_si512(groups.as_mut_ptr().cast(), rounded);
            }
        }
        for (group, pair) in rest_groups.iter_mut().zip(pairs(rest)) {
            let [low, high] = [pair.0, pair.1].map(|x| u32::from(bf16::from_f32(x).to_bits()));
            *group = low | high << 16;
        }
    }
    #[inline(always)]
    unsafe fn load_wide(self, from: *const bf16) -> __m512 {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe { widen_bf16(from) }
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const bf16) -> __m512i {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    fn accumulate(self, sum: __m512, weights: __m512i, x: u32) -> __m512 {
        // SAFETY: `self` is proof of the instructions; both types are 512 bits of anything.
        unsafe {
            let x: __m512bh = std::mem::transmute(_mm512_set1_epi32(x as i32));
            let weights: __m512bh = std::mem::transmute(weights);
            _mm512_dpbf16_ps(sum, weights, x)
        }
    }
}
