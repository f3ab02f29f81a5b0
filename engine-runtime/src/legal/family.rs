//! One mark for each hardware family; backends name theirs in
//! [`Backend::Family`](crate::backend::Backend::Family).
use super::backend;

/// A hardware column of the matrix.
pub trait Column {
    /// The backend that runs it, one of [`backend`].
    type Backend;
}

/// The column `volta` of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Volta;
impl Column for Volta {
    type Backend = backend::Cuda;
}

/// The column `turing` of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Turing;
impl Column for Turing {
    type Backend = backend::Cuda;
}

/// The column `ampere` of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Ampere;
impl Column for Ampere {
    type Backend = backend::Cuda;
}

/// The column `ada` of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Ada;
impl Column for Ada {
    type Backend = backend::Cuda;
}

/// The column `hopper` of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Hopper;
impl Column for Hopper {
    type Backend = backend::Cuda;
}

/// The column `cpu` of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Cpu;
impl Column for Cpu {
    type Backend = backend::Cpu;
}

/// The column `amd` of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Amd;
impl Column for Amd {
    type Backend = backend::Hip;
}

/// The mark of a family, by its name in a profile.
#[doc(hidden)]
#[macro_export]
macro_rules! family {
    (volta) => {
        $crate::legal::family::Volta
    };
    (turing) => {
        $crate::legal::family::Turing
    };
    (ampere) => {
        $crate::legal::family::Ampere
    };
    (ada) => {
        $crate::legal::family::Ada
    };
    (hopper) => {
        $crate::legal::family::Hopper
    };
    (cpu) => {
        $crate::legal::family::Cpu
    };
    (amd) => {
        $crate::legal::family::Amd
    };
}
