//! One peer connection, with our transport inside it.
