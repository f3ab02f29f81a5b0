//! The time that the engine tells, which its caller brings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A clock: the time since some moment that stays the same. It never goes back.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// Always 0, for those who want no times.
    pub fn stopped() -> Self {
        Self::new(|| Duration::ZERO)
    }

    /// What `read` says.
    pub fn new(read: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub(super) fn now(&self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// When things happened to one sequence, by the engine's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// It was submitted.
    pub arrived: Duration,
    /// It was scheduled for the first time, if ever.
    pub admitted: Option<Duration>,
    /// Its first token was output.
    pub first_token: Option<Duration>,
    pub finished: Duration,
}

/// How long the launches of all steps together have taken, by the engine's clock. That is what the device took where it
/// runs launches at once, as a CPU does; another one's time is spent where a step is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// From token ids to logits.
    pub forward: Duration,
    /// From logits to tokens and their logprobs.
    pub sampling: Duration,
}
