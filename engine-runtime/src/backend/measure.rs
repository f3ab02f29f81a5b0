//! What a device can do at most: for benchmarks, and no part of serving.

use super::{DeviceError, Linear};
use crate::dtype::WeightFormat;

/// The bounds that a benchmark's figures are held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviceLimits {
    /// Bytes a second that the device reads from its memory.
    pub read_bandwidth: f64,
    /// Floating-point operations a second, a product and a sum being two, that its dot products reach in registers.
    pub dot_peak: f64,
}

/// A device whose limits can be measured.
pub trait Measure<W: WeightFormat>: Linear<W> {
    /// Measured now, with weights of the format `W`; `None` where they mean nothing.
    fn limits(&mut self) -> Result<Option<DeviceLimits>, DeviceError>;
}
