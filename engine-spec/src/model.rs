//! What is known of models: families, number formats, weight formats.

pub use engine_model::{ModelCode, ModelFamily};

pub use crate::{dtype::Dtype, weight_format::WeightFormat};
