//! Settings: one declaration for a profile's keys, what they may be, what holds without them, and the typed answers.
//!
//! [`settings!`] makes a struct of them, the list of [`Field`](crate::profile::fields::Field)s that the reader, the
//! editor's schema and the reference go by, and the function that answers them. A feature's settings and `[limits]`
//! are declared with it; nothing else lists a setting.

use crate::profile::{Spanned, Values};

/// A table of a profile that is being answered.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    /// How decisions call it: `limits`, `features.lora`.
    pub name: &'a str,
    pub values: &'a Values,
}

/// The answer to one key.
pub trait Answer: Copy {
    /// What stands in the table.
    fn written(values: &Values, key: &str) -> Option<Spanned<Self>>;

    /// As a profile writes it, without quotes.
    fn words(self) -> String;

    /// The number that the recipe's constant holds; none for a choice, which picks the type of a part instead.
    fn number(self) -> Option<u64> {
        None
    }

    /// The place of a choice among its values.
    fn choice(self) -> Option<usize> {
        None
    }
}

impl Answer for u64 {
    fn written(values: &Values, key: &str) -> Option<Spanned<u64>> {
        values.integer(key)
    }

    fn words(self) -> String {
        self.to_string()
    }

    fn number(self) -> Option<u64> {
        Some(self)
    }
}

/// `max_loras` as a profile writes it: `max-loras`.
pub const fn kebab<const LEN: usize>(snake: &str) -> [u8; LEN] {
    let mut kebab = [0; LEN];
    let mut at = 0;
    while at < LEN {
        let letter = snake.as_bytes()[at];
        kebab[at] = if letter == b'_' { b'-' } else { letter };
        at += 1;
    }
    kebab
}

/// Declares settings. Each is a doc comment (one sentence without a full stop), a name, a type with its bounds, and
/// what holds if the key is not written: a literal, or an expression with the words for it. An expression may use what
/// is `known` and the settings above it.
///
/// ```text
/// settings! {
///     /// Room for adapters.
///     Lora(known: &Known) {
///         /// adapters in one step at most
///         max_loras: u64(1..=4096) = 1,
///         /// adapters kept in host memory, at least max-loras
///         max_cpu_loras: u64(1..=MOST) = max_loras => "max-loras",
///     }
/// }
/// ```
macro_rules! settings {
    (
        $(#[$about:meta])*
        $name:ident($known:ident: $of:ty) {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ident $(($least:literal..=$most:expr))? = $otherwise:expr $(=> $how:literal)?,
            )*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl $name {
            /// The keys, for whoever reads, completes or documents a profile.
            pub const FIELDS: &'static [$crate::profile::fields::Field] = &[
                $($crate::profile::fields::Field {
                    key: $crate::settings::key!($field),
                    kind: $crate::settings::kind!($type $($least, $most)?),
                    otherwise: $crate::settings::otherwise!($otherwise $(, $how)?),
                    doc: concat!($($doc),+).trim_ascii(),
                },)*
            ];

            /// An answer for every key of the table.
            #[allow(unused_variables, reason = "not every declaration needs what is known")]
            pub(crate) fn resolve(
                ask: &mut $crate::plan::Ask<'_>,
                table: $crate::settings::Table<'_>,
                $known: $of,
            ) -> $name {
                $(let $field: $type = ask.setting(
                    table,
                    $crate::settings::key!($field),
                    $otherwise,
                    $crate::settings::origin!($($how)?),
                );)*
                $name { $($field),* }
            }

            /// Each number by its name in Rust, for the recipe.
            pub fn numbers(&self) -> Vec<(&'static str, u64)> {
                let numbers: &[(&'static str, Option<u64>)] = &[
                    $((stringify!($field), $crate::settings::Answer::number(self.$field)),)*
                ];
                let numbers = numbers.iter();
                numbers.filter_map(|(name, number)| Some((*name, (*number)?))).collect()
            }

            /// The place of the first choice among its values; 0 where there is none.
            pub fn choice(&self) -> usize {
                let choices: &[Option<usize>] = &[$($crate::settings::Answer::choice(self.$field)),*];
                choices.iter().flatten().next().copied().unwrap_or(0)
            }
        }
    };
}

/// A key by the name of its field.
macro_rules! key {
    ($field:ident) => {{
        const SNAKE: &str = stringify!($field);
        const KEBAB: [u8; SNAKE.len()] = $crate::settings::kebab(SNAKE);
        const KEY: &str = match str::from_utf8(&KEBAB) {
            Ok(key) => key,
            Err(_) => panic!("the names of fields are ASCII"),
        };
        KEY
    }};
}

macro_rules! kind {
    (u64 $least:literal, $most:expr) => {
        $crate::profile::fields::Kind::Integer($least, $most)
    };
    (KvMemory) => {
        $crate::profile::fields::Kind::Size
    };
    ($choice:ident) => {
        $crate::profile::fields::Kind::Choice($choice::NAMES)
    };
}

macro_rules! otherwise {
    ($value:expr) => {
        $crate::profile::fields::Otherwise::Is(stringify!($value))
    };
    ($value:expr, $how:literal) => {
        $crate::profile::fields::Otherwise::From($how)
    };
}

macro_rules! origin {
    () => {
        $crate::plan::Origin::Default
    };
    ($how:literal) => {
        $crate::plan::Origin::Otherwise($how)
    };
}

pub(crate) use {key, kind, origin, otherwise, settings};
