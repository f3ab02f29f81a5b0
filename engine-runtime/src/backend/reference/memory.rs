//! The memory of the reference device, and the handles into it.

use std::any::Any;
use std::cell::{Ref, RefCell, RefMut};
use std::marker::PhantomData;

use super::{Marker, Reference};
use crate::backend::{CacheShape, DeviceError, Input};
use crate::dtype::Element;

/// All arrays of a device. They live until the device is dropped.
#[derive(Default)]
pub(super) struct Memory {
    arrays: Vec<RefCell<Box<dyn Any + Send>>>,
}

/// A handle to an array: it says where the elements are, and only the device can look there.
#[derive(Debug)]
pub struct Array<T> {
    id: usize,
    element: Marker<T>,
}

impl<T> Clone for Array<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Array<T> {}

/// An [`Input`] that a launch can keep.
pub(super) struct View<T> {
    buffer: Array<u32>,
    words: (usize, usize),
    element: Marker<T>,
}

impl<T> Clone for View<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<T> {}

impl<T: Element> View<T> {
    pub fn of(input: Input<'_, Reference, T>) -> Self {
        let words = input.words();
        Self {
            buffer: *input.buffer(),
            words: (words.start, words.end),
            element: PhantomData,
        }
    }
}

/// A matrix [rows, cols], row-major, of the numbers that its format means.
#[derive(Debug, Clone, Copy)]
pub struct Matrix {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) values: Array<f32>,
}

/// Keys and values, both [layers, slots, kv_heads, head_dim].
#[derive(Debug, Clone, Copy)]
pub struct Cache<D> {
    pub(super) shape: CacheShape,
    pub(super) keys: Array<D>,
    pub(super) values: Array<D>,
}

/// One layer of a cache, keys and values [slots, kv_heads, head_dim].
pub(super) struct Layer<S> {
    pub block_size: usize,
    pub keys: S,
    pub values: S,
}

impl Memory {
    pub fn alloc<T: Element>(
        &mut self,
        what: &'static str,
        len: usize,
    ) -> Result<Array<T>, DeviceError> {
        let mut elements = Vec::<T>::new();
        elements
            .try_reserve_exact(len)
            .map_err(|_| DeviceError::OutOfMemory {
                what,
                bytes: len.saturating_mul(size_of::<T>()),
            })?;
        elements.resize(len, T::zeroed());
        self.arrays.push(RefCell::new(Box::new(elements)));
        Ok(Array {
            id: self.arrays.len() - 1,
            element: PhantomData,
        })
    }

    pub fn get<T: Element>(&self, array: Array<T>) -> Ref<'_, Vec<T>> {
        Ref::map(self.arrays[array.id].borrow(), |elements| {
            elements.downcast_ref().expect("a handle keeps its element")
        })
    }

    pub fn view<T: Element>(&self, view: View<T>) -> Ref<'_, [T]> {
        let (start, end) = view.words;
        Ref::map(self.get(view.buffer), |words| {
            bytemuck::cast_slice(&words[start..end])
        })
    }

    pub fn get_mut<T: Element>(&self, array: Array<T>) -> RefMut<'_, Vec<T>> {
        RefMut::map(self.arrays[array.id].borrow_mut(), |elements| {
            elements.downcast_mut().expect("a handle keeps its element")
        })
    }
}

impl<D: Element> Cache<D> {
    pub(super) fn layer<'m>(&self, memory: &'m Memory, layer: usize) -> Layer<Ref<'m, [D]>> {
        let range = self.elements(layer);
        Layer {
            block_size: self.shape.block_size,
            keys: Ref::map(memory.get(self.keys), |keys| &keys[range.clone()]),
            values: Ref::map(memory.get(self.values), |values| &values[range]),
        }
    }

    pub(super) fn layer_mut<'m>(&self, memory: &'m Memory, layer: usize) -> Layer<RefMut<'m, [D]>> {
        let range = self.elements(layer);
        Layer {
            block_size: self.shape.block_size,
            keys: RefMut::map(memory.get_mut(self.keys), |keys| &mut keys[range.clone()]),
            values: RefMut::map(memory.get_mut(self.values), |values| &mut values[range]),
        }
    }

    /// Copies keys and values of a block in all layers.
    pub(super) fn copy_block(&self, memory: &Memory, from: usize, to: usize) {
        let block = self.shape.block_size * self.shape.kv_heads * self.shape.head_dim;
        let (mut keys, mut values) = (memory.get_mut(self.keys), memory.get_mut(self.values));
        for layer in 0..self.shape.layers {
            let at = |index| (layer * self.shape.blocks + index) * block;
            for elements in [&mut keys, &mut values] {
                elements.copy_within(at(from)..at(from) + block, at(to));
            }
        }
    }

    fn elements(&self, layer: usize) -> std::ops::Range<usize> {
        let CacheShape {
            blocks,
            block_size,
            kv_heads,
            head_dim,
            ..
        } = self.shape;
        let len = blocks * block_size * kv_heads * head_dim;
        layer * len..(layer + 1) * len
    }
}
