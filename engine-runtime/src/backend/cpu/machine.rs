//! What this backend asks of the operating system. On others than Linux threads are not pinned, huge pages not asked for,
//! and free memory not known.

#[cfg(target_os = "linux")]
mod available;

use std::num::NonZeroUsize;

pub(super) use system::{ask_for_huge_pages, free_memory, pin, places, populate};

/// The hardware threads that a process may use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// The first of each core, and behind them the others.
    pub all: Vec<usize>,
    /// How many are used unless somebody asks for more: one of each core. Two of one core add little to what memory or its
    /// vector units give, and each waits for the other.
    pub cores: usize,
}

impl Places {
    /// As many as the system counts, nothing being known of their cores.
    fn countable() -> Self {
        let count = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            all: (0..count).collect(),
            cores: count,
        }
    }

    /// `siblings` is what the system says of a thread's core, for example `3,67` or `6-7`.
    #[cfg(any(target_os = "linux", test))]
    fn new(threads: &[usize], siblings: impl Fn(usize) -> Option<String>) -> Self {
        let (mut firsts, mut others): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        for &thread in threads {
            let list = siblings(thread).unwrap_or_default();
            match firsts.iter().any(|first| contains(&list, *first)) {
                true => others.push(thread),
                false => firsts.push(thread),
            }
        }
        let cores = firsts.len();
        firsts.append(&mut others);
        Self { all: firsts, cores }
    }

    #[cfg(target_os = "linux")]
    fn at_most(mut self, count: usize) -> Self {
        self.all.truncate(count);
        self.cores = self.cores.min(count);
        self
    }
}

/// Whether a list of threads and of ranges of threads has this one.
#[cfg(any(target_os = "linux", test))]
fn contains(list: &str, thread: usize) -> bool {
    list.trim().split(',').any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&thread),
            _ => false,
        }
    })
}

#[cfg(target_os = "linux")]
mod system {
    use std::path::Path;

    use memmap2::{Advice, MmapMut};

    use super::Places;

    /// Where this process may run.
    pub fn places() -> Places {
        // SAFETY: the set is plain bits, and its size is given.
        let set = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            match libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) {
                0 => Some(set),
                _ => None,
            }
        };
        let Some(set) = set else {
            return Places::countable();
        };
        // SAFETY: every index is below the size of the set.
        let allowed = |core: &usize| unsafe { libc::CPU_ISSET(*core, &set) };
        let threads: Vec<usize> = (0..libc::CPU_SETSIZE as usize).filter(allowed).collect();
        Places::new(&threads, |thread| {
            std::fs::read_to_string(format!(
                "/sys/devices/system/cpu/cpu{thread}/topology/thread_siblings_list"
            ))
            .ok()
        })
        // A container's share of time can be less than its cores.
        .at_most(Places::countable().all.len())
    }

    /// Keeps this thread in one place. Where the system refuses, it moves, which is only slower.
    pub fn pin(place: usize) {
        // SAFETY: the place is one of `places`, so inside the set, and the set's size is given.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(place, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
        }
    }

    /// A kernel without huge pages refuses, and all works as before.
    pub fn ask_for_huge_pages(map: &MmapMut) {
        let _ = map.advise(Advice::HugePage);
    }

    /// Backs a part of a map with memory; `false` where the system cannot, before Linux 5.14.
    pub fn populate(map: &MmapMut, start: usize, len: usize) -> bool {
        map.advise_range(Advice::PopulateWrite, start, len).is_ok()
    }

    /// Bytes that could be allocated without swapping and without being killed for it.
    pub fn free_memory() -> Option<u64> {
        super::available::available(Path::new("/"))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use memmap2::MmapMut;

    use super::Places;

    pub fn places() -> Places {
        Places::countable()
    }

    pub fn pin(_: usize) {}

    pub fn ask_for_huge_pages(_: &MmapMut) {}

    pub fn populate(_: &MmapMut, _: usize, _: usize) -> bool {
        false
    }

    pub fn free_memory() -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_counts_once() {
        let lists = ["0,2\n", "1,3\n", "0,2\n", "1,3\n", "4-5\n", "4-5\n"];
        let places = |threads: &[usize]| {
            let places = Places::new(threads, |thread| {
                lists.get(thread).map(|list| (*list).to_owned())
            });
            (places.all, places.cores)
        };
        assert_eq!(places(&[0, 1, 2, 3, 4, 5]), (vec![0, 1, 4, 2, 3, 5], 3));
        // What may not be used is no core of ours.
        assert_eq!(places(&[2, 3, 5]), (vec![2, 3, 5], 3));
        // A system that does not say.
        assert_eq!(places(&[0, 1, 9]), (vec![0, 1, 9], 3));
        // One that says something else.
        let odd = Places::new(&[0, 1], |_| Some("x-,\n".to_owned()));
        assert_eq!((odd.all, odd.cores), (vec![0, 1], 2));
    }
}
