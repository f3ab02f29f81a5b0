//! An output part that exists in tests alone: it shows that steps can be on their way two at a time.

use crate::legal::mark;
use crate::parts::{Output, Part};
use crate::recipe::Recipe;

/// A step is launched before the tokens of the one in front of it are known; the device passes them on.
#[derive(Debug, Clone, Copy)]
pub struct OneStepAhead;

impl Part for OneStepAhead {
    type Mark = mark::Nothing;
}

impl<R: Recipe> Output<R> for OneStepAhead {
    const AHEAD: usize = 1;
}
