//! The ops of the reference backend, as launches: one file for each trait or two.

mod attention;
mod linear;
mod pointwise;
mod sampling;
