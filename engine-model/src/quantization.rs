//! `quantization_config`: how the weights of a checkpoint are stored, where they are not plain numbers.

use serde::Serialize;

use crate::file::FileError;
use crate::json::Object;

/// What a checkpoint says of its quantised weights. What a method leaves open stays `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quantization {
    /// `quant_method`, for example `awq`.
    pub method: String,
    pub bits: Option<usize>,
    /// Weights of a row that share a scale; `None` also where a whole row does (`-1`).
    pub group_size: Option<usize>,
    /// Groups have a zero point of their own.
    pub zero_point: Option<bool>,
    /// Columns lie in the order of their importance (GPTQ's `desc_act`).
    pub desc_act: Option<bool>,
    /// Rows and columns that share a scale (block-wise fp8).
    pub block: Option<[usize; 2]>,
}

impl Quantization {
    pub(crate) fn read(config: &Object) -> Result<Option<Self>, FileError> {
        let Some(settings) = config.object("quantization_config")? else {
            return Ok(None);
        };
        let method = settings.required("quant_method", settings.text("quant_method")?)?;
        let bits = match settings.count("bits", 1..=32)? {
            Some(bits) => Some(bits),
            None => settings.count("w_bit", 1..=32)?,
        };
        let whole_row = settings.get("group_size").and_then(|n| n.as_i64()) == Some(-1);
        let group_size = match whole_row {
            true => None,
            false => settings.count("group_size", 1..=1 << 20)?,
        };
        // GPTQ writes whether groups are symmetric, AWQ whether they have a zero point.
        let zero_point = match settings.flag("zero_point")? {
            Some(has) => Some(has),
            None => settings.flag("sym")?.map(|symmetric| !symmetric),
        };
        let block = settings.counts("weight_block_size", 1..=1 << 20)?;
        Ok(Some(Self {
            method,
            bits,
            group_size,
            zero_point,
            desc_act: settings.flag("desc_act")?,
            block: block.and_then(|block| block.try_into().ok()),
        }))
    }
}
