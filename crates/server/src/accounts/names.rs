//! Names that cannot be mistaken for each other.
//!
//! Anybody may call themselves what they like at an issuer, also in letters of another script that look the same. So a
//! name that looks like that of somebody else's account gets a number.

use signaling::limits::{MAX_NAME_BYTES, MAX_NAME_CHARS};
use signaling::text::{clean_name, cut};
use unicode_security::confusable_detection::skeleton;

/// Shown for somebody whose account has no usable name.
const NAMELESS: &str = "?";
/// Room for a space and a number, in characters and bytes.
const NUMBER: usize = 8;

/// What a name looks like: equal for names that people take for the same (UTS #39 section 4), in any case of letters
/// and without spaces.
pub(super) fn look(name: &str) -> String {
    let shape = |text: &str| skeleton(text).filter(|c| !c.is_whitespace()).collect::<String>();
    // The skeleton of a small letter can have a capital one, and the other way round.
    shape(&shape(&name.to_lowercase()).to_lowercase())
}

/// The name of an account as others see it. Numbers begin at 2; `is_taken` says which looks others have.
pub(super) fn distinct(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let room = cut(name, MAX_NAME_CHARS - NUMBER, MAX_NAME_BYTES - NUMBER);
    let name = clean_name(&room).unwrap_or_else(|_| NAMELESS.into());
    if !is_taken(&look(&name)) {
        return name;
    }
    let numbered = (2_u32..).map(|number| format!("{name} {number}")).find(|name| !is_taken(&look(name)));
    // The numbers do not end before the accounts do.
    numbered.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alike_letters_of_other_scripts_have_the_same_look() {
        for (one, other) in [
            ("Ada", "\u{410}d\u{430}"),
            ("Ada", "ADA"),
            ("scope", "\u{455}\u{441}\u{43e}\u{440}\u{435}"),
            ("Ada Kim", "AdaKim"),
            ("Ada", "\u{ff21}\u{ff44}\u{ff41}"),
            ("Lee", "1ee"),
        ] {
            assert_eq!(look(one), look(other), "{one} {other}");
        }
        for (one, other) in [("Ada", "Ida"), ("김민수", "김민주"), ("이서준", "이서윤")] {
            assert_ne!(look(one), look(other), "{one} {other}");
        }
    }

    #[test]
    fn a_taken_name_gets_the_next_number() {
        let taken = [look("김민수"), look("김민수 2")];
        assert_eq!(distinct("김민수", |look| taken.iter().any(|one| one == look)), "김민수 3");
        assert_eq!(distinct("김민주", |look| taken.iter().any(|one| one == look)), "김민주");
    }

    #[test]
    fn a_name_of_any_length_or_without_letters_becomes_valid() {
        for name in [String::new(), "\u{7}".into(), "\u{202e}".into(), "가".repeat(1_000), "\u{1F35C}".repeat(100)] {
            let first = distinct(&name, |_| false);
            let second = distinct(&name, |look| look == super::look(&first));
            for name in [&first, &second] {
                assert_eq!(clean_name(name).as_ref(), Ok(name));
            }
            assert_ne!(first, second);
        }
    }
}
