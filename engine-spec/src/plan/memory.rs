//! How much memory keys and values get, and what of a device is there to be shared out.

use serde::Serialize;

use super::Answers;
use crate::family::BackendKind;
use crate::sku::Memory;
use crate::target::TargetName;

/// How much memory keys and values get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KvMemory {
    /// What `max-seqs` sequences of `max-model-len` tokens take in the model that is opened.
    Needed,
    /// So many bytes.
    Bytes(u64),
    /// What everything else leaves of so many bytes, which the engine counts when it knows the model.
    Within(u64),
}

/// Percent of a device that stay free: for the driver's context, for what allocation loses, and for other programs.
/// vLLM's `gpu_memory_utilization` of 0.9 leaves as much.
const RESERVE: u64 = 10;
/// The same of memory that the host's programs live in too.
const RESERVE_SHARED: u64 = 25;

impl Answers {
    /// The device's memory in bytes, as its driver reports it, where the target is one with memory of its own.
    pub fn device_memory(&self) -> Option<u64> {
        self.memory()?.reported()
    }

    /// Bytes of the device that stay free.
    pub fn reserve(&self) -> u64 {
        let percent = match self.memory() {
            Some(Memory::Shared(_)) => RESERVE_SHARED,
            _ => RESERVE,
        };
        self.device_memory().unwrap_or(0) / 100 * percent
    }

    /// Bytes that weights, activations, keys and values may take together.
    pub fn usable_memory(&self) -> Option<u64> {
        Some(self.device_memory()? - self.reserve())
    }

    /// What `kv-memory` comes to where the profile does not say.
    pub(super) fn kv_memory(&self) -> KvMemory {
        match (self.budget(), self.usable_memory()) {
            _ if self.backend.kind() == BackendKind::Cpu => KvMemory::Needed,
            (_, None) => KvMemory::Needed,
            (Some(budget), Some(usable)) => KvMemory::Bytes(usable.saturating_sub(budget.used())),
            (None, Some(usable)) => KvMemory::Within(usable),
        }
    }

    fn memory(&self) -> Option<Memory> {
        match self.target.name {
            TargetName::Sku(sku) => Some(sku.memory),
            TargetName::Native | TargetName::Arch(_) | TargetName::Family(_) => None,
        }
    }
}
