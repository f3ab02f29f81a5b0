//! Whose tasks are whose, and how many of them are taken.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keeps a value off the cache lines of others, two of which some processors fetch together.
#[repr(align(128))]
pub(super) struct Alone<T>(pub T);

/// For each thread, how many of its own tasks somebody took: the generation of the job and, in the low bits, their
/// number. Nobody has to reset what an older job left: it counts as none.
pub(super) struct Shares(Box<[Alone<AtomicU64>]>);

/// Bits of the number of tasks.
const TASKS: u32 = 24;

impl Shares {
    pub fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| Alone(AtomicU64::new(0))).collect())
    }

    /// All owners of tasks, this thread first and then those behind it.
    pub fn from(&self, thread: usize) -> impl Iterator<Item = usize> + use<> {
        let threads = self.0.len();
        (0..threads).map(move |next| (thread + next) % threads)
    }

    /// A task of `owner` that nobody has taken.
    pub fn take(&self, owner: usize, tasks: usize, generation: u64) -> Option<usize> {
        let own = self.own(owner, tasks);
        let taken = |state: u64| match state >> TASKS == number(generation) {
            true => (state & ((1 << TASKS) - 1)) as usize,
            false => 0,
        };
        let next = |state| {
            let taken = taken(state);
            (taken < own.len()).then(|| (number(generation) << TASKS) | (taken + 1) as u64)
        };
        // What a task reads was there before the job was opened; only who takes it is decided here.
        let before = self.0[owner]
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        before.ok().map(|state| own.start + taken(state))
    }

    /// Takes all that is left.
    pub fn empty(&self, tasks: usize, generation: u64) {
        for owner in 0..self.0.len() {
            while self.take(owner, tasks, generation).is_some() {}
        }
    }

    fn own(&self, owner: usize, tasks: usize) -> Range<usize> {
        let threads = self.0.len();
        assert!(tasks < 1 << TASKS, "{tasks} tasks are too many for one job");
        owner * tasks / threads..(owner + 1) * tasks / threads
    }
}

/// The bits of a generation that are kept: as many jobs take a year and more.
fn number(generation: u64) -> u64 {
    ((generation / super::GENERATION) << TASKS) >> TASKS
}
