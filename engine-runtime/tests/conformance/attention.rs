//! The paged cache and attention over it.

use engine_runtime::backend::reference::Reference;
use engine_runtime::backend::{AttentionBatch, BlockCopy, CacheShape, HeadLayout, Ops};
use engine_runtime::dtype::{Dense, Float};

use super::inputs::Random;
use crate::{Staged, Subject, THREADS, assert_close, assert_same_bits, get, put};

const SCALE: f32 = 0.3;
const LAYER: usize = 1;

/// Sequences whose k, v and q are all known: what is computed of them, in which steps, is the test's choice.
struct Case {
    layout: HeadLayout,
    block_size: usize,
    blocks: usize,
    /// [seqs][len, layout.width()]
    seqs: Vec<Vec<f32>>,
    /// [seqs][blocks_per_seq], no block twice.
    tables: Vec<Vec<u32>>,
}

impl Case {
    fn random(random: &mut Random, layout: HeadLayout, block_size: usize, lens: &[usize]) -> Self {
        let longest = lens.iter().copied().max().unwrap_or(1);
        let blocks_per_seq = longest.div_ceil(block_size) + 1;
        let blocks = blocks_per_seq * lens.len() + 3;
        let order = random.permutation(blocks);
        Self {
            layout,
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
    fn cache<D: Float, B: Subject<D>>(&self, device: &mut B) -> <B as Ops<Dense<D>>>::Cache {
        let shape = CacheShape {
            layers: 2,
            blocks: self.blocks,
            block_size: self.block_size,
            kv_heads: self.layout.kv_heads,
            head_dim: self.layout.head_dim,
        };
        let mut cache = Ops::<Dense<D>>::cache(device, shape).expect("allocates");
        let slots = self.blocks * self.block_size;
        let garbage = put(device, &vec![f32::NAN; slots * self.layout.width()]);
        let every: Vec<u32> = (0..slots as u32).collect();
        let every = Staged::put(device, &every);
        for layer in 0..2 {
            Ops::<Dense<D>>::store_kv(
                device,
                &garbage,
                every.get(),
                &mut cache,
                layer,
                self.layout,
                slots,
            )
            .expect("launches");
        }
        cache
    }

    /// One step of positions `start..end` of some sequences: stores their k and v, and returns the outputs.
    fn step<D: Float, B: Subject<D>>(
        &self,
        device: &mut B,
        cache: &mut <B as Ops<Dense<D>>>::Cache,
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
        Ops::<Dense<D>>::store_kv(device, &qkv, slots.get(), cache, LAYER, self.layout, rows)
            .expect("launches");
        // Another layer's positions are not this one's.
        let other = put(device, &vec![f32::NAN; rows * width]);
        Ops::<Dense<D>>::store_kv(
            device,
            &other,
            slots.get(),
            cache,
            1 - LAYER,
            self.layout,
            rows,
        )
        .expect("launches");
        let batch = AttentionBatch {
            seqs: pieces.len(),
            max_query,
            query_start: query_start.get(),
            context_len: context_len.get(),
            table_start: table_start.get(),
            blocks: tables.get(),
        };
        Ops::<Dense<D>>::attention(
            device,
            &qkv,
            cache,
            LAYER,
            batch,
            self.layout,
            SCALE,
            rows,
            &mut out,
        )
        .expect("launches");
        get(device, &out, rows * self.layout.q_width())
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

pub fn agrees<D: Float, B: Subject<D>>() {
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
            let got = case.step::<D, _>(&mut device, &mut caches.0, pieces);
            let expected = case.step::<D, _>(&mut reference, &mut caches.1, pieces);
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
pub fn copied_blocks_are_read<D: Float, B: Subject<D>>() {
    let Some(mut device) = B::start(2) else {
        return;
    };
    let mut random = Random(16);
    for (layout, block_size) in layouts() {
        let mut case = Case::random(&mut random, layout, block_size, &[20, 20]);
        let mut cache = case.cache::<D, _>(&mut device);
        case.step::<D, _>(&mut device, &mut cache, &[(0, 0, 19)]);
        let expected = case.step::<D, _>(&mut device, &mut cache, &[(0, 19, 20)]);
        let copies: Vec<BlockCopy> = case.tables[0]
            .iter()
            .zip(&case.tables[1])
            .map(|(&from, &to)| BlockCopy { from, to })
            .collect();
        let copies = Staged::put(&mut device, &copies);
        Ops::<Dense<D>>::copy_blocks(&mut device, &mut cache, copies.get()).expect("launches");
        case.tables.swap(0, 1);
        // The blocks themselves are another sequence's now.
        case.step::<D, _>(&mut device, &mut cache, &[(1, 0, 20)]);
        let got = case.step::<D, _>(&mut device, &mut cache, &[(0, 19, 20)]);
        assert_same_bits(
            &format!("{layout:?}, blocks of {block_size}"),
            &got,
            &expected,
        );
    }
}

pub fn is_batch_invariant<D: Float, B: Subject<D>>() {
    let mut random = Random(11);
    for (layout, block_size) in layouts() {
        let case = Case::random(&mut random, layout, block_size, &[97, 40]);
        let width = layout.q_width();
        // Position by position, the sequences one after the other, on one thread.
        let Some(mut device) = B::start(1) else {
            return;
        };
        let mut cache = case.cache::<D, _>(&mut device);
        let alone = [0, 1].map(|seq| {
            (0..case.len(seq))
                .flat_map(|p| case.step::<D, _>(&mut device, &mut cache, &[(seq, p, p + 1)]))
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
                let mut got = &case.step::<D, _>(&mut device, &mut cache, &pieces)[..];
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
