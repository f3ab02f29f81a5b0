//! AVX2 with FMA and F16C, as in x86-64-v3.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::{Dot, Isa, Kernel, Level, Pair, pairs};

/// x86-64-v3.
#[derive(Debug, Clone, Copy)]
pub struct Avx2(());

impl Isa for Avx2 {
    const LEVEL: Level = Level::V3;
    const LANES: usize = 8;
    const TILE_ROWS: usize = 5;

    type Vector = __m256;

    fn detect() -> Result<Self, Vec<&'static str>> {
        let missing = Self::LEVEL.missing();
        missing.is_empty().then_some(Self(())).ok_or(missing)
    }

    #[inline(always)]
    fn enter<K: Kernel<Self>>(self, kernel: K) -> K::Out {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn inside<K: Kernel<Avx2>>(isa: Avx2, kernel: K) -> K::Out {
            kernel.run(isa)
        }
        // SAFETY: `self` is proof of the instructions.
        unsafe { inside(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: `self` is proof of the instructions.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, x: __m256, to: *mut f32) {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe { _mm256_storeu_ps(to, x) }
    }
    instructions! {
        __m256;
        add(a, b) = _mm256_add_ps;
        sub(a, b) = _mm256_sub_ps;
        mul(a, b) = _mm256_mul_ps;
        div(a, b) = _mm256_div_ps;
        mul_add(a, b, c) = _mm256_fmadd_ps;
        max(a, b) = _mm256_max_ps;
        min(a, b) = _mm256_min_ps;
    }
    #[inline(always)]
    fn round(self, x: __m256) -> __m256 {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        // SAFETY: `self` is proof of the instructions.
        unsafe { _mm256_round_ps::<NEAREST>(x) }
    }
    #[inline(always)]
    fn power_of_two(self, x: __m256) -> __m256 {
        // SAFETY: `self` is proof of the instructions.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        }
    }
    #[inline(always)]
    fn keep_unless_below(self, x: __m256, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` is proof of the instructions.
        unsafe { _mm256_and_ps(x, _mm256_cmp_ps::<_CMP_NLT_UQ>(a, b)) }
    }
    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        // SAFETY: `self` is proof of the instructions.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
}

impl Dot<f32> for Avx2 {
    const GROUP: usize = 1;
    type Group = f32;
    type Weights = __m256;

    #[inline(always)]
    fn group(self, x: &[f32], groups: &mut [f32]) {
        groups.copy_from_slice(x);
    }
    #[inline(always)]
    unsafe fn load_wide(self, from: *const f32) -> __m256 {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const f32) -> __m256 {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    fn accumulate(self, sum: __m256, weights: __m256, x: f32) -> __m256 {
        self.mul_add(weights, self.splat(x), sum)
    }
}

impl Dot<f16> for Avx2 {
    const GROUP: usize = 1;
    type Group = f32;
    type Weights = __m256;

    #[inline(always)]
    fn group(self, x: &[f32], groups: &mut [f32]) {
        groups.copy_from_slice(x);
    }
    #[inline(always)]
    unsafe fn load_wide(self, from: *const f16) -> __m256 {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const f16) -> __m256 {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    fn accumulate(self, sum: __m256, weights: __m256, x: f32) -> __m256 {
        Dot::<f32>::accumulate(self, sum, weights, x)
    }
}

/// Weights are widened, two columns to a load; activations stay in f32.
impl Dot<bf16> for Avx2 {
    const GROUP: usize = 2;
    type Group = Pair;
    type Weights = [__m256; 2];

    #[inline(always)]
    fn group(self, x: &[f32], groups: &mut [Pair]) {
        for (group, pair) in groups.iter_mut().zip(pairs(x)) {
            *group = pair;
        }
    }
    #[inline(always)]
    unsafe fn load_wide(self, from: *const bf16) -> __m256 {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe {
            let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
        }
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const bf16) -> [__m256; 2] {
        // SAFETY: `self` is proof of the instructions; the pointer is the caller's word.
        unsafe { widen_pairs(_mm256_loadu_si256(from.cast())) }
    }
    #[inline(always)]
    fn accumulate(self, sum: __m256, weights: [__m256; 2], x: Pair) -> __m256 {
        let first = self.mul_add(weights[0], self.splat(x.0), sum);
        self.mul_add(weights[1], self.splat(x.1), first)
    }
}

/// The first and the second of 8 pairs. Not a closure: that would be compiled without the instructions.
///
/// # Safety
/// The machine has AVX2.
#[inline(always)]
unsafe fn widen_pairs(pairs: __m256i) -> [__m256; 2] {
    // SAFETY: the caller's word.
    unsafe {
        let high = _mm256_set1_epi32(0xffff_0000_u32 as i32);
        [
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)),
            _mm256_castsi256_ps(_mm256_and_si256(pairs, high)),
        ]
    }
}
