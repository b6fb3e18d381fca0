//! A browser to open pages in, driven by the DevTools protocol over two pipes: input is real input,
//! and everything that a page asks for, logs or throws is seen.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::fixture::skip;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser that does not answer for so long never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub(crate) struct Chromium {
    process: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    calls: u64,
    /// Events that came in and that nobody has waited for.
    events: Vec<Value>,
    _profile: TempDir,
}

impl Chromium {
    /// Starts the browser; `None` where there is none.
    pub(crate) fn start() -> Option<Self> {
        let is_there = Command::new("chromium").arg("--version").output();
        if !is_there.is_ok_and(|output| output.status.success()) {
            skip("chromium");
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        // The browser reads commands from descriptor 3 and writes to 4.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>&1"])
            .args(["sh", "chromium"])
            .args([
                "--remote-debugging-pipe",
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--window-size=1240,900",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let replies = BufReader::new(process.stdout.take().unwrap());
        let (send, messages) = channel();
        std::thread::spawn(move || {
            for message in replies.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).unwrap();
                if send.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self {
            process,
            commands,
            messages,
            session: None,
            calls: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Network", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        let time = json!({"timeDomain": "threadTicks"});
        browser.call("Performance.enable", time);
        Some(browser)
    }

    /// Opens a file, and waits until it is there.
    pub(crate) fn open(&mut self, file: &Path) {
        self.events.clear();
        let url = format!("file://{}", file.display());
        self.call("Page.navigate", json!({ "url": url }));
        self.wait_for("Page.loadEventFired");
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression,
            "returnByValue": true,
            "awaitPromise": true,
        });
        let mut reply = self.call("Runtime.evaluate", parameters);
        assert!(
            reply.get("exceptionDetails").is_none(),
            "{expression}: {reply}"
        );
        reply["result"]["value"].take()
    }

    /// The text of an element, by its selector.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.evaluate(&format!("document.querySelector({selector:?}).textContent"));
        text.as_str().unwrap().to_owned()
    }

    /// Presses a key: a letter, or a name such as `ArrowDown`.
    pub(crate) fn press(&mut self, key: &str) {
        let mut down = json!({"type": "keyDown", "key": key, "code": key});
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            letter => {
                down["text"] = json!(letter);
                0
            }
        };
        down["windowsVirtualKeyCode"] = json!(code);
        self.call("Input.dispatchKeyEvent", down.clone());
        down["type"] = json!("keyUp");
        self.call("Input.dispatchKeyEvent", down);
    }

    /// Presses a key for each letter.
    pub(crate) fn type_text(&mut self, text: &str) {
        for letter in text.chars() {
            self.press(&letter.to_string());
        }
    }

    /// Moves the pointer to a place in an element, in pixels from its left upper corner.
    pub(crate) fn point_at(&mut self, selector: &str, x: f64, y: f64) -> (f64, f64) {
        let corner = self.evaluate(&format!(
            "(() => {{ const element = document.querySelector({selector:?}); \
             element.scrollIntoView({{ block: 'center' }}); \
             const {{ left, top }} = element.getBoundingClientRect(); return [left, top]; }})()"
        ));
        let (x, y) = (
            corner[0].as_f64().unwrap() + x,
            corner[1].as_f64().unwrap() + y,
        );
        self.mouse("mouseMoved", x, y);
        (x, y)
    }

    /// Clicks there.
    pub(crate) fn click_at(&mut self, selector: &str, x: f64, y: f64) {
        let (x, y) = self.point_at(selector, x, y);
        self.mouse("mousePressed", x, y);
        self.mouse("mouseReleased", x, y);
    }

    /// Clicks on an element.
    pub(crate) fn click(&mut self, selector: &str) {
        self.click_at(selector, 4.0, 4.0);
    }

    fn mouse(&mut self, kind: &str, x: f64, y: f64) {
        let event = json!({
            "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1,
        });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Prefers `dark` or `light`.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", json!({"features": [feature]}));
    }

    /// Makes the window as large as that.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Processor time of the page's main thread so far, in seconds.
    pub(crate) fn processor_seconds(&mut self) -> f64 {
        let metrics = self.call("Performance.getMetrics", json!({}));
        let mut metrics = metrics["metrics"].as_array().unwrap().iter();
        let metric = metrics.find(|metric| metric["name"] == "TaskDuration");
        metric.unwrap()["value"].as_f64().unwrap()
    }

    /// What the page has asked for, logged or thrown since it was opened, but for itself.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // The reply comes after all events so far.
        let page = self.evaluate("location.href");
        let events = self.events.drain(..).filter_map(|event| {
            let what = match event["method"].as_str()? {
                "Network.requestWillBeSent" => &event["params"]["request"]["url"],
                "Log.entryAdded" if event["params"]["entry"]["level"] == "error" => {
                    &event["params"]["entry"]
                }
                "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" => &event["params"],
                _ => return None,
            };
            (*what != page).then(|| what.to_string())
        });
        events.collect()
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut command = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).unwrap();
        loop {
            let mut message = self.next_message();
            if message["id"] == self.calls {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    fn wait_for(&mut self, event: &str) {
        let happened = |message: &Value| message["method"] == event;
        if self.events.iter().any(happened) {
            return;
        }
        loop {
            let message = self.next_message();
            let done = happened(&message);
            self.events.push(message);
            if done {
                return;
            }
        }
    }

    fn next_message(&self) -> Value {
        let message = self.messages.recv_timeout(PATIENCE);
        message.unwrap_or_else(|error| panic!("the browser does not answer: {error}"))
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Whatever became of the test, the browser goes.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
