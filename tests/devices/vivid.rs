//! The camera with a real kernel driver: Linux in QEMU with vivid, a virtual webcam that shows colour bars.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use whole_system::initramfs::Initramfs;
use whole_system::scratch::Scratch;
use whole_system::skip::{find, skip, skip_unless};

/// In the order of their dependencies.
const MODULES: [&str; 12] = [
    "mc",
    "videodev",
    "videobuf2-common",
    "videobuf2-v4l2",
    "rc-core",
    "cec",
    "v4l2-dv-timings",
    "v4l2-tpg",
    "videobuf2-memops",
    "videobuf2-dma-contig",
    "videobuf2-vmalloc",
    "vivid",
];

/// The machine is emulated without KVM: booting takes ten seconds, and each frame tens of milliseconds.
const LIMIT: Duration = Duration::from_secs(120);

const INIT: &str = "#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
for module in $(/bin/busybox cat /modules/order); do
  options=
  [ $module = vivid.ko ] && options='n_devs=1 node_types=0x1 num_inputs=1 input_types=0'
  /bin/busybox insmod /modules/$module $options || echo insmod $module failed
done
echo == list
/bin/device-probe list
echo == 360p
/bin/device-probe camera default 640x360 30 3
echo == 720p
/bin/device-probe camera vivid-000-vid-cap 1280x720 10 3
echo == busy
/bin/device-probe camera default 640x360 30 6 >/first &
/bin/busybox sleep 2
/bin/device-probe camera default 1280x720 30 1
wait
echo == absent
/bin/device-probe camera nobody 640x360 30 1
echo == gone
/bin/device-probe camera default 640x360 30 60 >/gone &
/bin/busybox sleep 3
echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind
wait
/bin/busybox cat /gone
echo == end
/bin/busybox poweroff -f
";

#[test]
fn a_virtual_webcam_is_listed_and_streams() {
    let tools = ["qemu-system-x86_64", "busybox", "ldd"].into_iter().all(skip_unless);
    let Some(kernel) = kernel() else {
        skip("no kernel with vivid below /boot and /lib/modules (Debian: linux-image-amd64)");
        return;
    };
    if !tools {
        return;
    }
    let scratch = Scratch::new("vivid");
    let disk = scratch.join("initramfs");
    fs::write(&disk, initramfs(&kernel)).expect("the RAM disk");
    let console = boot(&kernel.image, &disk, &scratch);
    let part = |name: &str| -> String {
        let from = console.split_once(&format!("== {name}\r\n")).unwrap_or_else(|| panic!("no part {name}\n{console}"));
        from.1.split("== ").next().unwrap_or_default().to_owned()
    };

    let listed = part("list");
    assert!(
        listed.contains("kind=Camera default=true synthetic=false id=v4l:vivid.0.0 name=vivid-000-vid-cap"),
        "{listed}"
    );
    for (name, width, height) in [("360p", 640, 360), ("720p", 1280, 720)] {
        let text = part(name);
        assert!(text.contains("event=Live"), "{text}");
        let verdict = Verdict::read(&text);
        assert_eq!((verdict.get("width"), verdict.get("height")), (width, height), "{text}");
        assert!(verdict.get("frames") >= 10, "{text}");
        assert_eq!(verdict.get("bars"), verdict.get("frames"), "{text}");
        assert!(verdict.get("moved") >= verdict.get("frames") - 2, "the clock in the picture runs\n{text}");
        assert!(text.contains("emptied=true"), "{text}");
    }
    assert!(part("busy").contains("error=device_busy"), "{}", part("busy"));
    let gone = part("gone");
    assert!(gone.contains("event=Live") && gone.contains("event=Gone") && gone.contains("no more frames"), "{gone}");
    assert!(part("absent").contains("error=device_not_found"), "{}", part("absent"));
}

struct Verdict(String);

impl Verdict {
    fn read(text: &str) -> Verdict {
        let line = text.lines().find(|l| l.starts_with("verdict ")).unwrap_or_else(|| panic!("no verdict\n{text}"));
        Verdict(line.to_owned())
    }

    fn get(&self, key: &str) -> i64 {
        let value = self.0.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        value.and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("no {key} in {}", self.0))
    }
}

struct Kernel {
    image: PathBuf,
    modules: Vec<PathBuf>,
}

/// The newest kernel that has all modules and is readable.
fn kernel() -> Option<Kernel> {
    let mut versions: Vec<PathBuf> = fs::read_dir("/lib/modules").ok()?.filter_map(|e| Some(e.ok()?.path())).collect();
    versions.sort();
    versions.into_iter().rev().find_map(|version| {
        let image = Path::new("/boot").join(format!("vmlinuz-{}", version.file_name()?.to_str()?));
        fs::File::open(&image).ok()?;
        let mut files = Vec::new();
        walk(&version.join("kernel/drivers/media"), &mut files);
        let modules = MODULES.map(|name| files.iter().find(|file| is_module(file, name)).cloned());
        Some(Kernel { image, modules: modules.into_iter().collect::<Option<Vec<_>>>()? })
    })
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for path in fs::read_dir(dir).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())) {
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

/// File names contain `-` or `_`, and files may be compressed.
fn is_module(file: &Path, name: &str) -> bool {
    let file = file.file_name().and_then(|f| f.to_str()).unwrap_or_default();
    file.split_once(".ko").is_some_and(|(stem, _)| stem.replace('_', "-") == name)
}

fn initramfs(kernel: &Kernel) -> Vec<u8> {
    let mut disk = Initramfs::new();
    for directory in ["/dev", "/proc", "/sys", "/tmp"] {
        disk.directory(directory);
    }
    disk.file("/init", INIT.as_bytes());
    disk.program("/bin/busybox", &find("busybox").expect("busybox"));
    disk.program("/bin/device-probe", Path::new(env!("CARGO_BIN_EXE_device-probe")));
    let names = MODULES.map(|name| format!("{name}.ko"));
    disk.file("/modules/order", names.join("\n").as_bytes());
    for (name, file) in names.iter().zip(&kernel.modules) {
        disk.file(&format!("/modules/{name}"), &module(file));
    }
    disk.finish()
}

fn module(file: &Path) -> Vec<u8> {
    let unpack = match file.extension().and_then(|e| e.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::read(file).expect("a module"),
    };
    let output = Command::new(unpack).arg("-dc").arg(file).output();
    output.unwrap_or_else(|e| panic!("{unpack}: {e}")).stdout
}

/// Boots the machine and returns its output until it powers off.
fn boot(image: &Path, disk: &Path, scratch: &Scratch) -> String {
    let console = scratch.join("console");
    let mut machine = Command::new("qemu-system-x86_64")
        .args(["-accel", "tcg", "-cpu", "max", "-m", "512", "-smp", "2", "-nographic", "-no-reboot", "-net", "none"])
        .args(["-append", "console=ttyS0 panic=1 quiet loglevel=3"])
        .arg("-kernel")
        .arg(image)
        .arg("-initrd")
        .arg(disk)
        .stdin(Stdio::null())
        .stdout(fs::File::create(&console).expect("a console"))
        .stderr(Stdio::inherit())
        .spawn()
        .expect("qemu");
    let start = Instant::now();
    while machine.try_wait().expect("qemu").is_none() {
        if start.elapsed() > LIMIT {
            let _ = machine.kill();
            let _ = machine.wait();
            panic!("the machine did not end in time\n{}", fs::read_to_string(&console).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    String::from_utf8_lossy(&fs::read(&console).expect("the console")).into_owned()
}
