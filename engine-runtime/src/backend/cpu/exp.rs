//! The exponential function, one polynomial for every place that needs it.

use super::isa::Isa;

/// Below this e^x is no normal f32, and taken as 0.
const SMALLEST: f32 = -87.3;
/// Above this, e^x is held at its value there, next to the largest f32.
const LARGEST: f32 = 88.3;

/// e^x in each lane, within 2 units in the last place; NaN stays.
///
/// x = n ln 2 + r, and e^r by the polynomial of Moshier's Cephes library (`expf`).
#[inline(always)]
pub(super) fn exp<I: Isa>(isa: I, x: I::Vector) -> I::Vector {
    let inside = isa.max(isa.splat(SMALLEST), isa.min(isa.splat(LARGEST), x));
    let n = isa.round(isa.mul(inside, isa.splat(std::f32::consts::LOG2_E)));
    // ln 2 in two parts, the first of few bits, so that n times it is exact.
    let r = isa.mul_add(n, isa.splat(-0.693_359_4), inside);
    let r = isa.mul_add(n, isa.splat(2.121_944_4e-4), r);
    let coefficients = [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_6e-1,
        5e-1,
    ];
    let mut polynomial = isa.splat(1.987_569_1e-4);
    for coefficient in coefficients {
        polynomial = isa.mul_add(polynomial, r, isa.splat(coefficient));
    }
    let fraction = isa.add(isa.mul_add(polynomial, isa.mul(r, r), r), isa.splat(1.0));
    let value = isa.mul(fraction, isa.power_of_two(n));
    isa.keep_unless_below(value, x, isa.splat(SMALLEST))
}
