//! When the tokens of a step become output.

use super::Part;
use crate::legal::mark;
use crate::recipe::Recipe;

/// How far the device runs ahead of the output.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not built yet in this engine",
    label = "no kernels and no code for this part",
    note = "`cargo lathe matrix` shows what is built"
)]
pub trait Output<R: Recipe>: Part {
    /// Steps that are launched before the tokens of an earlier one are known to the host; 0 or 1.
    const AHEAD: usize;
}

/// Output is processed before the next step is launched.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inline;

impl Part for Inline {
    type Mark = mark::Nothing;
}

impl<R: Recipe> Output<R> for Inline {
    const AHEAD: usize = 0;
}

/// Output is processed while the next step runs.
#[derive(Debug, Clone, Copy)]
pub struct Async;

impl Part for Async {
    type Mark = mark::AsyncOutput;
}
