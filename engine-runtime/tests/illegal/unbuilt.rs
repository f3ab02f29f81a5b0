//! A part that is known and not built yet.

use engine_runtime::parts::{Adapters, Lora};

fn part<A: Adapters>() {}

fn main() {
    part::<Lora<4, 16>>();
}
