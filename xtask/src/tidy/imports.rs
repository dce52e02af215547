//! Which crate may import which.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::finding::Finding;

/// One of our crates, as cargo sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// The folder, relative to the root, with `/` between names.
    pub(crate) folder: String,
    /// The normal and build dependencies.
    pub(crate) imports: BTreeSet<String>,
    /// All transitive dependencies.
    pub(crate) everything: BTreeSet<String>,
}

/// Whether a crate does input and output itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Input in, output out; `now` is an argument.
    Pure,
    /// Pure, except for the C libraries that it calls. It uses no clock, socket, file or thread itself.
    Ffi,
    /// Does input and output.
    Driver,
    /// Used only by tests and project commands.
    Tooling,
}

/// Which of our crates a crate may import.
struct Place {
    name: &'static str,
    kind: Kind,
    may_import: &'static [&'static str],
}

/// The allowed imports. A new crate needs an entry here.
const PLACES: &[Place] = &[
    place("signaling", Kind::Pure, &[]),
    place("rooms", Kind::Pure, &["signaling"]),
    place("layers", Kind::Pure, &[]),
    place("sfu", Kind::Pure, &["layers"]),
    place("relay", Kind::Pure, &[]),
    place("media", Kind::Pure, &[]),
    // Only for the types of encoded frames.
    place("transport", Kind::Pure, &["media"]),
    place("call", Kind::Pure, &["e2ee", "signaling"]),
    place("files", Kind::Pure, &["signaling"]),
    place("e2ee", Kind::Pure, &["signaling"]),
    place("codecs", Kind::Ffi, &["media"]),
    place("outbound", Kind::Driver, &[]),
    place("peer", Kind::Driver, &["outbound", "transport", "media", "layers", "signaling"]),
    // Cameras deliver pixel formats, which codecs turns into I420.
    place("devices", Kind::Driver, &["codecs", "media"]),
    place(
        "engine",
        Kind::Driver,
        &[
            "outbound",
            "peer",
            "devices",
            "doctor",
            "call",
            "e2ee",
            "files",
            "codecs",
            "transport",
            "layers",
            "media",
            "signaling",
        ],
    ),
    place("server", Kind::Driver, &["outbound", "rooms", "relay", "layers", "sfu", "signaling"]),
    place("doctor", Kind::Driver, &["outbound", "relay", "signaling"]),
    // It measures what the app does, so it uses nothing behind the engine.
    place("cli", Kind::Driver, &["doctor", "engine"]),
    place("lunchroom", Kind::Driver, &["engine", "server"]),
    place(
        "testkit",
        Kind::Tooling,
        &["signaling", "rooms", "layers", "media", "transport", "call", "peer", "devices", "engine"],
    ),
    place("xtask", Kind::Tooling, &[]),
    place("whole-system", Kind::Tooling, &["*"]),
];

/// Libraries that would bring a runtime, a device or a socket into a pure crate, also indirectly.
const IMPURE: &[&str] = &["tokio", "mio", "async-std", "smol", "cpal", "nokhwa", "tauri", "webrtc", "hyper", "socket2"];

/// Libraries that only one crate may link, and that crate. Tooling is exempt.
const OWNED: &[(&str, &str)] = &[
    ("webrtc", "peer"),
    ("rtc", "peer"),
    ("nokhwa", "devices"),
    ("cpal", "devices"),
    ("alsa-sys", "devices"),
    ("env-libvpx-sys", "codecs"),
    ("openh264", "codecs"),
    ("opus", "codecs"),
    ("opusic-sys", "codecs"),
    ("sonora", "codecs"),
    ("nnnoiseless", "codecs"),
    ("turbojpeg", "codecs"),
    ("str0m", "sfu"),
    ("dimpl", "sfu"),
    ("hpke", "e2ee"),
    ("sframe", "e2ee"),
    ("stun-types", "relay"),
    ("turn-types", "relay"),
    ("quinn-udp", "server"),
    ("netlink-sys", "engine"),
    ("if-watch", "engine"),
    ("rusqlite", "server"),
    ("tauri", "lunchroom"),
];

/// Whether the sources of this crate must not use clocks, sockets, threads and files.
pub(crate) fn is_free_of_io(name: &str) -> bool {
    find(name).is_some_and(|place| matches!(place.kind, Kind::Pure | Kind::Ffi))
}

/// Checks each crate's entry and its imports.
pub(crate) fn check(members: &[Member]) -> Vec<Finding> {
    let ours: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    members
        .iter()
        .flat_map(|member| {
            let mut found = folder_is_name(member);
            match find(&member.name) {
                Some(place) => found.extend(check_member(member, place, &ours)),
                None => found.push(Finding::broken(
                    &member.name,
                    0,
                    "has no entry in xtask/src/tidy/imports.rs: list there what it may import",
                )),
            }
            found
        })
        .collect()
}

/// Reads our crates from the output of `cargo metadata`.
pub(crate) fn members(metadata: &Value) -> Vec<Member> {
    let root = text(&metadata["workspace_root"]).replace('\\', "/");
    let packages: BTreeMap<&str, &Value> = list(&metadata["packages"]).map(|p| (text(&p["id"]), p)).collect();
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"]["nodes"]).map(|n| (text(&n["id"]), n)).collect();
    let name = |id: &str| packages.get(id).map(|package| text(&package["name"]).to_owned());
    list(&metadata["workspace_members"])
        .filter_map(|id| {
            let id = text(id);
            let manifest = text(&packages.get(id)?["manifest_path"]).replace('\\', "/");
            let folder = manifest.strip_prefix(&root)?.trim_start_matches('/').strip_suffix("/Cargo.toml")?.to_owned();
            let imports = built_from(&nodes, id).iter().filter_map(|&id| name(id)).collect();
            let everything = closure(&nodes, id).iter().filter_map(|&id| name(id)).collect();
            Some(Member { name: name(id)?, folder, imports, everything })
        })
        .collect()
}

fn check_member(member: &Member, place: &Place, ours: &BTreeSet<&str>) -> Vec<Finding> {
    let broken = |text: String| Finding::broken(&member.name, 0, text);
    let mut found = Vec::new();
    for import in &member.imports {
        if import == "testkit" && place.kind != Kind::Tooling {
            found.push(broken("imports testkit outside its tests".into()));
        } else if ours.contains(import.as_str()) && !may_import(place, import) {
            found.push(broken(format!("must not import {import}")));
        }
        if let Some((_, owner)) = OWNED.iter().find(|(library, _)| library == import)
            && *owner != member.name
            && place.kind != Kind::Tooling
        {
            found.push(broken(format!("links {import}, which only {owner} may")));
        }
    }
    if matches!(place.kind, Kind::Pure | Kind::Ffi) {
        let impure = IMPURE.iter().filter(|library| member.everything.contains(**library));
        found.extend(impure.map(|library| broken(format!("is pure and must not be built from {library}"))));
    }
    found
}

fn folder_is_name(member: &Member) -> Vec<Finding> {
    match member.folder.strip_prefix("crates/") {
        Some(folder) if folder != member.name => {
            vec![Finding::broken(&member.folder, 0, format!("the crate in this folder is called {}", member.name))]
        }
        _ => Vec::new(),
    }
}

fn may_import(place: &Place, import: &str) -> bool {
    place.may_import.iter().any(|allowed| *allowed == import || *allowed == "*")
}

fn find(name: &str) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.name == name)
}

const fn place(name: &'static str, kind: Kind, may_import: &'static [&'static str]) -> Place {
    Place { name, kind, may_import }
}

/// The direct normal and build dependencies. In the metadata, a `kind` of null means normal.
fn built_from<'a>(nodes: &BTreeMap<&str, &'a Value>, id: &str) -> Vec<&'a str> {
    let Some(node) = nodes.get(id) else { return Vec::new() };
    list(&node["deps"])
        .filter(|dependency| list(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev"))
        .map(|dependency| text(&dependency["pkg"]))
        .collect()
}

fn closure<'a>(nodes: &BTreeMap<&str, &'a Value>, id: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut left = built_from(nodes, id);
    while let Some(id) = left.pop() {
        if seen.insert(id) {
            left.extend(built_from(nodes, id));
        }
    }
    seen
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn member(name: &str, imports: &[&str]) -> Member {
        let imports: BTreeSet<String> = imports.iter().map(|import| (*import).to_owned()).collect();
        Member { name: name.into(), folder: format!("crates/{name}"), everything: imports.clone(), imports }
    }

    fn complaints(members: &[Member]) -> Vec<String> {
        check(members).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn allowed_imports_pass() {
        let house = [
            member("signaling", &["serde", "url"]),
            member("media", &["bytes"]),
            member("transport", &["media", "rtc-rtp", "rtc-rtcp"]),
            member("peer", &["transport", "media", "webrtc", "tokio"]),
            member("engine", &["peer", "media", "tokio"]),
            member("cli", &["engine", "tokio"]),
            member("server", &["signaling", "tokio", "quinn-udp"]),
            member("testkit", &["media", "webrtc"]),
        ];
        assert_eq!(complaints(&house), Vec::<String>::new());
    }

    #[test]
    fn the_server_must_not_import_the_engine() {
        let house = [member("engine", &[]), member("server", &["engine"])];
        assert_eq!(complaints(&house), ["server: must not import engine"]);
    }

    #[test]
    fn the_cli_must_not_import_what_is_behind_the_engine() {
        let house = [
            member("engine", &[]),
            member("doctor", &[]),
            member("peer", &[]),
            member("cli", &["doctor", "engine", "peer"]),
        ];
        assert_eq!(complaints(&house), ["cli: must not import peer"]);
    }

    #[test]
    fn call_must_not_touch_frames_and_media_must_not_know_a_session() {
        let house = [member("signaling", &[]), member("media", &["signaling"]), member("call", &["media"])];
        assert_eq!(complaints(&house), ["media: must not import signaling", "call: must not import media"]);
    }

    #[test]
    fn a_pure_crate_must_not_depend_on_a_runtime_even_indirectly() {
        let mut transport = member("transport", &["helpful"]);
        transport.everything.insert("tokio".into());
        assert_eq!(complaints(&[transport]), ["transport: is pure and must not be built from tokio"]);
    }

    #[test]
    fn only_tests_import_testkit() {
        let house = [member("testkit", &[]), member("engine", &["testkit"]), member("whole-system", &["testkit"])];
        let mut house = house.to_vec();
        house[2].folder = "tests".into();
        assert_eq!(complaints(&house), ["engine: imports testkit outside its tests"]);
    }

    #[test]
    fn only_devices_links_camera_and_audio_libraries() {
        assert_eq!(complaints(&[member("engine", &["cpal"])]), ["engine: links cpal, which only devices may"]);
    }

    #[test]
    fn a_folder_has_the_name_of_its_crate_and_every_crate_is_listed() {
        let mut odd = member("media", &[]);
        odd.folder = "crates/frames".into();
        assert_eq!(complaints(&[odd]), ["crates/frames: the crate in this folder is called media"]);
        assert_eq!(complaints(&[member("surprise", &[])]).len(), 1);
    }

    #[test]
    fn metadata_excludes_tests_and_includes_indirect_dependencies() {
        let dependency = |id: &str, kind: Value| json!({"pkg": id, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "workspace_root": "/here",
            "workspace_members": ["a"],
            "packages": [
                {"id": "a", "name": "layers", "manifest_path": "/here/crates/layers/Cargo.toml"},
                {"id": "b", "name": "plain"}, {"id": "c", "name": "tokio"}, {"id": "d", "name": "testkit"},
            ],
            "resolve": {"nodes": [
                {"id": "a", "deps": [dependency("b", Value::Null), dependency("d", json!("dev"))]},
                {"id": "b", "deps": [dependency("c", Value::Null)]},
            ]},
        });
        let members = members(&metadata);
        assert_eq!(members.len(), 1);
        assert_eq!(members[0].folder, "crates/layers");
        assert_eq!(members[0].imports.iter().collect::<Vec<_>>(), ["plain"]);
        assert_eq!(complaints(&members), ["layers: is pure and must not be built from tokio"]);
    }
}
