//! The pages: the community's door, where members have the board, and the page behind a link, where guests join. Both open
//! the app, too.

use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};
use signaling::link::{Link, LinkError, WebAddress};
use url::Url;

use super::answer::{Body, page, plain};
use super::interface::{DOOR, Files, GUEST, Interface};
use crate::connection::Members;

/// A room's name in the link to the app that the door gets. The door puts other names in its place.
const ANY_ROOM: &str = "lunch";

/// The page at the server's address without a path. It learns how people become members.
pub(super) fn door(
    headers: &HeaderMap,
    interface: &Interface,
    server: &str,
    fingerprint: Option<[u8; 32]>,
    members: &Members,
) -> Response<Body> {
    let files = interface.files();
    let Some(html) = files.page(DOOR) else {
        return plain(StatusCode::NOT_FOUND, "this server's page is missing\n");
    };
    // Empty if the app would reject it.
    let link = Link::new(ANY_ROOM, server, fingerprint, None).map_or_else(|_| String::new(), |link| link.to_string());
    let html = with_files(html, &files, DOOR).replace("{{link}}", &escape(&link)).replace("{{members}}", ways(members));
    page(headers, html, &authority(server))
}

/// The ways to become a member, as the page reads them.
fn ways(members: &Members) -> &'static str {
    match (members.secret.is_some(), members.accounts) {
        (true, true) => "secret account",
        (true, false) => "secret",
        (false, true) => "account",
        (false, false) => "open",
    }
}

/// The parts of a request for a link.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
}

/// The page of a room, or 404 for an invalid room name. It does not reveal whether anybody is in the room.
pub(super) fn room(
    asked: Asked<'_>,
    interface: &Interface,
    server: &str,
    fingerprint: Option<[u8; 32]>,
) -> Response<Body> {
    let (address, link) = match read(asked, server, fingerprint) {
        Ok(found) => found,
        Err(LinkError::Room | LinkError::NotALink) => return plain(StatusCode::NOT_FOUND, "not found\n"),
        Err(error) => return plain(StatusCode::BAD_REQUEST, &format!("{error}\n")),
    };
    let files = interface.files();
    match files.page(GUEST) {
        Some(html) => {
            let html = fill(&with_files(html, &files, GUEST), &address, &link);
            page(asked.headers, html, &authority(server))
        }
        None => plain(StatusCode::NOT_FOUND, "the guest page is missing\n"),
    }
}

/// Parses the address and makes the link that opens the app. The link is empty if the app would reject it.
fn read(asked: Asked<'_>, server: &str, fingerprint: Option<[u8; 32]>) -> Result<(WebAddress, String), LinkError> {
    let address = WebAddress::read(asked.path, asked.query)?;
    // A fingerprint in the address takes precedence: it may be that of a proxy in front of this server.
    let pin = address.fingerprint.or(fingerprint);
    let link = match Link::new(&address.room, server, pin, address.invite.as_deref()) {
        Ok(link) => link.to_string(),
        Err(LinkError::Insecure) => String::new(),
        Err(error) => return Err(error),
    };
    Ok((address, link))
}

/// Fills in the version of the files, and the modules that the page needs.
fn with_files(html: &str, files: &Files, page: &str) -> String {
    let modules = files.modules(page);
    let links = modules.iter().map(|name| format!("<link rel=\"modulepreload\" href=\"{{{{assets}}}}/{name}\">"));
    html.replace("<!--{{modules}}-->", &links.collect::<Vec<_>>().join("\n  "))
        .replace("{{assets}}", &format!("/assets/{}", files.hash))
}

/// Fills in the room, the invite, and the link that opens the app.
fn fill(page: &str, address: &WebAddress, link: &str) -> String {
    page.replace("{{room}}", &escape(&address.room))
        .replace("{{invite}}", &escape(address.invite.as_deref().unwrap_or_default()))
        .replace("{{link}}", &escape(link))
}

/// Host and port of a server's URL. They contain nothing with a special meaning in a policy.
fn authority(server: &str) -> String {
    let url = Url::parse(server).ok();
    url.map_or_else(String::new, |url| url[url::Position::BeforeHost..url::Position::AfterPort].to_owned())
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::interface::Files;
    use super::*;
    use std::sync::Arc;

    use http_body_util::BodyExt as _;

    async fn text(response: Response<Body>) -> String {
        let bytes = response.into_body().collect().await.expect("in memory").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    fn guests() -> Interface {
        let page = "<head><title>{{room}}</title><base href=\"{{assets}}/guest/\"><meta content=\"{{link}}\">\
            <meta invite=\"{{invite}}\"></head>";
        let files = [("guest/index.html".to_owned(), page.into())];
        Interface::Embedded(Arc::new(Files::new(files.into_iter())))
    }

    fn get(name: &str, query: Option<&str>, interface: &Interface, server: &str) -> Response<Body> {
        let path = format!("/r/{name}");
        let asked = Asked { path: &path, query, headers: &HeaderMap::new() };
        room(asked, interface, server, server.starts_with("wss").then_some([0; 32]))
    }

    fn after<'a>(page: &'a str, before: &str) -> &'a str {
        page.split(before).nth(1).and_then(|rest| rest.split('"').next()).expect("there")
    }

    #[tokio::test]
    async fn the_page_links_to_this_room_of_this_server() {
        let response = get("soup", Some("x=1&invite=tok_1"), &guests(), "wss://lunch.example");
        assert_eq!(response.status(), StatusCode::OK);
        let page = text(response).await;
        let link = Link::parse(&after(&page, "content=\"").replace("&amp;", "&")).expect("valid");
        assert_eq!((link.room.as_str(), link.invite.as_deref()), ("soup", Some("tok_1")));
        assert_eq!((link.server.as_str(), link.fingerprint), ("wss://lunch.example/", Some([0; 32])));
        assert!(page.contains("<title>soup</title>") && !page.contains("{{"), "{page}");
    }

    #[tokio::test]
    async fn the_page_accepts_the_room_names_that_links_accept() {
        for name in ["soup", "soup/", "Soup", "SOUP/"] {
            let response = get(name, Some("invite=T"), &guests(), "wss://lunch.example");
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            let page = text(response).await;
            assert!(page.contains("<title>soup</title>") && page.contains("join/soup?"), "{page}");
            assert_eq!(after(&page, "invite=\""), "T");
        }
    }

    #[tokio::test]
    async fn a_pinned_fingerprint_is_kept_and_a_damaged_one_refused() {
        let pin = "a".repeat(64);
        let page = text(get("soup", Some(&format!("fp={pin}")), &guests(), "wss://lunch.example")).await;
        let link = Link::parse(&after(&page, "content=\"").replace("&amp;", "&")).expect("valid");
        assert_eq!(link.fingerprint, Some([0xaa; 32]));
        for damaged in ["fp=1", "invite=T&amp;fp=1", "FP=1", "fp%3D1", "invite=a&invite=b", "server=wss://h"] {
            let response = get("soup", Some(damaged), &guests(), "wss://lunch.example");
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{damaged}");
        }
    }

    #[tokio::test]
    async fn the_guest_page_finds_its_files() {
        let interface = guests();
        let page = text(get("soup", None, &interface, "wss://lunch.example")).await;
        let base = Url::parse("https://lunch.example/r/soup").and_then(|url| url.join(after(&page, "base href=\"")));
        let main = base.and_then(|base| base.join("index.html")).expect("an address");
        let address = main.path().strip_prefix("/assets/").expect("below the files");
        assert!(interface.find(address).is_some(), "{address}");
    }

    #[tokio::test]
    async fn the_guest_page_may_connect_only_to_this_server() {
        let response = get("soup", None, &guests(), "ws://192.168.1.5:7077");
        let policy = response.headers()["content-security-policy"].to_str().expect("text");
        assert!(policy.contains("connect-src 'self' ws://192.168.1.5:7077 wss://192.168.1.5:7077;"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains(" * "), "{policy}");
    }

    #[tokio::test]
    async fn an_unencrypted_public_server_is_not_offered_to_the_app() {
        let response = get("soup", None, &guests(), "ws://lunch.example");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(after(&text(response).await, "content=\""), "");
    }

    #[test]
    fn an_invalid_room_name_is_not_found() {
        for bad in ["", "a/b", "%3Cscript%3E", "<script>", "-", "A B"] {
            let response = get(bad, None, &guests(), "wss://lunch.example");
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{bad}");
        }
        let invite = get("soup", Some("invite=<b>"), &guests(), "wss://lunch.example");
        assert_eq!(invite.status(), StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn the_door_names_the_server_and_its_modules() {
        let html = "<!--{{modules}}--><script src=\"{{assets}}/door/main.js\"></script><base href=\"{{assets}}/door/\"><meta link=\"{{link}}\"><meta members=\"{{members}}\">";
        let files = [
            ("door/index.html", html),
            ("door/main.js", "import { a } from '../shared/a.js';\n"),
            ("shared/a.js", "export const a = 1;\n"),
        ];
        let files = Files::new(files.into_iter().map(|(name, text)| (name.to_owned(), text.into())));
        let hash = files.hash.clone();
        let interface = Interface::Embedded(Arc::new(files));
        let door =
            async |server, members: &Members| text(door(&HeaderMap::new(), &interface, server, None, members)).await;
        let page = door("wss://lunch.example", &Members { secret: Some("kimchi".into()), accounts: false }).await;
        for name in ["shared/a.js", "door/main.js"] {
            assert!(page.contains(&format!("rel=\"modulepreload\" href=\"/assets/{hash}/{name}\"")), "{page}");
        }
        let link = Link::parse(&after(&page, "link=\"").replace("&amp;", "&")).expect("valid");
        assert_eq!((link.room.as_str(), link.server.as_str()), (ANY_ROOM, "wss://lunch.example/"));
        assert_eq!(after(&page, "members=\""), "secret");
        let page = door("wss://lunch.example", &Members { secret: None, accounts: true }).await;
        assert_eq!(after(&page, "members=\""), "account");
        let page = door("ws://lunch.example", &Members { secret: None, accounts: false }).await;
        assert_eq!((after(&page, "link=\""), after(&page, "members=\"")), ("", "open"));
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<a b=\"c\" d='e'>&"), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
    }
}
