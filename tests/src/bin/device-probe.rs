//! Uses `devices` like the engine does, for tests that need a separate process or virtual machine.
//!
//! `list` · `camera ID WIDTHxHEIGHT FPS SECONDS` · `microphone ID SECONDS FILE.wav` · `speaker ID SECONDS FREQUENCY`
//! · `again MICROPHONE SPEAKER TIMES`.
//! Prints lines of `key=value`.

use devices::{Camera, CameraRequest, DeviceEvent, Microphone, Speaker};
use media::slot::{FrameSlot, Wait};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use whole_system::{bars, tone};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["list"] => list(),
        ["camera", id, size, fps, seconds] => camera(id, size, fps, seconds),
        ["microphone", id, seconds, file] => microphone(id, seconds, Path::new(file)),
        ["speaker", id, seconds, frequency] => speaker(id, seconds, frequency),
        ["again", microphone, speaker, times] => again(microphone, speaker, times),
        _ => Err("see the head of device-probe.rs".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error={error}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> Result<(), String> {
    for device in devices::list() {
        println!(
            "device kind={:?} default={} synthetic={} id={} name={}",
            device.kind, device.default, device.synthetic, device.id, device.name
        );
    }
    Ok(())
}

fn events() -> devices::EventSink {
    Arc::new(|event| println!("event={event:?}"))
}

fn camera(id: &str, size: &str, fps: &str, seconds: &str) -> Result<(), String> {
    let (width, height) = size.split_once('x').ok_or("WIDTHxHEIGHT")?;
    let request = CameraRequest { width: number(width)?, height: number(height)?, fps: number(fps)? };
    let slot = FrameSlot::new();
    let (watched_slot, print_event) = (slot.clone(), events());
    let events = Arc::new(move |event: DeviceEvent| {
        if event != DeviceEvent::Live {
            watched_slot.close();
        }
        print_event(event);
    });
    let camera = Camera::open(id, request, slot.clone(), events).map_err(|e| format!("{} {e}", e.code()))?;
    println!("mode={:?}", camera.mode());
    let watched = watch(&slot, Duration::from_secs(number(seconds)?))?;
    drop(camera);
    println!(
        "verdict frames={} width={} height={} moved={} bars={} seconds={:.2} emptied={}",
        watched.frames,
        watched.width,
        watched.height,
        watched.moved,
        watched.bars,
        watched.seconds,
        slot.newer_than(&mut 0).is_none(),
    );
    Ok(())
}

#[derive(Default)]
struct Watched {
    frames: u32,
    /// Frames that differ from the previous one.
    moved: u32,
    /// Frames that show the colour bars.
    bars: u32,
    width: u32,
    height: u32,
    seconds: f64,
}

fn watch(slot: &FrameSlot, time: Duration) -> Result<Watched, String> {
    let (mut watched, mut seen, mut last) = (Watched::default(), 0, None);
    let mut start = None;
    loop {
        match slot.wait(&mut seen, Duration::from_secs(20)) {
            Wait::Frame(frame) => {
                let started = *start.get_or_insert_with(Instant::now);
                watched.seconds = started.elapsed().as_secs_f64();
                watched.frames += 1;
                (watched.width, watched.height) = (frame.width(), frame.height());
                watched.moved +=
                    u32::from(last.as_ref().is_some_and(|l: &media::frame::VideoFrame| l.data() != frame.data()));
                match bars::check(&frame) {
                    Ok(()) => watched.bars += 1,
                    Err(error) if watched.frames == 1 => println!("bars={error}"),
                    Err(_) => {}
                }
                last = Some(frame);
                if started.elapsed() > time {
                    return Ok(watched);
                }
            }
            Wait::TimedOut => return Err(format!("no frame in 20 s, after {}", watched.frames)),
            Wait::Nudged => {}
            Wait::Closed => return Err(format!("no more frames after {}", watched.frames)),
        }
    }
}

fn microphone(id: &str, seconds: &str, file: &Path) -> Result<(), String> {
    let mut microphone = Microphone::open(id, events()).map_err(|e| format!("{} {e}", e.code()))?;
    let seconds: u64 = number(seconds)?;
    let wanted = seconds as usize * 48_000;
    let (mut samples, mut block, mut highest) = (Vec::with_capacity(wanted), [0.0; 480], 0);
    let start = Instant::now();
    while samples.len() < wanted && start.elapsed().as_secs() < seconds + 10 {
        highest = highest.max(microphone.buffered());
        if microphone.read(&mut block) {
            samples.extend_from_slice(&block);
        } else {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    tone::write_wav(file, 48_000, &samples);
    println!("verdict samples={} highest={highest} seconds={:.2}", samples.len(), start.elapsed().as_secs_f64());
    Ok(())
}

fn speaker(id: &str, seconds: &str, frequency: &str) -> Result<(), String> {
    let mut speaker = Speaker::open(id, events()).map_err(|e| format!("{} {e}", e.code()))?;
    let seconds: u64 = number(seconds)?;
    let sound = tone::sine(number(frequency)?, 48_000, seconds as f64);
    let mut blocks = sound.chunks_exact(480);
    let start = Instant::now();
    while blocks.len() > 0 && start.elapsed().as_secs() < seconds + 10 {
        while speaker.wanted() >= 480 {
            let Some(block) = blocks.next() else { break };
            speaker.write(block);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    println!(
        "verdict left={} underruns={} latency_ms={} seconds={:.2}",
        blocks.len(),
        speaker.underruns(),
        speaker.latency().as_millis(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Repeatedly opens and closes both, one immediately after the other, while nobody reads or writes.
fn again(microphone: &str, speaker: &str, times: &str) -> Result<(), String> {
    let (mut opened, mut live) = (0, 0);
    for _ in 0..number(times)? {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (mic_sender, speaker_sender) = (sender.clone(), sender);
        let open = Microphone::open(microphone, Arc::new(move |event| drop(mic_sender.send(event))));
        let mut microphone = open.map_err(|e| format!("{} {e}", e.code()))?;
        let open = Speaker::open(speaker, Arc::new(move |event| drop(speaker_sender.send(event))));
        let mut speaker = open.map_err(|e| format!("{} {e}", e.code()))?;
        opened += 1;
        let wait = Duration::from_secs(10);
        live += (0..2).filter(|_| receiver.recv_timeout(wait) == Ok(DeviceEvent::Live)).count();
        drop((speaker.detach(), microphone.detach()));
    }
    println!("verdict opened={opened} live={live}");
    Ok(())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}
