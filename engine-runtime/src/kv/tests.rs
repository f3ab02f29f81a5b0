use proptest::prelude::*;

use super::prefix_cache::PrefixCache;
use super::*;

/// Every value hashes alike.
#[derive(Default)]
struct Degenerate;

impl std::hash::Hasher for Degenerate {
    fn write(&mut self, _: &[u8]) {}
    fn finish(&self) -> u64 {
        7
    }
}

const BLOCK: usize = 4;

fn commit<I: PrefixIndex>(
    kv: &mut KvBlocks<I>,
    table: &mut BlockTable<I::Link>,
    keys: &CacheKeys,
    tokens: &[u32],
) {
    kv.commit(table, keys, tokens.len(), |range| tokens[range].into());
}

/// Computes all of `tokens` in a fresh table; returns the table and how many positions were found.
fn compute<I: PrefixIndex>(
    kv: &mut KvBlocks<I>,
    keys: &CacheKeys,
    tokens: &[u32],
) -> (BlockTable<I::Link>, usize) {
    let (mut table, found) = kv.open(keys, tokens);
    assert_eq!(kv.reserve(&mut table, found..tokens.len()), Ok(None));
    commit(kv, &mut table, keys, tokens);
    (table, found)
}

fn salted(salt: &str) -> CacheKeys {
    CacheKeys {
        adapter: None,
        salt: Some(salt.into()),
    }
}

#[test]
fn full_blocks_are_found_again_but_never_the_last_token() {
    let mut kv = KvBlocks::<PrefixCache>::new(16, BLOCK);
    let keys = CacheKeys::default();
    let tokens: Vec<u32> = (0..10).collect();
    let (table, found) = compute(&mut kv, &keys, &tokens);
    assert_eq!(found, 0);
    let first = table.blocks().to_vec();
    kv.close(table);
    for (len, expected) in [(10, 8), (9, 8), (8, 4), (5, 4), (4, 0)] {
        let (table, found) = kv.open(&keys, &tokens[..len]);
        assert_eq!(found, expected, "a prompt of {len} tokens");
        assert_eq!(table.blocks(), &first[..expected / BLOCK]);
        kv.close(table);
    }
    kv.audit([].iter(), [].into_iter());
}

#[test]
fn keys_keep_equal_tokens_apart() {
    let mut kv = KvBlocks::<PrefixCache>::new(16, BLOCK);
    let tokens = [1; 9];
    let adapter = CacheKeys {
        adapter: Some(1),
        salt: None,
    };
    for keys in [CacheKeys::default(), salted("a"), salted("b"), adapter] {
        let (table, found) = compute(&mut kv, &keys, &tokens);
        assert_eq!(found, 0, "{keys:?}");
        kv.close(table);
        let (table, found) = kv.open(&keys, &tokens);
        assert_eq!(found, 8, "{keys:?}");
        kv.close(table);
    }
}

#[test]
fn duplicates_computed_side_by_side_are_shared() {
    let mut kv = KvBlocks::<PrefixCache>::new(8, BLOCK);
    let keys = CacheKeys::default();
    let tokens: Vec<u32> = (0..9).collect();
    let (mut a, _) = kv.open(&keys, &tokens);
    let (mut b, _) = kv.open(&keys, &tokens);
    assert_eq!(kv.reserve(&mut a, 0..9), Ok(None));
    assert_eq!(kv.reserve(&mut b, 0..9), Ok(None));
    commit(&mut kv, &mut a, &keys, &tokens);
    commit(&mut kv, &mut b, &keys, &tokens);
    assert_eq!(a.blocks()[..2], b.blocks()[..2]);
    assert_ne!(a.blocks()[2], b.blocks()[2]);
    kv.audit([&a, &b].into_iter(), [].into_iter());
    kv.close(a);
    kv.close(b);
    kv.audit([].iter(), [].into_iter());
}

#[test]
fn the_block_used_longest_ago_goes_first_and_a_prefix_after_what_continues_it() {
    let mut kv = KvBlocks::<PrefixCache>::new(4, BLOCK);
    let keys = CacheKeys::default();
    let (old, new) = ([1; 8], [2; 8]);
    for tokens in [old, new] {
        let (table, _) = compute(&mut kv, &keys, &tokens);
        kv.close(table);
    }
    // One block is needed: the end of the older prompt goes, its beginning stays.
    let (table, _) = compute(&mut kv, &keys, &[3; 4]);
    kv.close(table);
    let probe = |tokens: [u32; 8]| [&tokens[..], &[9]].concat();
    let (table, found) = kv.open(&keys, &probe(old));
    assert_eq!(found, 4);
    kv.close(table);
    let (table, found) = kv.open(&keys, &probe(new));
    assert_eq!(found, 8);
    kv.close(table);
}

#[test]
fn what_was_evicted_is_found_again_once_it_is_computed_again() {
    let mut kv = KvBlocks::<PrefixCache>::new(2, BLOCK);
    let keys = CacheKeys::default();
    for _ in 0..3 {
        for tokens in [[1; 8], [2; 8]] {
            let (table, found) = compute(&mut kv, &keys, &tokens);
            assert_eq!(found, 0, "the other prompt took all blocks");
            kv.close(table);
            let (table, found) = kv.open(&keys, &[&tokens[..], &[9]].concat());
            assert_eq!(found, 8);
            kv.close(table);
        }
    }
}

#[test]
fn a_hash_that_always_collides_is_only_a_miss() {
    let mut kv = KvBlocks::<PrefixCache<Degenerate>>::new(16, BLOCK);
    let keys = CacheKeys::default();
    let (a, b): (Vec<u32>, Vec<u32>) = ((0..9).collect(), (100..109).collect());
    let (table, _) = compute(&mut kv, &keys, &a);
    kv.close(table);
    let (table, found) = compute(&mut kv, &keys, &b);
    assert_eq!(found, 0, "the same hash, other tokens");
    kv.close(table);
    let (table, found) = kv.open(&keys, &a);
    assert_eq!(found, 4, "only the first block could be kept");
    kv.close(table);
    let (table, found) = kv.open(&salted("a"), &a);
    assert_eq!(found, 0, "the same hash and tokens, another salt");
    kv.close(table);
    kv.audit([].iter(), [].into_iter());
}

#[test]
fn a_full_pool_refuses_and_leaves_the_table_alone() {
    let mut kv = KvBlocks::<()>::new(2, BLOCK);
    let (mut table, _) = kv.open(&CacheKeys::default(), &[0; 12]);
    assert_eq!(kv.reserve(&mut table, 0..12), Err(NoRoom));
    assert!(table.blocks().is_empty());
    assert_eq!(kv.reserve(&mut table, 0..8), Ok(None));
    kv.close(table);
}

#[test]
fn who_writes_to_a_shared_block_gets_a_copy_and_the_last_needs_none() {
    let mut kv = KvBlocks::<()>::new(8, BLOCK);
    let keys = CacheKeys::default();
    let (mut a, _) = compute(&mut kv, &keys, &[1; 6]);
    let mut b = kv.fork(&a, 6);
    assert_eq!(a.blocks(), b.blocks());
    let shared = a.blocks()[1];
    let copy = kv.reserve(&mut b, 6..7).unwrap().unwrap();
    assert_eq!((copy.from, copy.to), (shared, b.blocks()[1]));
    assert_ne!(a.blocks()[1], b.blocks()[1]);
    // The block to copy from is held until then, so that nobody writes to it before it is copied.
    assert_eq!(kv.missing(&a, &(6..7)), 1);
    kv.audit([&a, &b].into_iter(), [shared].into_iter());
    kv.copied(copy);
    assert_eq!(kv.reserve(&mut a, 6..7), Ok(None));
    kv.close(a);
    kv.close(b);
}

#[test]
fn a_copy_that_is_not_made_leaves_the_table_as_it_was() {
    let mut kv = KvBlocks::<()>::new(8, BLOCK);
    let keys = CacheKeys::default();
    let (a, _) = compute(&mut kv, &keys, &[1; 6]);
    let mut b = kv.fork(&a, 6);
    let copy = kv.reserve(&mut b, 6..7).unwrap().unwrap();
    kv.undo(&mut b, copy);
    assert_eq!(a.blocks(), b.blocks());
    kv.audit([&a, &b].into_iter(), [].into_iter());
    assert_eq!(kv.available(), 6);
}

#[test]
fn full_blocks_stay_shared_and_a_whole_fork_needs_no_copy() {
    let mut kv = KvBlocks::<()>::new(8, BLOCK);
    let keys = CacheKeys::default();
    let (a, _) = compute(&mut kv, &keys, &[1; 8]);
    let mut b = kv.fork(&a, 8);
    assert_eq!(kv.missing(&b, &(8..9)), 1);
    assert_eq!(kv.reserve(&mut b, 8..9), Ok(None));
    assert_eq!(a.blocks(), &b.blocks()[..2]);
}

#[test]
fn what_is_cut_off_a_kept_block_is_not_written_over_it() {
    let mut kv = KvBlocks::<PrefixCache>::new(8, BLOCK);
    let keys = CacheKeys::default();
    let tokens: Vec<u32> = (0..9).collect();
    let (mut table, _) = compute(&mut kv, &keys, &tokens);
    let kept = table.blocks().to_vec();
    kv.truncate(&mut table, 6);
    assert_eq!(table.blocks(), &kept[..2]);
    // Others find the second block whole.
    let copy = kv.reserve(&mut table, 6..8).unwrap().unwrap();
    assert_eq!(copy.from, kept[1]);
    kv.copied(copy);
    let (other, found) = kv.open(&keys, &tokens);
    assert_eq!((found, other.blocks()), (8, &kept[..2]));
    // Filled with the same again, the table takes the kept one back.
    commit(&mut kv, &mut table, &keys, &tokens[..8]);
    assert_eq!(table.blocks(), &kept[..2]);
    kv.audit([&table, &other].into_iter(), [].into_iter());
}

/// What a test's table promises to hold, and where.
struct Held<L> {
    table: BlockTable<L>,
    keys: CacheKeys,
    tokens: Vec<u32>,
}

/// A cache as the device has it: at each position of each block, the keys and all the tokens that led there.
type Content = Vec<[Option<(CacheKeys, Vec<u32>)>; BLOCK]>;

/// Blocks, what the device does with them, and the naive truth: every table with its tokens.
struct World<I: PrefixIndex> {
    kv: KvBlocks<I>,
    content: Content,
    held: Vec<Held<I::Link>>,
}

#[derive(Debug, Clone)]
enum Action {
    /// A new sequence under a salt.
    Open(bool, Vec<u32>),
    /// More tokens for a sequence.
    Extend(usize, Vec<u32>),
    /// A second sequence that has the first of some positions.
    Fork(usize, usize),
    Truncate(usize, usize),
    /// Reserves for more tokens, and takes it back.
    GiveUp(usize, usize),
    Close(usize),
}

const BLOCKS: usize = 14;

impl<I: PrefixIndex> World<I> {
    fn new() -> Self {
        Self {
            kv: KvBlocks::new(BLOCKS, BLOCK),
            content: vec![Default::default(); BLOCKS],
            held: Vec::new(),
        }
    }

    fn act(&mut self, action: Action) {
        let len = self.held.len();
        match action {
            Action::Open(odd, tokens) => {
                let keys = salted(if odd { "odd" } else { "even" });
                let (table, found) = self.kv.open(&keys, &tokens);
                assert!(found < tokens.len());
                let known = tokens[..found].to_vec();
                let tail = tokens[found..].to_vec();
                self.held.push(Held {
                    table,
                    keys,
                    tokens: known,
                });
                // What was found is there before anything is written.
                self.check();
                if !self.extend(len, &tail) {
                    self.kv.close(self.held.remove(len).table);
                }
            }
            Action::Extend(which, tokens) if len > 0 => {
                self.extend(which % len, &tokens);
            }
            Action::Fork(which, positions) if len > 0 => {
                let held = &self.held[which % len];
                let positions = positions % (held.tokens.len() + 1);
                let fork = Held {
                    table: self.kv.fork(&held.table, positions),
                    keys: held.keys.clone(),
                    tokens: held.tokens[..positions].to_vec(),
                };
                self.held.push(fork);
            }
            Action::Truncate(which, positions) if len > 0 => {
                let held = &mut self.held[which % len];
                held.tokens.truncate(positions);
                self.kv.truncate(&mut held.table, held.tokens.len());
            }
            Action::GiveUp(which, more) if len > 0 => {
                let held = &mut self.held[which % len];
                let start = held.tokens.len();
                if let Ok(copy) = self.kv.reserve(&mut held.table, start..start + more) {
                    copy.into_iter()
                        .for_each(|copy| self.kv.undo(&mut held.table, copy));
                }
            }
            Action::Close(which) if len > 0 => self.kv.close(self.held.remove(which % len).table),
            _ => {}
        }
        self.check();
    }

    /// Computes `tokens` behind those of a sequence, if there is room.
    fn extend(&mut self, which: usize, tokens: &[u32]) -> bool {
        let held = &mut self.held[which];
        let start = held.tokens.len();
        let positions = start..start + tokens.len();
        let Ok(copy) = self.kv.reserve(&mut held.table, positions.clone()) else {
            return false;
        };
        if let Some(copy) = copy {
            self.content[copy.to as usize] = self.content[copy.from as usize].clone();
            self.kv.copied(copy);
        }
        held.tokens.extend_from_slice(tokens);
        for position in positions {
            let block = held.table.blocks()[position / BLOCK] as usize;
            let led_here = (held.keys.clone(), held.tokens[..=position].to_vec());
            self.content[block][position % BLOCK] = Some(led_here);
        }
        let tokens = &held.tokens;
        self.kv
            .commit(&mut held.table, &held.keys, tokens.len(), |range| {
                tokens[range].into()
            });
        true
    }

    /// Every sequence finds at each of its positions what led there, and every block is accounted for.
    fn check(&self) {
        let tables = self.held.iter().map(|held| &held.table);
        self.kv.audit(tables, [].into_iter());
        for held in &self.held {
            for position in 0..held.tokens.len() {
                let block = held.table.blocks()[position / BLOCK] as usize;
                let expected = (held.keys.clone(), held.tokens[..=position].to_vec());
                assert_eq!(
                    self.content[block][position % BLOCK].as_ref(),
                    Some(&expected)
                );
            }
        }
    }
}

fn run<I: PrefixIndex>(actions: Vec<Action>) {
    let mut world = World::<I>::new();
    actions.into_iter().for_each(|action| world.act(action));
    for held in std::mem::take(&mut world.held) {
        world.kv.close(held.table);
    }
    world.check();
    assert_eq!(world.kv.available(), BLOCKS);
}

fn action() -> impl Strategy<Value = Action> {
    let tokens = |most| prop::collection::vec(0_u32..2, 1..most);
    let which = || 0_usize..8;
    prop_oneof![
        3 => (any::<bool>(), tokens(20)).prop_map(|(odd, tokens)| Action::Open(odd, tokens)),
        5 => (which(), tokens(6)).prop_map(|(which, tokens)| Action::Extend(which, tokens)),
        3 => (which(), 0_usize..40).prop_map(|(which, at)| Action::Fork(which, at)),
        2 => (which(), 0_usize..30).prop_map(|(which, at)| Action::Truncate(which, at)),
        1 => (which(), 1_usize..6).prop_map(|(which, more)| Action::GiveUp(which, more)),
        2 => which().prop_map(Action::Close),
    ]
}

proptest! {
    #![proptest_config(testbed::properties(256))]

    #[test]
    fn every_sequence_finds_what_it_has_written(actions in prop::collection::vec(action(), 0..60)) {
        run::<PrefixCache>(actions.clone());
        run::<PrefixCache<Degenerate>>(actions.clone());
        run::<()>(actions);
    }
}
