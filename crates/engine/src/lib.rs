//! The driver: tasks, threads and clocks that turn commands into calls.
