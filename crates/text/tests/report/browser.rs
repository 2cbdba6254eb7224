//! A headless Chromium, spoken to by its DevTools protocol over two pipes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a page may take to be as it is expected; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Chromium with one page open.
pub struct Browser {
    process: Child,
    commands: ChildStdin,
    messages: BufReader<ChildStdout>,
    session: Option<String>,
    sent: u64,
    /// What the browser told unasked: requests, console messages, exceptions.
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A page `width` pixels wide for a reader who prefers the given theme.
    pub fn open(width: u32, theme: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let program = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        // Chromium reads commands at the descriptor 3 and answers at 4.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"])
            .arg(&program)
            .args(["--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-quic", "--no-first-run", "--disable-sync"])
            .args(["--disable-background-networking", "--remote-debugging-pipe"])
            .arg("--disable-component-update")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut browser = Self {
            commands: process.stdin.take().unwrap(),
            messages: BufReader::new(process.stdout.take().unwrap()),
            process,
            session: None,
            sent: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", target);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        browser.call("Emulation.setDeviceMetricsOverride", size);
        let prefers = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        browser.call("Emulation.setEmulatedMedia", prefers);
        browser
    }

    /// Sends a command and returns what it answers.
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.commands
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        loop {
            let mut bytes = Vec::new();
            self.messages.read_until(0, &mut bytes).unwrap();
            assert!(
                bytes.pop() == Some(0),
                "{method}: Chromium is gone, or was never there (CHROMIUM names its program)"
            );
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            if answer["id"] != self.sent {
                self.events.push(answer);
                continue;
            }
            assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
            return answer["result"].clone();
        }
    }

    /// Opens a file, once its page is complete.
    pub fn go(&mut self, path: &Path) {
        let url = format!("file://{}", path.display());
        self.call("Page.navigate", json!({ "url": url }));
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'");
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", params);
        let fault = &answer["exceptionDetails"];
        assert!(fault.is_null(), "{expression}: {fault}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn wait(&mut self, expression: &str) {
        let start = Instant::now();
        while self.value(expression) != json!(true) {
            assert!(start.elapsed() < PATIENCE, "never: {expression}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until what was changed is drawn.
    pub fn draw(&mut self) {
        self.value("window.drawn = false; requestAnimationFrame(() => requestAnimationFrame(() => { drawn = true; }))");
        self.wait("window.drawn");
    }

    /// Puts the mouse on the middle of an element (an expression), as a reader would: what lies over it gets the mouse instead.
    pub fn hover(&mut self, element: &str) -> (f64, f64) {
        self.value(&format!(
            "{element}.scrollIntoView({{ block: 'center', behavior: 'instant' }})"
        ));
        self.draw();
        let middle = self.value(&format!(
            "(({{ left, top, width, height }}) => [left + width / 2, top + height / 2])({element}.getClientRects()[0])"
        ));
        let (x, y) = (middle[0].as_f64().unwrap(), middle[1].as_f64().unwrap());
        self.mouse("mouseMoved", x, y, 0);
        (x, y)
    }

    /// One thing the mouse does; `turned` is how far its wheel went.
    pub fn mouse(&mut self, what: &str, x: f64, y: f64, turned: i32) {
        let mut event = json!({ "type": what, "x": x, "y": y });
        match what {
            "mouseWheel" => {
                event["deltaX"] = json!(0);
                event["deltaY"] = json!(turned);
            }
            "mousePressed" | "mouseReleased" => {
                event["button"] = json!("left");
                event["clickCount"] = json!(1);
            }
            _ => {}
        }
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Moves the mouse with its button down.
    pub fn drag(&mut self, x: f64, y: f64) {
        let event = json!({ "type": "mouseMoved", "x": x, "y": y, "button": "left", "buttons": 1 });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Clicks on an element.
    pub fn click(&mut self, element: &str) {
        let (x, y) = self.hover(element);
        self.mouse("mousePressed", x, y, 0);
        self.mouse("mouseReleased", x, y, 0);
    }

    /// Types text where the focus is.
    pub fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key by its name.
    pub fn press(&mut self, key: &str) {
        for what in ["rawKeyDown", "keyUp"] {
            let code = match key {
                "Tab" => 9,
                "Enter" => 13,
                "Escape" => 27,
                "ArrowRight" => 39,
                _ => 0,
            };
            let event =
                json!({ "type": what, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// What went wrong up to now: exceptions, console and log messages, and requests other than for the page itself.
    pub fn faults(&mut self) -> Vec<Value> {
        // An answer comes after all events before it.
        self.value("0");
        let is_fault = |event: &&Value| match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => true,
            "Network.requestWillBeSent" => event["params"]["type"] != "Document",
            _ => false,
        };
        self.events.iter().filter(is_fault).cloned().collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Best effort: the test has its result.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
