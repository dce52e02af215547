//! Serves a renewed certificate without a restart.
//!
//! ```text
//!          the files differ             usable: served from now on
//! Settled ──────────────────▶ Changed ──────────────────────────────▶ Settled
//!    ▲                           │ not usable at two looks in a row: logged; the old one is served
//!    └───────────────────────────┘
//! ```
//! One look is not enough to complain: certificate and key are written one after the other.

use std::sync::Arc;
use std::time::Duration;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use crate::certificate::{Contents, Files, Usable, day, unix_seconds};
use crate::connection::stopped;
use crate::figures::Figures;

/// From this long before the end of a certificate, its end is logged: certbot renews a month before.
const WARN_BEFORE: i64 = 14 * 86_400;
/// How often the end is logged, in seconds.
const WARN_EVERY: i64 = 86_400;

/// Gives each handshake the newest certificate.
#[derive(Debug)]
pub(crate) struct Newest(pub(crate) watch::Receiver<Usable>);

impl ResolvesServerCert for Newest {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.borrow().key))
    }
}

/// What was seen of the files: a digest, or `None` if they could not be read.
type Seen = Option<[u8; 32]>;

/// Follows the files of the certificate that is served.
pub(crate) struct Renewal {
    files: Files,
    serves: watch::Sender<Usable>,
    /// The contents that are served.
    served: Seen,
    /// The contents that need nothing more: they are served, or were refused and this was logged.
    settled: Seen,
    /// The contents that were not usable at the last look.
    changed: Option<Seen>,
    /// Unix time in seconds at which the end of the certificate was logged.
    warned: Option<i64>,
}

impl Renewal {
    /// Serves these contents of the files.
    pub(crate) fn new(files: Files, contents: &Contents, usable: Usable) -> Renewal {
        let (digest, (serves, _)) = (Some(contents.digest()), watch::channel(usable));
        Renewal { files, serves, served: digest, settled: digest, changed: None, warned: None }
    }

    /// The newest certificate.
    pub(crate) fn served(&self) -> watch::Receiver<Usable> {
        self.serves.subscribe()
    }

    /// Looks at the files at this interval until the server stops.
    pub(crate) async fn run(mut self, every: Duration, figures: Figures, mut stopping: watch::Receiver<bool>) {
        loop {
            figures.certificate_expires.set(self.serves.borrow().expires);
            self.warn_of_end(unix_seconds());
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stopped(&mut stopping) => return,
            }
            // Both files are small, but may be on a network's disk.
            let Ok(this) = tokio::task::spawn_blocking(move || {
                self.look(unix_seconds());
                self
            })
            .await
            else {
                return tracing::error!("certificates are no longer reloaded");
            };
            self = this;
        }
    }

    /// Reads the files, and serves them if they have changed and are usable.
    fn look(&mut self, now: i64) {
        let read = self.files.read();
        let seen = read.as_ref().ok().map(Contents::digest);
        if seen == self.settled || seen == self.served {
            (self.settled, self.changed) = (seen, None);
            return;
        }
        let check = |contents| self.files.check(&contents, now).map_err(|error| error.into_start_error(&self.files));
        match read.and_then(check) {
            Ok(usable) => {
                tracing::info!("the certificate was renewed; it is valid until {}", day(usable.expires));
                self.serves.send_replace(usable);
                (self.served, self.settled, self.changed, self.warned) = (seen, seen, None, None);
            }
            Err(error) if self.changed == Some(seen) => {
                tracing::warn!("cannot renew the certificate: {error}; the old one is served on");
                (self.settled, self.changed) = (seen, None);
            }
            Err(_) => self.changed = Some(seen),
        }
    }

    fn warn_of_end(&mut self, now: i64) {
        let expires = self.serves.borrow().expires;
        if expires - now < WARN_BEFORE && self.warned.is_none_or(|warned| now - warned >= WARN_EVERY) {
            self.warned = Some(now);
            tracing::warn!("the certificate expires on {}; renew it: the new files are served at once", day(expires));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// Files in a temporary folder, which is removed when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = std::env::temp_dir().join(format!("lunchroom-renewal-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).unwrap();
            Folder(folder)
        }

        fn files(&self) -> Files {
            Files { certificate: self.0.join("fullchain.pem"), key: self.0.join("privkey.pem") }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// A certificate and its key in PEM form, valid in these years.
    fn issued(years: [i32; 2]) -> [String; 2] {
        let mut parameters = rcgen::CertificateParams::new(["lunch.example".to_owned()]).unwrap();
        [parameters.not_before, parameters.not_after] = years.map(|year| rcgen::date_time_ymd(year, 1, 1));
        let key = rcgen::KeyPair::generate().unwrap();
        [parameters.self_signed(&key).unwrap().pem(), key.serialize_pem()]
    }

    fn write(files: &Files, [certificate, key]: &[String; 2]) {
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
    }

    fn now() -> i64 {
        rcgen::date_time_ymd(2026, 6, 1).unix_timestamp()
    }

    fn renewal(files: &Files) -> Renewal {
        write(files, &issued([2026, 2027]));
        let (contents, usable) = files.load(now()).unwrap();
        Renewal::new(files.clone(), &contents, usable)
    }

    fn end_of(renewal: &Renewal) -> i64 {
        renewal.served().borrow().expires
    }

    fn year(year: i32) -> i64 {
        rcgen::date_time_ymd(year, 1, 1).unix_timestamp()
    }

    #[test]
    fn a_renewed_certificate_is_served() {
        let folder = Folder::new("renewed");
        let files = folder.files();
        let mut renewal = renewal(&files);
        let served = renewal.served();
        renewal.look(now());
        assert!(!served.has_changed().unwrap(), "the same files");
        write(&files, &issued([2026, 2028]));
        renewal.look(now());
        assert!(served.has_changed().unwrap());
        assert_eq!(end_of(&renewal), year(2028));
    }

    #[test]
    fn half_written_files_are_looked_at_again() {
        let folder = Folder::new("half");
        let files = folder.files();
        let mut renewal = renewal(&files);
        let new = issued([2026, 2028]);
        std::fs::write(&files.certificate, &new[0]).unwrap();
        renewal.look(now());
        assert_eq!(end_of(&renewal), year(2027), "the key is missing");
        std::fs::remove_file(&files.key).unwrap();
        renewal.look(now());
        std::fs::write(&files.key, &new[1]).unwrap();
        renewal.look(now());
        assert_eq!(end_of(&renewal), year(2028));
    }

    #[test]
    fn an_unusable_certificate_leaves_the_old_one_and_is_reported_once() {
        let folder = Folder::new("unusable");
        let files = folder.files();
        let mut renewal = renewal(&files);
        let expired = issued([2024, 2025]);
        write(&files, &expired);
        renewal.look(now());
        assert!(renewal.changed.is_some(), "not reported yet");
        for _ in 0..3 {
            renewal.look(now());
            assert!(renewal.changed.is_none() && renewal.settled != renewal.served, "reported");
        }
        assert_eq!(end_of(&renewal), year(2027));
        write(&files, &issued([2026, 2029]));
        renewal.look(now());
        assert_eq!(end_of(&renewal), year(2029));
    }

    #[test]
    fn the_end_is_reported_daily_from_two_weeks_before() {
        let folder = Folder::new("end");
        let mut renewal = renewal(&folder.files());
        let day = 86_400;
        renewal.warn_of_end(year(2027) - 15 * day);
        assert_eq!(renewal.warned, None);
        for at in [year(2027) - 13 * day, year(2027) - 12 * day] {
            renewal.warn_of_end(at);
            renewal.warn_of_end(at + 60);
            assert_eq!(renewal.warned, Some(at));
        }
    }
}
