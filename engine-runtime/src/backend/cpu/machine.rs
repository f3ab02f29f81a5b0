//! What this backend asks of the operating system. On others than Linux threads are not pinned, huge pages not asked for,
//! and free memory not known.

#[cfg(target_os = "linux")]
mod available;

use std::num::NonZeroUsize;

pub(super) use system::{ask_for_huge_pages, cores, free_memory, pin, populate};

fn countable_cores() -> Vec<usize> {
    (0..std::thread::available_parallelism().map_or(1, NonZeroUsize::get)).collect()
}

/// Of hardware threads, the first of each core. Two of one core add little to what memory or its vector units give, and
/// each waits for the other. `siblings` is what the system says of a thread, for example `3,67` or `6-7`.
#[cfg(any(target_os = "linux", test))]
fn first_of_each_core(threads: &[usize], siblings: impl Fn(usize) -> Option<String>) -> Vec<usize> {
    let is_sibling = |list: &str, thread: usize| {
        list.trim().split(',').any(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            match (first.parse::<usize>(), last.parse::<usize>()) {
                (Ok(first), Ok(last)) => (first..=last).contains(&thread),
                _ => false,
            }
        })
    };
    let mut cores = Vec::new();
    for &thread in threads {
        let list = siblings(thread).unwrap_or_default();
        if !cores.iter().any(|core| is_sibling(&list, *core)) {
            cores.push(thread);
        }
    }
    cores
}

#[cfg(target_os = "linux")]
mod system {
    use std::path::Path;

    use memmap2::{Advice, MmapMut};

    /// The cores that this process may use: of hardware threads that share one, the first.
    pub fn cores() -> Vec<usize> {
        // SAFETY: the set is plain bits, and its size is given.
        let set = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            match libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) {
                0 => Some(set),
                _ => None,
            }
        };
        let Some(set) = set else {
            return super::countable_cores();
        };
        // SAFETY: every index is below the size of the set.
        let allowed = |core: &usize| unsafe { libc::CPU_ISSET(*core, &set) };
        let threads: Vec<usize> = (0..libc::CPU_SETSIZE as usize).filter(allowed).collect();
        let mut cores = super::first_of_each_core(&threads, |thread| {
            std::fs::read_to_string(format!(
                "/sys/devices/system/cpu/cpu{thread}/topology/thread_siblings_list"
            ))
            .ok()
        });
        // A container's share of time can be less than its cores.
        cores.truncate(super::countable_cores().len());
        cores
    }

    /// Keeps this thread on one core. Where the system refuses, it moves, which is only slower.
    pub fn pin(core: usize) {
        // SAFETY: the core is one of `cores`, so inside the set, and the set's size is given.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(core, &mut set);
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

    pub fn cores() -> Vec<usize> {
        super::countable_cores()
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
        let siblings = |thread: usize| lists.get(thread).map(|list| (*list).to_owned());
        assert_eq!(first_of_each_core(&[0, 1, 2, 3, 4, 5], siblings), [0, 1, 4]);
        // What may not be used is no core of ours.
        assert_eq!(first_of_each_core(&[2, 3, 5], siblings), [2, 3, 5]);
        // A system that does not say, and one that says something else.
        assert_eq!(first_of_each_core(&[0, 1, 9], |_| None), [0, 1, 9]);
        assert_eq!(
            first_of_each_core(&[0, 1], |_| Some("x-,\n".to_owned())),
            [0, 1]
        );
    }
}
