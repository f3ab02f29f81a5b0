//! A feature on hardware that cannot have it.

use engine_runtime::legal::{RunsOn, family, mark};

fn on<A: RunsOn<Family>, Family>() {}

fn main() {
    on::<mark::CudaGraph, family::Cpu>();
}
