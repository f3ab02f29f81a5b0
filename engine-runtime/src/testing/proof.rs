//! What a test says that it proves: the source of this engine's verdicts.
//!
//! The declaration is the test's only way to name the recipe that it runs, so that what is declared is what is run; and
//! rustc holds it against the recipe, so that no proof can claim a feature or a hardware that its recipe does not have.

use std::marker::PhantomData;

use crate::backend::Backend;
use crate::legal::family::Column;
use crate::legal::{Has, backend};
use crate::recipe::Recipe;

/// Declares that a test proves features on a hardware family, by running this recipe:
///
/// ```
/// use engine_runtime::backend::cpu::{Cpu, Portable};
/// use engine_runtime::dtype::Dense;
/// use engine_runtime::models::Llama;
/// use engine_runtime::parts::{Chunked, Hashed};
/// use engine_runtime::proves;
///
/// engine_runtime::recipe! {
///     pub Both {
///         backend: Cpu<Portable>,
///         weights: Dense<f32>,
///         model: Llama<Self>,
///         prefill: Chunked,
///         prefix: Hashed,
///         limits: engine_runtime::testing::LIMITS,
///         CHUNKED_PREFILL: ChunkedPrefillSettings { tokens: 32 },
///     }
/// }
///
/// // One feature: that it runs on the family. Several: that each two of them work together on its backend.
/// let proof = proves!(Both: prefix-caching + chunked-prefill on cpu: here);
/// # let _ = proof;
/// ```
///
/// The evidence says where the test runs it: `here`, on a processor of the backend's own kind; `emulator`; or `device`,
/// which counts once `engine-spec/matrix/device.tsv` has a record of it. The value is [`Proves`]; a test hands it to what
/// runs the recipe. `LATHE_BLESS=1 cargo test -p engine-spec --test proofs` takes a new declaration over.
#[macro_export]
macro_rules! proves {
    ($recipe:ty: $($a:ident)-+ $(+ $($b:ident)-+)* on $family:ident: $($evidence:ident),+) => {{
        let proof = $crate::testing::proof::Proves::<$recipe>::by_running();
        let proof = proof.on::<$crate::family!($family)>();
        let proof = proof.with::<$crate::mark!($($a)-+)>();
        $(let proof = proof.with::<$crate::mark!($($b)-+)>();)*
        $(let proof = proof.$evidence();)+
        proof
    }};
}

/// A declared proof: it is one only when `R` is run.
#[derive(Debug, Clone, Copy)]
#[must_use = "a proof is in the run of its recipe: hand this to what runs it"]
pub struct Proves<R>(PhantomData<R>);

impl<R: Recipe> Proves<R> {
    pub fn by_running() -> Self {
        Self(PhantomData)
    }

    /// The recipe has this feature.
    pub fn with<Feature>(self) -> Self
    where
        R: Has<Feature>,
    {
        self
    }

    /// The recipe is for this hardware.
    pub fn on<Family>(self) -> Self
    where
        R::Backend: Backend<Family = Family>,
    {
        self
    }

    /// It runs on the processor that runs the test.
    pub fn here(self) -> Self
    where
        <R::Backend as Backend>::Family: Column<Backend = backend::Cpu>,
    {
        self
    }

    /// It runs on a host that plays the device.
    pub fn emulator(self) -> Self {
        self
    }

    /// It runs on the device, where there is one.
    pub fn device(self) -> Self {
        self
    }
}
