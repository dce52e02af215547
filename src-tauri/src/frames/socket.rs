//! The socket that delivers pictures, on 127.0.0.1. Any page in any browser on this machine could connect to it. It
//! therefore requires the window's own origin and a token that only the window knows. It serves one client, the one
//! that authenticated last, so that a reloaded window replaces its predecessor.
//!
//! From the client, text: `{"token": …}` first, then `{"tiles": […]}` and `{"credit": stream}`.
//! To the client: binary packets ([`super::packet`]), and text `{"levels": {"own": dBFS, "ID": dBFS},
//! "speaking": ["own", "ID"], "active": "ID"}`.

use super::packet;
use engine::{Engine, FeedControl, FeedFrames, Levels, Tile};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::http::header::ORIGIN;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

/// Connections that may be unauthenticated at the same time. Further ones wait in the system's queue.
const STRANGERS: usize = 4;
/// How long each step of authentication may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest message that a client may send, in bytes. A list of 64 tiles takes about 8 KiB.
const LONGEST: usize = 32 * 1024;
/// Bytes on their way to the client. When full, no more pictures are taken from the feed. Credit already limits them
/// below that.
const WRITE_BUFFER: usize = 64 << 20;

type Socket = WebSocketStream<TcpStream>;

/// The listening socket. It closes when the app ends.
#[derive(Debug)]
pub(crate) struct FrameSocket {
    /// `ws://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// The token that the client sends first.
    pub(crate) token: String,
}

impl FrameSocket {
    /// Listens for a window of this origin, on the current tokio runtime.
    pub(crate) async fn start(engine: Arc<Engine>, origin: String) -> std::io::Result<FrameSocket> {
        let token = random_token()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("ws://{}", listener.local_addr()?);
        let door = Arc::new(Door { engine, origin, token: token.clone(), newest: watch::Sender::new(0) });
        tokio::spawn(listen(listener, door));
        Ok(FrameSocket { url, token })
    }
}

fn random_token() -> std::io::Result<String> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(crate::address::hex(&bytes))
}

struct Door {
    engine: Arc<Engine>,
    origin: String,
    token: String,
    /// The number of the client that authenticated last. Older clients are disconnected.
    newest: watch::Sender<u64>,
}

async fn listen(listener: TcpListener, door: Arc<Door>) {
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    loop {
        let Ok(place) = strangers.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("the frame socket: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await; // out of descriptors, for example: no busy loop
                continue;
            }
        };
        let door = door.clone();
        tokio::spawn(async move {
            let proved = prove(stream, &door).await;
            drop(place);
            if let Some(socket) = proved
                && let Err(error) = serve(socket, &door).await
            {
                tracing::debug!("the frame socket's client: {error}");
            }
        });
    }
}

/// Accepts a client that comes from the window and knows the token.
async fn prove(stream: TcpStream, door: &Door) -> Option<Socket> {
    let _ = stream.set_nodelay(true); // without it, pictures are only slower
    let config = WebSocketConfig::default()
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST))
        .max_write_buffer_size(WRITE_BUFFER);
    #[expect(clippy::result_large_err)] // the library's error, created once per connection
    let checked = |request: &Request, response: Response| check_origin(request, response, &door.origin);
    let mut socket = timeout(PATIENCE, accept_hdr_async_with_config(stream, checked, Some(config))).await.ok()?.ok()?;
    let first = timeout(PATIENCE, socket.next()).await.ok()??.ok()?;
    let message = first.to_text().ok().and_then(|text| serde_json::from_str::<Hello>(text).ok());
    if message.is_some_and(|hello| same(hello.token.as_bytes(), door.token.as_bytes())) {
        return Some(socket);
    }
    tracing::warn!("a client without the token connected to the frame socket");
    let _ = timeout(PATIENCE, socket.close(None)).await; // the connection is dropped anyway
    None
}

#[expect(clippy::result_large_err)] // as above
fn check_origin(request: &Request, response: Response, origin: &str) -> Result<Response, ErrorResponse> {
    let mut named = request.headers().get_all(ORIGIN).iter();
    if let (Some(one), None) = (named.next(), named.next())
        && one.as_bytes() == origin.as_bytes()
    {
        return Ok(response);
    }
    tracing::warn!("a foreign page connected to the frame socket");
    let mut refusal = ErrorResponse::new(None);
    *refusal.status_mut() = StatusCode::FORBIDDEN;
    Err(refusal)
}

/// Compares in constant time, so that the duration does not reveal where the values differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[derive(Deserialize)]
struct Hello {
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FeedMessage {
    Tiles(Vec<Tile>),
    Credit(u16),
}

async fn serve(mut socket: Socket, door: &Door) -> Result<(), Error> {
    let mut newest = door.newest.subscribe();
    door.newest.send_modify(|n| *n += 1);
    let mine = *newest.borrow_and_update();
    let Ok((control, mut frames)) = door.engine.frame_feed() else { return socket.close(None).await };
    let mut levels = door.engine.levels();
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(message) => handle_message(message?, &control),
                None => return Ok(()),
            },
            sent = send_next(&mut frames, &mut levels) => match sent {
                Some(message) => socket.send(message).await?,
                None => return socket.close(None).await,
            },
            changed = newest.changed() => if changed.is_err() || *newest.borrow() != mine {
                return socket.close(None).await;
            },
        }
    }
}

fn handle_message(message: Message, control: &FeedControl) {
    let Message::Text(text) = message else { return };
    match serde_json::from_str(&text) {
        Ok(FeedMessage::Tiles(tiles)) => control.set_tiles(tiles),
        Ok(FeedMessage::Credit(stream)) => control.credit(stream),
        Err(error) => tracing::warn!("the frame socket received an invalid message: {error}"),
    }
}

/// Returns the next message for the client, or `None` when the engine has ended.
async fn send_next(frames: &mut FeedFrames, levels: &mut watch::Receiver<Levels>) -> Option<Message> {
    tokio::select! {
        frame = frames.next() => frame.map(|frame| Message::Binary(packet::encode(&frame).into())),
        changed = levels.changed() => {
            changed.ok()?;
            let text = crate::figures::levels(&levels.borrow_and_update()).to_string();
            Some(Message::Text(Utf8Bytes::from(text)))
        }
    }
}

#[cfg(test)]
mod tests;
