//! The system's audio devices, through cpal.

use super::ring::{RingReader, RingWriter};
use super::signal::Signal;
use super::{RATE, callback, is_default};
use crate::error::DeviceError;
use crate::info::{DeviceInfo, DeviceKind};
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize,
    SupportedStreamConfig, SupportedStreamConfigRange,
};
use std::sync::Arc;

/// The direction of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// From a microphone.
    Input,
    /// To a loudspeaker.
    Output,
}

/// Duration of a callback in ms. Sound servers behind ALSA's plugins stutter below 20 ms; hardware does not.
const PLUGIN_PERIOD_MS: u32 = 20;
const HARDWARE_PERIOD_MS: u32 = 10;

pub(super) fn list(direction: Direction) -> Vec<DeviceInfo> {
    let host = host();
    let default = default_device(&host, direction).and_then(|d| d.id().ok());
    let devices = match host.devices() {
        Ok(devices) => devices,
        Err(e) => {
            tracing::warn!("cannot list audio devices: {e}");
            return Vec::new();
        }
    };
    let mut all: Vec<DeviceInfo> = Vec::new();
    for device in devices.filter(|d| serves(d, direction)) {
        let (Ok(id), Ok(description)) = (device.id(), device.description()) else { continue };
        let default = default.as_ref() == Some(&id);
        if !is_for_people(id.id()) || all.iter().any(|d| d.id == id.to_string()) {
            continue;
        }
        let kind = kind(direction);
        let name = description.name().to_owned();
        all.push(DeviceInfo { id: id.to_string(), name, kind, default, synthetic: false });
    }
    all.sort_by_key(|d| !d.default);
    all
}

/// The id of the system's default device. ALSA names a default that the sound server moves on its own, so there the id
/// stays the same.
pub(super) fn default_id(direction: Direction) -> Option<String> {
    default_device(&host(), direction)?.id().ok().map(|id| id.to_string())
}

/// Opens a microphone's stream; `writer` makes a ring with the device's rate.
pub(super) fn open_input(
    id: &str,
    signal: &Arc<Signal>,
    writer: impl FnOnce(u32) -> RingWriter,
) -> Result<cpal::Stream, DeviceError> {
    let device = find(Direction::Input, id)?;
    let (config, format) = choose_config(&device, Direction::Input)?;
    let ring = writer(config.sample_rate);
    let stream = match format {
        SampleFormat::F32 => input::<f32>(&device, config, ring, signal),
        SampleFormat::F64 => input::<f64>(&device, config, ring, signal),
        SampleFormat::I16 => input::<i16>(&device, config, ring, signal),
        SampleFormat::I32 => input::<i32>(&device, config, ring, signal),
        SampleFormat::I24 => input::<cpal::I24>(&device, config, ring, signal),
        SampleFormat::U16 => input::<u16>(&device, config, ring, signal),
        SampleFormat::U8 => input::<u8>(&device, config, ring, signal),
        _ => Err(DeviceError::Unsupported),
    }?;
    stream.play().map_err(|e| error(&e))?;
    tracing::info!("microphone open: {} Hz, {} channels, {format:?}", config.sample_rate, config.channels);
    Ok(stream)
}

/// Opens a loudspeaker's stream; `reader` makes a ring with the device's rate.
pub(super) fn open_output(
    id: &str,
    signal: &Arc<Signal>,
    reader: impl FnOnce(u32) -> RingReader,
) -> Result<cpal::Stream, DeviceError> {
    let device = find(Direction::Output, id)?;
    let (config, format) = choose_config(&device, Direction::Output)?;
    let ring = reader(config.sample_rate);
    let stream = match format {
        SampleFormat::F32 => output::<f32>(&device, config, ring, signal),
        SampleFormat::F64 => output::<f64>(&device, config, ring, signal),
        SampleFormat::I16 => output::<i16>(&device, config, ring, signal),
        SampleFormat::I32 => output::<i32>(&device, config, ring, signal),
        SampleFormat::I24 => output::<cpal::I24>(&device, config, ring, signal),
        SampleFormat::U16 => output::<u16>(&device, config, ring, signal),
        SampleFormat::U8 => output::<u8>(&device, config, ring, signal),
        _ => Err(DeviceError::Unsupported),
    }?;
    stream.play().map_err(|e| error(&e))?;
    tracing::info!("loudspeaker open: {} Hz, {} channels, {format:?}", config.sample_rate, config.channels);
    Ok(stream)
}

fn input<T>(
    device: &cpal::Device,
    config: StreamConfig,
    ring: RingWriter,
    signal: &Arc<Signal>,
) -> Result<cpal::Stream, DeviceError>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let stream = device.build_input_stream(
        config,
        callback::captured::<T>(ring, config.channels),
        callback::failed(signal),
        None,
    );
    stream.map_err(|e| error(&e))
}

fn output<T>(
    device: &cpal::Device,
    config: StreamConfig,
    ring: RingReader,
    signal: &Arc<Signal>,
) -> Result<cpal::Stream, DeviceError>
where
    T: SizedSample + FromSample<f32>,
{
    let stream = device.build_output_stream(
        config,
        callback::played::<T>(ring, config.channels),
        callback::failed(signal),
        None,
    );
    stream.map_err(|e| error(&e))
}

fn host() -> cpal::Host {
    #[cfg(target_os = "linux")]
    super::alsa_log::redirect();
    cpal::default_host()
}

fn find(direction: Direction, id: &str) -> Result<cpal::Device, DeviceError> {
    let host = host();
    if is_default(id) {
        return default_device(&host, direction).ok_or(DeviceError::NotFound);
    }
    if let Some(device) = id.parse().ok().and_then(|id| host.device_by_id(&id)) {
        return Ok(device);
    }
    let mut devices = host.devices().map_err(|e| error(&e))?.filter(|d| serves(d, direction));
    let named = |d: &cpal::Device| d.description().is_ok_and(|description| description.name() == id);
    devices.find(named).ok_or(DeviceError::NotFound)
}

fn default_device(host: &cpal::Host, direction: Direction) -> Option<cpal::Device> {
    match direction {
        Direction::Input => host.default_input_device(),
        Direction::Output => host.default_output_device(),
    }
}

fn serves(device: &cpal::Device, direction: Direction) -> bool {
    device.description().is_ok_and(|description| match direction {
        Direction::Input => description.supports_input(),
        Direction::Output => description.supports_output(),
    })
}

fn kind(direction: Direction) -> DeviceKind {
    match direction {
        Direction::Input => DeviceKind::Microphone,
        Direction::Output => DeviceKind::Speaker,
    }
}

/// Whether to list a device. ALSA lists dozens of plugins for each card; keep the sound server, and each card by its
/// name (numbers change).
fn is_for_people(id: &str) -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let card_is_named = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_digit());
    matches!(id, "default" | "pulse" | "pipewire" | "jack")
        || id.strip_prefix("sysdefault:CARD=").is_some_and(card_is_named)
        || id.strip_prefix("plughw:CARD=").is_some_and(card_is_named)
}

fn choose_config(device: &cpal::Device, direction: Direction) -> Result<(StreamConfig, SampleFormat), DeviceError> {
    let (default, ranges): (_, Vec<_>) = match direction {
        Direction::Input => {
            (device.default_input_config(), device.supported_input_configs().map(Iterator::collect).unwrap_or_default())
        }
        Direction::Output => (
            device.default_output_config(),
            device.supported_output_configs().map(Iterator::collect).unwrap_or_default(),
        ),
    };
    let chosen = match default {
        Ok(default) if default.sample_rate() == RATE && rank(default.sample_format()).is_some() => default,
        Ok(default) => at_our_rate(&ranges).unwrap_or(default),
        Err(e) => at_our_rate(&ranges).ok_or_else(|| error(&e))?,
    };
    let id = device.id().map(|id| id.id().to_owned()).unwrap_or_default();
    let mut config = chosen.config();
    config.buffer_size = buffer_size(&id, config.sample_rate, chosen.buffer_size());
    Ok((config, chosen.sample_format()))
}

/// The best configuration at 48 kHz: few channels, and a good sample format.
fn at_our_rate(ranges: &[SupportedStreamConfigRange]) -> Option<SupportedStreamConfig> {
    let fitting = ranges.iter().filter(|r| r.contains_rate(RATE) && rank(r.sample_format()).is_some());
    fitting
        .min_by_key(|r| (r.channels().abs_diff(2), rank(r.sample_format())))
        .and_then(|r| r.try_with_sample_rate(RATE))
}

fn rank(format: SampleFormat) -> Option<u8> {
    match format {
        SampleFormat::F32 => Some(0),
        SampleFormat::I32 => Some(1),
        SampleFormat::I24 => Some(2),
        SampleFormat::I16 => Some(3),
        SampleFormat::F64 => Some(4),
        SampleFormat::U16 => Some(5),
        SampleFormat::U8 => Some(6),
        _ => None,
    }
}

/// ALSA's default buffers hold up to seconds; elsewhere the system's default is right.
fn buffer_size(id: &str, rate: u32, supported: &SupportedBufferSize) -> BufferSize {
    if !cfg!(target_os = "linux") {
        return BufferSize::Default;
    }
    let hardware = id.contains("hw:") || id.starts_with("sysdefault:");
    let wanted = rate * if hardware { HARDWARE_PERIOD_MS } else { PLUGIN_PERIOD_MS } / 1000;
    match supported {
        SupportedBufferSize::Range { min, max } if min <= max => BufferSize::Fixed(wanted.clamp(*min, *max)),
        SupportedBufferSize::Range { .. } | SupportedBufferSize::Unknown => BufferSize::Default,
    }
}

pub(super) fn error(e: &cpal::Error) -> DeviceError {
    match e.kind() {
        ErrorKind::DeviceBusy => DeviceError::Busy,
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => DeviceError::NotFound,
        ErrorKind::PermissionDenied => DeviceError::PermissionDenied,
        ErrorKind::UnsupportedConfig | ErrorKind::UnsupportedOperation => DeviceError::Unsupported,
        _ => DeviceError::Backend(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(channels: u16, from: u32, to: u32, format: SampleFormat) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(channels, from, to, SupportedBufferSize::Unknown, format)
    }

    #[test]
    fn stereo_floats_at_48_khz_are_preferred() {
        let ranges = [
            range(8, 8_000, 192_000, SampleFormat::F32),
            range(2, 44_100, 44_100, SampleFormat::F32),
            range(2, 8_000, 48_000, SampleFormat::I16),
            range(2, 8_000, 48_000, SampleFormat::F32),
        ];
        let chosen = at_our_rate(&ranges).unwrap();
        assert_eq!((chosen.channels(), chosen.sample_format()), (2, SampleFormat::F32));
        assert_eq!(at_our_rate(&ranges[1..2]).map(|c| c.sample_rate()), None);
    }

    #[test]
    fn library_errors_map_to_actionable_ones() {
        for (kind, expected) in [
            (ErrorKind::DeviceBusy, DeviceError::Busy),
            (ErrorKind::DeviceNotAvailable, DeviceError::NotFound),
            (ErrorKind::PermissionDenied, DeviceError::PermissionDenied),
            (ErrorKind::UnsupportedConfig, DeviceError::Unsupported),
        ] {
            assert_eq!(error(&cpal::Error::new(kind)), expected);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn numbered_cards_and_plugins_are_not_listed() {
        assert!(is_for_people("default") && is_for_people("sysdefault:CARD=PCH"));
        assert!(is_for_people("plughw:CARD=Webcam,DEV=0"));
        assert!(!is_for_people("plughw:CARD=0,DEV=0") && !is_for_people("surround51:CARD=PCH,DEV=0"));
        assert!(!is_for_people("null") && !is_for_people("hw:CARD=PCH,DEV=0"));
    }
}
