//! A folder with a configuration, policies and data, and the gateway that runs on it.
//!
//! Whatever is started here ends with the value that stands for it, also when a test fails.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

use super::{Agent, PATIENCE, Reply, Wire, until};

/// A folder of a test's own.
pub(crate) struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        let dir = tempfile::tempdir().expect("the system has a temporary folder");
        Folder { dir }
    }

    /// A folder with one policy, for one grant `g` at one server `s`, which is at `url`.
    pub(crate) fn of(url: &str, policy: &str) -> Folder {
        let folder = Folder::new();
        folder.write("policy.json", policy);
        folder.configure(url, "");
        folder
    }

    /// Writes the configuration of `of`, with more settings.
    pub(crate) fn configure(&self, url: &str, settings: &str) {
        self.write(
            "toolgate.toml",
            &format!(
                "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nworkers = 2\n{settings}\n[servers.s]\nurl = \"{url}\"\n\
                 [policies]\np = \"policy.json\"\n[grants.g]\nservers = {{ s = \"p\" }}\n"
            ),
        );
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file in one step, as editors do: a reader sees the old text or the new.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let draft = self.path(&format!("{name}.draft"));
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, self.path(name)))
            .expect("the folder takes files");
    }

    /// The program, to be run in this folder.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, which must come in time.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.program();
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().expect("the program starts");
        let pid = Pid::from_child(&child);
        let (sender, ended) = channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = ended.recv_timeout(PATIENCE) else {
            // Only a command that should have ended is still running, and it is our own.
            let _ = kill_process(pid, Signal::KILL);
            panic!("{arguments:?} does not end");
        };
        output.expect("its output can be read")
    }

    /// Mints a token for a grant of the configuration.
    pub(crate) fn grant(&self, name: &str) -> String {
        let output = self.run(&["grant", "new", name]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .expect("a token is text")
            .trim()
            .to_owned()
    }

    pub(crate) fn serve(&self) -> Gateway {
        self.serve_as(self.program(), &["serve"])
    }

    /// A gateway whose files can be kept from growing, see [`Gateway::keep_files_from_growing`]: a write that would then
    /// answers with an error, because the signal that would end the process is ignored.
    pub(crate) fn serve_on_a_disk_that_fills(&self) -> Gateway {
        let mut program = Command::new("sh");
        program.current_dir(self.dir.path());
        let ignoring = "trap '' XFSZ; exec \"$0\" \"$@\"";
        let arguments = ["-c", ignoring, env!("CARGO_BIN_EXE_toolgate"), "serve"];
        self.serve_as(program, &arguments)
    }

    /// Starts a gateway; returns when it has said where it listens.
    pub(crate) fn serve_as(&self, mut command: Command, arguments: &[&str]) -> Gateway {
        let log = self.path("stderr.log");
        let errors = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the folder takes files");
        let started = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn();
        let mut child = started.expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let mut gateway = Gateway {
            child,
            lines,
            said: Vec::new(),
            log,
        };
        gateway.wait_for_line("admin: ");
        gateway
    }

    /// All whole lines of the journal, of all workers, in the order of their time.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let files = fs::read_dir(self.path("toolgate-data/journal")).expect("there is a journal");
        let paths = files.map(|file| file.expect("a file").path());
        let texts = paths.map(|path| fs::read_to_string(path).expect("the journal is text"));
        let mut lines = Vec::new();
        for text in texts {
            // A line without its end is still being written.
            let whole = text
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            lines.extend(
                whole.map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON")),
            );
        }
        lines.sort_by_key(|line| line["ns"].as_u64());
        lines
    }

    /// Waits for a line of the journal.
    pub(crate) fn journal_line(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        until(what, || self.journal().into_iter().find(|line| is_it(line)))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("stderr.log")).unwrap_or_default()
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    child: Child,
    lines: Receiver<String>,
    /// What it has printed so far, line by line.
    pub(crate) said: Vec<String>,
    log: PathBuf,
}

impl Gateway {
    fn wait_for_line(&mut self, start: &str) {
        while !self.said.last().is_some_and(|line| line.starts_with(start)) {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.said.push(line),
                Err(_) => panic!(
                    "no line {start:?}: {}",
                    fs::read_to_string(&self.log).unwrap_or_default()
                ),
            }
        }
    }

    fn after(&self, start: &str) -> &str {
        let line = self.said.iter().find_map(|line| line.strip_prefix(start));
        line.unwrap_or_else(|| panic!("no line {start:?} in {:?}", self.said))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let endpoint = self.after("endpoint: http://");
        let address = endpoint
            .split('/')
            .next()
            .expect("a split has a first part");
        address.parse().expect("an address")
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.after("admin: http://").parse().expect("an address")
    }

    /// An agent with this token, at the server `s`.
    pub(crate) fn agent(&self, token: &str) -> Agent {
        Agent {
            address: self.address(),
            path: "/mcp/s".to_owned(),
            token: token.to_owned(),
        }
    }

    /// A page of the operator's side.
    pub(crate) fn page(&self, path: &str) -> Reply {
        let mut wire = Wire::to(self.admin());
        wire.send(format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.admin()
        ));
        wire.reply()
    }

    /// The value of one series, written as in the page; 0 where it is not there.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.page("/metrics").text();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().expect("a number"))
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it is our own child");
    }

    /// No file of the gateway can grow until `let_files_grow` gets what this returns.
    pub(crate) fn keep_files_from_growing(&self) -> Rlimit {
        self.limit_files(Rlimit {
            current: Some(0),
            maximum: None,
        })
    }

    pub(crate) fn let_files_grow(&self, before: Rlimit) {
        self.limit_files(before);
    }

    fn limit_files(&self, limit: Rlimit) -> Rlimit {
        prlimit(Some(self.pid()), Resource::Fsize, limit).expect("it is our own child")
    }

    /// Waits for the process to end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        until("the gateway ends", || {
            self.child.try_wait().expect("it is our own child")
        })
    }

    /// SIGTERM, to the end.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// SIGKILL, to the end.
    pub(crate) fn kill(mut self) {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .expect("it is our own child");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on.
pub(crate) fn closed_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener
        .local_addr()
        .expect("a bound socket has an address")
}

/// A file of a folder, opened for its length alone.
pub(crate) fn length(path: &std::path::Path) -> u64 {
    File::open(path)
        .and_then(|file| file.metadata())
        .expect("the file is there")
        .len()
}
