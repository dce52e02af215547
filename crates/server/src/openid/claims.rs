//! What an issuer says about a person, and whether that makes them a member.

use std::collections::HashMap;

use openidconnect::core::CoreGenderClaim;
use openidconnect::{AdditionalClaims, IdTokenClaims, LocalizedClaim, UserInfoClaims};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::trouble::Trouble;
use crate::accounts::Identity;
use crate::config::OpenId;

/// Longest `sub` (OpenID Connect Core 1.0 section 2).
const MAX_SUBJECT: usize = 255;

/// Claims that only some issuers have, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Others {
    #[serde(flatten)]
    all: HashMap<String, Value>,
}

impl AdditionalClaims for Others {}

/// The claims that matter here, of an ID token and of the UserInfo endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Claims {
    pub(super) subject: String,
    name: Option<String>,
    email: Option<String>,
    email_verified: bool,
    others: Others,
}

/// Reads the claims. The library has two types for them, with the same functions and no common trait.
macro_rules! common {
    ($claims:expr) => {{
        let names =
            [first($claims.name()), first($claims.nickname()), $claims.preferred_username().map(|name| name.as_str())];
        Claims {
            subject: $claims.subject().as_str().to_owned(),
            name: names.into_iter().find_map(filled),
            email: filled($claims.email().map(|email| email.as_str())),
            email_verified: $claims.email_verified().unwrap_or(false),
            others: $claims.additional_claims().clone(),
        }
    }};
}

impl Claims {
    pub(super) fn of_token(claims: &IdTokenClaims<Others, CoreGenderClaim>) -> Claims {
        common!(claims)
    }

    pub(super) fn of_user_info(claims: &UserInfoClaims<Others, CoreGenderClaim>) -> Claims {
        common!(claims)
    }

    /// Whether the UserInfo endpoint has to be asked: many issuers put only the subject into the token.
    pub(super) fn lack(&self, settings: &OpenId) -> bool {
        let role = settings.role_claim.as_deref().is_some_and(|claim| self.roles(claim).is_none());
        self.name.is_none() || role || !settings.email_domains.is_empty() && self.email.is_none()
    }

    /// Adds what is missing.
    pub(super) fn complete(&mut self, more: Claims) {
        self.name = self.name.take().or(more.name);
        if self.email.is_none() {
            (self.email, self.email_verified) = (more.email, more.email_verified);
        }
        for (name, value) in more.others.all {
            self.others.all.entry(name).or_insert(value);
        }
    }

    /// Who the person is, if they may be a member.
    pub(super) fn identity(self, settings: &OpenId) -> Result<Identity, Trouble> {
        if self.subject.is_empty() || self.subject.len() > MAX_SUBJECT {
            return Err(Trouble::Wrong);
        }
        if !self.is_welcome(settings) {
            return Err(Trouble::Refused);
        }
        let local = self.email.as_deref().and_then(|email| email.split('@').next()).unwrap_or_default();
        let name = self.name.clone().unwrap_or_else(|| local.to_owned());
        let steward = self.has_role(settings, &settings.steward_roles);
        Ok(Identity { issuer: settings.issuer.clone(), subject: self.subject, name, steward })
    }

    fn is_welcome(&self, settings: &OpenId) -> bool {
        let OpenId { role_claim, member_roles, steward_roles, .. } = settings;
        // A claim for stewards alone excludes nobody.
        let is_for_all = role_claim.is_none() || member_roles.is_empty() && !steward_roles.is_empty();
        let has_role = is_for_all || self.has_role(settings, member_roles) || self.has_role(settings, steward_roles);
        let domain = self.email.as_deref().filter(|_| self.email_verified).and_then(|email| email.rsplit_once('@'));
        let is_of = |wanted: &String| domain.is_some_and(|(_, domain)| domain.eq_ignore_ascii_case(wanted));
        has_role && (settings.email_domains.is_empty() || settings.email_domains.iter().any(is_of))
    }

    fn has_role(&self, settings: &OpenId, wanted: &[String]) -> bool {
        let roles = settings.role_claim.as_deref().and_then(|claim| self.roles(claim)).unwrap_or_default();
        roles.iter().any(|role| wanted.contains(role))
    }

    /// The roles in a claim: a list of texts, or one text. A dot leads into an object, unless the claim's own name has
    /// it.
    fn roles(&self, claim: &str) -> Option<Vec<String>> {
        let nested = || {
            let mut parts = claim.split('.');
            let first = self.others.all.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        };
        match self.others.all.get(claim).or_else(nested)? {
            Value::String(role) => Some(vec![role.clone()]),
            Value::Array(roles) => Some(roles.iter().filter_map(|role| role.as_str().map(str::to_owned)).collect()),
            _ => None,
        }
    }
}

/// A claim in the first of its languages.
fn first<T: std::ops::Deref<Target = String>>(claim: Option<&LocalizedClaim<T>>) -> Option<&str> {
    claim?.iter().next().map(|(_, text)| text.as_str())
}

fn filled(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> OpenId {
        OpenId {
            issuer: "https://accounts.example".into(),
            client_id: "lunch".into(),
            client_secret: None,
            scopes: Vec::new(),
            role_claim: None,
            member_roles: Vec::new(),
            steward_roles: Vec::new(),
            email_domains: Vec::new(),
        }
    }

    fn claims(others: Value) -> Claims {
        let others = serde_json::from_value(others).unwrap();
        Claims { subject: "1".into(), others, ..Claims::default() }
    }

    #[test]
    fn roles_are_found_in_lists_texts_and_objects() {
        let settings = OpenId { member_roles: vec!["lunch".into()], ..settings() };
        let is_welcome = |claim: &str, others: Value| {
            claims(others).identity(&OpenId { role_claim: Some(claim.into()), ..settings.clone() }).is_ok()
        };
        assert!(is_welcome("groups", serde_json::json!({"groups": ["tea", "lunch"]})));
        assert!(is_welcome("groups", serde_json::json!({"groups": "lunch"})));
        assert!(is_welcome("realm_access.roles", serde_json::json!({"realm_access": {"roles": ["lunch"]}})));
        assert!(is_welcome("https://a.example/roles", serde_json::json!({"https://a.example/roles": ["lunch"]})));
        for others in [
            serde_json::json!({}),
            serde_json::json!({"groups": []}),
            serde_json::json!({"groups": ["Lunch"]}),
            serde_json::json!({"groups": {"lunch": true}}),
            serde_json::json!({"groups": [["lunch"]]}),
        ] {
            assert!(!is_welcome("groups", others.clone()), "{others}");
        }
    }

    #[test]
    fn stewards_are_members_with_a_role_of_their_own() {
        let with = |members: &[&str], stewards: &[&str]| OpenId {
            role_claim: Some("groups".into()),
            member_roles: members.iter().map(|role| (*role).into()).collect(),
            steward_roles: stewards.iter().map(|role| (*role).into()).collect(),
            ..settings()
        };
        let steward = |settings: &OpenId, groups: Value| {
            claims(serde_json::json!({"groups": groups})).identity(settings).map(|identity| identity.steward).ok()
        };
        let both = with(&["lunch"], &["staff"]);
        assert_eq!(steward(&both, serde_json::json!(["staff"])), Some(true));
        assert_eq!(steward(&both, serde_json::json!(["lunch"])), Some(false));
        assert_eq!(steward(&both, serde_json::json!(["tea"])), None);
        assert_eq!(steward(&with(&[], &["staff"]), serde_json::json!(["tea"])), Some(false));
        assert_eq!(steward(&with(&[], &[]), serde_json::json!(["tea"])), None);
    }

    #[test]
    fn a_domain_counts_only_if_the_address_is_verified() {
        let settings = OpenId { email_domains: vec!["School.example".into()], ..settings() };
        let result = |email: Option<&str>, email_verified| {
            let email = email.map(str::to_owned);
            Claims { email, email_verified, ..claims(Value::Object(Default::default())) }.identity(&settings)
        };
        assert_eq!(result(Some("ada@school.example"), true).unwrap().name, "ada");
        for (email, verified) in [
            (Some("ada@school.example"), false),
            (Some("ada@evil.example"), true),
            (Some("ada@school.example@evil.example"), true),
            (Some("ada@a.school.example"), true),
            (Some("school.example"), true),
            (None, true),
        ] {
            assert_eq!(result(email, verified), Err(Trouble::Refused), "{email:?}");
        }
    }

    #[test]
    fn what_the_token_says_counts_more_than_what_is_asked_for_later() {
        let mut token = Claims { name: Some("Ada".into()), ..claims(serde_json::json!({"groups": ["tea"]})) };
        token.complete(Claims {
            name: Some("Eve".into()),
            email: Some("ada@school.example".into()),
            email_verified: true,
            ..claims(serde_json::json!({"groups": ["lunch"], "more": 1}))
        });
        assert_eq!((token.name.as_deref(), token.roles("groups")), (Some("Ada"), Some(vec!["tea".into()])));
        assert!(token.email_verified && token.others.all.contains_key("more"));
    }

    #[test]
    fn a_subject_that_nobody_can_have_is_refused() {
        for subject in [String::new(), "x".repeat(MAX_SUBJECT + 1)] {
            let claims = Claims { subject, ..Claims::default() };
            assert_eq!(claims.identity(&settings()), Err(Trouble::Wrong));
        }
    }
}
