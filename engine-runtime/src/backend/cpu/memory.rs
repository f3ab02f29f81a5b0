//! Arrays in main memory, and what parallel kernels see of them.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::MmapMut;

use super::pool::Pool;
use super::{Cpu, Isa, machine};
use crate::backend::{DeviceError, Input};
use crate::dtype::Element;

/// From this size on huge pages are asked for: what a decode step streams through costs fewer address translations.
const HUGE: usize = 4 << 20;

/// An array in device memory. That it is the host's memory is this backend's secret.
#[derive(Debug)]
pub struct Array<T> {
    map: MmapMut,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Element> Array<T> {
    /// Zeroed, and backed by memory only where it is written.
    pub(super) fn new(what: &'static str, len: usize) -> Result<Self, DeviceError> {
        let bytes = len.checked_mul(size_of::<T>());
        let out_of_memory = || DeviceError::OutOfMemory {
            what,
            bytes: bytes.unwrap_or(usize::MAX),
        };
        // An empty mapping is refused by the system.
        let bytes = bytes.ok_or_else(out_of_memory)?.max(1);
        let map = MmapMut::map_anon(bytes).map_err(|_| out_of_memory())?;
        if bytes >= HUGE {
            machine::ask_for_huge_pages(&map);
        }
        Ok(Self {
            map,
            len,
            element: PhantomData,
        })
    }

    /// As [`Array::new`], and backed by memory at once: what an engine has when it opens nobody can take from it later.
    /// The pool shares the work, since a cache may be most of a machine's memory.
    pub(super) fn reserved(
        pool: &mut Pool,
        what: &'static str,
        len: usize,
    ) -> Result<Self, DeviceError> {
        /// A multiple of every page size.
        const PIECE: usize = 64 << 20;
        let mut array = Self::new(what, len)?;
        let (map, bytes) = (&array.map, array.map.len());
        let missing = AtomicBool::new(false);
        pool.run(bytes.div_ceil(PIECE), |piece| {
            let start = piece * PIECE;
            if !machine::populate(map, start, PIECE.min(bytes - start)) {
                missing.store(true, Ordering::Relaxed);
            }
        });
        if missing.into_inner() {
            // Pages that were never written are all the same page.
            array.map.fill(0);
        }
        Ok(array)
    }

    pub(super) fn get(&self) -> &[T] {
        bytemuck::cast_slice(&self.map[..self.len * size_of::<T>()])
    }

    pub(super) fn get_mut(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.map[..self.len * size_of::<T>()])
    }
}

impl<'a, I: Isa, T: Element> Input<'a, Cpu<I>, T> {
    pub(super) fn get(self) -> &'a [T] {
        bytemuck::cast_slice(&self.buffer().get()[self.words()])
    }
}

/// Temporary f32 values at the start of a cache line, kept from op to op.
#[derive(Default)]
pub(super) struct Scratch(Vec<Line>);

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl Scratch {
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.0.len() * size_of::<Line>()
    }

    /// Bytes that `len` elements take.
    pub fn bytes_for<T>(len: usize) -> usize {
        (len * size_of::<T>()).next_multiple_of(size_of::<Line>())
    }

    /// Makes room for `bytes`, so that nothing up to it grows again.
    pub fn reserve(&mut self, bytes: usize) {
        let lines = bytes.div_ceil(size_of::<Line>());
        if self.0.len() < lines {
            // Zeroes may be promised by the system and not given.
            self.0.resize(lines, Line([1; 64]));
        }
    }

    /// `len` elements of any value; those of the call before are lost.
    pub fn take<T: bytemuck::Pod>(&mut self, len: usize) -> &mut [T] {
        self.reserve(len * size_of::<T>());
        &mut bytemuck::cast_slice_mut(&mut self.0)[..len]
    }
}

/// A slice that the tasks of one job write to, each to its own.
#[derive(Clone, Copy)]
pub(super) struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: each is handed out as a slice would be, and the callers of `slice` keep them disjoint.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    pub fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            slice: PhantomData,
        }
    }

    /// # Safety
    /// No slice that is alive at the same time, in any task, shares an element with this one.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice(&self, start: usize, len: usize) -> &mut [T] {
        assert!(
            start <= self.len && len <= self.len - start,
            "a slice lies in the whole"
        );
        // SAFETY: inside the slice by the assertion, and not shared by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
