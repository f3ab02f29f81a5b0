//! One mark for each backend: a pair that is proven on one is not proven on another.
/// The backend `cpu`.
#[derive(Debug, Clone, Copy)]
pub struct Cpu;

/// The backend `cuda`.
#[derive(Debug, Clone, Copy)]
pub struct Cuda;

/// The backend `hip`.
#[derive(Debug, Clone, Copy)]
pub struct Hip;
