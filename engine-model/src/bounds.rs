//! Bounds of a request that a plan counts memory for, and that an engine then holds requests against.

/// Biases that a request may bring.
pub const LOGIT_BIASES: usize = 1024;

/// Tokens that end a request's text.
pub const STOP_TOKENS: usize = 128;

/// Logits that a request changes: those of its biases, and of its stop tokens while they would come too early.
pub const EDITS: usize = LOGIT_BIASES + STOP_TOKENS;
