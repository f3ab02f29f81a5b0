//! One step's work: what the scheduler decided, as arrays that a model can launch on.

use crate::backend::{AttentionBatch, Backend, DeviceError};

/// What bounds every batch of an engine; device arrays are allocated at this size, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Rows (tokens) in a step.
    pub rows: usize,
    /// Sequences in a step.
    pub seqs: usize,
    /// Rows of a step whose logits are wanted.
    pub logits_rows: usize,
    pub blocks_per_seq: usize,
}

/// A step on the host side. Rows of one sequence are consecutive and in position order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// `[rows]` token ids
    pub ids: Vec<u32>,
    /// `[rows]`
    pub positions: Vec<u32>,
    /// `[rows]` cache slot of each row: block * block_size + offset
    pub slots: Vec<u32>,
    /// [seqs + 1]
    pub query_start: Vec<u32>,
    /// `[seqs]`, this step's rows included
    pub context_len: Vec<u32>,
    /// [seqs, blocks_per_seq], padded with 0
    pub block_tables: Vec<u32>,
    pub blocks_per_seq: usize,
    /// Rows whose logits are wanted, ascending.
    pub logits_rows: Vec<u32>,
}

impl Batch {
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    pub fn seqs(&self) -> usize {
        self.context_len.len()
    }
}

/// A [`Batch`] in device memory.
pub struct DeviceBatch<B: Backend> {
    pub rows: usize,
    pub seqs: usize,
    pub max_query: usize,
    pub logits_len: usize,
    pub blocks_per_seq: usize,
    pub ids: B::Array<u32>,
    pub positions: B::Array<u32>,
    pub slots: B::Array<u32>,
    pub query_start: B::Array<u32>,
    pub context_len: B::Array<u32>,
    pub block_tables: B::Array<u32>,
    pub logits_rows: B::Array<u32>,
}

impl<B: Backend> DeviceBatch<B> {
    pub fn alloc(device: &mut B, capacity: Capacity) -> Result<Self, DeviceError> {
        Ok(Self {
            rows: 0,
            seqs: 0,
            max_query: 0,
            logits_len: 0,
            blocks_per_seq: 0,
            ids: device.alloc("token ids", capacity.rows)?,
            positions: device.alloc("positions", capacity.rows)?,
            slots: device.alloc("cache slots", capacity.rows)?,
            query_start: device.alloc("query starts", capacity.seqs + 1)?,
            context_len: device.alloc("context lengths", capacity.seqs)?,
            block_tables: device.alloc("block tables", capacity.seqs * capacity.blocks_per_seq)?,
            logits_rows: device.alloc("logits rows", capacity.logits_rows)?,
        })
    }

    /// Replaces the content by `batch`, which fits the capacity this was allocated with.
    pub fn upload(&mut self, device: &mut B, batch: &Batch) -> Result<(), DeviceError> {
        self.rows = batch.rows();
        self.seqs = batch.seqs();
        self.max_query = batch
            .query_start
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as usize)
            .max()
            .unwrap_or(0);
        self.logits_len = batch.logits_rows.len();
        self.blocks_per_seq = batch.blocks_per_seq;
        device.upload(&mut self.ids, &batch.ids)?;
        device.upload(&mut self.positions, &batch.positions)?;
        device.upload(&mut self.slots, &batch.slots)?;
        device.upload(&mut self.query_start, &batch.query_start)?;
        device.upload(&mut self.context_len, &batch.context_len)?;
        device.upload(&mut self.block_tables, &batch.block_tables)?;
        device.upload(&mut self.logits_rows, &batch.logits_rows)
    }

    pub fn attention(&self) -> AttentionBatch<'_, B> {
        AttentionBatch {
            seqs: self.seqs,
            max_query: self.max_query,
            query_start: &self.query_start,
            context_len: &self.context_len,
            block_tables: &self.block_tables,
            blocks_per_seq: self.blocks_per_seq,
        }
    }
}
