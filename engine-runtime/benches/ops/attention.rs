//! Attention of one sequence: one token at the end of a context that comes from memory, and a whole prompt.

use engine_runtime::backend::cpu::Dot;
use engine_runtime::backend::{
    Attention, AttentionBatch, Backend, CacheShape, HeadLayout, Heads, Input, LayerCache,
};
use engine_runtime::dtype::{BF16, F32, Plain};

use crate::figures::{Bench, Work, values};

const BLOCK: usize = 16;
/// More than caches hold: so many bytes of keys and values are read before a layer has its turn again.
const BYTES: usize = 256 << 20;

struct Case {
    heads: HeadLayout,
    context: usize,
    /// Tokens at the end of the context that attend.
    query: usize,
}

const fn heads(q_heads: usize, kv_heads: usize, head_dim: usize) -> HeadLayout {
    HeadLayout {
        q_heads,
        kv_heads,
        head_dim,
    }
}

/// A Llama of 1.1 billion parameters, one of 7 billion without grouping, and a Qwen 2.5 of 0.5 billion.
const LLAMA: HeadLayout = heads(32, 4, 64);
const UNGROUPED: HeadLayout = heads(32, 32, 128);
const QWEN: HeadLayout = heads(14, 2, 64);

const CASES: [Case; 6] = [
    decode(LLAMA, 512),
    decode(LLAMA, 4096),
    decode(UNGROUPED, 4096),
    decode(QWEN, 4096),
    prefill(LLAMA, 512),
    prefill(LLAMA, 4096),
];

const fn decode(heads: HeadLayout, context: usize) -> Case {
    let query = 1;
    Case {
        heads,
        context,
        query,
    }
}

const fn prefill(heads: HeadLayout, context: usize) -> Case {
    let query = context;
    Case {
        heads,
        context,
        query,
    }
}

impl Case {
    fn name(&self) -> String {
        let HeadLayout {
            q_heads,
            kv_heads,
            head_dim,
        } = self.heads;
        let Self { context, query, .. } = self;
        format!("attention {q_heads}/{kv_heads} x {head_dim}, {query} of {context}")
    }

    /// Bytes of keys and values of the whole context.
    fn bytes(&self) -> usize {
        2 * self.context * self.heads.kv_heads * self.heads.head_dim * size_of::<BF16>()
    }

    /// Operations on pairs of a query and a position that it attends to.
    fn flops(&self) -> f64 {
        let pairs = self.query * (2 * self.context - self.query + 1) / 2;
        (4 * pairs * self.heads.q_width()) as f64
    }
}

pub fn names() -> Vec<String> {
    CASES.iter().map(Case::name).collect()
}

pub fn all<I: Dot<BF16> + Dot<F32>>(bench: &mut Bench<'_, I>) {
    for case in CASES {
        if bench.wanted(&case.name()) {
            attention(bench, &case);
        }
    }
}

fn attention<I: Dot<BF16> + Dot<F32>>(bench: &mut Bench<'_, I>, case: &Case) {
    let &Case {
        heads: layout,
        context,
        query,
    } = case;
    let layers = BYTES / case.bytes() + 1;
    let blocks = context.div_ceil(BLOCK);
    let shape = CacheShape {
        layers,
        blocks,
        block_size: BLOCK,
        kv_heads: layout.kv_heads,
        head_dim: layout.head_dim,
    };
    let device = &mut bench.device;
    let mut cache = Attention::<Plain<BF16>>::cache(device, shape).expect("memory for the cache");
    // Slots, then the start of the table and of the query, the context, and a table in which no block follows the one
    // before it.
    let mut words: Vec<u32> = (0..context as u32).collect();
    words.extend([0, 0, query as u32, context as u32]);
    words.extend((0..blocks as u32).map(|i| i * 7 % blocks as u32));
    let mut buffer = device.alloc("indices", words.len()).expect("memory");
    device.upload(&mut buffer, &words).expect("upload");
    let width = context * layout.width();
    let mut qkv = device.alloc("qkv", width).expect("memory");
    device.upload(&mut qkv, &values(width)).expect("upload");
    let mut out = device
        .alloc("out", query * layout.q_width())
        .expect("memory");
    for layer in 0..layers {
        let slots = Input::new(&buffer, 0, context);
        let cache = &mut cache;
        device
            .store_kv(&qkv, slots, LayerCache { cache, layer }, layout)
            .expect("launch");
    }
    let heads = Heads {
        layout,
        scale: 0.125,
        window: None,
    };
    let work = Work {
        bytes: case.bytes() as f64,
        flops: case.flops(),
        peak: bench.limits.fma_peak,
    };
    let mut layer = 0;
    bench.case(&case.name(), work, |device| {
        layer = (layer + 1) % layers;
        let batch = AttentionBatch {
            seqs: 1,
            max_query: query,
            query_start: Input::new(&buffer, context + 1, 2),
            context_len: Input::new(&buffer, context + 3, 1),
            table_start: Input::new(&buffer, context, 1),
            blocks: Input::new(&buffer, context + 4, blocks),
        };
        let cache = &cache;
        device
            .attention(&qkv, LayerCache { cache, layer }, batch, heads, &mut out)
            .expect("launch");
    });
}
