//! Impulse responses of shoebox rooms by the image-source method (Allen and Berkley, "Image method for efficiently simulating
//! small-room acoustics", JASA 65, 1979).

use std::f64::consts::PI;

const RATE: f64 = 48_000.0;
/// Speed of sound in m/s.
const SPEED: f64 = 343.0;

/// A room with a laptop in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) name: &'static str,
    /// Length, width and height in m.
    pub(crate) size: [f64; 3],
    /// Time in which a sound decays by 60 dB, in s.
    pub(crate) rt60: f64,
    pub(crate) loudspeaker: [f64; 3],
    pub(crate) microphone: [f64; 3],
}

/// An office with carpet and curtains, a meeting room, and a canteen with hard walls.
pub(crate) const ROOMS: [Room; 3] = [
    Room {
        name: "office 4.1x3.2 m, RT60 0.25 s, 0.3 m apart",
        size: [4.1, 3.2, 2.6],
        rt60: 0.25,
        loudspeaker: [2.0, 1.1, 0.75],
        microphone: [2.25, 1.2, 0.9],
    },
    Room {
        name: "meeting room 6.3x4.7 m, RT60 0.45 s, 0.5 m apart",
        size: [6.3, 4.7, 2.8],
        rt60: 0.45,
        loudspeaker: [3.1, 2.2, 0.75],
        microphone: [3.4, 2.55, 0.95],
    },
    Room {
        name: "canteen 12.4x8.9 m, RT60 0.8 s, 0.8 m apart",
        size: [12.4, 8.9, 3.3],
        rt60: 0.8,
        loudspeaker: [4.0, 3.1, 0.75],
        microphone: [4.6, 3.6, 0.8],
    },
];

/// The impulse response at 48 kHz, with the energy of one. It ends when it has decayed by 60 dB.
pub(crate) fn response(room: &Room) -> Vec<f32> {
    let reflection = reflection(room);
    let length = (room.rt60 * RATE) as usize;
    let orders = room.size.map(|side| (room.rt60 * SPEED / (2.0 * side)).ceil() as i32);
    let mut response = vec![0.0f64; length];
    for x in axis(room, 0, orders[0]) {
        for y in axis(room, 1, orders[1]) {
            for z in axis(room, 2, orders[2]) {
                let distance = (x.0.powi(2) + y.0.powi(2) + z.0.powi(2)).sqrt();
                let gain = reflection.powi(x.1 + y.1 + z.1) / (4.0 * PI * distance);
                add(&mut response, distance / SPEED * RATE, gain);
            }
        }
    }
    let energy = response.iter().map(|tap| tap * tap).sum::<f64>().sqrt();
    response.iter().map(|tap| (tap / energy) as f32).collect()
}

/// The images of the loudspeaker along an axis: their distance from the microphone, and the number of reflections.
fn axis(room: &Room, axis: usize, order: i32) -> Vec<(f64, i32)> {
    let (side, from, to) = (room.size[axis], room.loudspeaker[axis], room.microphone[axis]);
    let image = |n: i32| {
        [
            (from + 2.0 * f64::from(n) * side - to, 2 * n.abs()),
            (2.0 * f64::from(n) * side - from - to, (2 * n - 1).abs()),
        ]
    };
    (-order..=order).flat_map(image).collect()
}

/// How much of a wave a wall reflects, by Eyring's formula.
fn reflection(room: &Room) -> f64 {
    let [x, y, z] = room.size;
    let (volume, surface) = (x * y * z, 2.0 * (x * y + y * z + z * x));
    let absorption = 1.0 - (-0.161 * volume / (surface * room.rt60)).exp();
    (1.0 - absorption).sqrt()
}

/// Adds an impulse between two samples, spread over the nearest ones by a windowed sinc.
fn add(response: &mut [f64], at: f64, gain: f64) {
    const HALF: i64 = 8;
    let first = at.floor() as i64 - HALF + 1;
    for n in first..first + 2 * HALF {
        let x = n as f64 - at;
        let window = 0.5 + 0.5 * (PI * x / HALF as f64).cos();
        let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
        if let Some(tap) = usize::try_from(n).ok().and_then(|n| response.get_mut(n)) {
            *tap += gain * sinc * window;
        }
    }
}
