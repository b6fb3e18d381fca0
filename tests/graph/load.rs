//! Threads that allocate, free and hand blocks to each other while the heap is scanned.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

/// The threads, until [`Load::end`].
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn begin() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = mpsc::sync_channel::<Vec<Box<u64>>>(64);
        let runs = |is_over: &Arc<AtomicBool>| {
            let is_over = Arc::clone(is_over);
            move || !is_over.load(Relaxed)
        };
        let (sends, takes) = (runs(&is_over), runs(&is_over));
        let threads =
            vec![
                thread::spawn(move || {
                    while sends() && sender.send((0..50).map(Box::new).collect()).is_ok() {}
                }),
                thread::spawn(move || {
                    let mut kept: HashMap<u64, Vec<Box<u64>>> = HashMap::new();
                    for key in 0.. {
                        let Ok(boxes) = receiver.recv() else { break };
                        kept.insert(key % 97, boxes);
                        if key % 13 == 0 {
                            kept.remove(&(key / 2 % 97));
                        }
                        if !takes() {
                            break;
                        }
                    }
                }),
            ];
        Self { is_over, threads }
    }

    pub(crate) fn end(self) {
        self.is_over.store(true, Relaxed);
        for thread in self.threads {
            thread.join().expect("no panic");
        }
    }
}
