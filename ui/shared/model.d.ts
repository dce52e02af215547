// The types of the state, which are generated from Rust into types/.

export type * from './types/state.js';
