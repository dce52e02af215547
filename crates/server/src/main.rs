//! The server program.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Parser as _;
use server::Server;
use server::settings::Cli;
use tracing_subscriber::EnvFilter;

/// What is logged unless told otherwise. The TURN library names addresses of clients at every level.
const DEFAULT_LOG: &str = "info";
/// Libraries that would log addresses of clients above debug.
const SILENCED: [&str; 3] = ["turn=off", "stun=off", "webrtc_util=off"];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lunchroom-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    start_log(&cli)?;
    let config = cli.into_config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        let server = Server::start(config).await?;
        announce(&server)?;
        let signal = stop_signal().await?;
        tracing::info!(signal, "stopping");
        server.stop().await;
        Ok(())
    })
}

fn start_log(cli: &Cli) -> anyhow::Result<()> {
    let text = cli.log.as_deref().unwrap_or(DEFAULT_LOG);
    let mut filter = EnvFilter::try_new(text).with_context(|| format!("--log {text:?}"))?;
    // Whoever asks for debug has asked for addresses.
    if !text.contains("debug") && !text.contains("trace") {
        for directive in SILENCED {
            filter = filter.add_directive(directive.parse().context("directive")?);
        }
    }
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    if cli.log_json {
        log.json().init()
    } else {
        log.init()
    }
    Ok(())
}

/// Tells on standard output, for people and for programs that wait for it.
fn announce(server: &Server) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {}", server.url())?;
    if let Some(fingerprint) = server.fingerprint() {
        writeln!(out, "fingerprint {}", URL_SAFE_NO_PAD.encode(fingerprint))?;
    }
    if let Some(turn) = server.turn_addr() {
        writeln!(out, "turn on udp {turn}")?;
    }
    out.flush()?;
    tracing::info!(listen = %server.addr(), url = server.url(), "serving");
    Ok(())
}

#[cfg(unix)]
async fn stop_signal() -> anyhow::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

#[cfg(not(unix))]
async fn stop_signal() -> anyhow::Result<&'static str> {
    tokio::signal::ctrl_c().await?;
    Ok("Ctrl+C")
}
