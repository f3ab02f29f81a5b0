//! The paged cache and attention over it.

use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{
    Attention, AttentionBatch, BlockCopy, CacheShape, DeviceError, HeadLayout, Heads, LayerCache,
};
use engine_runtime::dtype::{Float, Plain};

use super::answers::{Answer, spoil};
use super::inputs::Random;
use super::{Formats, Staged, THREADS, assert_close, assert_same_bits, get, put};

const SCALE: f32 = 0.3;
const LAYER: usize = 1;

/// Sequences whose k, v and q are all known: what is computed of them, in which steps, is the test's choice.
pub(super) struct Case {
    layout: HeadLayout,
    window: Option<usize>,
    block_size: usize,
    blocks: usize,
    /// [seqs][len, layout.width()]
    seqs: Vec<Vec<f32>>,
    /// [seqs][blocks_per_seq], no block twice.
    tables: Vec<Vec<u32>>,
}

impl Case {
    pub(super) fn random(
        random: &mut Random,
        layout: HeadLayout,
        block_size: usize,
        lens: &[usize],
    ) -> Self {
        let longest = lens.iter().copied().max().unwrap_or(1);
        let blocks_per_seq = longest.div_ceil(block_size) + 1;
        let blocks = blocks_per_seq * lens.len() + 3;
        let order = random.permutation(blocks);
        Self {
            layout,
            window: None,
            block_size,
            blocks,
            seqs: lens
                .iter()
                .map(|len| random.values(len * layout.width()))
                .collect(),
            tables: order
                .chunks(blocks_per_seq)
                .take(lens.len())
                .map(|blocks| blocks.iter().map(|block| *block as u32).collect())
                .collect(),
        }
    }

    fn len(&self, seq: usize) -> usize {
        self.seqs[seq].len() / self.layout.width()
    }

    fn slot(&self, seq: usize, position: usize) -> u32 {
        self.tables[seq][position / self.block_size] * self.block_size as u32
            + (position % self.block_size) as u32
    }

    /// A cache of two layers in which every element is NaN.
    pub(super) fn cache<D: Float, B: Formats<D>>(
        &self,
        device: &mut B,
    ) -> <B as Attention<Plain<D>>>::Cache {
        let shape = CacheShape {
            layers: 2,
            blocks: self.blocks,
            block_size: self.block_size,
            kv_heads: self.layout.kv_heads,
            head_dim: self.layout.head_dim,
        };
        let mut cache = device.cache(shape).expect("allocates");
        let slots = self.blocks * self.block_size;
        let garbage = put(device, &vec![f32::NAN; slots * self.layout.width()]);
        let every: Vec<u32> = (0..slots as u32).collect();
        let every = Staged::put(device, &every);
        for layer in 0..2 {
            let cache = LayerCache {
                cache: &mut cache,
                layer,
            };
            device
                .store_kv(&garbage, every.get(), cache, self.layout)
                .expect("launches");
        }
        cache
    }

    /// One step of positions `start..end` of some sequences: stores their k and v, and returns the outputs.
    pub(super) fn step<D: Float, B: Formats<D>>(
        &self,
        device: &mut B,
        cache: &mut <B as Attention<Plain<D>>>::Cache,
        pieces: &[(usize, usize, usize)],
    ) -> Vec<f32> {
        let width = self.layout.width();
        let (mut qkv, mut slots, mut query_start) = (vec![], vec![], vec![0]);
        let (mut context_len, mut table_start, mut tables) = (vec![], vec![], vec![]);
        let mut max_query = 0;
        for &(seq, start, end) in pieces {
            qkv.extend(&self.seqs[seq][start * width..end * width]);
            slots.extend((start..end).map(|position| self.slot(seq, position)));
            query_start.push(slots.len() as u32);
            context_len.push(end as u32);
            table_start.push(tables.len() as u32);
            tables.extend(&self.tables[seq]);
            max_query = max_query.max(end - start);
        }
        let rows = slots.len();
        let qkv = put(device, &qkv);
        let [slots, query_start, context_len, table_start, tables] =
            [slots, query_start, context_len, table_start, tables]
                .map(|data| Staged::put(device, &data));
        let mut out = put(device, &vec![f32::NAN; rows * self.layout.q_width()]);
        self.store(device, cache, LAYER, &qkv, &slots);
        // Another layer's positions are not this one's.
        let other = put(device, &vec![f32::NAN; rows * width]);
        self.store(device, cache, 1 - LAYER, &other, &slots);
        let batch = AttentionBatch {
            seqs: pieces.len(),
            max_query,
            query_start: query_start.get(),
            context_len: context_len.get(),
            table_start: table_start.get(),
            blocks: tables.get(),
        };
        let heads = Heads {
            layout: self.layout,
            scale: SCALE,
            window: self.window,
        };
        let layer = LayerCache {
            cache: &*cache,
            layer: LAYER,
        };
        device
            .attention(&qkv, layer, batch, heads, &mut out)
            .expect("launches");
        get(device, &out, rows * self.layout.q_width())
    }

    fn store<D: Float, B: Formats<D>>(
        &self,
        device: &mut B,
        cache: &mut <B as Attention<Plain<D>>>::Cache,
        layer: usize,
        qkv: &B::Array<f32>,
        slots: &Staged<B, u32>,
    ) {
        let layer = LayerCache { cache, layer };
        device
            .store_kv(qkv, slots.get(), layer, self.layout)
            .expect("launches");
    }

    /// Makes the first `len` positions of a sequence garbage.
    fn forget<D: Float, B: Formats<D>>(
        &self,
        device: &mut B,
        cache: &mut <B as Attention<Plain<D>>>::Cache,
        seq: usize,
        len: usize,
    ) {
        let garbage = put(device, &vec![f32::NAN; len * self.layout.width()]);
        let slots: Vec<u32> = (0..len).map(|p| self.slot(seq, p)).collect();
        let slots = Staged::put(device, &slots);
        self.store(device, cache, LAYER, &garbage, &slots);
    }
}

fn layouts() -> impl Iterator<Item = (HeadLayout, usize)> {
    [
        (4, 4, 8, 16),
        (8, 2, 64, 16),
        (6, 2, 33, 4),
        (7, 1, 16, 3),
        (20, 1, 80, 32),
        (3, 3, 1, 1),
        (4, 2, 128, 64),
        (10, 2, 40, 7),
    ]
    .into_iter()
    .map(|(q_heads, kv_heads, head_dim, block_size)| {
        let layout = HeadLayout {
            q_heads,
            kv_heads,
            head_dim,
        };
        (layout, block_size)
    })
}

pub fn agrees<D: Float, B: Formats<D>>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(10);
    for (layout, block_size) in layouts() {
        let case = Case::random(&mut random, layout, block_size, &[1, 70, 131, 64, 65]);
        let mut reference = Reference::default();
        let mut caches = (
            case.cache::<D, _>(&mut device),
            case.cache::<D, _>(&mut reference),
        );
        // Whole prompts beside a first part, then the rest beside decodes.
        let steps: [&[_]; 3] = [
            &[(1, 0, 70), (2, 0, 50), (3, 0, 63)],
            &[(3, 63, 64), (2, 50, 131), (0, 0, 1), (4, 0, 1)],
            &[(4, 1, 65)],
        ];
        for pieces in steps {
            let got = case.step(&mut device, &mut caches.0, pieces);
            let expected = case.step(&mut reference, &mut caches.1, pieces);
            assert!(
                expected.iter().all(|x| x.is_finite()),
                "the reference read garbage"
            );
            // Scores of about 10 known within 1e-6 of themselves are weights within 1e-5 of themselves; values are about 1.
            let what = format!("{layout:?}, blocks of {block_size}, {pieces:?}");
            assert_close(&what, &got, &expected, |_| 2e-5);
        }
    }
}

/// A sequence goes on in copies of its blocks as in the blocks themselves, whatever becomes of those.
pub fn copied_blocks_are_read<D: Float, B: Formats<D>>() {
    let Some(mut device) = B::start(2) else {
        return;
    };
    let mut random = Random(16);
    for (layout, block_size) in layouts() {
        let mut case = Case::random(&mut random, layout, block_size, &[20, 20]);
        let mut cache = case.cache::<D, _>(&mut device);
        case.step(&mut device, &mut cache, &[(0, 0, 19)]);
        let expected = case.step(&mut device, &mut cache, &[(0, 19, 20)]);
        let copies: Vec<BlockCopy> = case.tables[0]
            .iter()
            .zip(&case.tables[1])
            .map(|(&from, &to)| BlockCopy { from, to })
            .collect();
        let copies = Staged::put(&mut device, &copies);
        device
            .copy_blocks(&mut cache, copies.get())
            .expect("launches");
        case.tables.swap(0, 1);
        // The blocks themselves are another sequence's now.
        case.step(&mut device, &mut cache, &[(1, 0, 20)]);
        let got = case.step(&mut device, &mut cache, &[(0, 19, 20)]);
        assert_same_bits(
            &format!("{layout:?}, blocks of {block_size}"),
            &got,
            &expected,
        );
    }
}

/// Windows at the edges of blocks and of tiles of 64 positions, and one past every position.
pub fn windows_agree<D: Float, B: Formats<D>>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let mut random = Random(19);
    let layouts: Vec<_> = layouts().collect();
    for (i, window) in [1, 2, 15, 16, 17, 31, 63, 64, 65, 100, 128, 129, 500]
        .into_iter()
        .enumerate()
    {
        let (layout, block_size) = layouts[i % layouts.len()];
        let mut case = Case::random(&mut random, layout, block_size, &[1, 70, 140, 66]);
        case.window = Some(window);
        let mut reference = Reference::default();
        let mut caches = (
            case.cache::<D, _>(&mut device),
            case.cache::<D, _>(&mut reference),
        );
        let steps: [&[_]; 3] = [
            &[(1, 0, 70), (2, 0, 90), (3, 0, 63)],
            &[(3, 63, 65), (2, 90, 131), (0, 0, 1)],
            &[(3, 65, 66), (2, 131, 140)],
        ];
        for pieces in steps {
            for &(seq, start, _) in pieces as &[(usize, usize, usize)] {
                // What no query sees any more may be anything.
                let unseen = (start + 1).saturating_sub(window);
                case.forget(&mut device, &mut caches.0, seq, unseen);
                case.forget(&mut reference, &mut caches.1, seq, unseen);
            }
            let got = case.step(&mut device, &mut caches.0, pieces);
            let expected = case.step(&mut reference, &mut caches.1, pieces);
            assert!(
                expected.iter().all(|x| x.is_finite()),
                "the reference read garbage"
            );
            let what =
                format!("{layout:?}, blocks of {block_size}, a window of {window}, {pieces:?}");
            // As without a window.
            assert_close(&what, &got, &expected, |_| 2e-5);
        }
    }
}

/// Sequences that overlap, or have fewer positions than queries, would have two threads write one row.
pub fn tangled_batches_are_refused<D: Float, B: Formats<D>>() {
    let Some(mut device) = B::start(3) else {
        return;
    };
    let layout = HeadLayout {
        q_heads: 2,
        kv_heads: 1,
        head_dim: 8,
    };
    let case = Case::random(&mut Random(20), layout, 4, &[8]);
    let cache = case.cache::<D, _>(&mut device);
    let qkv = put(&mut device, &[0.5; 8 * 32]);
    let mut out = put(&mut device, &[0.0; 8 * 16]);
    let tangled = [([0, 5, 2, 6], [8, 8, 8]), ([0, 2, 4, 8], [2, 2, 3])];
    for (query_start, context_len) in tangled {
        let query_start = Staged::put(&mut device, &query_start);
        let context_len = Staged::put(&mut device, &context_len);
        let table_start = Staged::put(&mut device, &[0, 0, 0]);
        let blocks = Staged::put(&mut device, &case.tables[0]);
        let batch = AttentionBatch {
            seqs: 3,
            max_query: 5,
            query_start: query_start.get(),
            context_len: context_len.get(),
            table_start: table_start.get(),
            blocks: blocks.get(),
        };
        let heads = Heads {
            layout,
            scale: SCALE,
            window: None,
        };
        let layer = LayerCache {
            cache: &cache,
            layer: LAYER,
        };
        let launched = device.attention(&qkv, layer, batch, heads, &mut out);
        let mut rows = vec![0.0; 8 * 16];
        let error = launched.and_then(|()| device.read(&out, &mut rows));
        let error = error.expect_err("refuses");
        assert!(
            matches!(
                error,
                DeviceError::Launch {
                    op: "attention",
                    ..
                }
            ),
            "{error}"
        );
        device.abandon();
    }
}

pub fn is_batch_invariant<D: Float, B: Formats<D>>() {
    for (layout, block_size) in layouts() {
        is_invariant::<D, B>(layout, block_size, None);
    }
}

pub fn windows_are_batch_invariant<D: Float, B: Formats<D>>() {
    for window in [1, 20, 64, 90] {
        for (layout, block_size) in layouts().skip(1).step_by(3) {
            is_invariant::<D, B>(layout, block_size, Some(window));
        }
    }
}

/// Contexts that end a little before and behind the places where attention is cut, with windows that begin between
/// them; one row, whose partitions threads share, and a whole prompt, on one thread and on more than there are cores.
pub fn partitions_are_batch_invariant<D: Float, B: Formats<D>>() {
    const LEN: usize = 773;
    const ENDS: [usize; 12] = [1, 254, 255, 256, 257, 258, 511, 512, 514, 767, 768, LEN];
    let mut random = Random(12);
    let layouts: Vec<_> = layouts().collect();
    let cases = [
        (0, None),
        (1, Some(300)),
        (3, Some(256)),
        (7, Some(1)),
        (7, None),
    ];
    for (index, window) in cases {
        let (layout, block_size) = layouts[index];
        let mut case = Case::random(&mut random, layout, block_size, &[LEN]);
        case.window = window;
        let width = layout.q_width();
        let Some(mut device) = B::start(1) else {
            return;
        };
        let mut cache = case.cache::<D, _>(&mut device);
        let whole = case.step(&mut device, &mut cache, &[(0, 0, LEN)]);
        for threads in [1, 2, 7, 64] {
            let mut device = B::start(threads).expect("opened before");
            let mut cache = case.cache::<D, _>(&mut device);
            let mut start = 0;
            for end in ENDS {
                // Some rows together, and then the last of them alone.
                for piece in [(0, start, end), (0, end - 1, end)] {
                    let got = case.step(&mut device, &mut cache, &[piece]);
                    let what = format!("{layout:?}, {window:?}, {piece:?}, {threads} threads");
                    assert_same_bits(&what, &got, &whole[piece.1 * width..end * width]);
                }
                start = end;
            }
        }
    }
}

/// One token at a time or many, one sequence or two, on one thread or several: the same bits.
fn is_invariant<D: Float, B: Formats<D>>(
    layout: HeadLayout,
    block_size: usize,
    window: Option<usize>,
) {
    let mut random = Random(11);
    {
        let mut case = Case::random(&mut random, layout, block_size, &[97, 40]);
        case.window = window;
        let width = layout.q_width();
        // Position by position, the sequences one after the other, on one thread.
        let Some(mut device) = B::start(1) else {
            return;
        };
        let mut cache = case.cache::<D, _>(&mut device);
        let alone = [0, 1].map(|seq| {
            (0..case.len(seq))
                .flat_map(|p| case.step(&mut device, &mut cache, &[(seq, p, p + 1)]))
                .collect::<Vec<f32>>()
        });
        for (i, chunk) in [1, 2, 5, 16, 33, 97].into_iter().enumerate() {
            let threads = THREADS[i % THREADS.len()];
            let Some(mut device) = B::start(threads) else {
                return;
            };
            let mut cache = case.cache::<D, _>(&mut device);
            let mut done = [0, 0];
            while done[0] < case.len(0) || done[1] < case.len(1) {
                let pieces: Vec<_> = (0..2)
                    .filter(|seq| done[*seq] < case.len(*seq))
                    .map(|seq| (seq, done[seq], case.len(seq).min(done[seq] + chunk + seq)))
                    .collect();
                let mut got = &case.step(&mut device, &mut cache, &pieces)[..];
                for (seq, start, end) in pieces {
                    let (rows, rest) = got.split_at((end - start) * width);
                    let what = format!("{layout:?}, chunks of {chunk}, {threads} threads");
                    assert_same_bits(&what, rows, &alone[seq][start * width..end * width]);
                    (got, done[seq]) = (rest, end);
                }
            }
        }
    }
}

/// What attention answers, with windows and without.
pub fn answer<D: Float, B: Formats<D>>() -> Option<Answer> {
    let mut device = B::start(3)?;
    let mut random = Random(44);
    let mut answer = Answer::default();
    for (layout, block_size) in layouts() {
        for window in [None, Some(1), Some(20), Some(77)] {
            let mut case = Case::random(&mut random, layout, block_size, &[5, 131, 90, 70, 300]);
            case.window = window;
            let width = layout.width();
            for seq in &mut case.seqs[2..4] {
                // Most of what is computed of one that holds no number is none either.
                let few = seq.len() - 9 * width;
                spoil(&mut random, &mut seq[few..], width);
            }
            let mut cache = case.cache::<D, _>(&mut device);
            let steps: [&[_]; 3] = [
                &[(0, 0, 4), (1, 0, 100), (2, 0, 90), (3, 0, 65)],
                &[(0, 4, 5), (1, 100, 131), (3, 65, 70), (4, 0, 299)],
                &[(4, 299, 300)],
            ];
            for pieces in steps {
                answer.numbers(&case.step(&mut device, &mut cache, pieces));
            }
        }
    }
    Some(answer)
}
