//! A stable name for a plan's content.

use super::Plan;

impl Plan {
    /// 16 hexadecimal digits over every answer: the same for the same engine, whatever the profile's file is called,
    /// how it is commented and on which lines it says things. FNV-1a with 64 bits, which is enough to tell builds
    /// apart and nothing to trust a stranger with.
    pub fn hash(&self) -> String {
        let Plan {
            name,
            mode,
            target,
            backend,
            toolkit,
            model,
            features,
            limits,
            accepted,
            decisions: _,
            profile: _,
        } = self;
        let answers = (
            name, mode, target, backend, toolkit, model, features, limits, accepted,
        );
        let answers = serde_json::to_string(&answers).expect("a plan is always JSON");
        let hash = answers
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        format!("{hash:016x}")
    }
}
