//! Why a request is refused.

/// Names the field, its value, and what would be allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("`{field}` is {value}; allowed is {allowed}")]
    OutOfRange {
        field: &'static str,
        value: String,
        allowed: String,
    },
    #[error("`{field}` is set to {value}, but it has no meaning without {needs}")]
    Meaningless {
        field: &'static str,
        value: String,
        needs: &'static str,
    },
    #[error(
        "`{field}` is set to {value}, but the engine `{profile}` was built without `{feature}`; add `{line}` to \
         [features] of that profile and build it again"
    )]
    NotBuilt {
        field: &'static str,
        value: String,
        profile: &'static str,
        feature: &'static str,
        line: &'static str,
    },
    #[error(
        "`prompt` has {prompt} tokens and `max_tokens` is {max_tokens}; allowed are {available} tokens together ({limit})"
    )]
    NeverFits {
        prompt: usize,
        max_tokens: usize,
        available: usize,
        /// Which limit that is.
        limit: &'static str,
    },
    #[error("not a JSON object: {reason}")]
    NotAnObject { reason: String },
    #[error("`{field}`: {reason}")]
    Unreadable { field: &'static str, reason: String },
    #[error("unknown field `{field}`{hint}")]
    Unknown { field: String, hint: String },
    #[error("`{first}` and `{second}` exclude each other")]
    Both {
        first: &'static str,
        second: &'static str,
    },
    #[error("the request was validated by the rules of another engine; validate it by this one's")]
    OtherRules,
    #[error(
        "the queue is full: {waiting} sequences are waiting, and this request's would be too many; try again later, or raise max_queue"
    )]
    QueueFull { waiting: usize },
    #[error("the engine has ended: {reason}")]
    EngineEnded { reason: String },
}
