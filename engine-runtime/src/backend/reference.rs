//! The reference backend: the oracle that every other backend is held against, and a GPU in its manners.
//!
//! Arrays are handles into memory that the device owns, and ops are put in a queue that runs at
//! [`Backend::wait`] and nowhere else, and there no further than what is waited for, so that host code which looks at
//! device memory between launches is found without a GPU. The arithmetic is the plainest there is: scalar loops, sums in f64, matrices row-major as the
//! checkpoint has them. Deliberately not here: threads, vectors, and anything that is there for speed.

mod attention;
mod dense;
mod memory;
mod ops;
mod sampler;

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use crate::backend::{Backend, DeviceError, DeviceOptions};
use crate::dtype::Element;
use crate::legal::family;
use memory::Memory;
pub use memory::{Array, Cache, Matrix};

/// The reference device.
#[derive(Default)]
pub struct Reference {
    memory: Memory,
    queue: VecDeque<Launch>,
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
        self.queue.push_back(Launch {
            op,
            kernel: Box::new(kernel),
        });
        Ok(())
    }

    /// Runs the queue in order until `done`. What follows a launch that fails or panics is dropped with it.
    fn run_until(&mut self, done: impl Fn() -> bool) -> Result<(), DeviceError> {
        let mut queue = std::mem::take(&mut self.queue);
        while !done()
            && let Some(Launch { op, kernel }) = queue.pop_front()
        {
            kernel(&self.memory).map_err(|reason| DeviceError::Launch { op, reason })?;
        }
        self.queue = queue;
        Ok(())
    }
}

impl Backend for Reference {
    const NAME: &'static str = "reference";

    type Family = family::Cpu;

    type Array<T: Element> = Array<T>;

    type Ticket<T: Element> = Ticket<T>;

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

    fn fetch<T: Element>(
        &mut self,
        array: &Array<T>,
        len: usize,
    ) -> Result<Ticket<T>, DeviceError> {
        let (array, ticket) = (*array, Ticket::default());
        let slot = Arc::clone(&ticket.0);
        self.launch("fetch", move |memory| {
            let elements = memory.get(array)[..len].into();
            slot.set(elements).map_err(|_| "fetched twice".to_owned())
        })?;
        Ok(ticket)
    }

    fn wait<T: Element>(&mut self, ticket: Ticket<T>, out: &mut [T]) -> Result<(), DeviceError> {
        self.run_until(|| ticket.0.get().is_some())?;
        let elements = ticket.0.get().ok_or_else(|| DeviceError::Launch {
            op: "fetch",
            reason: "it was abandoned".to_owned(),
        })?;
        out.copy_from_slice(elements);
        Ok(())
    }
}

/// Elements that a launch will have fetched.
#[derive(Debug)]
pub struct Ticket<T>(Arc<OnceLock<Box<[T]>>>);

impl<T> Default for Ticket<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// Keeps the handle types apart from the elements that they stand for.
type Marker<T> = PhantomData<fn() -> T>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_holds_what_was_there_when_it_was_given_and_only_waiting_resolves_it() {
        let mut device = Reference::default();
        let mut array = device.alloc("a test array", 1).unwrap();
        let mut tickets = Vec::new();
        for value in [1, 2] {
            device.upload(&mut array, &[value]).unwrap();
            tickets.push(device.fetch(&array, 1).unwrap());
        }
        let second = tickets.pop().unwrap();
        let first = tickets.pop().unwrap();
        assert!(first.0.get().is_none());
        let mut out = [0_u32];
        device.wait(first, &mut out).unwrap();
        assert_eq!(out, [1]);
        // No further than to what was waited for.
        assert!(second.0.get().is_none());
        assert_eq!(device.queue.len(), 2);
        device.wait(second, &mut out).unwrap();
        assert_eq!(out, [2]);
    }

    #[test]
    fn a_ticket_of_an_abandoned_launch_is_an_error() {
        let mut device = Reference::default();
        let array = device.alloc("a test array", 1).unwrap();
        let ticket = device.fetch::<u32>(&array, 1).unwrap();
        device.abandon();
        let error = device.wait(ticket, &mut [0]).unwrap_err();
        assert!(error.to_string().contains("abandoned"), "{error}");
    }
}
