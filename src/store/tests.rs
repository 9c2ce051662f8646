//! What the store promises.

#![allow(clippy::unwrap_used)] // A test that panics has done its work.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn grant(id: &str) -> KeptGrant {
    let mut token_hash = [7; 32];
    token_hash[..id.len()].copy_from_slice(id.as_bytes());
    KeptGrant {
        id: id.into(),
        name: "support".into(),
        token_hash,
        created_at: Timestamp::from_nanos(u64::MAX - 5),
        revoked_at: None,
    }
}

fn message(error: &StoreError) -> String {
    error.to_string()
}

#[test]
fn what_is_kept_is_there_after_the_store_is_opened_again() {
    let dir = folder();
    let catalogue = KeptCatalogue {
        server: "stripe".into(),
        tools: "[]".into(),
        listed_at: Timestamp::from_nanos(3),
    };
    let anchor = Anchor {
        boot_id: "boot".into(),
        offset: -4,
    };
    let counters = KeptCounters {
        newest: Timestamp::from_nanos(9),
        counters: vec![([1; 16], vec![1, 2, 3])],
        positions: vec![Position {
            worker: 1,
            segment: 2,
            offset: u64::MAX,
        }],
    };
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.anchor().wait().unwrap(), None);
    assert_eq!(store.counters().wait().unwrap(), None);
    assert_eq!(store.catalogue("stripe").wait().unwrap(), None);
    store.insert_grant(grant("a")).wait().unwrap();
    store.save_anchor(anchor.clone()).wait().unwrap();
    store.save_counters(counters.clone()).wait().unwrap();
    store.save_catalogue(catalogue.clone()).wait().unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.grants().wait().unwrap(), [grant("a")]);
    assert_eq!(store.anchor().wait().unwrap(), Some(anchor));
    assert_eq!(store.counters().wait().unwrap(), Some(counters));
    assert_eq!(store.catalogue("stripe").wait().unwrap(), Some(catalogue));
    assert_eq!(store.catalogue("other").wait().unwrap(), None);
}

#[test]
fn counters_replace_those_kept_before() {
    let dir = folder();
    let store = Store::open(dir.path()).unwrap();
    for key in [1, 2] {
        let counters = KeptCounters {
            counters: vec![([key; 16], vec![key])],
            ..KeptCounters::default()
        };
        store.save_counters(counters.clone()).wait().unwrap();
        assert_eq!(store.counters().wait().unwrap(), Some(counters));
    }
}

#[test]
fn a_grant_is_revoked_once_and_never_inserted_twice() {
    let dir = folder();
    let store = Store::open(dir.path()).unwrap();
    store.insert_grant(grant("a")).wait().unwrap();
    let same_token = KeptGrant {
        id: "b".into(),
        ..grant("a")
    };
    for twice in [grant("a"), same_token] {
        assert!(store.insert_grant(twice).wait().is_err());
    }
    let at = Timestamp::from_nanos(5);
    assert!(store.revoke_grant("a", at).wait().unwrap());
    assert!(
        !store
            .revoke_grant("a", Timestamp::from_nanos(6))
            .wait()
            .unwrap()
    );
    assert!(!store.revoke_grant("nobody", at).wait().unwrap());
    assert_eq!(store.grants().wait().unwrap()[0].revoked_at, Some(at));
}

#[test]
fn the_version_changes_when_this_or_another_connection_changes_a_grant() {
    let dir = folder();
    let store = Store::open(dir.path()).unwrap();
    let other = Store::open(dir.path()).unwrap();
    let version = || store.version().wait().unwrap();
    let first = version();
    assert_eq!(version(), first);
    store.save_counters(KeptCounters::default()).wait().unwrap();
    assert_eq!(version(), first, "a snapshot is no change of a grant");
    store.insert_grant(grant("a")).wait().unwrap();
    let second = version();
    assert_ne!(second, first);
    other
        .revoke_grant("a", Timestamp::default())
        .wait()
        .unwrap();
    assert_ne!(version(), second);
}

#[test]
fn a_reply_can_be_awaited() {
    let dir = folder();
    let store = Store::open(dir.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        store.insert_grant(grant("a")).await.unwrap();
        assert_eq!(store.grants().await.unwrap().len(), 1);
    });
}

#[test]
fn folder_and_files_are_for_their_owner_only() {
    let dir = folder();
    let data = dir.path().join("new/data");
    let _lock = DataLock::take(&data).unwrap();
    let store = Store::open(&data).unwrap();
    store.insert_grant(grant("a")).wait().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let files: Vec<_> = std::fs::read_dir(&data).unwrap().collect();
    assert!(files.len() >= 3, "database, its log, lock: {files:?}");
    for file in files {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}

#[test]
fn a_folder_has_one_gateway_at_a_time() {
    let dir = folder();
    let lock = DataLock::take(dir.path()).unwrap();
    let refused = DataLock::take(dir.path()).unwrap_err();
    assert!(message(&refused).contains(&*dir.path().to_string_lossy()));
    assert!(message(&refused).contains("stop that one"), "{refused}");
    Store::open(dir.path()).expect("commands that mint grants need no lock");
    drop(lock);
    DataLock::take(dir.path()).expect("the first gateway has ended");
}

#[test]
fn a_store_that_cannot_be_opened_says_where_and_what_to_do() {
    let dir = folder();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let broken = folder();
    std::fs::write(
        broken.path().join("toolgate.db"),
        "no database, but long enough to tell",
    )
    .unwrap();
    let newer = folder();
    drop(Store::open(newer.path()).unwrap());
    let connection = rusqlite::Connection::open(newer.path().join("toolgate.db")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    for (path, remedy) in [
        (file.as_path(), "belongs to the user"),
        (broken.path(), "restore it from a backup"),
        (newer.path(), "run the newer toolgate"),
    ] {
        let error = Store::open(path).unwrap_err();
        assert!(message(&error).contains(remedy), "{error}");
        assert!(
            message(&error).contains(&*path.to_string_lossy()),
            "{error}"
        );
    }
}

#[test]
fn two_processes_may_open_a_new_store_at_the_same_time() {
    for _ in 0..10 {
        let dir = folder();
        std::thread::scope(|scope| {
            for id in ["a", "b", "c"] {
                let path = dir.path();
                scope.spawn(move || {
                    let store = Store::open(path).unwrap();
                    store.insert_grant(grant(id)).wait().unwrap();
                });
            }
        });
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.grants().wait().unwrap().len(), 3);
    }
}

// A revocation that a power cut takes back lets a stolen token in again.
#[test]
fn what_is_kept_is_on_the_disk_before_the_reply() {
    let dir = folder();
    let database = database::Database::open(dir.path().join("toolgate.db")).unwrap();
    assert_eq!(
        database.synchronous(),
        2,
        "FULL: each commit syncs the log that it is in"
    );
}

fn reset(server: Option<&str>, times: u64) -> KeptReset {
    KeptReset {
        which: WhichLimits {
            grant: "a".into(),
            server: server.map(Into::into),
            rule: None,
        },
        times,
        at: Timestamp::from_nanos(times),
    }
}

#[test]
fn resets_of_the_same_limits_add_up_in_one_row_and_change_the_version() {
    let dir = folder();
    let store = Store::open(dir.path()).unwrap();
    store.insert_grant(grant("a")).wait().unwrap();
    let version = store.version().wait().unwrap();
    for one in [reset(None, 1), reset(Some("s"), 1), reset(None, 4)] {
        store.reset_limits(one).wait().unwrap();
    }
    assert_ne!(store.version().wait().unwrap(), version);
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    let roster = store.roster().wait().unwrap();
    let both = KeptReset {
        at: Timestamp::from_nanos(4),
        ..reset(None, 5)
    };
    assert_eq!(roster.resets, [both, reset(Some("s"), 1)]);
    assert_eq!(roster.grants, [grant("a")]);
}

#[test]
fn a_store_from_before_resets_is_brought_up_to_date_and_not_by_a_reader() {
    let dir = folder();
    let store = Store::open(dir.path()).unwrap();
    store.insert_grant(grant("a")).wait().unwrap();
    drop(store);
    let old = rusqlite::Connection::open(dir.path().join("toolgate.db")).unwrap();
    old.execute_batch("DROP TABLE resets; PRAGMA user_version = 2;")
        .unwrap();
    drop(old);
    let refused = Store::open_to_read(dir.path()).unwrap_err();
    assert!(message(&refused).contains("start the gateway"), "{refused}");
    let store = Store::open(dir.path()).unwrap();
    let roster = store.roster().wait().unwrap();
    assert_eq!((roster.grants, roster.resets), (vec![grant("a")], vec![]));
}

#[test]
fn a_reader_sees_what_is_written_beside_it_and_writes_nothing() {
    let dir = folder();
    let odd = dir.path().join("100% odd?#name");
    assert!(Store::open_to_read(&odd).is_err());
    assert!(!odd.exists(), "a reader made the folder");
    let store = Store::open(&odd).unwrap();
    store.insert_grant(grant("a")).wait().unwrap();
    assert!(Store::is_in_use(&odd));
    let reader = Store::open_to_read(&odd).unwrap();
    store.insert_grant(grant("b")).wait().unwrap();
    assert_eq!(reader.grants().wait().unwrap().len(), 2);
    assert!(reader.reset_limits(reset(None, 1)).wait().is_err());
}

#[test]
fn a_reader_of_a_closed_store_leaves_none_of_sqlites_files_behind() {
    let dir = folder();
    let store = Store::open(dir.path()).unwrap();
    store.insert_grant(grant("a")).wait().unwrap();
    drop(store);
    while Store::is_in_use(dir.path()) {
        // The store's thread closes the database a moment after its last owner has gone.
        std::thread::yield_now();
    }
    let reader = Store::open_to_read(dir.path()).unwrap();
    assert_eq!(reader.grants().wait().unwrap().len(), 1);
    assert!(!Store::is_in_use(dir.path()), "a reader made files");
}
