//! The Quantum Widget API: a small rendering service with a real leak, for heaplens to find.
//!
//! A widget is a tree of panes that plot the probability density of a particle in a box. Simple
//! widgets have one pane; complex ones nest panes, and a child refers to its parent.
//!
//! One request, in the order of the files:
//!
//! | file | does |
//! |---|---|
//! | [`service`] | HTTP routes, limits and errors |
//! | [`layout_index`] | relayout of the registered complex widgets, on each request |
//! | [`cache`] | rendered bytes, bounded, with eviction |
//! | [`definitions`] | what a widget consists of, in SQLite |
//! | [`compose`] | definition → tree of panes; **the leak is here** |
//! | [`render`] | tree of panes → HTML or SVG |
//!
//! [`sqlite_memory`] makes SQLite allocate through Rust, so that the profiler sees it too;
//! [`options`] reads the command line.
//!
//! Nothing in this folder knows that it is being profiled.

pub(crate) mod cache;
pub(crate) mod compose;
pub mod definitions;
pub(crate) mod layout_index;
pub mod options;
pub(crate) mod render;
pub mod service;
pub(crate) mod sqlite_memory;
