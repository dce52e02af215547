//! One person's signalling with `lunchroom-server`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use signaling::forwarding::{Displayed, FEATURE, FORWARDER, Published};
use signaling::identity::{DeviceKey, decode_nonce};
use signaling::message::{ClientMessage, Envelope, Hello, MediaState, ParticipantId, ServerMessage, VERSION};
use signaling::numbering::{body, frame};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// How often a client acknowledges what it received, and shows that it lives.
const PING: Duration = Duration::from_secs(2);
const ROOM: &str = "load";

pub(crate) struct Line {
    pub(crate) id: ParticipantId,
    socket: WebSocketStream<TcpStream>,
    sent: u64,
    received: u64,
}

impl Line {
    /// Joins the room as the n-th person.
    pub(crate) async fn join(server: SocketAddr, n: usize) -> Result<Line> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = client_async(format!("ws://{server}/"), stream).await?;
        let mut line = Line { id: ParticipantId(String::new()), socket, sent: 0, received: 0 };
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&(n as u64).to_le_bytes());
        let key = DeviceKey::from_secret(&secret);
        let ServerMessage::Challenge { nonce, .. } = line.next().await? else { bail!("no challenge") };
        let hello = Hello {
            version: VERSION,
            key: key.public().to_string(),
            signature: key.sign(&decode_nonce(&nonce).context("no nonce")?, VERSION),
            name: format!("Person {n}"),
            client: "forward-load".into(),
            member: None,
            features: vec![FEATURE.into()],
            resume: None,
        };
        line.socket.send(Message::text(body(&ClientMessage::Hello(hello)))).await?;
        let ServerMessage::Welcome(_) = line.next().await? else { bail!("no welcome") };
        let (room, media) = (ROOM.into(), MediaState::default());
        line.send(ClientMessage::Join { room, media, invite: None, nonce: None }).await?;
        loop {
            match line.next().await? {
                ServerMessage::Joined { you, .. } => break line.id = you,
                ServerMessage::Error(error) => bail!("no seat: {error:?}"),
                _ => {}
            }
        }
        Ok(line)
    }

    /// The forwarder's answer to an offer.
    pub(crate) async fn answer(&mut self, sdp: String) -> Result<String> {
        let to = ParticipantId(FORWARDER.into());
        self.send(ClientMessage::Offer { to, sdp, signature: None }).await?;
        loop {
            match self.next().await? {
                ServerMessage::Answer { from, sdp, .. } if from.0 == FORWARDER => return Ok(sdp),
                ServerMessage::Error(error) => bail!("no answer: {error:?}"),
                _ => {}
            }
        }
    }

    /// Displays cameras in tiles of this height. The first is of the speaker.
    pub(crate) async fn view(&mut self, cameras: &[ParticipantId], height: u32) -> Result<()> {
        let camera = |(n, id): (usize, &ParticipantId)| Displayed {
            id: id.clone(),
            kind: Published::Camera,
            height,
            priority: u8::from(n == 0),
        };
        self.send(ClientMessage::View { pictures: cameras.iter().enumerate().map(camera).collect() }).await
    }

    /// Stays in the room until the program ends.
    pub(crate) async fn stay(mut self) -> Result<()> {
        let mut pings = tokio::time::interval(PING);
        loop {
            tokio::select! {
                message = self.next() => drop(message?),
                _ = pings.tick() => {
                    let text = frame(0, self.received, &body(&ClientMessage::Ping { nonce: 1 }));
                    self.socket.send(Message::text(text)).await?;
                }
            }
        }
    }

    async fn send(&mut self, message: ClientMessage) -> Result<()> {
        self.sent += 1;
        let text = frame(self.sent, self.received, &body(&message));
        Ok(self.socket.send(Message::text(text)).await?)
    }

    async fn next(&mut self) -> Result<ServerMessage> {
        loop {
            if let Message::Text(text) = self.socket.next().await.context("closed")?? {
                let envelope: Envelope<ServerMessage> = serde_json::from_str(&text)?;
                self.received = self.received.max(envelope.seq);
                return Ok(envelope.message);
            }
        }
    }
}
