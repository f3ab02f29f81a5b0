//! What each thread of the pool keeps from task to task, so that a task allocates nothing.

use std::sync::{Mutex, PoisonError};

use super::attention;
use super::memory::Scratch;
use super::pool::{self, Pool};
use super::sampler;
use crate::backend::Largest;

/// One for each thread. A thread takes its own, so that no lock is ever waited for.
pub(super) struct Lent(Box<[Mutex<Kept>]>);

/// One thread's.
#[derive(Default)]
pub(super) struct Kept {
    pub attention: Scratch,
    pub sampler: sampler::Scratch,
}

impl Kept {
    /// Bytes for tasks of ops no larger than `largest`.
    pub fn bytes_for(largest: &Largest) -> usize {
        attention::scratch(largest.rows, largest.heads) + sampler::Scratch::bytes_for(largest.vocab)
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.attention.bytes() + self.sampler.bytes()
    }
}

impl Lent {
    pub fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| Mutex::default()).collect())
    }

    /// Lends what the calling thread of the pool keeps. A kernel takes it as an argument and never borrows it itself: its
    /// vector operations would then stand in a closure, which is compiled without the instructions.
    pub fn with<T>(&self, work: impl FnOnce(&mut Kept) -> T) -> T {
        let kept = &self.0[pool::worker()];
        // What a task that panicked has left there is overwritten, as all that a task leaves is.
        work(&mut kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes room for tasks of ops no larger than `largest`. Each thread writes to its own, which the system then takes
    /// from the memory that is nearest to it.
    pub fn reserve(&self, pool: &mut Pool, largest: &Largest) {
        pool.run_on_each(|| {
            self.with(|kept| {
                let bytes = attention::scratch(largest.rows, largest.heads);
                kept.attention.reserve(bytes);
                kept.sampler.reserve(largest.vocab);
            });
        });
    }

    #[cfg(test)]
    pub fn bytes(&self) -> Vec<usize> {
        let bytes = |kept: &Mutex<Kept>| kept.lock().expect("no task panicked").bytes();
        self.0.iter().map(bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::HeadLayout;

    #[test]
    fn every_thread_gets_what_is_counted_for_it() {
        let largest = Largest {
            rows: 20,
            product: 0,
            heads: HeadLayout {
                q_heads: 6,
                kv_heads: 2,
                head_dim: 24,
            },
            positions: 100,
            vocab: 1000,
        };
        let counted = Kept::bytes_for(&largest);
        for threads in [1, 3] {
            let mut pool = Pool::new(Some(threads)).expect("threads start");
            let lent = Lent::new(threads);
            lent.reserve(&mut pool, &largest);
            assert_eq!(lent.bytes(), vec![counted; threads]);
        }
    }
}
