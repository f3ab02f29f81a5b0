//! Whether this machine can run this program at all.
//!
//! `cargo lathe build` compiles the whole engine for its target, so that on an older processor any line of it can end in
//! an illegal instruction, and so could what this file says. It therefore only compares numbers and writes texts that are
//! ready, by functions of the standard library, which is compiled for any processor. What the compiler makes of these few
//! lines is its own affair: .ci/run lets an emulated old processor run them.

use std::io::Write;

use engine_runtime::Recipe;
use engine_runtime::backend::Backend;
use engine_runtime::backend::cpu::isa::ThisMachine;

/// Says what this machine lacks, if it lacks something.
#[inline(never)]
pub fn is_refused<R: Recipe>() -> bool {
    for level in R::Backend::host_levels() {
        let mut refused = false;
        level.each_missing(&ThisMachine, &mut |name| {
            if refused {
                say(", ");
            } else {
                say("error: this engine was built for ");
                say(level.name);
                say("; this machine lacks ");
            }
            refused = true;
            say(name);
        });
        if refused {
            say(
                "; build it with `target = \"native\"` on this machine, or with `target = \"portable\"`\n",
            );
            return true;
        }
    }
    false
}

fn say(text: &str) {
    // There is nowhere else to say it.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
