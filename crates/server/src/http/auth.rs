//! The addresses for signing in: where it begins, where the issuer sends the browser back, and where a page gets the code
//! of its sign-in.
//!
//! Two cookies belong to it, both for this server alone and out of reach of scripts. One ties a sign-in to the browser in
//! which it began, so that nobody signs in somebody else with their own account. It must come along from the issuer
//! (SameSite=Lax). The other carries the result to the page, which fetches it with a request that other sites cannot send.

use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};
use signaling::limits::is_sign_in_code;
use tokio::sync::oneshot;
use url::Url;
use url::form_urlencoded;

use super::answer::{self, Body, json, method_not_allowed, plain};
use super::{Front, Reached, is_reading, origin, server_url};
use crate::accounts::{CODE_TIME, Challenge, Identity};
use crate::admission::Ticket;
use crate::data::random_token;
use crate::hub::Command;
use crate::openid::{OpenId, Purpose, Returned, TIME, Trouble, is_browser};

/// What all these addresses begin with.
pub(super) const AUTH: &str = "/auth/";
const START: &str = "/auth/start";
const CALLBACK: &str = "/auth/callback";
const CODE: &str = "/auth/code";
/// The cookie of the browser, and the one with the code.
const BROWSER_COOKIE: &str = "lunchroom-sign-in";
const CODE_COOKIE: &str = "lunchroom-code";

/// Answers a request below [`AUTH`].
pub(super) async fn answer(
    request: &Request<Incoming>,
    front: &Front,
    reached: Reached,
    ticket: &Ticket,
) -> Response<Body> {
    let Some(openid) = &front.openid else { return plain(StatusCode::NOT_FOUND, "not found\n") };
    let server = server_url(request, front, reached);
    let place = Place { encrypted: server.starts_with("wss:"), server };
    match request.uri().path() {
        CODE => code(request, front, reached, &place),
        START | CALLBACK if !is_reading(request) => method_not_allowed(),
        START => start(request, openid, ticket, &place).await,
        CALLBACK => callback(request, front, openid, &place).await,
        _ => plain(StatusCode::NOT_FOUND, "not found\n"),
    }
}

/// How the browser reaches this server.
struct Place {
    /// The `ws:` or `wss:` URL.
    server: String,
    encrypted: bool,
}

impl Place {
    /// The address to which the issuer sends the browser.
    fn back(&self) -> Option<String> {
        let mut url = Url::parse(&self.server.replacen("ws", "http", 1)).ok()?;
        url.set_path(CALLBACK);
        Some(url.to_string())
    }

    /// A cookie's name. The prefix makes browsers refuse it from anywhere but this host, and without encryption.
    fn cookie_name(&self, name: &str) -> String {
        if self.encrypted { format!("__Host-{name}") } else { name.to_owned() }
    }

    /// A cookie for so many seconds. 0 deletes it.
    fn cookie(&self, name: &str, value: &str, same_site: &str, seconds: u64) -> String {
        let secure = if self.encrypted { "; Secure" } else { "" };
        let name = self.cookie_name(name);
        format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={seconds}{secure}")
    }

    /// The value of a cookie.
    fn read<'a>(&self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        let name = self.cookie_name(name);
        let lists = headers.get_all(header::COOKIE).into_iter().filter_map(|list| list.to_str().ok());
        let mut cookies = lists.flat_map(|list| list.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        cookies.find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

/// Sends the browser to the issuer.
async fn start(request: &Request<Incoming>, openid: &OpenId, ticket: &Ticket, place: &Place) -> Response<Body> {
    let Some(purpose) = purpose(request.uri().query().unwrap_or_default()) else {
        return plain(StatusCode::BAD_REQUEST, "a sign-in of an app needs port, challenge and state\n");
    };
    let Some(back) = place.back() else { return plain(StatusCode::BAD_REQUEST, "no such host\n") };
    // Several tabs of a browser share the cookie.
    let known = place.read(request.headers(), BROWSER_COOKIE).filter(|text| is_browser(text)).map(str::to_owned);
    let Some(browser) = known.or_else(|| random_token().ok()) else {
        return result(&purpose, Err(Trouble::Busy), &[]);
    };
    match openid.begin(ticket.sources(), &browser, back, purpose.clone()).await {
        Ok(url) => {
            let cookie = place.cookie(BROWSER_COOKIE, &browser, "Lax", TIME.as_secs());
            answer::redirection(url.as_str(), &[cookie])
        }
        Err(trouble) => result(&purpose, Err(trouble), &[]),
    }
}

/// The purpose in a query. `None` if an app's parameters are incomplete.
fn purpose(query: &str) -> Option<Purpose> {
    let (mut port, mut challenge, mut state) = (None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "port" => port = Some(value),
            "challenge" => challenge = Some(value),
            "state" => state = Some(value),
            _ => {}
        }
    }
    if (&port, &challenge, &state) == (&None, &None, &None) {
        return Some(Purpose::Page);
    }
    let port = port?.parse().ok().filter(|port| *port > 0)?;
    let state = state.filter(|state| is_sign_in_code(state))?.into_owned();
    Some(Purpose::App { port, challenge: Challenge::parse(&challenge?)?, state })
}

/// Receives the browser from the issuer.
async fn callback(request: &Request<Incoming>, front: &Front, openid: &OpenId, place: &Place) -> Response<Body> {
    let browser = place.read(request.headers(), BROWSER_COOKIE);
    let (purpose, identity) = openid.finish(returned(request.uri().query().unwrap_or_default()), browser).await;
    let purpose = purpose.unwrap_or(Purpose::Page);
    let code = match identity {
        Ok(identity) => keep(front, identity, &purpose).await,
        Err(trouble) => Err(trouble),
    };
    let cookies = match (&purpose, &code) {
        (Purpose::Page, Ok(code)) => vec![place.cookie(CODE_COOKIE, code, "Strict", CODE_TIME / 1_000)],
        (Purpose::Page, Err(_)) | (Purpose::App { .. }, _) => Vec::new(),
    };
    result(&purpose, code, &cookies)
}

fn returned(query: &str) -> Returned {
    let mut returned = Returned::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = Some(value.into_owned());
        match &*name {
            "code" => returned.code = value,
            "state" => returned.state = value,
            "error" => returned.error = value,
            "iss" => returned.issuer = value,
            _ => {}
        }
    }
    returned
}

/// Gives the hub the result of a sign-in, and returns its code.
async fn keep(front: &Front, identity: Identity, purpose: &Purpose) -> Result<String, Trouble> {
    let challenge = match purpose {
        Purpose::Page => None,
        Purpose::App { challenge, .. } => Some(*challenge),
    };
    let (reply, code) = oneshot::channel();
    let sent = front.context.hub.send(Command::SignedIn { identity, challenge, reply }).await;
    sent.map_err(|_| Trouble::Busy)?;
    code.await.ok().flatten().ok_or(Trouble::Busy)
}

/// Sends the browser to whoever waits for the result.
fn result(purpose: &Purpose, code: Result<String, Trouble>, cookies: &[String]) -> Response<Body> {
    let to = match (purpose, &code) {
        (Purpose::Page, Ok(_)) => "/?signed-in".to_owned(),
        (Purpose::Page, Err(trouble)) => format!("/?sign-in={}", trouble.code()),
        (Purpose::App { port, state, .. }, Ok(code)) => format!("http://127.0.0.1:{port}/?state={state}&code={code}"),
        (Purpose::App { port, state, .. }, Err(trouble)) => {
            format!("http://127.0.0.1:{port}/?state={state}&error={}", trouble.code())
        }
    };
    answer::redirection(&to, cookies)
}

/// Gives a page of this server the code of its sign-in, once.
fn code(request: &Request<Incoming>, front: &Front, reached: Reached, place: &Place) -> Response<Body> {
    if request.method() != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "this can only be posted\n");
    }
    let own = origin::Own { public: front.public_url.as_ref(), encrypted: reached.encrypted };
    let is_own = request.headers().contains_key(header::ORIGIN) && origin::is_welcome(request.headers(), own, &[]);
    if !is_own {
        return plain(StatusCode::FORBIDDEN, "this web page may not ask for it\n");
    }
    match place.read(request.headers(), CODE_COOKIE).filter(|code| is_sign_in_code(code)) {
        Some(code) => json(format!("{{\"code\":\"{code}\"}}"), &[place.cookie(CODE_COOKIE, "", "Strict", 0)]),
        None => plain(StatusCode::NOT_FOUND, "nobody has signed in\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn an_app_gives_a_port_a_challenge_and_a_state_or_nothing() {
        assert_eq!(purpose("x=1"), Some(Purpose::Page));
        let app = purpose(&format!("port=49152&challenge={CHALLENGE}&state=abc"));
        assert!(matches!(app, Some(Purpose::App { port: 49152, .. })), "{app:?}");
        for wrong in [
            format!("port=0&challenge={CHALLENGE}&state=abc"),
            format!("port=70000&challenge={CHALLENGE}&state=abc"),
            format!("port=1@evil.example&challenge={CHALLENGE}&state=abc"),
            format!("port=80&challenge={CHALLENGE}&state=a%0d%0ab"),
            format!("port=80&challenge={CHALLENGE}&state="),
            "port=80&challenge=abc&state=abc".into(),
            format!("challenge={CHALLENGE}&state=abc"),
            "port=80".into(),
        ] {
            assert_eq!(purpose(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn cookies_are_for_this_host_alone_and_out_of_reach_of_scripts() {
        let place = |server: &str| Place { server: server.into(), encrypted: server.starts_with("wss:") };
        let safe = place("wss://lunch.example/");
        assert_eq!(safe.back().as_deref(), Some("https://lunch.example/auth/callback"));
        let cookie = safe.cookie("a", "b", "Lax", 9);
        assert_eq!(cookie, "__Host-a=b; Path=/; HttpOnly; SameSite=Lax; Max-Age=9; Secure");
        assert_eq!(
            place("ws://127.0.0.1:7077").cookie("a", "b", "Lax", 0),
            "a=b; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
        let headers = HeaderMap::from_iter([(header::COOKIE, "x=1; a=2; __Host-a=3".parse().unwrap())]);
        assert_eq!((safe.read(&headers, "a"), safe.read(&headers, "b")), (Some("3"), None));
    }
}
