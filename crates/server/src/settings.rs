//! The program's settings. Flags override environment variables, which override the file.

mod file;
mod forwarding;
mod openid;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Args, Parser};
use rooms::{Limits, Rate};
use serde::{Deserialize, Deserializer};
use signaling::identity::PublicKey;
use url::Url;

pub use self::file::misnamed_variables;
use crate::config::{BuiltinTurn, Config, Tls, Turn, connections_for};
use crate::error::StartError;
use crate::zone::machine_zone;

/// The Lunchroom server: rooms, signalling, STUN and TURN.
///
/// Without any setting it serves ws:// on TCP port 7077, and STUN and TURN on UDP and TCP port 3478, on all addresses
/// of this machine. TCP port 7077 accepts TURN too, for networks that let only one port through. That is enough to try
/// it out and for a private network. To serve the Internet, give it a certificate (--tls-certificate, --tls-key) or put
/// it behind a proxy that terminates TLS, and set its public address (--public-url).
///
/// Every setting can be given as a flag, as an environment variable, or in a TOML file under the flag's name. Flags
/// override environment variables, and environment variables override the file.
#[derive(Debug, Parser)]
#[command(name = "lunchroom-server", version)]
pub struct Cli {
    /// Settings file (TOML). The sources include lunchroom-server.toml, which shows every setting.
    #[arg(long, value_name = "FILE", env = "LUNCHROOM_CONFIG")]
    pub config: Option<PathBuf>,
    /// What to log to standard error: off, error, warn, info, debug or trace, or levels by module
    /// ("info,server=debug"). Client addresses appear only at debug and below.
    #[arg(long, value_name = "FILTER", env = "LUNCHROOM_LOG")]
    pub log: Option<String>,
    /// Log one JSON object per line.
    #[arg(long, env = "LUNCHROOM_LOG_JSON")]
    pub log_json: bool,
    /// All other settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// The settings that flags, the environment and the file have in common.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// TCP address for WebSockets and web pages [default: 0.0.0.0:7077].
    #[arg(long, value_name = "ADDR:PORT", env = "LUNCHROOM_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// TCP address for metrics (Prometheus, http://ADDR:PORT/metrics); without encryption, so choose one that only your
    /// monitoring reaches, such as 127.0.0.1:9077 [default: none].
    #[arg(long, value_name = "ADDR:PORT", env = "LUNCHROOM_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// Encrypt with a self-signed certificate that the server generates. Its fingerprint is printed, and links carry
    /// it.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", env = "LUNCHROOM_TLS_SELF_SIGNED")]
    pub tls_self_signed: Option<bool>,
    /// Encrypt with this certificate chain (PEM). A renewed one is served without a restart.
    #[arg(long, value_name = "FILE", env = "LUNCHROOM_TLS_CERTIFICATE")]
    pub tls_certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM).
    #[arg(long, value_name = "FILE", env = "LUNCHROOM_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Public URL of this server, for example wss://lunch.example. Used in links and for STUN and TURN [default: the
    /// name that each client used].
    #[arg(long, value_name = "URL", env = "LUNCHROOM_PUBLIC_URL")]
    #[serde(deserialize_with = "url")]
    pub public_url: Option<Url>,
    /// Origins of other web pages that may connect, for example https://guest.example; * allows any (repeat the flag or
    /// separate by commas) [default: none].
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', env = "LUNCHROOM_ALLOWED_ORIGINS")]
    #[serde(deserialize_with = "one_or_many")]
    pub allowed_origins: Option<Vec<String>>,
    /// Serve the guest page from this folder and read it again for each request, for development [default: the files
    /// built into the program].
    #[arg(long, value_name = "FOLDER", env = "LUNCHROOM_UI_DIR")]
    pub ui_dir: Option<PathBuf>,
    /// Folder for the generated secret and certificate [default: lunchroom-server in the user's data folder].
    #[arg(long, value_name = "FOLDER", env = "LUNCHROOM_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// Do not serve STUN and TURN, and offer clients none.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", env = "LUNCHROOM_NO_TURN")]
    pub no_turn: Option<bool>,
    /// UDP and TCP address for STUN and TURN [default: 0.0.0.0:3478].
    #[arg(long, value_name = "ADDR:PORT", env = "LUNCHROOM_TURN_LISTEN")]
    pub turn_listen: Option<SocketAddr>,
    /// Further TCP addresses for TURN alone, for example 127.0.0.1:3479 behind a proxy (repeat the flag or separate by
    /// commas) [default: none].
    #[arg(long, value_name = "ADDR:PORT", value_delimiter = ',', env = "LUNCHROOM_TURN_STREAM_LISTEN")]
    #[serde(deserialize_with = "one_or_many")]
    pub turn_stream_listen: Option<Vec<SocketAddr>>,
    /// URLs of this server's TURN over TCP and TLS that clients receive, if a proxy or firewall is in front of it: for
    /// example turns:turn.lunch.example:443?transport=tcp (repeat the flag or separate by commas) [default: the TCP
    /// ports of this server itself].
    #[arg(long, value_name = "URL", value_delimiter = ',', env = "LUNCHROOM_TURN_STREAM_URL")]
    #[serde(deserialize_with = "one_or_many")]
    pub turn_stream_url: Option<Vec<String>>,
    /// Offer clients these TURN servers instead, for example turn:relay.example:3478 (repeat the flag or separate by
    /// commas). They must share --turn-secret (coturn: use-auth-secret and static-auth-secret).
    #[arg(long, value_name = "URL", value_delimiter = ',', env = "LUNCHROOM_TURN_EXTERNAL")]
    #[serde(deserialize_with = "one_or_many")]
    pub turn_external: Option<Vec<String>>,
    /// Shared secret for TURN credentials [default: generated and kept in the data folder]. Prefer the environment or
    /// the file: other users of this machine can read flags.
    #[arg(long, alias = "secret", value_name = "TEXT", env = "LUNCHROOM_TURN_SECRET", hide_env_values = true)]
    pub turn_secret: Option<String>,
    /// Lifetime of TURN credentials in hours [default: 12]. Running calls are not interrupted.
    #[arg(long, value_name = "HOURS", env = "LUNCHROOM_TURN_CREDENTIAL_HOURS")]
    pub turn_credential_hours: Option<u32>,
    /// Public address for relayed traffic, if this machine is behind a NAT (at most one IPv4 and one IPv6 address)
    /// [default: this machine's own].
    #[arg(long, value_name = "IP", value_delimiter = ',', env = "LUNCHROOM_TURN_EXTERNAL_ADDRESS")]
    #[serde(deserialize_with = "one_or_many")]
    pub turn_external_address: Option<Vec<IpAddr>>,
    /// UDP port range for relayed traffic, for example 49152-65535 [default].
    #[arg(long, value_name = "FIRST-LAST", env = "LUNCHROOM_TURN_PORTS")]
    pub turn_ports: Option<PortRange>,
    /// Let the relay send to private networks too. By default it refuses, so that strangers cannot reach machines near
    /// this one.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", env = "LUNCHROOM_TURN_ALLOW_LAN")]
    pub turn_allow_lan: Option<bool>,
    /// Let the relay send to this machine itself. For tests only.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", env = "LUNCHROOM_TURN_ALLOW_LOOPBACK")]
    pub turn_allow_loopback: Option<bool>,
    /// Maximum number of simultaneous relay allocations for one person [default: 64].
    #[arg(long, value_name = "COUNT", env = "LUNCHROOM_TURN_MAX_PER_PERSON")]
    pub turn_max_per_person: Option<usize>,
    /// Maximum number of simultaneous relay allocations [default: 1000].
    #[arg(long, value_name = "COUNT", env = "LUNCHROOM_TURN_MAX_ALLOCATIONS")]
    pub turn_max_allocations: Option<usize>,
    /// Most that is relayed in all, in Mbit/s [default: no bound]. Over it, pictures become worse, and sound does not.
    #[arg(long, value_name = "MBIT", env = "LUNCHROOM_TURN_MAX_MBIT")]
    pub turn_max_mbit: Option<u32>,

    /// Forward the media of large rooms on this UDP address, for example 0.0.0.0:3479 [default: none; everybody sends to
    /// everybody]. A room is forwarded while all its clients can be in such a room.
    #[arg(long, value_name = "ADDR:PORT", env = "LUNCHROOM_FORWARD_LISTEN")]
    pub forward_listen: Option<SocketAddr>,
    /// Public address for forwarded media, if this machine is behind a NAT (at most one IPv4 and one IPv6 address)
    /// [default: this machine's own].
    #[arg(long, value_name = "IP", value_delimiter = ',', env = "LUNCHROOM_FORWARD_EXTERNAL_ADDRESS")]
    #[serde(deserialize_with = "one_or_many")]
    pub forward_external_address: Option<Vec<IpAddr>>,
    /// Number of people in a room from which on its media is forwarded, if all their clients can do it [default: 7].
    #[arg(long, value_name = "COUNT", env = "LUNCHROOM_FORWARD_FROM")]
    pub forward_from: Option<usize>,
    /// Maximum number of people in a forwarded room, at most 60 [default: 60].
    #[arg(long, value_name = "COUNT", env = "LUNCHROOM_FORWARD_MAX_PARTICIPANTS")]
    pub forward_max_participants: Option<usize>,
    /// Maximum number of forwarded rooms, at most 200 [default: 200]. Beyond it, rooms are not forwarded.
    #[arg(long, value_name = "COUNT", env = "LUNCHROOM_FORWARD_MAX_ROOMS")]
    pub forward_max_rooms: Option<usize>,
    /// Most that one person may send to be forwarded, in Mbit/s [default: 20].
    #[arg(long, value_name = "MBIT", env = "LUNCHROOM_FORWARD_PERSON_MBIT")]
    pub forward_person_mbit: Option<u32>,
    /// Most that one forwarded room is sent in all, in Mbit/s [default: no bound]. Over it, pictures become smaller, and
    /// sound does not.
    #[arg(long, value_name = "MBIT", env = "LUNCHROOM_FORWARD_ROOM_MBIT")]
    pub forward_room_mbit: Option<u32>,

    /// Secret of the community. People who do not know it need an invite to enter a room, and cannot see the board
    /// [default: none; everybody who can reach the server is a member]. Prefer the environment or the file: other users
    /// of this machine can read flags.
    #[arg(long, value_name = "TEXT", env = "LUNCHROOM_MEMBER_SECRET", hide_env_values = true)]
    pub member_secret: Option<String>,
    /// Let people sign in with accounts of this OpenID Connect issuer, for example https://accounts.google.com. Without
    /// --member-secret, only people with an account are members [default: none].
    #[arg(long, value_name = "URL", env = "LUNCHROOM_OPENID_ISSUER")]
    pub openid_issuer: Option<String>,
    /// Id of this server at the issuer.
    #[arg(long, value_name = "TEXT", env = "LUNCHROOM_OPENID_CLIENT_ID")]
    pub openid_client_id: Option<String>,
    /// Secret of this server at the issuer. Prefer the environment or a file: other users of this machine can read
    /// flags.
    #[arg(long, value_name = "TEXT", env = "LUNCHROOM_OPENID_CLIENT_SECRET", hide_env_values = true)]
    pub openid_client_secret: Option<String>,
    /// File with that secret.
    #[arg(long, value_name = "FILE", env = "LUNCHROOM_OPENID_CLIENT_SECRET_FILE")]
    pub openid_client_secret_file: Option<PathBuf>,
    /// Scopes to ask the issuer for besides openid (repeat the flag or separate by commas) [default: profile, email].
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', env = "LUNCHROOM_OPENID_SCOPES")]
    #[serde(deserialize_with = "one_or_many")]
    pub openid_scopes: Option<Vec<String>>,
    /// Claim that lists a person's roles or groups, for example groups or realm_access.roles.
    #[arg(long, value_name = "NAME", env = "LUNCHROOM_OPENID_ROLE_CLAIM")]
    pub openid_role_claim: Option<String>,
    /// Only people with one of these roles are members (repeat the flag or separate by commas) [default: everybody with
    /// an account].
    #[arg(long, value_name = "ROLE", value_delimiter = ',', env = "LUNCHROOM_OPENID_MEMBER_ROLES")]
    #[serde(deserialize_with = "one_or_many")]
    pub openid_member_roles: Option<Vec<String>>,
    /// People with one of these roles are stewards, who keep order, and members too (repeat the flag or separate by
    /// commas) [default: none].
    #[arg(long, value_name = "ROLE", value_delimiter = ',', env = "LUNCHROOM_OPENID_STEWARD_ROLES")]
    #[serde(deserialize_with = "one_or_many")]
    pub openid_steward_roles: Option<Vec<String>>,
    /// Only people with a verified e-mail address of one of these domains are members (repeat the flag or separate by
    /// commas) [default: any].
    #[arg(long, value_name = "DOMAIN", value_delimiter = ',', env = "LUNCHROOM_OPENID_EMAIL_DOMAINS")]
    #[serde(deserialize_with = "one_or_many")]
    pub openid_email_domains: Option<Vec<String>>,
    /// Members who keep order, by the key that their settings show under "What this server knows about me" (repeat the
    /// flag or separate by commas). A name would not do: anybody can use any [default: none].
    #[arg(long, value_name = "KEY", value_delimiter = ',', env = "LUNCHROOM_STEWARDS")]
    #[serde(deserialize_with = "one_or_many")]
    pub stewards: Option<Vec<String>>,
    /// Time zone of the community, for example Asia/Seoul, for weekly lunches [default: this machine's].
    #[arg(long, value_name = "NAME", env = "LUNCHROOM_ZONE")]
    pub zone: Option<String>,
    /// Days for which the server remembers who met whom, so that "eat now" finds new people: at most 365; 0 remembers
    /// nobody [default: 30].
    #[arg(long, value_name = "DAYS", env = "LUNCHROOM_MEETINGS_DAYS")]
    pub meetings_days: Option<u32>,

    /// Maximum number of people in one room [default: 12].
    #[arg(long, value_name = "COUNT", env = "LUNCHROOM_MAX_PARTICIPANTS")]
    pub max_participants: Option<usize>,
    /// Maximum number of rooms [default: 2000].
    #[arg(long, value_name = "COUNT", env = "LUNCHROOM_MAX_ROOMS")]
    pub max_rooms: Option<usize>,
    /// Maximum number of sessions, including disconnected ones that may still resume [default: 5000].
    #[arg(long, value_name = "COUNT", env = "LUNCHROOM_MAX_SESSIONS")]
    pub max_sessions: Option<usize>,
    /// Seconds for which a disconnected session keeps its seat [default: 30].
    #[arg(long, value_name = "SECONDS", env = "LUNCHROOM_RESUME_SECONDS")]
    pub resume_seconds: Option<u32>,
    /// Maximum number of connections [default: a tenth more than the sessions, at least 100 more].
    #[arg(long, value_name = "COUNT", env = "LUNCHROOM_MAX_CONNECTIONS")]
    pub max_connections: Option<usize>,
    /// Maximum number of connections from one address [default: 64]. 0 means no limit; use it behind a proxy on another
    /// machine, where all clients share one address. Connections from this machine are never limited.
    #[arg(long, value_name = "COUNT", env = "LUNCHROOM_MAX_CONNECTIONS_PER_ADDRESS")]
    pub max_connections_per_address: Option<usize>,
    /// New connections per second from one address, on average; bursts of ten times as many are allowed [default: 10].
    #[arg(long, value_name = "COUNT", env = "LUNCHROOM_CONNECTION_RATE")]
    pub connection_rate: Option<u32>,
    /// Seconds within which a client must send its hello [default: 5].
    #[arg(long, value_name = "SECONDS", env = "LUNCHROOM_HELLO_TIMEOUT")]
    pub hello_timeout: Option<u32>,
    /// Milliseconds that clients wait before they reconnect after the server stops [default: 2000].
    #[arg(long, value_name = "MILLISECONDS", action = ArgAction::Set, env = "LUNCHROOM_RETRY_AFTER_MS")]
    pub retry_after_ms: Option<u32>,
}

/// A range of ports, first and last included: `49152-65535`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange(pub RangeInclusive<u16>);

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<PortRange, String> {
        let wrong = || format!("{text:?} is not a port range like 49152-65535");
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| wrong());
        Ok(PortRange(port(first)?..=port(last)?))
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PortRange, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(serde::de::Error::custom)
}

fn one_or_many<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany<T> {
        One(T),
        Many(Vec<T>),
    }
    Ok(Some(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    }))
}

impl Cli {
    /// Merges flags, environment and file into the configuration of a server.
    ///
    /// # Errors
    /// [`StartError::Config`] names the file and line, or the settings that contradict each other.
    pub fn into_config(self) -> Result<Config, StartError> {
        let file = self.config.as_deref().map(file::read).transpose()?.unwrap_or_default();
        self.settings.over(file).into_config()
    }
}

impl Settings {
    /// These settings, completed with those of `below`.
    ///
    /// Merged by hand: clap reads flags and environment variables, and its errors name the wrong one. With `figment`,
    /// every setting would have to be serialized again.
    pub fn over(self, below: Settings) -> Settings {
        Settings {
            listen: self.listen.or(below.listen),
            metrics_listen: self.metrics_listen.or(below.metrics_listen),
            tls_self_signed: self.tls_self_signed.or(below.tls_self_signed),
            tls_certificate: self.tls_certificate.or(below.tls_certificate),
            tls_key: self.tls_key.or(below.tls_key),
            public_url: self.public_url.or(below.public_url),
            allowed_origins: self.allowed_origins.or(below.allowed_origins),
            ui_dir: self.ui_dir.or(below.ui_dir),
            data_dir: self.data_dir.or(below.data_dir),
            no_turn: self.no_turn.or(below.no_turn),
            turn_listen: self.turn_listen.or(below.turn_listen),
            turn_stream_listen: self.turn_stream_listen.or(below.turn_stream_listen),
            turn_stream_url: self.turn_stream_url.or(below.turn_stream_url),
            turn_external: self.turn_external.or(below.turn_external),
            turn_secret: self.turn_secret.or(below.turn_secret),
            turn_credential_hours: self.turn_credential_hours.or(below.turn_credential_hours),
            turn_external_address: self.turn_external_address.or(below.turn_external_address),
            turn_ports: self.turn_ports.or(below.turn_ports),
            turn_allow_lan: self.turn_allow_lan.or(below.turn_allow_lan),
            turn_allow_loopback: self.turn_allow_loopback.or(below.turn_allow_loopback),
            turn_max_per_person: self.turn_max_per_person.or(below.turn_max_per_person),
            turn_max_allocations: self.turn_max_allocations.or(below.turn_max_allocations),
            turn_max_mbit: self.turn_max_mbit.or(below.turn_max_mbit),
            forward_listen: self.forward_listen.or(below.forward_listen),
            forward_external_address: self.forward_external_address.or(below.forward_external_address),
            forward_from: self.forward_from.or(below.forward_from),
            forward_max_participants: self.forward_max_participants.or(below.forward_max_participants),
            forward_max_rooms: self.forward_max_rooms.or(below.forward_max_rooms),
            forward_person_mbit: self.forward_person_mbit.or(below.forward_person_mbit),
            forward_room_mbit: self.forward_room_mbit.or(below.forward_room_mbit),
            member_secret: self.member_secret.or(below.member_secret),
            openid_issuer: self.openid_issuer.or(below.openid_issuer),
            openid_client_id: self.openid_client_id.or(below.openid_client_id),
            openid_client_secret: self.openid_client_secret.or(below.openid_client_secret),
            openid_client_secret_file: self.openid_client_secret_file.or(below.openid_client_secret_file),
            openid_scopes: self.openid_scopes.or(below.openid_scopes),
            openid_role_claim: self.openid_role_claim.or(below.openid_role_claim),
            openid_member_roles: self.openid_member_roles.or(below.openid_member_roles),
            openid_steward_roles: self.openid_steward_roles.or(below.openid_steward_roles),
            openid_email_domains: self.openid_email_domains.or(below.openid_email_domains),
            stewards: self.stewards.or(below.stewards),
            zone: self.zone.or(below.zone),
            meetings_days: self.meetings_days.or(below.meetings_days),
            max_participants: self.max_participants.or(below.max_participants),
            max_rooms: self.max_rooms.or(below.max_rooms),
            max_sessions: self.max_sessions.or(below.max_sessions),
            resume_seconds: self.resume_seconds.or(below.resume_seconds),
            max_connections: self.max_connections.or(below.max_connections),
            max_connections_per_address: self.max_connections_per_address.or(below.max_connections_per_address),
            connection_rate: self.connection_rate.or(below.connection_rate),
            hello_timeout: self.hello_timeout.or(below.hello_timeout),
            retry_after_ms: self.retry_after_ms.or(below.retry_after_ms),
        }
    }

    /// Converts the settings to the configuration of a server.
    ///
    /// # Errors
    /// [`StartError::Config`] if settings contradict each other.
    pub fn into_config(self) -> Result<Config, StartError> {
        let default = Config::default();
        let tls = self.tls()?;
        let turn = self.turn()?;
        let openid = self.openid()?;
        let forwarding = self.forwarding()?;
        let stewards = self.stewards()?;
        let limits = Limits::default();
        let rooms = Limits {
            participants: self.max_participants.unwrap_or(limits.participants),
            // The server takes those of `Config::forwarding`.
            forwarding: None,
            rooms: self.max_rooms.unwrap_or(limits.rooms),
            sessions: self.max_sessions.unwrap_or(limits.sessions),
            resume: self.resume_seconds.map_or(limits.resume, seconds),
            rates: limits.rates,
            shares: rooms::Shares::default(),
        };
        Ok(Config {
            listen: self.listen.unwrap_or(default.listen),
            metrics_listen: self.metrics_listen,
            tls,
            certificate_check: default.certificate_check,
            data_dir: Some(self.data_dir.unwrap_or_else(default_data_dir)),
            public_url: self.public_url,
            allowed_origins: self.allowed_origins.unwrap_or_default(),
            ui_dir: self.ui_dir,
            secret: self.turn_secret,
            member_secret: self.member_secret,
            openid,
            stewards,
            zone: self.zone.unwrap_or_else(machine_zone),
            meetings_kept: self.meetings_days.map_or(default.meetings_kept, days),
            credential_lifetime: self
                .turn_credential_hours
                .map_or(default.credential_lifetime, |hours| seconds(hours.saturating_mul(3600))),
            turn,
            forwarding,
            connections: self.max_connections.unwrap_or(connections_for(rooms.sessions)),
            rooms,
            connections_per_address: self.max_connections_per_address.unwrap_or(default.connections_per_address),
            connection_rate: self
                .connection_rate
                .map_or(default.connection_rate, |rate| Rate::new(rate.into(), 10.0 * f64::from(rate))),
            limit_loopback: default.limit_loopback,
            hello_timeout: self.hello_timeout.map_or(default.hello_timeout, seconds),
            silence: default.silence,
            retry_after: self.retry_after_ms.map_or(default.retry_after, |ms| Duration::from_millis(ms.into())),
        })
    }

    fn stewards(&self) -> Result<Vec<String>, StartError> {
        let stewards = self.stewards.clone().unwrap_or_default();
        match stewards.iter().find(|key| PublicKey::parse(key).is_none()) {
            Some(wrong) => Err(StartError::Config(format!("stewards: {wrong:?} is not the key of a device"))),
            None => Ok(stewards),
        }
    }

    fn tls(&self) -> Result<Tls, StartError> {
        let wrong = |text: &str| Err(StartError::Config(text.to_owned()));
        let self_signed = self.tls_self_signed.unwrap_or(false);
        match (&self.tls_certificate, &self.tls_key) {
            (Some(_), Some(_)) if self_signed => {
                wrong("tls-self-signed and tls-certificate contradict each other: choose one")
            }
            (Some(certificate), Some(key)) => Ok(Tls::Files { certificate: certificate.clone(), key: key.clone() }),
            (Some(_), None) => wrong("tls-certificate needs tls-key too"),
            (None, Some(_)) => wrong("tls-key needs tls-certificate too"),
            (None, None) if self_signed => Ok(Tls::SelfSigned),
            (None, None) => Ok(Tls::Off),
        }
    }

    fn turn(&self) -> Result<Turn, StartError> {
        let off = self.no_turn.unwrap_or(false);
        match &self.turn_external {
            Some(_) if off => {
                Err(StartError::Config("no-turn and turn-external contradict each other: choose one".into()))
            }
            Some(_) if self.turn_listen.is_some() || self.turn_stream_listen.is_some() => {
                let text = "turn-listen or turn-stream-listen, and turn-external, contradict each other: choose one";
                Err(StartError::Config(text.into()))
            }
            Some(urls) => Ok(Turn::External(urls.clone())),
            None if off => Ok(Turn::Off),
            None => Ok(Turn::Builtin(self.builtin_turn())),
        }
    }

    fn builtin_turn(&self) -> BuiltinTurn {
        let default = BuiltinTurn::default();
        BuiltinTurn {
            listen: self.turn_listen.unwrap_or(default.listen),
            stream_listen: self.turn_stream_listen.clone().unwrap_or_default(),
            stream_urls: self.turn_stream_url.clone().unwrap_or_default(),
            external: self.turn_external_address.clone().unwrap_or_default(),
            ports: self.turn_ports.clone().map_or(default.ports, |ports| ports.0),
            allow_lan: self.turn_allow_lan.unwrap_or(false),
            allow_loopback: self.turn_allow_loopback.unwrap_or(false),
            per_person: self.turn_max_per_person.unwrap_or(default.per_person),
            total: self.turn_max_allocations.unwrap_or(default.total),
            bandwidth: self.turn_max_mbit.map(|mbit| u64::from(mbit) * 1_000_000),
        }
    }
}

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 3600)
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// The data folder of the XDG base directories, or the platform's own on Windows and macOS. Without a home directory, a
/// folder in the current directory.
fn default_data_dir() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = if cfg!(windows) {
        of("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        of("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        of("XDG_DATA_HOME").or_else(|| of("HOME").map(|home| home.join(".local/share")))
    };
    data.map_or_else(|| PathBuf::from("lunchroom-server-data"), |data| data.join("lunchroom-server"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    const EXAMPLE: &str = include_str!("../lunchroom-server.toml");

    fn parse(flags: &[&str]) -> Settings {
        Cli::try_parse_from(["lunchroom-server"].iter().chain(flags)).expect("valid flags").settings
    }

    #[test]
    fn empty_settings_give_the_defaults() {
        let config = Settings::default().into_config().expect("valid");
        assert_eq!(config.listen.to_string(), "0.0.0.0:7077");
        assert_eq!((config.tls, config.turn), (Tls::Off, Turn::Builtin(BuiltinTurn::default())));
        assert!(config.data_dir.is_some());
    }

    #[test]
    fn flags_override_the_file() {
        let file: Settings =
            toml::from_str("listen = '127.0.0.1:1'\nmax-rooms = 3\nturn-allow-lan = true").expect("valid");
        let settings = parse(&["--listen", "127.0.0.1:2", "--turn-allow-lan=false"]).over(file);
        assert_eq!(settings.listen.map(|addr| addr.port()), Some(2));
        assert_eq!((settings.max_rooms, settings.turn_allow_lan), (Some(3), Some(false)));
    }

    #[test]
    fn the_example_lists_every_setting_with_its_default() {
        let plain: Settings = toml::from_str(EXAMPLE).expect("valid as it is");
        assert_eq!(plain, Settings::default());
        let mut uncommented = String::new();
        for line in EXAMPLE.lines() {
            let setting = line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            uncommented.push_str(setting.unwrap_or(""));
            uncommented.push('\n');
        }
        let _: Settings = toml::from_str(&uncommented).expect("valid with every setting switched on");
        let command = Cli::command();
        let names = command.get_arguments().filter_map(|arg| arg.get_long());
        for name in names.filter(|name| !["config", "log", "log-json", "help", "version"].contains(name)) {
            assert!(uncommented.contains(&format!("\n{name} = ")), "{name} is missing in the example");
        }
    }

    #[test]
    fn every_setting_has_help_and_an_environment_variable() {
        let command = Cli::command();
        command.clone().debug_assert();
        for arg in command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
            assert!(arg.get_help().is_some(), "{}", arg.get_id());
            let variable = format!("LUNCHROOM_{}", arg.get_id().as_str().to_uppercase());
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(variable.as_str()));
        }
    }

    #[test]
    fn an_invalid_line_of_the_file_is_named() {
        let error = toml::from_str::<Settings>("listen = '127.0.0.1:1'\nmax-rooms = many").expect_err("no number");
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(
            toml::from_str::<Settings>("turn-ports = '5-x'").expect_err("no port").to_string().contains("49152-65535")
        );
    }

    #[test]
    fn contradictory_settings_are_refused() {
        let contradictions: [&[&str]; 7] = [
            &["--tls-certificate", "a"],
            &["--tls-key", "a"],
            &["--tls-certificate", "a", "--tls-key", "b", "--tls-self-signed"],
            &["--no-turn", "--turn-external", "turn:x"],
            &["--turn-listen", "0.0.0.0:1", "--turn-external", "turn:x"],
            &["--turn-stream-listen", "0.0.0.0:1", "--turn-external", "turn:x"],
            &["--forward-from", "5"],
        ];
        for flags in contradictions {
            assert!(parse(flags).into_config().is_err(), "{flags:?}");
        }
    }

    #[test]
    fn a_list_may_be_a_single_value() {
        let one: Settings = toml::from_str("turn-external = 'turn:a'").expect("valid");
        let many: Settings = toml::from_str("turn-external = ['turn:a', 'turn:b']").expect("valid");
        assert_eq!(one.turn_external, Some(vec!["turn:a".to_owned()]));
        assert_eq!(many.turn_external, parse(&["--turn-external", "turn:a,turn:b"]).turn_external);
    }
}
