//! Links that open a room: one parser for the app, the command line and the guest page's server.
//!
//! Two forms: `lunchroom://join/ROOM?server=wss://host[:port][&fp=SHA256][&invite=TOKEN]` opens the app;
//! `https://host[:port]/r/ROOM[?fp=SHA256][&invite=TOKEN]` opens a page that offers the app or a browser guest.
//! Unencrypted servers (`ws:`, `http:`) are accepted only on this machine and in private networks.

mod parameters;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use self::parameters::Parameters;
use crate::host::{is_plain, is_private, relative};
use crate::limits::{MAX_LINK_BYTES, is_invite, is_room_name};

/// The room, server and trust that a link names. A link never switches on a camera or microphone.
///
/// [`Link::parse`] and [`Link::new`] validate its parts. `Display` writes the `lunchroom:` form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Link {
    /// Name of the room, valid by [`is_room_name`].
    pub room: String,
    /// Address of the WebSocket: `wss://host[:port]/`, or `ws:` for a private host.
    pub server: Url,
    /// SHA-256 of the only certificate (DER) to accept. Any other is refused, even one signed by a public authority.
    pub fingerprint: Option<[u8; 32]>,
    /// Token of an invite, valid by [`is_invite`].
    pub invite: Option<String>,
}

/// The address of a room's page without its server: path and query of the second form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebAddress {
    /// Like [`Link::room`].
    pub room: String,
    /// Like [`Link::fingerprint`].
    pub fingerprint: Option<[u8; 32]>,
    /// Like [`Link::invite`].
    pub invite: Option<String>,
}

/// Why a text is not a valid link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Longer than [`MAX_LINK_BYTES`].
    #[error("the link is too long")]
    TooLong,
    /// Not one of the two forms of link.
    #[error("this is not a Lunchroom link")]
    NotALink,
    /// No room, or an invalid name.
    #[error("the link does not name a room")]
    Room,
    /// No server, or an address other than a plain `wss://host[:port]`.
    #[error("the link does not name a server")]
    Server,
    /// An unencrypted server that is not in a private network.
    #[error("the link leads to an unencrypted server outside of the local network")]
    Insecure,
    /// Not a SHA-256, or given for a server without TLS.
    #[error("the fingerprint in the link is not valid")]
    Fingerprint,
    /// Not an invite token.
    #[error("the invite in the link is not valid")]
    Invite,
    /// A parameter appears twice, so two parsers could read two different links.
    #[error("the link contradicts itself")]
    Repeated,
    /// Something could be meant as a parameter but is not one: misspelled, escaped, or in the wrong place.
    #[error("a part of the link is damaged: ask for it again, and copy it whole")]
    Parameter,
}

impl LinkError {
    /// Stable code for programs and translations.
    pub fn code(self) -> &'static str {
        match self {
            LinkError::TooLong => "link_too_long",
            LinkError::NotALink => "link_not_a_link",
            LinkError::Room => "link_room",
            LinkError::Server => "link_server",
            LinkError::Insecure => "link_insecure",
            LinkError::Fingerprint => "link_fingerprint",
            LinkError::Invite => "link_invite",
            LinkError::Repeated => "link_repeated",
            LinkError::Parameter => "link_parameter",
        }
    }
}

impl Link {
    /// Creates a link from its parts, validated as if they had been parsed.
    pub fn new(
        room: &str,
        server: &str,
        fingerprint: Option<[u8; 32]>,
        invite: Option<&str>,
    ) -> Result<Link, LinkError> {
        let server = server_url(server)?;
        if fingerprint.is_some() && server.scheme() != "wss" {
            return Err(LinkError::Fingerprint);
        }
        if invite.is_some_and(|token| !is_invite(token)) {
            return Err(LinkError::Invite);
        }
        Ok(Link { room: room_name(room)?, server, fingerprint, invite: invite.map(str::to_owned) })
    }

    /// Parses either form. Surrounding white space is ignored, and so is upper case outside the fingerprint and the
    /// invite. Other parameters are ignored unless they resemble one of ours, so that later versions can add some.
    pub fn parse(text: &str) -> Result<Link, LinkError> {
        let text = text.trim();
        if text.len() > MAX_LINK_BYTES {
            return Err(LinkError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| LinkError::NotALink)?;
        parameters::check_fragment(&url)?;
        match url.scheme() {
            "lunchroom" => {
                let room = app_room(&url)?;
                let parameters = Parameters::read(url.query())?;
                let server = parameters.server.as_deref().ok_or(LinkError::Server)?;
                Link::new(room, server, parameters.fingerprint()?, parameters.invite.as_deref())
            }
            "https" | "http" => {
                let address = WebAddress::read(url.path(), url.query())?;
                Link::new(&address.room, &web_server(&url)?, address.fingerprint, address.invite.as_deref())
            }
            _ => Err(LinkError::NotALink),
        }
    }

    /// Returns the `https:` form (`http:` if the server is `ws:`), for people who may not have the app.
    pub fn to_web(&self) -> String {
        let mut url = format!("{}://{}/r/{}", self.web_scheme(), self.authority(), self.room);
        let mut mark = '?';
        for (key, value) in self.trust() {
            url.push(mark);
            url.push_str(key);
            url.push('=');
            url.push_str(&value);
            mark = '&';
        }
        url
    }

    /// Returns the identity of the server: its pinned certificate, otherwise its address. Device keys are derived for
    /// it ([`crate::identity::DeviceKey::for_server`]), and "known servers" are stored under it.
    pub fn origin(&self) -> String {
        origin(&self.server, self.fingerprint)
    }

    fn web_scheme(&self) -> &'static str {
        if self.server.scheme() == "wss" { "https" } else { "http" }
    }

    /// `host[:port]`, with the port only if it is not the scheme's default.
    fn authority(&self) -> &str {
        authority(&self.server)
    }

    fn trust(&self) -> impl Iterator<Item = (&'static str, String)> {
        let fingerprint = self.fingerprint.map(|bytes| ("fp", URL_SAFE_NO_PAD.encode(bytes)));
        fingerprint.into_iter().chain(self.invite.clone().map(|token| ("invite", token)))
    }
}

impl WebAddress {
    /// Parses the path and query of a room's page.
    ///
    /// # Errors
    /// Those of [`Link::parse`] that do not concern the server.
    pub fn read(path: &str, query: Option<&str>) -> Result<WebAddress, LinkError> {
        let room = web_room(path)?;
        let parameters = Parameters::read(query)?;
        // The server is the page's own.
        if parameters.server.is_some() {
            return Err(LinkError::Parameter);
        }
        let fingerprint = parameters.fingerprint()?;
        let invite = parameters.invite;
        if invite.as_deref().is_some_and(|token| !is_invite(token)) {
            return Err(LinkError::Invite);
        }
        Ok(WebAddress { room: room_name(room)?, fingerprint, invite })
    }
}

/// Returns the [`Link::origin`] for a server and the certificate to which it is pinned.
pub fn origin(server: &Url, fingerprint: Option<[u8; 32]>) -> String {
    match fingerprint {
        Some(fingerprint) => format!("fp:{}", URL_SAFE_NO_PAD.encode(fingerprint)),
        None => {
            let port = server.port().map_or(String::new(), |port| format!(":{port}"));
            format!("{}://{}{port}", server.scheme(), relative(server.host_str().unwrap_or_default()))
        }
    }
}

fn authority(server: &Url) -> &str {
    &server[url::Position::BeforeHost..url::Position::AfterPort]
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "lunchroom://join/{}?server={}://{}", self.room, self.server.scheme(), self.authority())?;
        self.trust().try_for_each(|(key, value)| write!(f, "&{key}={value}"))
    }
}

impl std::str::FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Link, LinkError> {
        Link::parse(text)
    }
}

/// Parses a server's address as people and links write it: `wss://host[:port]`, followed by nothing but an optional
/// `/`.
pub fn server_url(text: &str) -> Result<Url, LinkError> {
    if text.len() > MAX_LINK_BYTES {
        return Err(LinkError::TooLong);
    }
    let url = Url::parse(text).map_err(|_| LinkError::Server)?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    let host = url.host().filter(is_plain).ok_or(LinkError::Server)?;
    match url.scheme() {
        _ if !bare || url.port() == Some(0) => Err(LinkError::Server),
        "wss" => Ok(url),
        "ws" if is_private(&host) => Ok(url),
        "ws" => Err(LinkError::Insecure),
        _ => Err(LinkError::Server),
    }
}

/// `ROOM` of `lunchroom://join/ROOM`. Shells may append a slash.
fn app_room(url: &Url) -> Result<&str, LinkError> {
    // The parser lowercases only the hosts of web schemes.
    if !url.host_str().is_some_and(|host| host.eq_ignore_ascii_case("join")) || has_authority_extras(url) {
        return Err(LinkError::NotALink);
    }
    let path = url.path().strip_prefix('/').ok_or(LinkError::Room)?;
    Ok(path.strip_suffix('/').unwrap_or(path))
}

/// `ROOM` of `/r/ROOM`.
fn web_room(path: &str) -> Result<&str, LinkError> {
    let path = path.strip_prefix("/r/").ok_or(LinkError::NotALink)?;
    Ok(path.strip_suffix('/').unwrap_or(path))
}

fn web_server(url: &Url) -> Result<String, LinkError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(LinkError::Server);
    }
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    Ok(format!("{scheme}://{}", &url[url::Position::BeforeHost..url::Position::AfterPort]))
}

fn has_authority_extras(url: &Url) -> bool {
    url.port().is_some() || !url.username().is_empty() || url.password().is_some()
}

fn room_name(text: &str) -> Result<String, LinkError> {
    let room = text.to_ascii_lowercase();
    if is_room_name(&room) { Ok(room) } else { Err(LinkError::Room) }
}

#[cfg(test)]
mod tests;
