//! What this engine proves: one line for each pair on each backend, and for each feature on each family.
use super::{RunsOn, WorksWith, backend, family, mark};
impl WorksWith<mark::ChunkedPrefill, backend::Cpu> for mark::PrefixCaching {}
impl WorksWith<mark::ChunkedPrefill, backend::Cpu> for mark::Logprobs {}
impl WorksWith<mark::PrefixCaching, backend::Cpu> for mark::Logprobs {}
impl RunsOn<family::Cpu> for mark::ChunkedPrefill {}
impl RunsOn<family::Cpu> for mark::PrefixCaching {}
impl RunsOn<family::Cpu> for mark::Logprobs {}
