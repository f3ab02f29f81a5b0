//! Matrix products and attention of the CPU backend at the shapes of a 1.1 B Llama, beside what this machine can do.
//!
//! `cargo bench -p engine-runtime --bench ops [-- FILTER]`. Each figure is the best of several rounds, since other work
//! on the machine can only slow one down.

use std::time::{Duration, Instant};

use engine_runtime::backend::cpu::{Cpu, Dot, Portable};
use engine_runtime::backend::{
    Attention, AttentionBatch, Backend, CacheShape, DeviceOptions, HeadLayout, Heads, Input,
    LayerCache, Linear, Projection,
};
use engine_runtime::dtype::{BF16, F32, Float, HostMatrix, HostValues, Plain};

/// Name, outputs and inputs of the matrices of a layer, and of the head.
const SHAPES: [(&str, usize, usize); 5] = [
    ("qkv", 2560, 2048),
    ("o", 2048, 2048),
    ("gate_up", 11264, 2048),
    ("down", 2048, 5632),
    ("head", 32000, 2048),
];
const ROWS: [usize; 5] = [1, 2, 8, 64, 512];
const LAYOUT: HeadLayout = HeadLayout {
    q_heads: 32,
    kv_heads: 4,
    head_dim: 64,
};
const BLOCK: usize = 16;

fn main() {
    #[cfg(target_arch = "x86_64")]
    {
        use engine_runtime::backend::cpu::{Avx2, Avx512, Avx512Bf16};
        bench::<Avx512Bf16, BF16>();
        bench::<Avx512, BF16>();
        bench::<Avx512, F32>();
        bench::<Avx2, BF16>();
    }
    bench::<Portable, BF16>();
}

fn wanted(name: &str) -> bool {
    let filters: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    filters.iter().all(|filter| name.contains(filter))
}

fn bench<I: Dot<D>, D: Float>() {
    let title = format!("{}, {}", I::LEVEL.name, D::NAME);
    let names: Vec<String> = SHAPES
        .iter()
        .flat_map(|(name, ..)| ROWS.map(|rows| format!("{title}, {name} x {rows}")))
        .chain([format!("{title}, attention")])
        .collect();
    if !names.iter().any(|name| wanted(name)) {
        return;
    }
    let mut device = match Cpu::<I>::open(&DeviceOptions::default()) {
        Ok(device) => device,
        Err(error) => return println!("{title}: skipped, {error}"),
    };
    let limits = Limits {
        bandwidth: device.read_bandwidth().expect("memory for the measurement"),
        peak: device.dot_peak::<D>(),
    };
    println!(
        "{title}: {} threads, {:.1} GB/s read bandwidth, {:.1} GFLOP/s dot peak",
        device.threads(),
        limits.bandwidth / 1e9,
        limits.peak / 1e9
    );
    for (name, outputs, cols) in SHAPES {
        if ROWS
            .iter()
            .any(|rows| wanted(&format!("{title}, {name} x {rows}")))
        {
            matmul::<I, D>(&mut device, &title, name, outputs, cols, &limits);
        }
    }
    for (context, query) in [(512, 1), (8192, 1), (512, 512)] {
        if wanted(&format!("{title}, attention")) {
            attention::<I, D>(&mut device, context, query, &limits);
        }
    }
}

struct Limits {
    bandwidth: f64,
    peak: f64,
}

impl Limits {
    fn print(&self, what: &str, time: Duration, bytes: f64, flops: f64) {
        let (bandwidth, rate) = (bytes / time.as_secs_f64(), flops / time.as_secs_f64());
        println!(
            "  {what:<36} {:>9.1} us  {:>6.1} GB/s ({:>3.0} %)  {:>6.1} GFLOP/s ({:>3.0} %)",
            time.as_secs_f64() * 1e6,
            bandwidth / 1e9,
            bandwidth / self.bandwidth * 100.0,
            rate / 1e9,
            rate / self.peak * 100.0,
        );
    }
}

/// The best time of `op` over about a second.
fn best(mut op: impl FnMut()) -> Duration {
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 5 || start.elapsed() < Duration::from_millis(800) {
        let start = Instant::now();
        op();
        times.push(start.elapsed());
    }
    times.into_iter().min().unwrap_or_default()
}

fn values(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (i * 2_654_435_761 % 1009) as f32 / 504.0 - 1.0)
        .collect()
}

fn matmul<I: Dot<D>, D: Float>(
    device: &mut Cpu<I>,
    title: &str,
    name: &str,
    outputs: usize,
    cols: usize,
    limits: &Limits,
) {
    let bytes: Vec<u8> = values(outputs * cols)
        .into_iter()
        .flat_map(|x| BF16::from_f32(x).to_le_bytes())
        .collect();
    let host = HostMatrix {
        rows: outputs,
        cols,
        values: HostValues::BF16(&bytes),
    };
    // Enough copies that no matrix is still in a cache when its turn comes again.
    let copies = (256 << 20) / bytes.len() + 1;
    let matrices: Vec<_> = (0..copies)
        .map(|_| Projection {
            matrix: device.pack("weights", &[host]).expect("memory for weights"),
            bias: None,
        })
        .collect();
    let mut x = device.alloc("x", 512 * cols).expect("memory");
    device.upload(&mut x, &values(512 * cols)).expect("upload");
    let mut out = device.alloc("out", 512 * outputs).expect("memory");
    for rows in ROWS {
        if !wanted(&format!("{title}, {name} x {rows}")) {
            continue;
        }
        let mut turn = 0;
        let time = best(|| {
            turn += 1;
            let w = &matrices[turn % copies];
            device.matmul(&x, w, rows, &mut out).expect("launch");
        });
        let elements = (outputs * cols) as f64;
        limits.print(
            &format!("{name} [{outputs}, {cols}] x {rows}"),
            time,
            elements * size_of::<D>() as f64,
            2.0 * elements * rows as f64,
        );
    }
}

fn attention<I: Dot<D>, D: Float>(
    device: &mut Cpu<I>,
    context: usize,
    query: usize,
    limits: &Limits,
) {
    let blocks = context / BLOCK;
    let shape = CacheShape {
        layers: 1,
        blocks,
        block_size: BLOCK,
        kv_heads: LAYOUT.kv_heads,
        head_dim: LAYOUT.head_dim,
    };
    let mut cache = Attention::<Plain<D>>::cache(device, shape).expect("memory for the cache");
    // Slots, then the start of the table and of the query, the context, and a table in which no block follows the one
    // before it.
    let mut words: Vec<u32> = (0..context as u32).collect();
    words.extend([0, 0, query as u32, context as u32]);
    words.extend((0..blocks as u32).map(|i| i * 7 % blocks as u32));
    let mut buffer = device.alloc("indices", words.len()).expect("memory");
    device.upload(&mut buffer, &words).expect("upload");
    let slots = Input::new(&buffer, 0, context);
    let mut qkv = device
        .alloc("qkv", context * LAYOUT.width())
        .expect("memory");
    device
        .upload(&mut qkv, &values(context * LAYOUT.width()))
        .expect("upload");
    let mut out = device
        .alloc("out", query * LAYOUT.q_width())
        .expect("memory");
    let layer = LayerCache {
        cache: &mut cache,
        layer: 0,
    };
    device.store_kv(&qkv, slots, layer, LAYOUT).expect("launch");
    let heads = Heads {
        layout: LAYOUT,
        scale: 0.125,
        window: None,
    };
    let time = best(|| {
        let batch = AttentionBatch {
            seqs: 1,
            max_query: query,
            query_start: Input::new(&buffer, context + 1, 2),
            context_len: Input::new(&buffer, context + 3, 1),
            table_start: Input::new(&buffer, context, 1),
            blocks: Input::new(&buffer, context + 4, blocks),
        };
        let layer = LayerCache {
            cache: &cache,
            layer: 0,
        };
        device
            .attention(&qkv, layer, batch, heads, &mut out)
            .expect("launch");
    });
    let bytes = 2 * context * LAYOUT.kv_heads * LAYOUT.head_dim * size_of::<D>();
    let pairs = (query * (2 * context - query + 1)) as f64 / 2.0;
    limits.print(
        &format!("attention, {query} at context {context}"),
        time,
        bytes as f64,
        4.0 * pairs * LAYOUT.q_width() as f64,
    );
}
