//! The ops of the CPU backend, one file for each trait or two: each takes its arrays apart and runs a kernel, row by row
//! or task by task.

mod attention;
mod linear;
mod pointwise;
mod sampling;
