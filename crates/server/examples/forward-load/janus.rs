//! The same room in Janus's VideoRoom (Debian's `janus`), over its WebSocket API.
//!
//! A publisher has one connection to publish and one to receive, as Janus requires. A receiver has one for all that it
//! receives.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use str0m::crypto::dtls::DtlsCert;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::Options;
use crate::connection::{Connection, Lines, Place};
use crate::pictures::ENCODINGS;

const ROOM: u64 = 1_234;
/// Janus ends a session that is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Longest wait for Janus to listen, and to be connected with all who publish.
const START: Duration = Duration::from_secs(10);
/// Plugins and transports that the room does not need.
const WITHOUT: [&str; 2] = [
    "libjanus_audiobridge.so,libjanus_duktape.so,libjanus_echotest.so,libjanus_lua.so,libjanus_nosip.so,\
     libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,\
     libjanus_voicemail.so",
    "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so",
];

/// A running Janus. It ends when this is dropped.
pub(crate) struct Janus {
    pub(crate) process: Child,
    folder: PathBuf,
    port: u16,
    api: Option<Api>,
}

impl Janus {
    pub(crate) async fn start(options: &Options) -> Result<Janus> {
        let folder = std::env::temp_dir().join(format!("lunchroom-janus-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
        for (name, text) in configuration(options, port) {
            fs::write(folder.join(name), text)?;
        }
        let process = Command::new("janus")
            .args(["--debug-level", "2", "--disable-colors", "--configs-folder"])
            .arg(&folder)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("janus does not start: is the package installed?")?;
        Ok(Janus { process, folder, port, api: None })
    }

    /// The connections of all cameras.
    pub(crate) async fn publish(&mut self, options: &Options, certificate: &DtlsCert) -> Result<Vec<Connection>> {
        let api = self.api.insert(Api::connect(self.port).await?);
        let mut connections = Vec::new();
        for n in 0..options.cameras {
            let place = Place { ip: options.address, certificate, person: n };
            connections.push(api.publish(&place, n < options.voices).await?);
        }
        Ok(connections)
    }

    /// The connections of everybody to receive the cameras of the others, which must be connected.
    pub(crate) async fn subscribe(&mut self, options: &Options, certificate: &DtlsCert) -> Result<Vec<Connection>> {
        let mut api = self.api.take().context("nobody publishes")?;
        tokio::time::timeout(START, api.connected(options.cameras)).await.context("janus waits for media")??;
        let mut connections = Vec::new();
        for n in 0..options.people {
            let feeds: Vec<usize> = (0..options.cameras).filter(|feed| *feed != n).collect();
            let place = Place { ip: options.address, certificate, person: n };
            connections.push(api.subscribe(&place, &feeds, options.tile).await?);
        }
        tokio::spawn(api.stay());
        Ok(connections)
    }
}

impl Drop for Janus {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The files of the configuration, with their names.
fn configuration(options: &Options, port: u16) -> [(&'static str, String); 3] {
    let Options { address, janus_loops, .. } = options;
    let [plugins, transports] = WITHOUT;
    let core = format!(
        "general: {{ debug_level = 2 event_loops = {janus_loops} }}\n\
         nat: {{ ice_lite = true full_trickle = false ice_enforce_list = \"{address}\" ipv6 = false }}\n\
         plugins: {{ disable = \"{plugins}\" }}\n\
         transports: {{ disable = \"{transports}\" }}\n\
         loggers: {{ disable = \"libjanus_jsonlog.so\" }}\n\
         events: {{ broadcast = false }}\n"
    );
    let room = format!(
        "room-{ROOM}: {{ description = \"load\" publishers = 60 bitrate = 20000000 fir_freq = 0 \
         audiocodec = \"opus\" videocodec = \"vp8\" }}\n"
    );
    let websockets = format!(
        "general: {{ json = \"compact\" ws = true ws_port = {port} ws_ip = \"127.0.0.1\" wss = false }}\n\
         admin: {{ admin_ws = false }}\n"
    );
    [("janus.jcfg", core), ("janus.plugin.videoroom.jcfg", room), ("janus.transport.websockets.jcfg", websockets)]
}

/// One session of the API, with a handle for each connection.
struct Api {
    socket: WebSocketStream<TcpStream>,
    session: Value,
    requests: u64,
}

impl Api {
    async fn connect(port: u16) -> Result<Api> {
        let mut request = format!("ws://127.0.0.1:{port}/").into_client_request()?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("janus-protocol"));
        let (began, mut retry) = (Instant::now(), interval(Duration::from_millis(50)));
        let stream = loop {
            retry.tick().await;
            match TcpStream::connect(("127.0.0.1", port)).await {
                Ok(stream) => break stream,
                Err(error) if began.elapsed() > START => return Err(error).context("janus does not listen"),
                Err(_) => {}
            }
        };
        stream.set_nodelay(true)?;
        let (socket, _) = client_async(request, stream).await?;
        let mut api = Api { socket, session: Value::Null, requests: 0 };
        api.session = api.request(json!({"janus": "create"})).await?["data"]["id"].clone();
        Ok(api)
    }

    async fn publish(&mut self, place: &Place<'_>, speaks: bool) -> Result<Connection> {
        let handle = self.attach().await?;
        let join = json!({"request": "join", "ptype": "publisher", "room": ROOM, "id": place.person + 1});
        self.message(&handle, join, Value::Null).await?;
        let lines = Lines { author: u8::try_from(place.person).ok(), speaks, ..Lines::default() };
        let (mut connection, sdp) = Connection::offer(place, lines)?;
        let offer = json!({"type": "offer", "sdp": sdp, "trickle": false, "rid_order": "lmh"});
        let answer = self.message(&handle, json!({"request": "publish"}), offer).await?;
        connection.accept(sdp_of(&answer)?)?;
        Ok(connection)
    }

    async fn subscribe(&mut self, place: &Place<'_>, feeds: &[usize], tile: u32) -> Result<Connection> {
        let handle = self.attach().await?;
        let streams: Vec<Value> = feeds.iter().map(|feed| json!({"feed": feed + 1})).collect();
        let join = json!({"request": "join", "ptype": "subscriber", "room": ROOM, "streams": streams});
        let offer = self.message(&handle, join, Value::Null).await?;
        let (connection, sdp) = Connection::answer(place, sdp_of(&offer)?)?;
        let answer = json!({"type": "answer", "sdp": sdp, "trickle": false});
        self.message(&handle, json!({"request": "start"}), answer).await?;
        let covers = ENCODINGS.iter().position(|encoding| u32::from(encoding.height) >= tile);
        let substream = covers.unwrap_or(ENCODINGS.len() - 1);
        let lines = offer["plugindata"]["data"]["streams"].as_array().context("no streams")?;
        let video = lines.iter().filter(|line| line["type"] == "video");
        let streams: Vec<Value> = video.map(|line| json!({"mid": line["mid"], "substream": substream})).collect();
        self.message(&handle, json!({"request": "configure", "streams": streams}), Value::Null).await?;
        Ok(connection)
    }

    /// Waits until this many connections work. Before that, nobody can subscribe to them.
    async fn connected(&mut self, mut count: usize) -> Result<()> {
        while count > 0 {
            count -= usize::from(self.next().await?["janus"] == "webrtcup");
        }
        Ok(())
    }

    async fn attach(&mut self) -> Result<Value> {
        let session = self.session.clone();
        let request = json!({"janus": "attach", "plugin": "janus.plugin.videoroom", "session_id": session});
        Ok(self.request(request).await?["data"]["id"].clone())
    }

    /// Sends a message to the room and returns the answer.
    async fn message(&mut self, handle: &Value, body: Value, jsep: Value) -> Result<Value> {
        let mut message = json!({"janus": "message", "session_id": self.session, "handle_id": handle, "body": body});
        if !jsep.is_null() {
            message["jsep"] = jsep;
        }
        let answer = self.request(message).await?;
        let refused = &answer["plugindata"]["data"]["error"];
        if refused.is_null() { Ok(answer) } else { bail!("janus refuses {body}: {refused}") }
    }

    async fn request(&mut self, mut message: Value) -> Result<Value> {
        self.requests += 1;
        let transaction = Value::from(self.requests.to_string());
        message["transaction"] = transaction.clone();
        self.socket.send(Message::text(message.to_string())).await?;
        loop {
            let answer = self.next().await?;
            if answer["transaction"] == transaction && answer["janus"] != "ack" {
                return if answer["janus"] == "error" { Err(anyhow::anyhow!("janus: {answer}")) } else { Ok(answer) };
            }
        }
    }

    async fn next(&mut self) -> Result<Value> {
        loop {
            if let Message::Text(text) = self.socket.next().await.context("janus has closed")?? {
                return Ok(serde_json::from_str(&text)?);
            }
        }
    }

    /// Keeps the session until the program ends.
    async fn stay(mut self) -> Result<()> {
        let mut ticks = interval(KEEP_ALIVE);
        loop {
            tokio::select! {
                message = self.next() => drop(message?),
                _ = ticks.tick() => {
                    let alive = json!({"janus": "keepalive", "session_id": self.session, "transaction": "alive"});
                    self.socket.send(Message::text(alive.to_string())).await?;
                }
            }
        }
    }
}

fn sdp_of(message: &Value) -> Result<&str> {
    message["jsep"]["sdp"].as_str().with_context(|| format!("no description: {message}"))
}
