//! What an engine has done since it opened.

/// What is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Sequences, each answer to a prompt counted once it has begun.
    pub running: usize,
    pub waiting: usize,
    /// KV blocks that sequences hold, and all there are.
    pub blocks_used: usize,
    pub blocks: usize,
}

/// Counts that only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests, and how they ended.
    pub submitted: u64,
    pub completed: u64,
    pub rejected: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub steps: u64,
    /// Tokens that went through the model, those computed again included.
    pub computed_tokens: u64,
    pub prompt_tokens: u64,
    pub generated_tokens: u64,
    /// Prompt tokens that were found in the prefix cache.
    pub cached_tokens: u64,
    /// How often a running sequence was sent back to the queue.
    pub preemptions: u64,
}

impl Stats {
    /// Panics unless each request is in flight or ended in exactly one way.
    pub(super) fn audit(&self, live: usize) {
        let ended = self.completed + self.rejected + self.failed + self.cancelled;
        assert_eq!(self.submitted, ended + live as u64, "requests: {self:?}");
    }
}
