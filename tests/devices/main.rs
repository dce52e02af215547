//! Capture from real drivers and servers: a sound server, a display, and a camera in a virtual machine.

mod pulse;
mod screen;
mod vivid;
