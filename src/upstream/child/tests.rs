//! Real processes: small Python programs, and what becomes of them.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;

/// Longer than anything here takes, even on a busy machine.
const LONG: Duration = Duration::from_secs(30);

fn python(program: &str, args: &[&str]) -> ChildCommand {
    let mut all = vec!["-u".to_owned(), "-c".to_owned(), program.to_owned()];
    all.extend(args.iter().map(|&arg| arg.to_owned()));
    ChildCommand {
        command: "python3".into(),
        args: all,
        env: vec![("TOOLGATE_TEST".into(), "1".into())],
        cwd: None,
    }
}

fn start(program: &str, args: &[&str]) -> Child {
    Child::start("test".into(), &python(program, args)).expect("python3 is installed")
}

async fn next(child: &mut Child) -> ChildEvent {
    timeout(LONG, child.next())
        .await
        .expect("the child does something")
}

async fn line(child: &mut Child) -> String {
    match next(child).await {
        ChildEvent::Line(line) => String::from_utf8(line.to_vec()).unwrap(),
        ChildEvent::Ended(exit) => panic!("ended: {exit}"),
    }
}

async fn end(child: &mut Child) -> Exit {
    loop {
        if let ChildEvent::Ended(exit) = next(child).await {
            return exit;
        }
    }
}

/// A listener to which a process connects, so that its end is seen as the end of a connection.
async fn leash() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

async fn is_cut(mut leash: TcpStream) {
    let read = timeout(LONG, leash.read(&mut [0])).await;
    let end = read.expect("the process is still alive");
    assert!(matches!(end, Ok(0) | Err(_)), "it sent something");
}

/// Connects to the port given, and ends with the connection; deaf to SIGTERM.
const GRANDCHILD: &str = "
import signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
socket.create_connection(('127.0.0.1', int(sys.argv[1]))).recv(1)
";

/// Starts a [`GRANDCHILD`] and waits for the end of its input.
const PARENT: &str = "
import subprocess, sys
subprocess.Popen([sys.executable, '-c', sys.argv[2], sys.argv[1]], stdin=subprocess.DEVNULL)
print('started')
sys.stdin.read()
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_come_and_go_in_order_and_closing_the_input_ends_a_child() {
    let program = "
import sys
for line in sys.stdin:
    print('got ' + line.strip())
print()
print('last', end='')
sys.exit(7)
";
    let mut child = start(program, &[]);
    for number in 0..50 {
        child.send(format!("{number}\n").into()).await.unwrap();
    }
    child.close_input();
    for number in 0..50 {
        assert_eq!(line(&mut child).await, format!("got {number}"));
    }
    assert_eq!(
        line(&mut child).await,
        "last",
        "the last line needs no end, an empty one is none"
    );
    let exit = end(&mut child).await;
    assert_eq!(exit.status.and_then(|status| status.code()), Some(7));
    assert_eq!((exit.cause, exit.lines_begun), (ExitCause::Itself, 50));
    assert_eq!(child.try_send("x\n".into()), Err(SendError::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_over_the_bound_ends_the_child_and_is_not_delivered() {
    let program = "
import sys
print('x' * (8 << 20))
print('y' * ((8 << 20) + (1 << 20)))
sys.stdin.read()
";
    let mut child = start(program, &[]);
    assert_eq!(
        line(&mut child).await.len(),
        LINE_LEN_MAX,
        "the longest one passes"
    );
    let exit = match next(&mut child).await {
        ChildEvent::Ended(exit) => exit,
        ChildEvent::Line(line) => panic!("a line of {} bytes", line.len()),
    };
    assert_eq!(exit.cause, ExitCause::LineTooLong);
    assert!(exit.to_string().contains("line over 8 MiB"), "{exit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_stderr_holds_nobody_up() {
    let program = "
import sys
for _ in range(200_000):
    sys.stderr.write('noise, noise, noise, noise, noise\\n')
sys.stderr.write('z' * (20 << 20))
print('done')
";
    let mut child = start(program, &[]);
    assert_eq!(line(&mut child).await, "done");
    assert_eq!(
        end(&mut child)
            .await
            .status
            .and_then(|status| status.code()),
        Some(0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_takes_the_whole_group_even_what_is_deaf_to_sigterm() {
    let (listener, port) = leash().await;
    let mut child = start(PARENT, &[&port, GRANDCHILD]);
    assert_eq!(line(&mut child).await, "started");
    let (grandchild, _) = listener.accept().await.unwrap();
    let exit = timeout(LONG, child.stop()).await.unwrap();
    assert_eq!(exit.cause, ExitCause::Asked);
    is_cut(grandchild).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_deaf_to_everything_is_killed() {
    let (listener, port) = leash().await;
    let child = start(GRANDCHILD, &[&port]);
    let (leash, _) = listener.accept().await.unwrap();
    let exit = timeout(LONG, child.stop()).await.unwrap();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(exit.status.and_then(|status| status.signal()), Some(9));
    is_cut(leash).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_dies_takes_its_group_with_it() {
    let (listener, port) = leash().await;
    let program = PARENT.replace("sys.stdin.read()", "sys.stdin.readline()");
    let mut child = start(&program, &[&port, GRANDCHILD]);
    assert_eq!(line(&mut child).await, "started");
    let (grandchild, _) = listener.accept().await.unwrap();
    child.try_send("die\n".into()).unwrap();
    assert_eq!(end(&mut child).await.cause, ExitCause::Itself);
    is_cut(grandchild).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_child_stops_it() {
    let (listener, port) = leash().await;
    let mut child = start(PARENT, &[&port, GRANDCHILD]);
    assert_eq!(line(&mut child).await, "started");
    let (grandchild, _) = listener.accept().await.unwrap();
    drop(child);
    is_cut(grandchild).await;
}

#[tokio::test]
async fn a_runtime_that_goes_away_leaves_no_process_behind() {
    let (listener, port) = leash().await;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let child = {
        let _inside = runtime.enter();
        start(PARENT, &[&port, GRANDCHILD])
    };
    let (grandchild, _) = listener.accept().await.unwrap();
    runtime.shutdown_background();
    is_cut(grandchild).await;
    drop(child);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_closes_its_output_is_stopped() {
    let program = "
import os, sys
os.close(1)
sys.stdin.readline()
import time; time.sleep(1000)
";
    let mut child = start(program, &[]);
    assert_eq!(end(&mut child).await.cause, ExitCause::OutputClosed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_does_not_read_is_refused_more_lines() {
    let child = start("import time; time.sleep(1000)", &[]);
    let megabyte = Bytes::from(vec![b'x'; 1 << 20]);
    let refused = (0..40).find_map(|_| child.try_send(megabyte.clone()).err());
    assert_eq!(refused, Some(SendError::Full));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_inherits_what_it_needs_and_what_it_was_given() {
    let program = "import os; print(' '.join(sorted(os.environ)))";
    let mut child = start(program, &[]);
    let names = line(&mut child).await;
    let names: Vec<&str> = names.split(' ').collect();
    assert!(
        names.contains(&"PATH") && names.contains(&"TOOLGATE_TEST"),
        "{names:?}"
    );
    assert!(
        !names.iter().any(|name| name.starts_with("CARGO")),
        "{names:?}"
    );

    let all = [
        "PATH=/bin",
        "LC_ALL=C",
        "XDG_CACHE_HOME=/c",
        "AWS_SECRET=s",
        "SHELL=() { x; }",
        "LCX=1",
    ];
    let pairs = all.iter().map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.into(), value.into())
    });
    let kept: Vec<String> = inherited(pairs)
        .map(|(name, _)| name.into_string().unwrap())
        .collect();
    assert_eq!(kept, ["PATH", "LC_ALL", "XDG_CACHE_HOME"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_does_not_exist_says_its_name_and_why() {
    let command = ChildCommand {
        command: "no-such-program-at-all".into(),
        args: Vec::new(),
        env: Vec::new(),
        cwd: None,
    };
    let error = Child::start("test".into(), &command).unwrap_err();
    assert_eq!(error.to_string(), "cannot start no-such-program-at-all");
    assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_lines_of_a_dead_child_wait_for_a_slow_reader() {
    let (listener, port) = leash().await;
    let program = "
import socket, sys
leash = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
for number in range(1000):
    print(number)
";
    let mut child = start(program, &[&port]);
    let (leash, _) = listener.accept().await.unwrap();
    is_cut(leash).await;
    for number in 0..1_000 {
        assert_eq!(line(&mut child).await, number.to_string());
    }
    assert_eq!(end(&mut child).await.cause, ExitCause::Itself);
}
