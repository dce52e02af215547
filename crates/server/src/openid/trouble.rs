//! Why somebody cannot sign in.

/// Why somebody cannot sign in. PROTOCOL.md has the codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It took too long, was used before, or began in another browser.
    Expired,
    /// The person or the issuer said no.
    Denied,
    /// The issuer does not answer in time.
    Unreachable,
    /// The issuer, or what it says, is not what is expected.
    Wrong,
    /// The account may not be a member here.
    Refused,
    /// Too many sign-ins at the same time.
    Busy,
}

impl Trouble {
    /// A stable code for translations.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Trouble::Expired => "sign_in_expired",
            Trouble::Denied => "sign_in_denied",
            Trouble::Unreachable => "issuer_unreachable",
            Trouble::Wrong => "issuer_wrong",
            Trouble::Refused => "account_refused",
            Trouble::Busy => "sign_in_busy",
        }
    }
}
