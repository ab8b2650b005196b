//! Stable words.
//!
//! A **stable word** stands for one variant of an enum wherever something outlives the program or leaves it: in the database,
//! in the audit trail, in a document for programs, as a key of the texts. `words!` writes the enum and its words in one place,
//! with all variants by name, so that a test can walk over every one of them and miss none.

/// A word that is none of those expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a word this version knows")]
pub struct UnknownWord;

macro_rules! words {
    ($(#[$about:meta])* $visible:vis enum $name:ident { $($(#[$one:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $visible enum $name {
            $($(#[$one])* $variant,)+
        }

        impl $name {
            /// Every variant.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::words::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or(crate::words::UnknownWord)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

#[cfg(test)]
mod tests {
    words! {
        /// Two of them.
        enum Side {
            /// One.
            Left = "left",
            /// The other.
            Right = "right-hand",
        }
    }

    #[test]
    fn every_word_is_read_back_and_no_other() {
        assert_eq!(Side::ALL, [Side::Left, Side::Right]);
        for side in Side::ALL {
            assert_eq!(side.as_str().parse(), Ok(*side));
            assert_eq!((side.to_string(), serde_json::json!(side)), (side.as_str().to_owned(), side.as_str().into()));
        }
        assert!("Left".parse::<Side>().is_err());
    }
}
