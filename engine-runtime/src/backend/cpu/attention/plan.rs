//! How a call is cut into tasks. Nothing of it enters a sum.

use std::cmp::Reverse;
use std::ops::Range;

use super::Queries;
use super::partition::PARTITION;
use crate::backend::{HeadLayout, Heads};

/// Tasks a thread, so that threads end together though tasks differ.
const TASKS: usize = 2;
/// Queries of a task: enough that what is read of the cache is used often, and so few that they stay near.
const QUERIES: usize = 256;
const ROWS: usize = 64;
/// Rows of a call whose partitions may be shared among tasks. Where more rows are as long, they are tasks enough.
pub(super) const SPLIT_ROWS: usize = 8;

/// Rows of a task, at most.
pub(super) fn most_rows(heads: HeadLayout) -> usize {
    (QUERIES / heads.group().max(1)).clamp(1, ROWS)
}

pub(super) struct Plan {
    /// Each is a task for each kv head, the longest first.
    pub shares: Vec<Share>,
    pub splits: Vec<Split>,
}

/// Consecutive rows of one sequence, and the partitions that a task takes of them.
pub(super) struct Share {
    pub seq: usize,
    pub rows: Range<usize>,
    /// Of the first row.
    pub position: usize,
    pub partitions: Range<usize>,
    /// Where the partitions of a split row leave their results, from the first on.
    pub slot: Option<usize>,
}

/// A row whose partitions are several tasks'.
pub(super) struct Split {
    pub row: usize,
    /// Of its partitions in order.
    pub slots: Range<usize>,
}

impl Plan {
    pub fn of(queries: &Queries<'_>, heads: Heads, threads: usize) -> Self {
        let seqs: Vec<Seq> = Seq::all(queries, heads).collect();
        let work = seqs.iter().map(|seq| seq.rows.len() * seq.seen);
        let all = work.sum::<usize>() * heads.layout.kv_heads;
        // Pairs of a row and a position that are one kv head's part of a task.
        let fair = (all / (TASKS * threads)).max(1);
        let mut chunks = Vec::new();
        for seq in &seqs {
            let most = (fair / seq.seen).clamp(1, most_rows(heads.layout));
            seq.chunks(most, heads, &mut chunks);
        }
        chunks.sort_by_key(|(work, _)| Reverse(*work));
        let mut plan = Self {
            shares: Vec::with_capacity(chunks.len()),
            splits: Vec::new(),
        };
        for (work, share) in chunks {
            let parts = work.div_ceil(fair).min(share.partitions.len());
            let splits = share.rows.len() == 1 && plan.splits.len() < SPLIT_ROWS;
            match splits && threads > 1 && parts > 1 {
                true => plan.split(&share, parts),
                false => plan.shares.push(share),
            }
        }
        plan
    }

    /// Partitions that leave results for another task.
    pub fn slots(&self) -> usize {
        self.splits.last().map_or(0, |split| split.slots.end)
    }

    fn split(&mut self, share: &Share, parts: usize) {
        let (first, all) = (self.slots(), &share.partitions);
        for part in 0..parts {
            let [start, end] = [part, part + 1].map(|part| part * all.len() / parts);
            self.shares.push(Share {
                seq: share.seq,
                rows: share.rows.clone(),
                position: share.position,
                partitions: all.start + start..all.start + end,
                slot: Some(first + start),
            });
        }
        self.splits.push(Split {
            row: share.rows.start,
            slots: first..first + all.len(),
        });
    }
}

/// The rows of a sequence.
struct Seq {
    seq: usize,
    rows: Range<usize>,
    /// Of the first row.
    position: usize,
    /// Positions that the last row sees.
    seen: usize,
}

impl Seq {
    fn all(queries: &Queries<'_>, heads: Heads) -> impl Iterator<Item = Self> {
        let rows = queries.query_start.windows(2);
        let seqs = rows.zip(queries.context_len).enumerate();
        seqs.filter_map(move |(seq, (rows, &len))| {
            let (rows, len) = (rows[0] as usize..rows[1] as usize, len as usize);
            (!rows.is_empty()).then(|| Self {
                seq,
                position: len - rows.len(),
                seen: len - heads.first_seen(len - 1),
                rows,
            })
        })
    }

    /// Chunks of `most` rows or fewer, each with its work.
    fn chunks(&self, most: usize, heads: Heads, chunks: &mut Vec<(usize, Share)>) {
        let count = self.rows.len().div_ceil(most);
        for chunk in 0..count {
            let [start, end] = [chunk, chunk + 1].map(|chunk| chunk * self.rows.len() / count);
            let (first, last) = (self.position + start, self.position + end - 1);
            let seen = heads.first_seen(first)..last + 1;
            let share = Share {
                seq: self.seq,
                rows: self.rows.start + start..self.rows.start + end,
                position: first,
                partitions: seen.start / PARTITION..seen.end.div_ceil(PARTITION),
                slot: None,
            };
            chunks.push((share.rows.len() * seen.len(), share));
        }
    }
}

#[cfg(test)]
mod tests {
    use testbed::Random;

    use super::*;

    const HEADS: Heads = Heads {
        layout: HeadLayout {
            q_heads: 6,
            kv_heads: 2,
            head_dim: 8,
        },
        scale: 1.0,
        window: None,
    };

    fn plan(seqs: &[(usize, usize)], heads: Heads, threads: usize) -> Plan {
        let (mut query_start, mut context_len) = (vec![0], Vec::new());
        for (rows, len) in seqs {
            query_start.push(query_start[query_start.len() - 1] + *rows as u32);
            context_len.push(*len as u32);
        }
        let queries = Queries {
            query_start: &query_start,
            context_len: &context_len,
            table_start: &[],
            blocks: &[],
        };
        Plan::of(&queries, heads, threads)
    }

    #[test]
    fn every_row_has_each_of_its_partitions_once_and_no_slot_is_shared() {
        let mut random = Random::stream(71);
        for case in 0..500 {
            let seqs: Vec<(usize, usize)> = (0..1 + random.below(6))
                .map(|_| {
                    let rows = [0, 1, 1, 2, 40, 300][random.below(6)];
                    (rows, rows + random.below(3000))
                })
                .collect();
            let heads = Heads {
                window: [None, Some(1), Some(700)][random.below(3)],
                ..HEADS
            };
            let plan = plan(&seqs, heads, 1 + random.below(64));
            let mut found = Vec::new();
            for share in &plan.shares {
                assert!(!share.rows.is_empty() && !share.partitions.is_empty());
                for row in share.rows.clone() {
                    let position = share.position + row - share.rows.start;
                    found.push((row, position, share.partitions.clone()));
                }
                if let Some(slot) = share.slot {
                    let row = share.rows.start;
                    let split = plan.splits.iter().find(|split| split.row == row);
                    let slots = slot..slot + share.partitions.len();
                    let all = &split.expect("a split row is joined").slots;
                    assert!(all.start <= slots.start && slots.end <= all.end);
                }
            }
            // A row's parts lie one behind the other, and cover what it sees; rows in one share see no more than it has.
            found.sort_by_key(|(row, _, partitions)| (*row, partitions.start));
            let mut rows = found.chunk_by(|a, b| a.0 == b.0);
            for (count, len) in &seqs {
                for position in len - count..*len {
                    let parts = rows.next().expect("each row has its tasks");
                    assert!(parts.iter().all(|part| part.1 == position), "case {case}");
                    assert!(parts.windows(2).all(|two| two[0].2.end == two[1].2.start));
                    assert!(parts[0].2.start <= heads.first_seen(position) / PARTITION);
                    assert!(parts[parts.len() - 1].2.end > position / PARTITION);
                }
            }
            assert!(rows.next().is_none());
            let split: usize = plan.splits.iter().map(|split| split.slots.len()).sum();
            assert_eq!(split, plan.slots());
            assert!(plan.splits.len() <= SPLIT_ROWS);
        }
    }

    #[test]
    fn one_long_sequence_is_work_for_all_threads_and_a_batch_is_not_split() {
        for threads in [2, 8, 48] {
            let plan = plan(&[(1, 100_000)], HEADS, threads);
            assert!(plan.shares.len() * 2 >= TASKS * threads, "{threads}");
            let longest = plan.shares.iter().map(|share| share.partitions.len()).max();
            let fair = 100_000_usize.div_ceil(PARTITION) * 2 / threads;
            assert!(longest <= Some(fair), "{longest:?} of {fair} a thread");
        }
        let alone = plan(&[(1, 100_000)], HEADS, 1);
        assert!(alone.splits.is_empty());
        let batch = plan(&[(1, 5000); 8], HEADS, 4);
        assert!(batch.splits.is_empty());
        assert_eq!(batch.shares.len(), 8);
    }
}
