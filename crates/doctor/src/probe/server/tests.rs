use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::time::Instant;

fn target(url: &str) -> Target {
    Target { url: url.parse().expect("an address"), fingerprint: Some([7; 32]) }
}

fn budget() -> Budget {
    Budget { ends: Instant::now() + super::super::SERVER }
}

/// What a server that behaves like this comes to, and the virtual seconds until then.
async fn met<F: Future<Output = ()> + Send + 'static>(
    url: &str,
    behaviour: impl FnOnce(DuplexStream) -> F,
) -> (Result<Option<i64>, Server>, f64) {
    let (ours, theirs) = duplex(65_536);
    tokio::spawn(behaviour(theirs));
    let start = Instant::now();
    let outcome = talk(&target(url), &Options::default(), budget(), Box::new(ours)).await;
    (outcome.map(|(_, ahead)| ahead), start.elapsed().as_secs_f64())
}

/// Reads the request and answers with this; then silence, or the end.
async fn answered(answer: &'static str, stays: bool) -> (Result<Option<i64>, Server>, f64) {
    met("ws://127.0.0.1", move |mut stream| async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.is_ok_and(|count| count > 0) {}
        let _ = stream.write_all(answer.as_bytes()).await;
        if stays {
            std::future::pending::<()>().await;
        }
    })
    .await
}

/// Sends the bytes one by one, and then for ever the last one.
async fn trickle(mut stream: DuplexStream, bytes: &[u8]) {
    let endless = bytes.iter().copied().chain(std::iter::repeat_n(0, 1_000_000));
    for byte in endless {
        if stream.write_all(&[byte]).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Opens a WebSocket, sends these messages, and reads until the end.
async fn websocket(messages: &'static [&'static str], closes: bool) -> (Result<Option<i64>, Server>, f64) {
    met("ws://127.0.0.1", move |stream| async move {
        let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a WebSocket");
        for message in messages {
            let _ = socket.send(Message::text(*message)).await;
        }
        if closes {
            let _ = socket.close(None).await;
        }
        while socket.next().await.is_some() {}
    })
    .await
}

const WELCOME: &str = r#"{"type":"welcome","session":"s","resume_ms":30000,"ice_servers":[],"limits":{"max_message_bytes":65536,"max_participants":12,"max_chat_chars":4000}}"#;
const CHALLENGE: &str = r#"{"type":"challenge","nonce":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU","versions":[1]}"#;

#[tokio::test(start_paused = true)]
async fn a_tls_handshake_without_an_end_is_given_up_at_its_deadline() {
    let trickled = met("wss://lunch.example", |stream| trickle(stream, &[0x16, 3, 3, 0x40, 0, 2, 0, 0xff, 0xff])).await;
    assert_eq!(trickled, (Err(Server::Tls(Tls::Silent)), 3.0));
    let silent = met("wss://lunch.example", |stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    });
    assert_eq!(silent.await, (Err(Server::Tls(Tls::Silent)), 3.0));
}

#[tokio::test]
async fn what_is_not_tls_and_what_hangs_up_are_distinguished() {
    let plain = met("wss://lunch.example", |mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(plain.await.0, Err(Server::Tls(Tls::NotTls)));
    let closed = met("wss://lunch.example", |stream| async move { drop(stream) });
    assert_eq!(closed.await.0, Err(Server::Tls(Tls::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_trickled_answer_to_the_upgrade_is_given_up_at_its_deadline() {
    let trickled = met("ws://127.0.0.1", |stream| trickle(stream, b"HTTP/1.1 101 Switching Protocols\r\nX: ")).await;
    assert_eq!(trickled, (Err(Server::Upgrade(Upgrade::Silent)), 3.0));
}

#[tokio::test]
async fn each_answer_to_the_upgrade_has_its_meaning() {
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://login.wifi.example/?x=1\r\nContent-Length: 0\r\n\r\n";
    let relative = "HTTP/1.1 307 Moved\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n";
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi";
    let to = |host: &str| Upgrade::Redirect { to: Some(host.into()) };
    for (answer, stays, fault) in [
        (redirect, true, to("login.wifi.example")),
        (relative, true, to("127.0.0.1")),
        (page, true, Upgrade::Page),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", true, Upgrade::Status(403)),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", true, Upgrade::NotHttp),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", true, Upgrade::NotHttp),
        ("", false, Upgrade::Closed),
    ] {
        assert_eq!(answered(answer, stays).await.0, Err(Server::Upgrade(fault)), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_challenge_or_a_welcome_is_given_up_at_its_deadline() {
    assert_eq!(websocket(&[], false).await, (Err(Server::Hello(Hello::Silent)), 3.0));
    assert_eq!(websocket(&[CHALLENGE], false).await, (Err(Server::Hello(Hello::Silent)), 3.0));
}

#[tokio::test]
async fn each_failure_of_the_hello_has_its_meaning() {
    let other = r#"{"type":"challenge","nonce":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU","versions":[9]}"#;
    let full = r#"{"type":"error","code":"server_full","message":"full"}"#;
    let bye = r#"{"seq":0,"ack":0,"type":"bye","code":"server_stopping"}"#;
    let refused = |code: &str| Hello::Refused(code.into());
    for (messages, closes, fault) in [
        (&[][..], true, Hello::Closed),
        (&["hello there"], false, Hello::Stranger),
        (&[full], false, refused("server_full")),
        (&[other], false, Hello::Version),
        (&[r#"{"type":"challenge","nonce":"x","versions":[1]}"#], false, Hello::Stranger),
        (&[CHALLENGE, bye], false, refused("server_stopping")),
        (&[CHALLENGE, CHALLENGE], false, Hello::Stranger),
    ] {
        // The messages live as long as the program.
        let messages: &'static [&'static str] = messages.to_vec().leak();
        assert_eq!(websocket(messages, closes).await.0, Err(Server::Hello(fault)), "{messages:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rubbish_and_silence_from_a_proxy_have_their_codes() {
    let asked = |answer: &'static [u8]| async move {
        let (ours, mut theirs) = duplex(65_536);
        tokio::spawn(async move {
            let _ = theirs.write_all(answer).await;
            std::future::pending::<()>().await;
        });
        let start = Instant::now();
        let tunnel = tunnel(&Proxy::new("proxy", 3128), Box::new(ours), &target("wss://lunch.example"), TUNNEL).await;
        (tunnel.err(), start.elapsed())
    };
    assert_eq!(asked(b"\x16\x03\x01 rubbish\r\n\r\n").await, (Some(ProxyError::InvalidAnswer), Duration::ZERO));
    assert_eq!(asked(b"HTTP/1.1 2").await, (Some(ProxyError::NoAnswer), TUNNEL));
}

/// Waits for the deadline of the upgrade in real time, because virtual time passes while sockets work.
#[tokio::test]
async fn an_address_that_does_nothing_is_skipped() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let living = TcpListener::bind("127.0.0.2:0").await.expect("a port");
    let addresses = [&silent, &living].map(|listener| listener.local_addr().expect("it is bound")).to_vec();
    tokio::spawn(async move {
        while let Ok((stream, _)) = living.accept().await {
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                for message in [CHALLENGE, WELCOME] {
                    let _ = socket.send(Message::text(message)).await;
                }
                while socket.next().await.is_some() {}
            });
        }
    });
    let mut seen = Examination::new("127.0.0.1", 80, false);
    let first = connect(addresses, CONNECT, &mut seen).await.expect("both accept");
    let target = target("ws://127.0.0.1");
    let session = by_address(&target, &Options::default(), budget(), first, &mut seen).await.expect("a welcome");
    assert_eq!(session.ice_servers, []);
    let outcomes: Vec<Tcp> = seen.tcp.iter().map(|(_, outcome)| *outcome).collect();
    assert_eq!((outcomes, seen.server), (vec![Tcp::Mute, Tcp::Open], Server::Welcome));
}

#[tokio::test(start_paused = true)]
async fn all_hops_together_end_at_the_common_deadline() {
    let start = Instant::now();
    let budget = Budget { ends: start + Duration::from_secs(1) };
    let (ours, _theirs) = duplex(1024);
    let outcome = talk(&target("wss://lunch.example"), &Options::default(), budget, Box::new(ours)).await;
    assert_eq!((outcome.err(), start.elapsed()), (Some(Server::Tls(Tls::Silent)), Duration::from_secs(1)));
}
