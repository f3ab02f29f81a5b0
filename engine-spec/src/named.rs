//! Enums whose variants have a name in a profile.

/// Makes an enum whose variants have a name in a profile: the table below each is the only list of them.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($variant,)* }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant,)*];
            pub const NAMES: &[&str] = &[$($text,)*];

            /// The name in a profile.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The one with exactly this name.
            pub fn named(name: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|one| one.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.pad(self.name())
            }
        }

        impl $crate::settings::Answer for $name {
            fn written(
                values: &$crate::profile::Values,
                key: &str,
            ) -> Option<$crate::profile::Spanned<$name>> {
                let text = values.text(key)?;
                let value = $name::named(text.value)?;
                Some($crate::profile::Spanned { value, span: text.span })
            }

            fn words(self) -> String {
                self.name().to_owned()
            }

            fn choice(self) -> Option<usize> {
                Some(self as usize)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}
pub(crate) use named;
