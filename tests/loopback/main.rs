//! Whole calls of real engines through the real server, on 127.0.0.1 or between networks that the tests make.

mod call;
mod consent;
mod files;
mod forwarded;
mod headset;
mod middle;
mod nat;
mod relay;
mod roaming;
mod share;
mod sound;
mod sound_check;
mod voice;
