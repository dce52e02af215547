//! The page of a link: says what it is and opens the app.

use hyper::{Response, StatusCode};
use signaling::link::{Link, LinkError};

use super::{Body, plain, respond};

const PAGE: &str = include_str!("room.html");

/// The page of a room, or "not found" for what is no room. Whether somebody sits in it is not said.
pub(super) fn room(room: &str, query: Option<&str>, server: &str, fingerprint: Option<[u8; 32]>) -> Response<Body> {
    let invite = query.and_then(invite);
    let html = match Link::new(room, server, fingerprint, invite.as_deref()) {
        Ok(link) => render(room, &open(&link.to_string())),
        Err(LinkError::Room) => return plain(StatusCode::NOT_FOUND, "not found\n"),
        Err(LinkError::Invite) => return plain(StatusCode::BAD_REQUEST, "the invite in this link is not valid\n"),
        Err(LinkError::Insecure) => render(room, INSECURE),
        Err(error) => return plain(StatusCode::BAD_REQUEST, &format!("{error}\n")),
    };
    respond(StatusCode::OK, "text/html; charset=utf-8", html)
}

const INSECURE: &str = "<p>This server is not encrypted, and so the app joins it only from the same private network. \
    Ask whoever runs it to switch encryption on.</p>";

fn open(link: &str) -> String {
    let link = escape(link);
    format!(
        "<p><a class=\"open\" href=\"{link}\">Open in Lunchroom</a></p>\
         <p>If nothing happens, Lunchroom is not installed on this device. In the app you can also paste this link:</p>\
         <p><code>{link}</code></p>"
    )
}

fn render(room: &str, body: &str) -> String {
    PAGE.replace("{{room}}", &escape(room)).replace("{{body}}", body)
}

fn invite(query: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "invite").map(|(_, value)| value.into_owned())
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
    use super::*;
    use http_body_util::BodyExt as _;

    async fn text(response: Response<Body>) -> String {
        let bytes = response.into_body().collect().await.expect("in memory").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn the_page_opens_the_app_in_this_room_of_this_server() {
        let response = room("soup", Some("x=1&invite=tok_1"), "wss://lunch.example", Some([0; 32]));
        assert_eq!(response.status(), StatusCode::OK);
        let page = text(response).await;
        let link = page.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
        let link = Link::parse(&link.replace("&amp;", "&")).expect("valid");
        assert_eq!((link.room.as_str(), link.invite.as_deref()), ("soup", Some("tok_1")));
        assert_eq!((link.server.as_str(), link.fingerprint), ("wss://lunch.example/", Some([0; 32])));
        assert!(!page.contains("{{"));
    }

    #[tokio::test]
    async fn an_unencrypted_public_server_is_not_offered() {
        let page = text(room("soup", None, "ws://lunch.example", None)).await;
        assert!(page.contains("not encrypted"));
        assert!(!page.contains("lunchroom://"));
    }

    #[test]
    fn what_is_no_room_is_not_found() {
        for bad in ["", "a/b", "%3Cscript%3E", "<script>", "-", "A B"] {
            assert_eq!(room(bad, None, "wss://lunch.example", None).status(), StatusCode::NOT_FOUND, "{bad}");
        }
        assert_eq!(room("soup", Some("invite=<b>"), "wss://lunch.example", None).status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<a b=\"c\" d='e'>&"), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
    }
}
