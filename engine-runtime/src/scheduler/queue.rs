//! The sequences of a scheduler, running and waiting, both in order of arrival: a name finds its sequence in a few
//! steps, and nothing is searched.

use std::collections::BTreeMap;

use super::{RequestId, Sequence, SequenceId};

#[derive(Debug)]
pub(super) struct Queue<L, O> {
    waiting: BTreeMap<SequenceId, Sequence<L, O>>,
    /// In order of their ids.
    running: Vec<Sequence<L, O>>,
}

impl<L, O> Default for Queue<L, O> {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            running: Vec::new(),
        }
    }
}

impl<L, O> Queue<L, O> {
    pub fn running(&self) -> &[Sequence<L, O>] {
        &self.running
    }

    pub fn waiting(&self) -> impl Iterator<Item = &Sequence<L, O>> {
        self.waiting.values()
    }

    pub fn queued(&self) -> usize {
        self.waiting.len()
    }

    /// The running sequence at `place`.
    pub fn at_mut(&mut self, place: usize) -> Option<&mut Sequence<L, O>> {
        self.running.get_mut(place)
    }

    pub fn get_running(&self, id: SequenceId) -> Option<&Sequence<L, O>> {
        let place = self.place(id).ok()?;
        self.running.get(place)
    }

    pub fn running_mut(&mut self, id: SequenceId) -> Option<&mut Sequence<L, O>> {
        let place = self.place(id).ok()?;
        self.running.get_mut(place)
    }

    /// A sequence, and whether it is running.
    pub fn find(&mut self, id: SequenceId) -> Option<(&mut Sequence<L, O>, bool)> {
        match self.place(id) {
            Ok(place) => Some((self.running.get_mut(place)?, true)),
            Err(_) => Some((self.waiting.get_mut(&id)?, false)),
        }
    }

    /// Puts a sequence in the queue, at its place by arrival: before all that came later.
    pub fn wait(&mut self, sequence: Sequence<L, O>) {
        self.waiting.insert(sequence.id, sequence);
    }

    /// Puts a sequence among the running ones, at its place by arrival.
    pub fn run(&mut self, sequence: Sequence<L, O>) {
        let (Ok(place) | Err(place)) = self.place(sequence.id);
        self.running.insert(place, sequence);
    }

    /// Takes the running sequence that came last.
    pub fn youngest(&mut self) -> Option<Sequence<L, O>> {
        self.running.pop()
    }

    /// The waiting sequence that came first.
    pub fn head(&mut self) -> Option<&mut Sequence<L, O>> {
        self.waiting.first_entry().map(|entry| entry.into_mut())
    }

    pub fn pop_head(&mut self) -> Option<Sequence<L, O>> {
        self.waiting.pop_first().map(|(_, sequence)| sequence)
    }

    pub fn remove(&mut self, id: SequenceId) -> Option<Sequence<L, O>> {
        match self.place(id) {
            Ok(place) => Some(self.running.remove(place)),
            Err(_) => self.waiting.remove(&id),
        }
    }

    pub fn of_request(&self, request: RequestId) -> Vec<SequenceId> {
        let name = |index| SequenceId { request, index };
        let (Ok(first) | Err(first)) = self.place(name(0));
        let running = self.running[first..].iter().map(|sequence| sequence.id);
        let running = running.take_while(|id| id.request == request);
        let waiting = self.waiting.range(name(0)..=name(u32::MAX));
        let mut ids: Vec<_> = running.chain(waiting.map(|(&id, _)| id)).collect();
        ids.sort_unstable();
        ids
    }

    /// Where a running sequence is, or would be.
    fn place(&self, id: SequenceId) -> Result<usize, usize> {
        self.running
            .binary_search_by_key(&id, |sequence| sequence.id)
    }
}
