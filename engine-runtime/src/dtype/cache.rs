//! How the KV cache is stored.

use std::marker::PhantomData;

use super::Float;

/// A format of cached keys and values.
pub trait CacheFormat: Send + Sync + 'static {
    /// Name as profiles write it.
    const NAME: &'static str;

    /// Bytes of one vector of `head_dim` numbers: the keys, or the values, of one kv head at one position.
    fn bytes(head_dim: usize) -> usize;
}

/// One element a number, in `D`.
#[derive(Debug, Clone, Copy)]
pub struct Plain<D>(PhantomData<D>);

impl<D: Float> CacheFormat for Plain<D> {
    const NAME: &'static str = D::NAME;

    fn bytes(head_dim: usize) -> usize {
        head_dim.saturating_mul(size_of::<D>())
    }
}
