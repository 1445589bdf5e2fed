//! An enum whose variants have names that stay: one definition feeds the type, its list and both directions of naming.

/// Defines a fieldless enum from `Variant = "name"` lines, with `ALL`, `name`, `from_name` and `Display`.
macro_rules! named_enum {
    (
        $(#[$outer:meta])*
        $type:ident { $( $(#[$inner:meta])* $variant:ident = $name:literal, )+ }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $( $(#[$inner])* $variant, )+
        }

        impl $type {
            /// Every value, in the order of the definition.
            pub const ALL: &'static [$type] = &[$( $type::$variant, )+];

            /// The name in JSON, metrics, events and documents: it never changes.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $( $type::$variant => $name, )+
                }
            }

            /// The value of that exact name; `None` for any other text.
            #[must_use]
            pub fn from_name(name: &str) -> Option<$type> {
                match name {
                    $( $name => Some($type::$variant), )+
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.name())
            }
        }
    };
}

pub(crate) use named_enum;
