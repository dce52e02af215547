//! Who is in a call, what they may, and how it is joined, kept and left.
