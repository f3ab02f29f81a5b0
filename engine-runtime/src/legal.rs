//! The matrix as types: the second safety net, for recipes that no profile stands behind.
//!
//! Everything here is made from `engine-spec`'s table: a [`mark`] for each feature and a [`family`] mark for each
//! hardware column, [`WorksWith`] and [`RunsOn`] for the cells that this engine proves, and [`Legal`], which an
//! engine demands of its recipe.

engine_macros::legal! {}
