//! The server in the app, for people on one network. It has a self-signed certificate, whose fingerprint is in its
//! link.

use crate::address::hex;
use crate::state::{CommandError, Hosting};
use engine::signaling::link::Link;
use qrcode::QrCode;
use qrcode::render::svg;
use server::config::DEFAULT_PORT;
use server::{Config, Server, StartError, Tls, Turn};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The room of the link.
const ROOM: &str = "lunch";

/// A running server, and how to reach it.
pub(crate) struct Hosted {
    server: Server,
    pub(crate) shown: Hosting,
}

impl Hosted {
    /// Starts the server on the default port, or on a free one if that is taken. Its certificate and secret are stored
    /// in `folder`, so that links remain valid.
    pub(crate) async fn start(folder: PathBuf) -> Result<Hosted, CommandError> {
        let addresses = addresses();
        let Some(first) = addresses.first().copied() else { return Err(no_network()) };
        let server = match Server::start(config(folder.clone(), DEFAULT_PORT)).await {
            Err(StartError::Listen { .. }) => Server::start(config(folder, 0)).await,
            outcome => outcome,
        };
        let server = server.map_err(|error| CommandError { code: error.code().into(), message: error.to_string() })?;
        match show(&server, first, &addresses) {
            Ok(shown) => Ok(Hosted { server, shown }),
            Err(error) => {
                server.stop().await;
                Err(error)
            }
        }
    }

    /// Notifies everybody and stops.
    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

fn config(folder: PathBuf, port: u16) -> Config {
    Config {
        listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
        tls: Tls::SelfSigned,
        data_dir: Some(folder),
        zone: server::machine_zone(),
        // Machines on one network reach each other directly.
        turn: Turn::Off,
        ..Config::default()
    }
}

fn show(server: &Server, first: IpAddr, addresses: &[IpAddr]) -> Result<Hosting, CommandError> {
    let url = format!("wss://{}", SocketAddr::new(first, server.addr().port()));
    let link = Link::new(ROOM, &url, server.fingerprint(), None).map_err(crate::address::refusal)?;
    // A browser cannot check fingerprints. The page that it loads adds the fingerprint to its link for the app.
    let web_link = Link::new(ROOM, &url, None, None).map_err(crate::address::refusal)?.to_web();
    Ok(Hosting {
        url,
        link: link.to_string(),
        qr_svg: qr(&web_link)?,
        web_link,
        fingerprint: server.fingerprint().as_ref().map(hex).unwrap_or_default(),
        addresses: addresses.iter().map(ToString::to_string).collect(),
    })
}

/// Renders a QR code, black on white regardless of the theme: cameras do not reliably read other colours.
fn qr(text: &str) -> Result<String, CommandError> {
    let code = QrCode::new(text)
        .map_err(|error| CommandError { code: "qr".into(), message: format!("no QR code: {error}") })?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(240, 240).quiet_zone(true).build())
}

/// This machine's IPv4 addresses, private ones first because people nearby can reach them.
fn addresses() -> Vec<IpAddr> {
    let all = if_addrs::get_if_addrs().inspect_err(|error| tracing::warn!("no addresses: {error}")).unwrap_or_default();
    let mut found: Vec<Ipv4Addr> = all
        .into_iter()
        .filter_map(|interface| match interface.ip() {
            IpAddr::V4(ip) if !ip.is_loopback() && !ip.is_link_local() => Some(ip),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        })
        .collect();
    found.sort_by_key(|ip| !ip.is_private());
    found.into_iter().map(IpAddr::V4).collect()
}

fn no_network() -> CommandError {
    CommandError {
        code: "no_network".into(),
        message: "This machine is not connected to a network. Connect it, then try again.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_qr_code_contains_a_web_link() {
        let scratch = crate::folders::scratch::Scratch::new();
        let config = Config { listen: (Ipv4Addr::LOCALHOST, 0).into(), ..config(scratch.0.clone(), 0) };
        let server = Server::start(config).await.unwrap();
        let address = IpAddr::from([10, 0, 0, 2]);
        let shown = show(&server, address, &[address]).unwrap();
        assert_eq!(shown.web_link, format!("https://10.0.0.2:{}/r/lunch", server.addr().port()));
        assert_eq!(shown.qr_svg, qr(&shown.web_link).unwrap());
        let for_the_app = Link::parse(&shown.link).unwrap();
        assert!(shown.link.starts_with("lunchroom://") && for_the_app.fingerprint == server.fingerprint());
        server.stop().await;
    }

    #[test]
    fn weekly_lunches_use_the_local_time_zone() {
        const ASKED: &str = "LUNCHROOM_TEST_ZONE";
        if std::env::var_os(ASKED).is_some() {
            assert_eq!(config(PathBuf::new(), 0).zone, "Asia/Seoul");
            return;
        }
        let name = "host::tests::weekly_lunches_use_the_local_time_zone";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args([name, "--exact", "--nocapture"]).env(ASKED, "1").env("TZ", "Asia/Seoul");
        let output = child.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    }

    #[test]
    fn a_qr_code_is_a_complete_image() {
        let svg = qr(&format!("https://10.0.0.2:7077/r/lunch?fp={}", "a".repeat(64))).unwrap();
        assert!(svg.contains("<svg") && !svg.contains("href"), "{svg}");
    }
}
