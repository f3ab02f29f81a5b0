//! The op traits and the list of ops say the same: kernels are planned by the list and launched by the traits.

use std::collections::BTreeSet;
use std::path::Path;

use engine_model::Op;

/// What brings weights and caches to a device, and is no kernel of a step.
const NO_OPS: [&str; 5] = ["pack", "pack_experts", "table", "cache", "limits"];

#[test]
fn every_op_is_a_method_and_every_method_an_op() {
    let backend = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend");
    let mut methods = BTreeSet::new();
    for file in ["pointwise", "linear", "attention", "sampling"] {
        let text = std::fs::read_to_string(backend.join(file).with_extension("rs")).unwrap();
        let signatures = text.split("\n    fn ").skip(1);
        let launches = signatures.filter_map(|signature| {
            let (name, arguments) = signature.split_once('(')?;
            let takes_device = arguments.trim_start().starts_with("&mut self");
            (takes_device && !NO_OPS.contains(&name)).then(|| name.to_owned())
        });
        methods.extend(launches);
    }
    let listed: BTreeSet<String> = Op::ALL.iter().map(|op| op.name().to_owned()).collect();
    assert_eq!(methods, listed);
}
