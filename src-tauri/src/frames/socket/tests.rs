use super::*;
use engine::media::encoded::VideoCodec;
use engine::signaling::identity::DeviceKey;
use engine::signaling::message::MediaState;
use engine::{Command, DeviceChoice, EngineConfig, MicrophoneOptions, VideoLimits};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, connect_async};

const ORIGIN: &str = "tauri://localhost";
const TILES: &str = r#"{"tiles":[{"stream":3,"picture":{"kind":"own"},"width":160,"height":90,"visible":true}]}"#;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn socket() -> (Arc<Engine>, FrameSocket) {
    let engine = Arc::new(Engine::start(config()).expect("an engine"));
    let socket = FrameSocket::start(engine.clone(), ORIGIN.into()).await.expect("a socket");
    (engine, socket)
}

fn config() -> EngineConfig {
    EngineConfig {
        client: "test".into(),
        key: DeviceKey::from_secret(&[7; 32]),
        codecs: VideoCodec::ALL.to_vec(),
        video: VideoLimits { width: 320, height: 180, fps: 30 },
        processing: Default::default(),
        ice_servers: Some(vec![]),
        relay_only: false,
        include_loopback: true,
        meets: None,
        microphone: MicrophoneOptions::default(),
        devices: DeviceChoice {
            camera: Some("test".into()),
            microphone: Some("tone".into()),
            speaker: Some("null".into()),
        },
        audio_tap: None,
    }
}

/// Connects with these origins. Returns the HTTP status if the connection is refused.
async fn connect(url: &str, origins: &[&str]) -> Result<Client, u16> {
    let mut request = url.into_client_request().expect("a request");
    for origin in origins {
        request.headers_mut().append(ORIGIN_HEADER, HeaderValue::from_str(origin).expect("a header"));
    }
    match connect_async(request).await {
        Ok((client, _)) => Ok(client),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

const ORIGIN_HEADER: &str = "origin";

async fn say(client: &mut Client, text: &str) {
    client.send(Message::Text(text.into())).await.expect("said");
}

async fn window(socket: &FrameSocket) -> Client {
    let mut client = connect(&socket.url, &[ORIGIN]).await.expect("let in");
    say(&mut client, &format!(r#"{{"token":"{}"}}"#, socket.token)).await;
    client
}

/// Returns the stream, size and number of the next picture.
async fn picture(client: &mut Client) -> (u16, u16, u16, u32) {
    loop {
        match next(client).await.expect("more to come") {
            Message::Binary(bytes) => {
                let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
                assert_eq!(&bytes[..4], b"LRF1");
                let (w, h) = (usize::from(short(8)), usize::from(short(10)));
                assert_eq!(bytes.len(), 24 + w * h + 2 * (w.div_ceil(2) * h.div_ceil(2)));
                let sequence = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
                return (short(4), short(8), short(10), sequence);
            }
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            Message::Close(_) => panic!("closed"),
        }
    }
}

async fn next(client: &mut Client) -> Option<Message> {
    let next = timeout(Duration::from_secs(20), client.next()).await.expect("in time");
    next.and_then(Result::ok)
}

async fn is_sent_away(client: &mut Client) -> bool {
    loop {
        match next(client).await {
            None | Some(Message::Close(_)) => return true,
            Some(Message::Binary(_)) => return false,
            Some(Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
        }
    }
}

#[tokio::test]
async fn the_window_receives_frames_on_credit_and_levels() {
    let (engine, socket) = socket().await;
    engine
        .command(Command::Preview(MediaState { microphone: true, camera: true, screen: false }))
        .await
        .expect("commanded");
    let mut client = window(&socket).await;
    say(&mut client, TILES).await;
    assert_eq!(picture(&mut client).await, (3, 160, 90, 0));
    let mut own_level = None;
    while own_level.is_none() {
        match next(&mut client).await.expect("levels") {
            Message::Text(text) => {
                let said: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                own_level = said["levels"]["own"].as_f64();
            }
            other => panic!("a picture without credit: {other:?}"),
        }
    }
    assert!((-60.0..0.0).contains(&own_level.expect("levels")), "{own_level:?}");
    say(&mut client, r#"{"credit":3}"#).await;
    assert_eq!(picture(&mut client).await, (3, 160, 90, 1));
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let (_engine, socket) = socket().await;
    for origins in [
        &[][..],
        &["https://evil.example"],
        &["tauri://localhost.evil.example"],
        &["null"],
        &[ORIGIN, "https://evil.example"],
    ] {
        assert_eq!(connect(&socket.url, origins).await.err(), Some(403), "{origins:?}");
    }
}

#[tokio::test]
async fn a_client_without_the_token_receives_nothing() {
    let (engine, socket) = socket().await;
    engine
        .command(Command::Preview(MediaState { microphone: false, camera: true, screen: false }))
        .await
        .expect("commanded");
    for first in [r#"{"token":""}"#, r#"{"token":"0000"}"#, "nonsense", TILES, "{}"] {
        let mut client = connect(&socket.url, &[ORIGIN]).await.expect("let in");
        say(&mut client, first).await;
        let _ = client.send(Message::Text(TILES.into())).await; // it may be closed already
        assert!(is_sent_away(&mut client).await, "{first}");
    }
}

#[tokio::test]
async fn a_reloaded_window_replaces_the_old_client() {
    let (engine, socket) = socket().await;
    engine
        .command(Command::Preview(MediaState { microphone: false, camera: true, screen: false }))
        .await
        .expect("commanded");
    let mut old = window(&socket).await;
    say(&mut old, TILES).await;
    picture(&mut old).await;
    let mut new = window(&socket).await;
    say(&mut new, TILES).await;
    assert_eq!(picture(&mut new).await.3, 0);
    assert!(is_sent_away(&mut old).await);
}

#[tokio::test]
async fn malformed_messages_are_tolerated() {
    let (engine, socket) = socket().await;
    engine
        .command(Command::Preview(MediaState { microphone: false, camera: true, screen: false }))
        .await
        .expect("commanded");
    let mut client = window(&socket).await;
    for text in ["", "{}", r#"{"credit":-1}"#, r#"{"tiles":[{}]}"#, r#"{"tiles":5,"credit":1}"#] {
        say(&mut client, text).await;
    }
    say(&mut client, TILES).await;
    picture(&mut client).await;
    let _ = client.send(Message::Text("x".repeat(LONGEST + 1).into())).await; // it may be cut off
    assert!(is_sent_away(&mut client).await);
    picture_again(&socket).await;
}

async fn picture_again(socket: &FrameSocket) {
    let mut client = window(socket).await;
    say(&mut client, TILES).await;
    picture(&mut client).await;
}
