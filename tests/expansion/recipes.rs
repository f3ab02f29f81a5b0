//! The recipes of the profiles that are built, compiled against the runtime.

use std::path::Path;

macro_rules! recipes {
    ($($name:ident: $profile:literal;)+) => {
        /// In the order in which the profiles' files are read.
        pub const BUILT: &[&str] = &[$($profile),+];

        $(
            // Recipes name instruction sets of x86-64.
            #[cfg(target_arch = "x86_64")]
            mod $name {
                pub struct Build;

                include!(concat!("../recipes/", $profile, ".rs"));

                const _: () = {
                    const fn is_a_recipe<R: engine_runtime::Recipe>() {}
                    is_a_recipe::<Build>()
                };
            }
        )+
    };
}

recipes! {
    default_: "default";
    epyc_7763_qwen2: "epyc-7763-qwen2";
    epyc_9654_chat: "epyc-9654-chat";
    epyc_9755_qwen3_moe: "epyc-9755-qwen3-moe";
    portable: "portable";
    ryzen_7950x_assistant: "ryzen-7950x-assistant";
    ryzen_9950x_gemma3: "ryzen-9950x-gemma3";
    xeon_8480_batch: "xeon-8480-batch";
}

/// The compiled file is what the profile becomes; `LATHE_BLESS=1` writes it anew.
pub fn hold(profile: &str, expanded: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recipes/{profile}.rs"));
    if std::env::var_os("LATHE_BLESS").is_some() {
        std::fs::write(&path, expanded).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == expanded,
        "tests/recipes/{profile}.rs is stale: run LATHE_BLESS=1 cargo test --test expansion"
    );
}
