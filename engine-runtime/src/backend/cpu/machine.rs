//! What this backend asks of the operating system. On others than Linux threads are not pinned, huge pages not asked for,
//! and free memory not known.

#[cfg(target_os = "linux")]
mod available;

use std::num::NonZeroUsize;

pub(super) use system::{ask_for_huge_pages, cores, free_memory, pin, populate};

fn countable_cores() -> Vec<usize> {
    (0..std::thread::available_parallelism().map_or(1, NonZeroUsize::get)).collect()
}

#[cfg(target_os = "linux")]
mod system {
    use std::path::Path;

    use memmap2::{Advice, MmapMut};

    /// The cores that this process may use.
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
        let mut cores: Vec<usize> = (0..libc::CPU_SETSIZE as usize).filter(allowed).collect();
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
