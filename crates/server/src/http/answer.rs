//! HTTP responses and their headers.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::interface::{Form, Served};
use crate::feeds::Document;

pub(super) type Body = Full<Bytes>;

/// The policy of pages without scripts.
const PLAIN_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The policy of files: for workers among them, and for images opened as a page.
const FILE_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'";
/// The permissions of the pages.
const PERMISSIONS: &str = "camera=(self), microphone=(self), speaker-selection=(self), fullscreen=(self), \
    screen-wake-lock=(self), picture-in-picture=(self), clipboard-write=(self), display-capture=(self), geolocation=(), \
    midi=(), payment=(), usb=(), serial=(), hid=(), accelerometer=(), gyroscope=(), magnetometer=(), \
    browsing-topics=()";

/// A plain-text response.
pub(super) fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = small(status, "text/plain; charset=utf-8", text.to_owned());
    set(&mut response, header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A 405 response with the allowed methods.
pub(super) fn method_not_allowed() -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this can only be read\n");
    set(&mut response, header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// A page. Its scripts may connect to `host` (host and port of a URL). Browsers ask for it each time, and then load the
/// files of its version.
pub(super) fn page(asked: &HeaderMap, text: String, host: &str) -> Response<Body> {
    let mut response = tagged(asked, &Served::text("text/html; charset=utf-8", text));
    // Older browsers do not apply 'self' to WebSockets.
    let policy = format!(
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; font-src 'self'; \
         connect-src 'self' ws://{host} wss://{host}; media-src 'self' blob: mediastream:; \
         img-src 'self' data: blob:; manifest-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    set(&mut response, header::CONTENT_SECURITY_POLICY, policy);
    set(&mut response, header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    set(&mut response, HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS));
    response
}

/// A file of the interface.
pub(super) fn file(asked: &HeaderMap, served: &Served, kept: bool) -> Response<Body> {
    let mut response = tagged(asked, served);
    let cache = if kept { "public, max-age=31536000, immutable" } else { "no-cache" };
    set(&mut response, header::CACHE_CONTROL, HeaderValue::from_static(cache));
    set(&mut response, header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FILE_POLICY));
    response
}

/// A calendar. Only the person's own programs may keep it, and they ask each time.
pub(super) fn calendar(asked: &HeaderMap, document: Document) -> Response<Body> {
    let tag = HeaderValue::from_str(&format!("\"{}\"", document.hash)).unwrap_or(HeaderValue::from_static("\"\""));
    let plain = Form { data: document.text, tag };
    let served = Served { kind: "text/calendar; charset=utf-8", plain, brotli: None, gzip: None };
    let mut response = tagged(asked, &served);
    set(&mut response, header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    // Otherwise a browser would save it under the token's name.
    let name = HeaderValue::from_static("attachment; filename=\"lunchroom.ics\"");
    set(&mut response, header::CONTENT_DISPOSITION, name);
    response
}

/// A redirection to another page, which sets cookies.
pub(super) fn redirection(to: &str, cookies: &[String]) -> Response<Body> {
    let mut response = plain(StatusCode::SEE_OTHER, "");
    match HeaderValue::from_str(to) {
        Ok(to) => set(&mut response, header::LOCATION, to),
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    set_cookies(&mut response, cookies);
    response
}

/// An answer for a script of the own pages, which sets cookies.
pub(super) fn json(text: String, cookies: &[String]) -> Response<Body> {
    let mut response = small(StatusCode::OK, "application/json", text);
    set(&mut response, header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set_cookies(&mut response, cookies);
    response
}

fn set_cookies(response: &mut Response<Body>, cookies: &[String]) {
    for cookie in cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// A response that asks to try again after some time.
pub(super) fn later(status: StatusCode, pause: Duration) -> Response<Body> {
    let mut response = plain(status, "too many requests, please try again later\n");
    set(&mut response, header::RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)));
    response
}

fn tagged(asked: &HeaderMap, served: &Served) -> Response<Body> {
    let (coding, form) = form(asked, served);
    let mut response = Response::new(Body::default());
    if is_known(asked, &form.tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(form.data.clone());
        set(&mut response, header::CONTENT_TYPE, HeaderValue::from_static(served.kind));
        if let Some(coding) = coding {
            set(&mut response, header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
    }
    set(&mut response, header::ETAG, form.tag.clone());
    if served.brotli.is_some() || served.gzip.is_some() {
        set(&mut response, header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    guard(&mut response);
    response
}

/// The smallest form that the client accepts, and its content coding.
fn form<'a>(asked: &HeaderMap, served: &'a Served) -> (Option<&'static str>, &'a Form) {
    let packed = [("br", &served.brotli), ("gzip", &served.gzip)];
    let accepted =
        packed.into_iter().find_map(|(coding, form)| Some((coding, form.as_ref()?)).filter(|_| accepts(asked, coding)));
    accepted.map_or((None, &served.plain), |(coding, form)| (Some(coding), form))
}

/// Whether the client lists a content coding (RFC 9110 section 12.5.3). `*` is not taken for it: programs that send it
/// rarely decode everything.
fn accepts(asked: &HeaderMap, coding: &str) -> bool {
    let lists = asked.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        name.trim().eq_ignore_ascii_case(coding) && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// Whether the client already has the version with this tag (RFC 9110 section 13.1.2).
fn is_known(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    let Ok(tag) = tag.to_str() else { return false };
    let lists = asked.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}

/// A response that closes the connection.
fn small(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // Set here and not in hyper, which would send it with upgrade responses too.
    set(&mut response, header::CONNECTION, HeaderValue::from_static("close"));
    set(&mut response, header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PLAIN_POLICY));
    guard(&mut response);
    response
}

fn guard(response: &mut Response<Body>) {
    let headers = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // For browsers that do not support frame-ancestors.
        (header::X_FRAME_OPTIONS, "DENY"),
        // The URL of a page is an invitation and must not leak to other sites.
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        set(response, name, HeaderValue::from_static(value));
    }
}

fn set(response: &mut Response<Body>, name: HeaderName, value: HeaderValue) {
    response.headers_mut().insert(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_is_used_only_if_the_client_lists_it() {
        let list = |list: &'static str| {
            let mut asked = HeaderMap::new();
            asked.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(list));
            asked
        };
        let served = |brotli: bool| {
            let form = |data: &'static str| Form { data: data.into(), tag: HeaderValue::from_static(data) };
            Served { kind: "x", plain: form("plain"), brotli: brotli.then(|| form("br")), gzip: Some(form("gzip")) }
        };
        let chosen = |asked: &'static str, brotli| form(&list(asked), &served(brotli)).0;
        assert_eq!(chosen("gzip, deflate, br, zstd", true), Some("br"));
        assert_eq!(chosen("gzip, deflate, br", false), Some("gzip"));
        assert_eq!(chosen("GZIP;q=0.5, br;q=0", true), Some("gzip"));
        assert_eq!(chosen("gzip;q=x, *", true), None);
        assert_eq!(form(&HeaderMap::new(), &served(true)).1.data, "plain");
    }

    #[test]
    fn if_none_match_accepts_lists_weak_tags_and_the_star() {
        let tag = HeaderValue::from_static("\"ab\"");
        let known = |list: &'static str| {
            let mut asked = HeaderMap::new();
            asked.insert(header::IF_NONE_MATCH, HeaderValue::from_static(list));
            is_known(&asked, &tag)
        };
        assert!(["\"ab\"", "\"x\", \"ab\"", "W/\"ab\"", "*"].into_iter().all(known));
        assert!(!["", "\"abc\"", "ab", "\"x\",W/\"y\""].into_iter().any(known));
        assert!(!is_known(&HeaderMap::new(), &tag));
    }
}
