//! What a step brings from the host: ranges of one buffer, which one upload has filled.

use std::marker::PhantomData;
use std::ops::Range;

use super::Backend;
use crate::dtype::Element;

/// Elements that lie in a buffer of words, as an op takes them.
///
/// A step's token ids, positions, block tables and sampling settings are small and many, so they travel together.
/// `T` has the alignment of a word.
pub struct Input<'a, B: Backend, T> {
    buffer: &'a B::Array<u32>,
    /// First word.
    start: usize,
    /// Elements.
    len: usize,
    element: PhantomData<fn() -> T>,
}

impl<B: Backend, T> Clone for Input<'_, B, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend, T> Copy for Input<'_, B, T> {}

impl<'a, B: Backend, T: Element> Input<'a, B, T> {
    /// `len` elements that begin at word `start` of `buffer`.
    pub fn new(buffer: &'a B::Array<u32>, start: usize, len: usize) -> Self {
        const {
            assert!(align_of::<T>() == align_of::<u32>());
        }
        Self {
            buffer,
            start,
            len,
            element: PhantomData,
        }
    }

    pub fn buffer(&self) -> &'a B::Array<u32> {
        self.buffer
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the elements lie in the buffer.
    pub fn words(&self) -> Range<usize> {
        self.start..self.start + self.len * (size_of::<T>() / size_of::<u32>())
    }
}
