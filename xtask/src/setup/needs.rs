//! The table of needs: how to check for each, and where it comes from.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command;

/// What fails without it. Benchmarks count as tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Nothing compiles.
    Building,
    /// Some tests are skipped.
    Testing,
}

/// The systems that have the need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Everywhere,
    Unix,
    Linux,
}

/// How to check that a need is met.
#[derive(Clone, Copy, Debug)]
enum Check {
    /// One of these programs can be started.
    Program(&'static [&'static str]),
    /// All of these programs can be started.
    Programs(&'static [&'static str]),
    /// pkg-config knows this library.
    Library(&'static str),
    /// libclang, which bindgen loads at build time.
    Clang,
    /// Python can create a virtual environment with pip.
    PythonVenv,
    /// The system's Python has this module.
    PythonModule(&'static str),
    /// Node of at least this major version.
    Node(u32),
    /// A file (second) in a folder of this name (first), in any of the system's library folders.
    Plugin(&'static str, &'static str),
    /// A folder.
    Folder(&'static str),
    /// Fonts for this language.
    Letters(&'static str),
    /// A bootable kernel with the virtual camera.
    Kernel,
    /// The certificates of well-known authorities.
    Certificates,
}

/// One need.
#[derive(Debug)]
pub(crate) struct Need {
    /// Its name, for people.
    pub(crate) name: &'static str,
    /// What fails without it.
    pub(crate) purpose: Purpose,
    on: On,
    check: Check,
    /// Debian and Ubuntu packages: the first one that is available is installed.
    pub(crate) apt: &'static [&'static str],
    /// Package names for dnf, pacman, brew and one other way. Empty if unknown.
    elsewhere: [&'static str; 4],
}

use Check::{
    Certificates, Clang, Folder, Kernel, Letters, Library, Node, Plugin, Program, Programs, PythonModule, PythonVenv,
};
use On::{Everywhere, Linux, Unix};
use Purpose::{Building, Testing};

#[rustfmt::skip]
const NEEDS: &[Need] = &[
    need("a C and C++ compiler", Building, Unix, Programs(&["c++", "make"]), &["build-essential"], ["gcc-c++ make", "base-devel", "(xcode-select --install)", ""]),
    need("pkg-config", Building, Unix, Program(&["pkg-config"]), &["pkg-config"], ["pkgconf-pkg-config", "pkgconf", "pkgconf", ""]),
    need("CMake", Building, Everywhere, Program(&["cmake"]), &["cmake"], ["cmake", "cmake", "cmake", "winget: Kitware.CMake"]),
    need("the assembler NASM", Building, Everywhere, Program(&["nasm"]), &["nasm"], ["nasm", "nasm", "nasm", "winget: NASM.NASM"]),
    need("libvpx with its headers", Building, Unix, Library("vpx"), &["libvpx-dev"], ["libvpx-devel", "libvpx", "libvpx", "vcpkg: libvpx"]),
    need("ALSA with its headers", Building, Linux, Library("alsa"), &["libasound2-dev"], ["alsa-lib-devel", "alsa-lib", "", ""]),
    need("WebKitGTK with its headers", Building, Linux, Library("webkit2gtk-4.1"), &["libwebkit2gtk-4.1-dev"], ["webkit2gtk4.1-devel", "webkit2gtk-4.1", "", ""]),
    need("librsvg with its headers", Building, Linux, Library("librsvg-2.0"), &["librsvg2-dev"], ["librsvg2-devel", "librsvg", "", ""]),
    need("libclang", Building, Everywhere, Clang, &["libclang-dev"], ["clang-devel", "clang", "(xcode-select --install)", "winget: LLVM.LLVM"]),

    need("certificates", Testing, Linux, Certificates, &["ca-certificates"], ["ca-certificates", "ca-certificates", "", ""]),
    need("Python with venv", Testing, Unix, PythonVenv, &["python3-venv"], ["python3", "python", "python", "winget: Python.Python.3.13"]),
    need("Python's icalendar", Testing, Unix, PythonModule("icalendar"), &["python3-icalendar"], ["python3-icalendar", "python-icalendar", "", "pip: icalendar"]),
    need("Node.js 18 or newer", Testing, Everywhere, Node(18), &["nodejs"], ["nodejs", "nodejs", "node", "winget: OpenJS.NodeJS"]),
    need("npm", Testing, Everywhere, Program(&["npm"]), &["npm"], ["npm", "npm", "node", "winget: OpenJS.NodeJS"]),
    need("Chromium", Testing, Linux, Program(&["chromium", "chromium-browser", "google-chrome"]), &["chromium"], ["chromium", "chromium", "", "snap: chromium"]),
    need("Firefox", Testing, Linux, Program(&["firefox-esr", "firefox"]), &["firefox-esr"], ["firefox", "firefox", "", "snap: firefox"]),
    need("the TURN server coturn", Testing, Linux, Program(&["turnserver"]), &["coturn"], ["coturn", "coturn", "", ""]),
    need("nginx", Testing, Linux, Program(&["nginx"]), &["nginx"], ["nginx", "nginx", "", ""]),
    need("nginx's stream module", Testing, Linux, Plugin("nginx/modules", "ngx_stream_module.so"), &["libnginx-mod-stream"], ["nginx-mod-stream", "nginx-mod-stream", "", ""]),
    need("Caddy", Testing, Linux, Program(&["caddy"]), &["caddy"], ["caddy", "caddy", "", ""]),
    need("nft", Testing, Linux, Program(&["nft"]), &["nftables"], ["nftables", "nftables", "", ""]),
    need("ip", Testing, Linux, Program(&["ip"]), &["iproute2"], ["iproute", "iproute2", "", ""]),
    need("ps", Testing, Linux, Program(&["ps"]), &["procps"], ["procps-ng", "procps-ng", "", ""]),
    need("PulseAudio", Testing, Linux, Program(&["pulseaudio"]), &["pulseaudio"], ["pulseaudio", "pulseaudio", "", ""]),
    need("pactl", Testing, Linux, Program(&["pactl"]), &["pulseaudio-utils"], ["pulseaudio-utils", "libpulse", "", ""]),
    need("ALSA's PulseAudio plugin", Testing, Linux, Plugin("alsa-lib", "libasound_module_pcm_pulse.so"), &["libasound2-plugins"], ["alsa-plugins-pulseaudio", "alsa-plugins", "", ""]),
    need("sox", Testing, Linux, Program(&["sox"]), &["sox"], ["sox", "sox", "", ""]),
    need("the display server Xvfb", Testing, Linux, Program(&["Xvfb"]), &["xvfb"], ["xorg-x11-server-Xvfb", "xorg-server-xvfb", "", ""]),
    need("D-Bus", Testing, Linux, Program(&["dbus-run-session"]), &["dbus"], ["dbus-daemon", "dbus", "", ""]),
    need("the library for the tray", Testing, Linux, Plugin("", "libayatana-appindicator3.so.1"), &["libayatana-appindicator3-1"], ["libayatana-appindicator-gtk3", "libayatana-appindicator", "", ""]),
    need("xdotool", Testing, Linux, Program(&["xdotool"]), &["xdotool"], ["xdotool", "xdotool", "", ""]),
    need("gio", Testing, Linux, Program(&["gio"]), &["libglib2.0-bin"], ["glib2", "glib2", "", ""]),
    need("xdg-mime", Testing, Linux, Program(&["xdg-mime"]), &["xdg-utils"], ["xdg-utils", "xdg-utils", "", ""]),
    need("update-desktop-database", Testing, Linux, Program(&["update-desktop-database"]), &["desktop-file-utils"], ["desktop-file-utils", "desktop-file-utils", "", ""]),
    need("Korean letters", Testing, Linux, Letters("ko"), &["fonts-noto-cjk"], ["google-noto-sans-cjk-fonts", "noto-fonts-cjk", "", ""]),
    need("WebKitWebDriver", Testing, Linux, Program(&["WebKitWebDriver"]), &["webkit2gtk-driver"], ["webkit2gtk-driver", "webkit2gtk-4.1", "", ""]),
    need("qemu", Testing, Linux, Program(&[QEMU]), &[QEMU_PACKAGE], ["qemu-system-x86-core", "qemu-system-x86", "", ""]),
    need("a kernel with a virtual camera (vivid)", Testing, Linux, Kernel, &["linux-image-amd64", "linux-image-arm64", "linux-image-generic"], ["kernel-modules-internal", "linux", "", ""]),
    need("busybox", Testing, Linux, Program(&["busybox"]), &["busybox-static"], ["busybox", "busybox", "", ""]),
    need("cpio", Testing, Linux, Program(&["cpio"]), &["cpio"], ["cpio", "cpio", "", ""]),
    need("recorded speech, English", Testing, Linux, Folder("/usr/share/asterisk/sounds/en_US_f_Allison"), &["asterisk-core-sounds-en-g722"], ["", "", "", ""]),
    need("recorded speech, Spanish", Testing, Linux, Folder("/usr/share/asterisk/sounds/es_MX_f_Allison"), &["asterisk-core-sounds-es-g722"], ["", "", "", ""]),
    need("recorded speech, French", Testing, Linux, Folder("/usr/share/asterisk/sounds/fr_CA_f_June"), &["asterisk-core-sounds-fr-g722"], ["", "", "", ""]),
    need("recorded speech, Italian", Testing, Linux, Folder("/usr/share/asterisk/sounds/it_IT_m_Carlo"), &["asterisk-core-sounds-it-g722"], ["", "", "", ""]),
    need("recorded speech, Russian", Testing, Linux, Folder("/usr/share/asterisk/sounds/ru_RU_f_IvrvoiceRU"), &["asterisk-core-sounds-ru-g722"], ["", "", "", ""]),
    need("modprobe", Testing, Linux, Program(&["modprobe"]), &["kmod"], ["kmod", "kmod", "", ""]),
];

#[cfg(target_arch = "aarch64")]
const QEMU: &str = "qemu-system-aarch64";
#[cfg(target_arch = "aarch64")]
const QEMU_PACKAGE: &str = "qemu-system-arm";
#[cfg(not(target_arch = "aarch64"))]
const QEMU: &str = "qemu-system-x86_64";
#[cfg(not(target_arch = "aarch64"))]
const QEMU_PACKAGE: &str = "qemu-system-x86";

/// The needs for these purposes that this machine does not meet.
pub(crate) fn missing(purposes: &[Purpose]) -> Vec<&'static Need> {
    NEEDS
        .iter()
        .filter(|need| purposes.contains(&need.purpose) && need.on.here())
        .filter(|need| !need.check.is_met())
        .collect()
}

impl Need {
    /// Describes where to get it.
    pub(crate) fn advice(&self) -> String {
        let managers = ["dnf", "pacman", "brew", "or"];
        let ways: Vec<String> = std::iter::once(("apt", self.apt.join(" or ")))
            .chain(managers.into_iter().zip(self.elsewhere.map(str::to_owned)))
            .filter(|(_, package)| !package.is_empty())
            .map(|(manager, package)| format!("{manager}: {package}"))
            .collect();
        format!("It comes with {}", ways.join("; "))
    }
}

const fn need(
    name: &'static str,
    purpose: Purpose,
    on: On,
    check: Check,
    apt: &'static [&'static str],
    elsewhere: [&'static str; 4],
) -> Need {
    Need { name, purpose, on, check, apt, elsewhere }
}

impl On {
    fn here(self) -> bool {
        match self {
            On::Everywhere => true,
            On::Unix => cfg!(unix),
            On::Linux => cfg!(target_os = "linux"),
        }
    }
}

impl Check {
    fn is_met(self) -> bool {
        match self {
            Check::Program(names) => names.iter().any(|name| command::find(name).is_some()),
            Check::Programs(names) => names.iter().all(|name| command::find(name).is_some()),
            Check::Library(name) => command::succeeds(command::program("pkg-config").args(["--exists", name])),
            Check::Clang => has_libclang(),
            Check::PythonVenv => command::succeeds(command::program("python3").args(["-c", "import ensurepip, venv"])),
            // A package of the system is for the system's Python, even if another one is found first.
            Check::PythonModule(name) => ["python3", "/usr/bin/python3"]
                .iter()
                .any(|python| command::succeeds(command::program(python).args(["-c", &format!("import {name}")]))),
            Check::Node(least) => node_major().is_some_and(|major| major >= least),
            Check::Plugin(folder, file) => library_folders().iter().any(|place| place.join(folder).join(file).exists()),
            Check::Folder(folder) => Path::new(folder).is_dir(),
            Check::Letters(language) => command::output(command::program("fc-list").arg(format!(":lang={language}")))
                .is_ok_and(|fonts| !fonts.trim().is_empty()),
            Check::Kernel => has_kernel(Path::new("/lib/modules"), Path::new("/boot")),
            Check::Certificates => ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]
                .iter()
                .any(|file| Path::new(file).exists()),
        }
    }
}

/// Searches where `clang-sys`, and so bindgen, searches.
fn has_libclang() -> bool {
    let named = std::env::var_os("LIBCLANG_PATH").map(PathBuf::from);
    let mut places = library_folders();
    places.extend(children(Path::new("/usr/lib")).into_iter().map(|llvm| llvm.join("lib")));
    places.push("/Library/Developer/CommandLineTools/usr/lib".into());
    places.push("/Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib".into());
    places.push("/opt/homebrew/opt/llvm/lib".into());
    places.push(r"C:\Program Files\LLVM\bin".into());
    named.is_some_and(|path| path.exists()) || places.iter().any(|place| holds_libclang(place))
}

fn holds_libclang(folder: &Path) -> bool {
    children(folder).iter().filter_map(|file| file.file_name()?.to_str()).any(is_libclang)
}

/// `libclang.so`, `libclang.dylib`, `libclang.dll`, `libclang-14.so.1`; not `libclang-cpp.so`.
fn is_libclang(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("libclang") else { return false };
    let rest = rest.trim_start_matches(|c: char| c == '-' || c == '.' || c.is_ascii_digit());
    rest == "dylib" || rest == "dll" || rest == "so" || rest.starts_with("so.")
}

/// The system's library folders, including the one of this architecture on Debian (`/usr/lib/x86_64-linux-gnu`).
fn library_folders() -> Vec<PathBuf> {
    let debian = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    ["/usr/lib", "/usr/lib64", "/usr/local/lib", &debian].iter().map(PathBuf::from).collect()
}

fn node_major() -> Option<u32> {
    let said = command::program("node").arg("--version").output().ok()?;
    String::from_utf8(said.stdout).ok()?.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Whether `boot` has a kernel image whose modules in `modules` include the virtual camera.
fn has_kernel(modules: &Path, boot: &Path) -> bool {
    children(modules).iter().any(|version| {
        let Some(name) = version.file_name().and_then(|name| name.to_str()) else { return false };
        boot.join(format!("vmlinuz-{name}")).exists()
            && version.join("kernel/drivers/media/test-drivers/vivid").is_dir()
    })
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_program_is_missing_and_cargo_is_found() {
        assert!(!Check::Program(&["no-such-program-of-lunchroom"]).is_met());
        assert!(Check::Program(&["no-such-program-of-lunchroom", "cargo"]).is_met());
        assert!(!Check::Programs(&["no-such-program-of-lunchroom", "cargo"]).is_met());
    }

    #[test]
    fn libclang_is_distinguished_from_similar_libraries() {
        for name in ["libclang.so", "libclang.so.1", "libclang-14.so.14.0.6", "libclang.dylib", "libclang.dll"] {
            assert!(is_libclang(name), "{name}");
        }
        for name in ["libclang-cpp.so.14", "libclangAST.a", "libclang.a", "libclc.so"] {
            assert!(!is_libclang(name), "{name}");
        }
    }

    #[test]
    fn a_kernel_counts_only_with_its_image_and_its_camera() {
        let place = std::env::temp_dir().join(format!("lunchroom-kernel-{}", std::process::id()));
        let (modules, boot) = (place.join("modules"), place.join("boot"));
        fs::create_dir_all(modules.join("6.1.0/kernel/drivers/media/test-drivers/vivid")).unwrap();
        fs::create_dir_all(modules.join("6.2.0")).unwrap();
        fs::create_dir_all(&boot).unwrap();
        fs::write(boot.join("vmlinuz-6.2.0"), "").unwrap();
        assert!(!has_kernel(&modules, &boot));
        fs::write(boot.join("vmlinuz-6.1.0"), "").unwrap();
        assert!(has_kernel(&modules, &boot));
        fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn every_need_names_its_source() {
        for need in NEEDS {
            assert!(!need.apt.is_empty(), "{}", need.name);
            assert!(need.advice().contains(need.apt[0]), "{}", need.name);
        }
    }
}
