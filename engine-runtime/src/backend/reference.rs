//! The reference backend: the oracle that every other backend is held against, and a GPU in its manners.
//!
//! Arrays are handles into memory that the device owns, and ops are put in a queue that runs at
//! [`Backend::read`] and nowhere else, so that host code which looks at device memory between launches is found
//! without a GPU. The arithmetic is the plainest there is: scalar loops, sums in f64, matrices row-major as the
//! checkpoint has them. Deliberately not here: threads, vectors, and anything that is there for speed.

mod attention;
mod dense;
mod memory;
mod ops;
mod sampler;

use std::marker::PhantomData;

use crate::backend::{Backend, DeviceError, DeviceOptions};
use crate::dtype::Element;
use crate::legal::family;
use memory::Memory;
pub use memory::{Array, Cache, Matrix};

/// The reference device.
#[derive(Default)]
pub struct Reference {
    memory: Memory,
    queue: Vec<Launch>,
}

type Kernel = Box<dyn FnOnce(&Memory) -> Result<(), String> + Send>;

struct Launch {
    op: &'static str,
    kernel: Kernel,
}

impl Reference {
    fn launch(
        &mut self,
        op: &'static str,
        kernel: impl FnOnce(&Memory) -> Result<(), String> + Send + 'static,
    ) -> Result<(), DeviceError> {
        self.queue.push(Launch {
            op,
            kernel: Box::new(kernel),
        });
        Ok(())
    }

    /// Runs the queue in order. What follows a launch that fails or panics is dropped with it.
    fn synchronize(&mut self) -> Result<(), DeviceError> {
        for Launch { op, kernel } in std::mem::take(&mut self.queue) {
            kernel(&self.memory).map_err(|reason| DeviceError::Launch { op, reason })?;
        }
        Ok(())
    }
}

impl Backend for Reference {
    const NAME: &'static str = "reference";

    type Family = family::Cpu;

    type Array<T: Element> = Array<T>;

    fn open(_: &DeviceOptions) -> Result<Self, DeviceError> {
        Ok(Self::default())
    }

    fn abandon(&mut self) {
        self.queue.clear();
    }

    fn alloc<T: Element>(
        &mut self,
        what: &'static str,
        len: usize,
    ) -> Result<Array<T>, DeviceError> {
        self.memory.alloc(what, len)
    }

    fn upload<T: Element>(
        &mut self,
        array: &mut Array<T>,
        source: &[T],
    ) -> Result<(), DeviceError> {
        let (array, source) = (*array, source.to_vec());
        self.launch("upload", move |memory| {
            memory.get_mut(array)[..source.len()].copy_from_slice(&source);
            Ok(())
        })
    }

    fn read<T: Element>(&mut self, array: &Array<T>, out: &mut [T]) -> Result<(), DeviceError> {
        self.synchronize()?;
        out.copy_from_slice(&self.memory.get(*array)[..out.len()]);
        Ok(())
    }
}

/// Keeps the handle types apart from the elements that they stand for.
type Marker<T> = PhantomData<fn() -> T>;
