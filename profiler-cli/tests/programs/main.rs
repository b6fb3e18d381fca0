//! Programs that profile themselves, from one line in `main` to what the built command says of
//! their snapshots: built at test time, outside the repository, as users build theirs.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod build;
mod build_profiles;
mod check_run;
mod cycles;
mod deployment;
mod fleet;
mod gate;
mod go_tool;
#[path = "../../../tests/exits/group.rs"]
mod group;
mod holders;
mod killed_pod;
mod live;
mod named;
mod one_line;
mod other_profilers;
mod planted;
mod pods;
mod retained_types;
mod rotation;
mod run;
mod speedscope;
mod travel;
