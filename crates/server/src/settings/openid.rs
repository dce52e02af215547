//! The settings of accounts.

use std::path::Path;

use super::Settings;
use crate::config::OpenId;
use crate::error::StartError;

/// Scopes that bring a name and an e-mail address (OpenID Connect Core 1.0 section 5.4).
const SCOPES: [&str; 2] = ["profile", "email"];

impl Settings {
    /// The issuer of accounts, if there is one.
    pub(super) fn openid(&self) -> Result<Option<OpenId>, StartError> {
        let wrong = |text: &str| StartError::Config(text.to_owned());
        let Some(issuer) = self.openid_issuer.clone() else {
            let others = self.openid_client_id.is_some()
                || self.openid_client_secret.is_some()
                || self.openid_client_secret_file.is_some()
                || self.openid_scopes.is_some()
                || self.openid_role_claim.is_some()
                || self.openid_member_roles.is_some()
                || self.openid_steward_roles.is_some()
                || self.openid_email_domains.is_some();
            return if others {
                Err(wrong("settings that begin with openid- need openid-issuer too"))
            } else {
                Ok(None)
            };
        };
        if self.openid_steward_roles.is_some() && self.openid_role_claim.is_none() {
            return Err(wrong("openid-steward-roles needs openid-role-claim too"));
        }
        let client_id =
            self.openid_client_id.clone().ok_or_else(|| wrong("openid-issuer needs openid-client-id too"))?;
        let client_secret = match (&self.openid_client_secret, &self.openid_client_secret_file) {
            (Some(_), Some(_)) => {
                let text = "openid-client-secret and openid-client-secret-file contradict each other: choose one";
                return Err(wrong(text));
            }
            (Some(secret), None) => Some(secret.clone()),
            (None, Some(file)) => Some(read(file)?),
            (None, None) => None,
        };
        Ok(Some(OpenId {
            issuer,
            client_id,
            client_secret,
            scopes: self.openid_scopes.clone().unwrap_or_else(|| SCOPES.map(str::to_owned).to_vec()),
            role_claim: self.openid_role_claim.clone(),
            member_roles: self.openid_member_roles.clone().unwrap_or_default(),
            steward_roles: self.openid_steward_roles.clone().unwrap_or_default(),
            email_domains: self.openid_email_domains.clone().unwrap_or_default(),
        }))
    }
}

fn read(file: &Path) -> Result<String, StartError> {
    let failed =
        |error| StartError::Config(format!("cannot read openid-client-secret-file {}: {error}", file.display()));
    Ok(std::fs::read_to_string(file).map_err(failed)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<Option<OpenId>, StartError> {
        toml::from_str::<Settings>(text).expect("valid TOML").openid()
    }

    #[test]
    fn the_secret_may_be_in_a_file_of_its_own() {
        let path = std::env::temp_dir().join(format!("lunchroom-openid-{}", std::process::id()));
        std::fs::write(&path, "s3cret\n").unwrap();
        let head = "openid-issuer = 'https://accounts.example'\nopenid-client-id = 'lunch'\n";
        let openid = config(&format!("{head}openid-client-secret-file = {path:?}")).unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((openid.client_secret.as_deref(), openid.scopes.len()), (Some("s3cret"), 2));
        assert!(!format!("{openid:?}").contains("s3cret"));
        let error = config(&format!("{head}openid-client-secret-file = {path:?}")).unwrap_err();
        assert!(error.to_string().contains("cannot read openid-client-secret-file"), "{error}");
    }

    #[test]
    fn settings_without_what_they_need_are_refused() {
        for (text, words) in [
            ("openid-issuer = 'https://accounts.example'", "openid-client-id"),
            ("openid-client-id = 'lunch'", "openid-issuer"),
            ("openid-steward-roles = ['staff']", "openid-issuer"),
            (
                "openid-issuer = 'https://a.example'\nopenid-client-id = 'l'\nopenid-steward-roles = ['staff']",
                "openid-role-claim",
            ),
            ("openid-email-domains = ['a.example']", "openid-issuer"),
            (
                "openid-issuer = 'https://a.example'\nopenid-client-id = 'l'\nopenid-client-secret = 'a'\n\
                 openid-client-secret-file = 'b'",
                "contradict",
            ),
        ] {
            let error = config(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert_eq!(config("").unwrap(), None);
    }
}
