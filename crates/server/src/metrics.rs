//! Serves the figures about the server to Prometheus, on a listener of their own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::connection::stopped;
use crate::error::StartError;
use crate::figures::Figures;

/// The format of OpenMetrics, which Prometheus asks for.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Simultaneous connections. Further ones wait, unread, in the system.
const CONNECTIONS: usize = 8;
/// Longest time for one connection: a request and its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest header of a request in bytes.
const HEAD_BYTES: usize = 8 * 1024;
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The listener of the figures.
pub(crate) struct Metrics {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Metrics {
    pub(crate) async fn bind(address: SocketAddr) -> Result<Metrics, StartError> {
        let failed = |source| StartError::MetricsListen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Metrics { listener, addr })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers requests until the server stops.
    pub(crate) async fn run(self, figures: Figures, mut stopping: watch::Receiver<bool>) {
        let registry = Arc::new(figures.registry());
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let registry = Arc::clone(&registry);
                        tokio::spawn(async move {
                            let _ = timeout(PATIENCE, serve(stream, &registry)).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection for metrics");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = stopped(&mut stopping) => return,
            }
        }
    }
}

async fn serve(stream: TcpStream, registry: &Registry) {
    let service = service_fn(|request| {
        let answer = answer(&request, registry);
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a request for metrics failed");
    }
}

fn answer<B>(request: &Request<B>, registry: &Registry) -> Response<String> {
    let mut text = String::new();
    let status = match request.uri().path() {
        "/metrics" if encode(&mut text, registry).is_ok() => StatusCode::OK,
        "/metrics" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::NOT_FOUND,
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(FORMAT));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const DASHBOARD: &str = include_str!("../../../docs/grafana-dashboard.json");

    fn get(path: &str, figures: &Figures) -> Response<String> {
        answer(&Request::builder().uri(path).body(()).unwrap(), &figures.registry())
    }

    #[test]
    fn figures_are_served_in_the_format_of_openmetrics() {
        let figures = Figures::default();
        figures.sessions.set(3);
        figures.relayed.inc_by(1_500);
        let response = get("/metrics", &figures);
        assert_eq!(response.headers()[CONTENT_TYPE], FORMAT);
        let text = response.body();
        for line in ["lunchroom_sessions 3", "lunchroom_relayed_bytes_total 1500", "# EOF"] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert_eq!(get("/", &figures).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_dashboard_shows_figures_that_exist() {
        let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
        let response = get("/metrics", &Figures::default());
        let names: Vec<&str> = response.body().lines().filter_map(|line| line.split([' ', '{']).next()).collect();
        let panels = dashboard["panels"].as_array().unwrap();
        assert!(panels.len() >= 6);
        for target in panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap()) {
            let shown = target["expr"].as_str().unwrap();
            for name in shown.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()) {
                assert!(!name.starts_with("lunchroom_") || names.contains(&name), "{name} in {shown}");
            }
        }
    }
}
