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

/// Computes all of `tokens` in a fresh table; returns the table and how many positions were found.
fn compute<I: PrefixIndex>(
    kv: &mut KvBlocks<I>,
    keys: &CacheKeys,
    tokens: &[u32],
) -> (BlockTable<I::Chain>, usize) {
    let (mut table, found) = kv.open(keys, tokens);
    assert!(kv.reserve(&mut table, tokens.len()));
    kv.commit(&mut table, keys, tokens);
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
    kv.audit([].iter());
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
    assert!(kv.reserve(&mut a, 9) && kv.reserve(&mut b, 9));
    kv.commit(&mut a, &keys, &tokens);
    kv.commit(&mut b, &keys, &tokens);
    assert_eq!(a.blocks()[..2], b.blocks()[..2]);
    assert_ne!(a.blocks()[2], b.blocks()[2]);
    kv.audit([&a, &b].into_iter());
    kv.close(a);
    kv.close(b);
    kv.audit([].iter());
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
    kv.audit([].iter());
}

#[test]
fn a_full_pool_refuses_and_leaves_the_table_alone() {
    let mut kv = KvBlocks::<()>::new(2, BLOCK);
    let (mut table, _) = kv.open(&CacheKeys::default(), &[0; 12]);
    assert!(!kv.reserve(&mut table, 12));
    assert!(table.blocks().is_empty());
    assert!(kv.reserve(&mut table, 8));
    kv.close(table);
}

/// What a found block promises to hold: all tokens up to its end, and the keys they were computed under.
type Content = (CacheKeys, Vec<u32>);

fn random_schedule<I: PrefixIndex>(steps: Vec<(bool, u8, Vec<u32>)>) {
    let mut kv = KvBlocks::<I>::new(12, BLOCK);
    let mut content: Vec<Option<Content>> = vec![None; 12];
    let mut open: Vec<(BlockTable<I::Chain>, CacheKeys, Vec<u32>)> = Vec::new();
    for (close, salt, tokens) in steps {
        if close && !open.is_empty() {
            let (table, ..) = open.remove(usize::from(salt) % open.len());
            kv.close(table);
            continue;
        }
        let keys = salted(if salt.is_multiple_of(2) {
            "even"
        } else {
            "odd"
        });
        let (mut table, found) = kv.open(&keys, &tokens);
        assert!(found < tokens.len().max(1));
        for (place, &block) in table.blocks().iter().enumerate() {
            let expected = (keys.clone(), tokens[..(place + 1) * BLOCK].to_vec());
            assert_eq!(content[block as usize].as_ref(), Some(&expected));
        }
        if !kv.reserve(&mut table, tokens.len()) {
            kv.close(table);
            continue;
        }
        // Only what was not found is written.
        for place in found / BLOCK..table.blocks().len() {
            let end = tokens.len().min((place + 1) * BLOCK);
            let block = table.blocks()[place] as usize;
            content[block] = Some((keys.clone(), tokens[..end].to_vec()));
        }
        kv.commit(&mut table, &keys, &tokens);
        open.push((table, keys, tokens));
        kv.audit(open.iter().map(|(table, ..)| table));
        for (table, keys, tokens) in &open {
            for (place, &block) in table.blocks().iter().enumerate() {
                let end = tokens.len().min((place + 1) * BLOCK);
                let expected = (keys.clone(), tokens[..end].to_vec());
                assert_eq!(content[block as usize].as_ref(), Some(&expected));
            }
        }
    }
    for (table, ..) in open {
        kv.close(table);
    }
    kv.audit([].iter());
}

proptest! {
    #![proptest_config(testbed::properties(256))]

    #[test]
    fn found_blocks_hold_what_they_promise(
        steps in prop::collection::vec(
            (any::<bool>(), any::<u8>(), prop::collection::vec(0_u32..2, 1..20)),
            0..40,
        ),
    ) {
        random_schedule::<PrefixCache>(steps.clone());
        random_schedule::<PrefixCache<Degenerate>>(steps.clone());
        random_schedule::<()>(steps);
    }
}
