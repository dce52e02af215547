//! Signing in at an issuer of accounts (OpenID Connect Core 1.0, the authorization code flow).
//!
//! ```text
//!  browser                    this server                                issuer
//!     │ /auth/start ──────────────▶ │ state, nonce, PKCE; kept at the desk    │
//!     │ ◀────────────── redirection │                                         │
//!     │ ──────────────────────── signs in there ────────────────────────────▶ │
//!     │ /auth/callback?code,state ▶ │ taken from the desk                     │
//!     │                             │ code, verifier ───────────────────────▶ │
//!     │                             │ ◀──────────────────────────── ID token  │
//!     │ ◀────────── a one-time code │ signature, issuer, audience, nonce, time│
//! ```
//! The issuer's answers are input from outside like any other.

mod claims;
mod desk;
mod issuer;
mod trouble;
mod web;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClaimsVerificationError, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken, IdTokenFields, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardErrorResponse, StandardTokenResponse, SubjectIdentifier, TokenResponse as _, UserInfoError,
};
use rooms::source::Source;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use url::Url;

use self::claims::{Claims, Others};
use self::desk::{Begun, Desk};
pub(crate) use self::desk::{MAX_BEGUN, MAX_SOURCES, Purpose, TIME};
use self::issuer::{Issuer, Known, Reason};
pub(crate) use self::trouble::Trouble;
use self::web::{Web, WebError};
use crate::accounts::Identity;
use crate::config::OpenId as Settings;
use crate::error::StartError;

/// Sign-ins that exchange their codes at the same time. Further ones are refused as busy.
const EXCHANGES: usize = 8;
/// What they may hold in memory at the same time: an answer, parsed.
pub(crate) const EXCHANGE_BYTES: usize = EXCHANGES * 2 * web::ANSWER_BYTES;
/// Signatures of ID tokens. Those with the client's secret are not accepted, because issuers' keys are public.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Token = IdToken<Others, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Fields = IdTokenFields<
    Others,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
/// As `CoreClient`, with all claims.
type Relying = Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The client of one issuer.
#[derive(Clone)]
pub(crate) struct OpenId {
    settings: Arc<Settings>,
    web: Web,
    issuer: Issuer,
    desk: Desk,
    exchanges: Arc<Semaphore>,
}

/// What the browser brings back from the issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Returned {
    pub(crate) code: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) error: Option<String>,
    /// The issuer's identifier, if it says so (RFC 9207).
    pub(crate) issuer: Option<String>,
}

impl OpenId {
    /// Starts the tasks, which end when the last clone is dropped. The issuer is asked at the first sign-in, so that it
    /// need not be there when the server starts.
    pub(crate) fn spawn(settings: &Settings) -> Result<OpenId, StartError> {
        let wrong = |error: &dyn std::fmt::Display| StartError::Config(format!("openid-issuer: {error}"));
        let url = IssuerUrl::new(settings.issuer.clone()).map_err(|error| wrong(&error))?;
        let web = Web::new(url.url().scheme() == "http").map_err(|error| wrong(&error))?;
        Ok(OpenId {
            settings: Arc::new(settings.clone()),
            issuer: Issuer::spawn(url, web.clone()),
            web,
            desk: Desk::spawn(),
            exchanges: Arc::new(Semaphore::new(EXCHANGES)),
        })
    }

    /// Begins a sign-in in a browser with this cookie. Returns the address at the issuer. `back` is the address to
    /// which the issuer sends the browser.
    ///
    /// # Errors
    /// Why that is not possible.
    pub(crate) async fn begin(
        &self,
        sources: Vec<Source>,
        browser: &str,
        back: String,
        purpose: Purpose,
    ) -> Result<Url, Trouble> {
        let known = self.issuer.known().await?;
        let client = self.client(&known, &back)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        for scope in &self.settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        let begun = Begun {
            browser: hash(browser),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            back,
            purpose,
        };
        self.desk.put(sources, hash(state.secret()), begun).await?;
        Ok(url)
    }

    /// Finishes a sign-in: who receives the result, as far as that is known, and who the person is.
    pub(crate) async fn finish(
        &self,
        returned: Returned,
        browser: Option<&str>,
    ) -> (Option<Purpose>, Result<Identity, Trouble>) {
        let (Some(state), Some(browser)) = (&returned.state, browser) else { return (None, Err(Trouble::Expired)) };
        let begun = match self.desk.take(hash(state), hash(browser)).await {
            Ok(begun) => begun,
            Err(trouble) => return (None, Err(trouble)),
        };
        let purpose = begun.purpose.clone();
        (Some(purpose), self.identify(begun, returned).await)
    }

    async fn identify(&self, begun: Begun, returned: Returned) -> Result<Identity, Trouble> {
        if let Some(error) = returned.error {
            tracing::debug!(%error, "the issuer refused a sign-in");
            return Err(Trouble::Denied);
        }
        let code = returned.code.ok_or(Trouble::Wrong)?;
        let known = self.issuer.known().await?;
        if returned.issuer.is_some_and(|issuer| issuer != known.metadata.issuer().as_str()) {
            return Err(Trouble::Wrong);
        }
        let _slot = Arc::clone(&self.exchanges).try_acquire_owned().map_err(|_| Trouble::Busy)?;
        let client = self.client(&known, &begun.back)?;
        let tokens = self.exchange(&client, code, begun.verifier).await?;
        let token = tokens.id_token().ok_or(Trouble::Wrong)?;
        let mut claims = self.verify(&known, client, token, &Nonce::new(begun.nonce)).await?;
        if claims.lack(&self.settings)
            && let Some(more) = self.user_info(&known, tokens.access_token().clone(), &claims.subject).await?
        {
            claims.complete(more);
        }
        claims.identity(&self.settings)
    }

    async fn exchange(&self, client: &Relying, code: String, verifier: String) -> Result<Tokens, Trouble> {
        let request = client.exchange_code(AuthorizationCode::new(code)).map_err(|_| Trouble::Wrong)?;
        let answer = request.set_pkce_verifier(PkceCodeVerifier::new(verifier)).request_async(&self.web).await;
        answer.map_err(|error| {
            tracing::warn!("the issuer of accounts gave no token: {}", Reason(&error));
            match error {
                RequestTokenError::ServerResponse(_) => Trouble::Denied,
                RequestTokenError::Request(error) => asking(&error),
                RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Trouble::Wrong,
            }
        })
    }

    /// Verifies an ID token (OpenID Connect Core 1.0 section 3.1.3.7), once more with newer keys if its key is not
    /// known.
    async fn verify(&self, known: &Known, client: Relying, token: &Token, nonce: &Nonce) -> Result<Claims, Trouble> {
        let verified = |client: &Relying| {
            let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
            token.claims(&verifier, nonce).map(Claims::of_token)
        };
        let error = match verified(&client) {
            Ok(claims) => return Ok(claims),
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                let newer = self.issuer.newer_than(known).await?;
                let client = self.client(&newer, "")?;
                match verified(&client) {
                    Ok(claims) => return Ok(claims),
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        tracing::warn!("the issuer of accounts sent a token that is not valid here: {}", Reason(&error));
        Err(Trouble::Wrong)
    }

    /// The claims of the UserInfo endpoint (OpenID Connect Core 1.0 section 5.3), if there is one.
    async fn user_info(&self, known: &Known, token: AccessToken, subject: &str) -> Result<Option<Claims>, Trouble> {
        let client = self.client(known, "")?;
        // It must be about the same person.
        let Ok(request) = client.user_info(token, Some(SubjectIdentifier::new(subject.to_owned()))) else {
            return Ok(None);
        };
        let answer = request.request_async(&self.web).await;
        answer.map(|claims| Some(Claims::of_user_info(&claims))).map_err(|error| {
            tracing::warn!("the issuer of accounts says nothing about a person: {}", Reason(&error));
            match error {
                UserInfoError::Request(error) => asking(&error),
                _ => Trouble::Wrong,
            }
        })
    }

    fn client(&self, known: &Known, back: &str) -> Result<Relying, Trouble> {
        let Settings { client_id, client_secret, .. } = &*self.settings;
        let secret = client_secret.clone().map(ClientSecret::new);
        let mut client =
            Client::from_provider_metadata(known.metadata.clone(), ClientId::new(client_id.clone()), secret);
        let methods = known.metadata.token_endpoint_auth_methods_supported();
        // Without a list, the method is HTTP Basic (OpenID Connect Discovery 1.0 section 3).
        let has = |method: CoreClientAuthMethod| methods.is_some_and(|methods| methods.contains(&method));
        if has(CoreClientAuthMethod::ClientSecretPost) && !has(CoreClientAuthMethod::ClientSecretBasic) {
            client = client.set_auth_type(AuthType::RequestBody);
        }
        if back.is_empty() {
            return Ok(client);
        }
        Ok(client.set_redirect_uri(RedirectUrl::new(back.to_owned()).map_err(|_| Trouble::Wrong)?))
    }
}

fn asking(error: &WebError) -> Trouble {
    if matches!(error, WebError::Address(_)) { Trouble::Wrong } else { Trouble::Unreachable }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// The value of a browser's cookie: 256 random bits.
pub(crate) fn is_browser(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}
