//! A part that is known and not built yet.

use engine_runtime::Recipe;
use engine_runtime::parts::{Adapters, Lora};

fn part<R: Recipe, A: Adapters<R>>() {}

fn of<R: Recipe>() {
    part::<R, Lora>();
}

fn main() {}
