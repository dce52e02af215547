//! `cargo xtask icons`: renders `icons/*.svg` into the formats that systems require. Needs `rsvg-convert` (Debian:
//! librsvg2-bin). The results are checked in, so that building does not need it.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::command;
use crate::workspace::Workspace;

/// Separate pictures, by file name and side in pixels.
const PNG: &[(&str, u32)] =
    &[("32x32.png", 32), ("64x64.png", 64), ("128x128.png", 128), ("128x128@2x.png", 256), ("icon.png", 512)];
/// Pictures of the page that phones install: drawing, file below `ui/door`, side in pixels.
const PAGE: &[(&str, &str, u32)] = &[
    ("lunchroom.svg", "icon-192.png", 192),
    ("lunchroom.svg", "icon-512.png", 512),
    ("maskable.svg", "icon-maskable-512.png", 512),
];
/// Sides of the pictures in the Windows icon, in pixels.
const ICO: &[u32] = &[16, 24, 32, 48, 64, 256];
/// Types and sides of the pictures in the macOS icon (Apple: "Icon Image Format").
const ICNS: &[(&[u8; 4], u32)] =
    &[(b"ic11", 32), (b"ic12", 64), (b"ic07", 128), (b"ic08", 256), (b"ic13", 256), (b"ic09", 512), (b"ic10", 1024)];

/// `cargo xtask icons`.
pub(crate) fn main(workspace: &Workspace) -> Result<ExitCode> {
    let folder = workspace.root.join("icons");
    for (name, side) in PNG {
        write(&folder.join(name), &render(&folder.join("lunchroom.svg"), *side)?)?;
    }
    for (drawing, name, side) in PAGE {
        write(&workspace.root.join("ui/door").join(name), &render(&folder.join(drawing), *side)?)?;
    }
    write(&folder.join("tray.png"), &render(&folder.join("tray.svg"), 44)?)?;
    let pictures = |sides: &mut dyn Iterator<Item = u32>| -> Result<Vec<(u32, Vec<u8>)>> {
        sides.map(|side| Ok((side, render(&folder.join("lunchroom.svg"), side)?))).collect()
    };
    write(&folder.join("icon.ico"), &ico(&pictures(&mut ICO.iter().copied())?))?;
    let large = pictures(&mut ICNS.iter().map(|(_, side)| *side))?;
    let named: Vec<_> = ICNS.iter().zip(large).map(|((kind, _), (_, png))| (**kind, png)).collect();
    write(&folder.join("icon.icns"), &icns(&named))?;
    Ok(ExitCode::SUCCESS)
}

fn render(svg: &Path, side: u32) -> Result<Vec<u8>> {
    let side = side.to_string();
    let done = command::program("rsvg-convert").args(["-w", &side, "-h", &side]).arg(svg).output();
    let done = done.context("cannot start rsvg-convert; install it (Debian: librsvg2-bin)")?;
    anyhow::ensure!(done.status.success(), "{}: {}", svg.display(), String::from_utf8_lossy(&done.stderr));
    Ok(done.stdout)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// Encodes a Windows icon: a directory of PNG pictures. A side of 256 is written as 0.
fn ico(pictures: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0, 0, 1, 0];
    file.extend_from_slice(&(pictures.len() as u16).to_le_bytes());
    let mut at = 6 + 16 * pictures.len();
    for (side, png) in pictures {
        let side = *side as u8; // 256 wraps to 0, which encodes it
        file.extend_from_slice(&[side, side, 0, 0, 1, 0, 32, 0]);
        file.extend_from_slice(&(png.len() as u32).to_le_bytes());
        file.extend_from_slice(&(at as u32).to_le_bytes());
        at += png.len();
    }
    pictures.iter().for_each(|(_, png)| file.extend_from_slice(png));
    file
}

/// Encodes a macOS icon: chunks of a type, a big-endian length and a PNG picture.
fn icns(pictures: &[([u8; 4], Vec<u8>)]) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], content: &[u8]| {
        let len = (content.len() as u32 + 8).to_be_bytes();
        [kind.as_slice(), &len, content].concat()
    };
    let chunks: Vec<u8> = pictures.iter().flat_map(|(kind, png)| chunk(kind, png)).collect();
    chunk(b"icns", &chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ico_directory_points_to_its_images() {
        let file = ico(&[(16, vec![1; 10]), (256, vec![2; 5])]);
        assert_eq!(file.len(), 6 + 32 + 15);
        let offset = |n: usize| u32::from_le_bytes(file[6 + 16 * n + 12..][..4].try_into().unwrap()) as usize;
        assert_eq!((&file[offset(0)..offset(1)], &file[offset(1)..]), (&[1; 10][..], &[2; 5][..]));
        assert_eq!(file[6 + 16], 0, "256");
    }

    #[test]
    fn the_lengths_of_the_macos_chunks_add_up() {
        let file = icns(&[(*b"ic07", vec![7; 3])]);
        assert_eq!(file, [&b"icns\0\0\0\x13ic07\0\0\0\x0b"[..], &[7; 3]].concat());
    }
}
