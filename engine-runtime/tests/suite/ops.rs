//! The list of ops is that of the backends' traits: every op is a method, and every launched method an op.

use std::collections::BTreeSet;

use engine_model::Op;

/// What the traits have beside ops: bringing weights onto the device, and room for keys and values and for scores.
const LOADING: &[&str] = &[
    "pack",
    "pack_experts",
    "table",
    "cache",
    "scores",
    "bytes_of_scores",
];

#[test]
fn every_op_is_a_method_and_back() {
    let files = [
        include_str!("../../src/backend/attention.rs"),
        include_str!("../../src/backend/linear.rs"),
        include_str!("../../src/backend/pointwise.rs"),
        include_str!("../../src/backend/sampling.rs"),
    ];
    let mut methods = BTreeSet::new();
    for file in files {
        let mut inside = false;
        for line in file.lines() {
            match line {
                line if line.starts_with("pub trait ") => inside = true,
                "}" => inside = false,
                _ => {}
            }
            let name = line.strip_prefix("    fn ").filter(|_| inside);
            methods.extend(name.and_then(|rest| rest.split(['(', '<']).next()));
        }
    }
    for name in LOADING {
        assert!(methods.remove(name), "{name} is in no trait any more");
    }
    let ops: BTreeSet<&str> = Op::ALL.iter().map(|op| op.name()).collect();
    assert_eq!(methods, ops);
}
