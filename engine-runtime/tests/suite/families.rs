//! The table of families and the models that run them: what the table calls built is there, under its name.

use engine_model::ModelFamily;
use engine_runtime::Recipe;
use engine_runtime::backend::reference::Reference;
use engine_runtime::dtype::{Dense, F32};
use engine_runtime::model::Model;
use engine_runtime::testing::LIMITS;

/// The type of a recipe's model, without its module and parameters.
fn name<R: Recipe>() -> String {
    fn family<R: Recipe, M: Model<R>>() -> &'static str {
        std::any::type_name::<M>()
    }
    family::<R, R::Model>().to_owned()
}

#[test]
fn every_family_that_is_built_has_its_model() {
    let mut built = Vec::new();
    for family in ModelFamily::ALL {
        for architecture in family.architectures() {
            let model: Option<fn() -> String> =
                engine_runtime::by_family!(*architecture, Reference, Dense<F32>, LIMITS, name);
            assert_eq!(model.is_some(), family.code().is_some(), "{architecture}");
            if let (Some(model), Some(code)) = (model, family.code()) {
                let expected = format!("::{}Family,", code.name());
                assert!(model().contains(&expected), "{architecture}: {}", model());
                built.push(code);
            }
        }
    }
    assert!(built.len() >= 6, "{built:?}");
}

#[test]
fn a_model_has_the_name_that_recipes_use() {
    let models = include_str!("../../src/models.rs");
    for family in ModelFamily::ALL {
        if let Some(code) = family.code() {
            let named = format!("::{};", code.name());
            let exports = models.lines().filter(|line| line.starts_with("pub use"));
            assert_eq!(
                exports.filter(|line| line.ends_with(&named)).count(),
                1,
                "{family}"
            );
        }
    }
}
