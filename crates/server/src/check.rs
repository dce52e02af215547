//! Checks that the settings are valid together.

use std::net::IpAddr;

use signaling::host::is_private;
use url::Url;

use crate::config::{BuiltinTurn, Config, Forwarding, OpenId, Turn};
use crate::error::StartError;

/// Longest time for which a server may remember who met whom, in days.
const MAX_MEETINGS_DAYS: u64 = 365;
/// Browsers slow down with more than a few servers.
const MAX_STREAM_URLS: usize = 4;

pub(crate) fn check(config: &Config) -> Result<(), StartError> {
    let require = |good: bool, text: &str| if good { Ok(()) } else { Err(StartError::Config(text.to_owned())) };
    require(config.rooms.participants >= 2, "max-participants must be at least 2: a call needs two")?;
    require(config.rooms.rooms >= 1, "max-rooms must be at least 1")?;
    require(config.rooms.sessions >= 1, "max-sessions must be at least 1")?;
    require(config.connections >= 1, "max-connections must be at least 1")?;
    require(!config.hello_timeout.is_zero(), "hello-timeout must be at least 1 second")?;
    require(!config.silence.is_zero(), "silence must be at least 1 second")?;
    require(config.secret.as_ref().is_none_or(|secret| !secret.is_empty()), "turn-secret must not be empty")?;
    require(config.member_secret.as_ref().is_none_or(|secret| !secret.is_empty()), "member-secret must not be empty")?;
    let zone = rooms::board::Calendar::new(&config.zone).is_some();
    require(zone, "zone must be the name of an IANA time zone, like Asia/Seoul")?;
    let remembered = config.meetings_kept.as_secs() <= MAX_MEETINGS_DAYS * 24 * 3600;
    require(remembered, "meetings-days must be at most 365; 0 remembers nobody")?;
    if let Some(url) = &config.public_url {
        let plain = matches!(url.scheme(), "ws" | "wss")
            && url.host_str().is_some()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.username().is_empty();
        require(
            plain,
            "public-url must be like wss://lunch.example or ws://192.168.1.5:7077, with nothing after the port",
        )?;
    }
    if let Some(openid) = &config.openid {
        check_openid(config, openid, &require)?;
    }
    if let Some(forwarding) = &config.forwarding {
        check_forwarding(forwarding, &require)?;
    }
    match &config.turn {
        Turn::Off => Ok(()),
        Turn::Builtin(builtin) => check_builtin(builtin, &require),
        Turn::External(urls) => {
            require(config.secret.is_some(), "turn-external needs turn-secret, the secret of that server")?;
            let good = |url: &String| url.starts_with("turn:") || url.starts_with("turns:");
            require(!urls.is_empty() && urls.iter().all(good), "turn-external must be like turn:relay.example:3478")
        }
    }
}

fn check_openid(
    config: &Config,
    openid: &OpenId,
    require: &impl Fn(bool, &str) -> Result<(), StartError>,
) -> Result<(), StartError> {
    let is_issuer = Url::parse(&openid.issuer).is_ok_and(|issuer| {
        let is_local = issuer.host().is_some_and(|host| is_private(&host));
        let is_safe = issuer.scheme() == "https" || issuer.scheme() == "http" && is_local;
        is_safe && issuer.has_host() && issuer.query().is_none() && issuer.fragment().is_none()
    });
    require(
        is_issuer,
        "openid-issuer must be like https://accounts.example; http is for this machine and private networks only",
    )?;
    require(!openid.client_id.is_empty(), "openid-client-id must not be empty")?;
    require(openid.client_secret.as_deref() != Some(""), "the secret of openid-client-id must not be empty")?;
    require(
        openid.member_roles.is_empty() || openid.role_claim.is_some(),
        "openid-member-roles needs openid-role-claim too, the claim that lists them",
    )?;
    require(
        openid.role_claim.is_none() || !openid.member_roles.is_empty(),
        "openid-role-claim needs openid-member-roles too, the roles whose people are members",
    )?;
    let is_domain = |domain: &String| !domain.is_empty() && !domain.contains(['@', '/', ' ']);
    require(openid.email_domains.iter().all(is_domain), "openid-email-domains must be like school.example")?;
    require(
        config.public_url.is_some() || config.listen.ip().is_loopback(),
        "openid-issuer needs public-url too, the address to which the issuer sends people back",
    )
}

fn check_forwarding(
    forwarding: &Forwarding,
    require: &impl Fn(bool, &str) -> Result<(), StartError>,
) -> Result<(), StartError> {
    let limits = &forwarding.limits;
    require(limits.from >= 2, "forward-from must be at least 2: a call needs two")?;
    require(
        (limits.from..=sfu::limits::MAX_PARTICIPANTS).contains(&limits.participants),
        "forward-max-participants must be at least forward-from and at most 60",
    )?;
    require((1..=sfu::limits::MAX_ROOMS).contains(&limits.rooms), "forward-max-rooms must be from 1 to 200")?;
    require(forwarding.person_bits > 0, "forward-person-mbit must be at least 1")?;
    require(forwarding.room_bits != Some(0), "forward-room-mbit must be at least 1")?;
    check_external("forward-external-address", &forwarding.external, require)
}

/// Checks public addresses: one of each family, at most.
fn check_external(
    setting: &str,
    external: &[IpAddr],
    require: &impl Fn(bool, &str) -> Result<(), StartError>,
) -> Result<(), StartError> {
    let of_v4 = external.iter().filter(|ip| ip.is_ipv4()).count();
    let of_v6 = external.len() - of_v4;
    require(of_v4 <= 1 && of_v6 <= 1, &format!("{setting} may have one IPv4 and one IPv6 address"))?;
    let usable = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast();
    require(external.iter().all(usable), &format!("{setting} must be an address that peers can send to"))
}

fn check_builtin(
    builtin: &BuiltinTurn,
    require: &impl Fn(bool, &str) -> Result<(), StartError>,
) -> Result<(), StartError> {
    let (first, last) = (*builtin.ports.start(), *builtin.ports.end());
    require(first >= 1024 && first <= last, "turn-ports must be like 49152-65535, from 1024 up")?;
    require(builtin.total >= 1, "turn-max-allocations must be at least 1; no-turn disables TURN")?;
    require(builtin.per_person >= 1, "turn-max-per-person must be at least 1; no-turn disables TURN")?;
    require(builtin.bandwidth != Some(0), "turn-max-mbit must be at least 1; no-turn disables TURN")?;
    let is_stream =
        |url: &String| (url.starts_with("turn:") || url.starts_with("turns:")) && url.ends_with("?transport=tcp");
    require(
        builtin.stream_urls.len() <= MAX_STREAM_URLS && builtin.stream_urls.iter().all(is_stream),
        "turn-stream-url must be like turns:turn.lunch.example:443?transport=tcp, and there may be at most 4",
    )?;
    check_external("turn-external-address", &builtin.external, require)
}
