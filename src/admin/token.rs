//! The admin token: what tells an operator from an agent on the same machine.
//!
//! It never leaves its file, which only the owner of the data folder can read, and what is presented is compared by its hash,
//! in a time that tells nothing.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Its file in the data folder.
const FILE: &str = "admin-token";
/// So that people and secret scanners recognise it, and nobody takes it for a grant's.
const PREFIX: &str = "tga_";
/// 256 bits, as hexadecimal digits.
const DIGITS: usize = 64;

/// The hash of the admin token.
#[derive(Debug, Clone)]
pub struct AdminToken([u8; 32]);

/// Why there is no admin token.
#[derive(Debug, thiserror::Error)]
pub enum AdminTokenError {
    /// The file cannot be read or written.
    #[error("cannot keep the admin token in {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others than its owner may read it.
    #[error(
        "others than its owner may read the admin token {path}: `chmod 600` it if nobody has, else remove it; the next start makes another"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("{path} holds no admin token: remove it; the next start makes another")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The system has no randomness.
    #[error("cannot make an admin token")]
    Randomness(#[from] getrandom::Error),
}

impl AdminToken {
    /// The token that is kept in the data folder, or a new one that is kept there from now on.
    pub fn of_folder(dir: &Path) -> Result<AdminToken, AdminTokenError> {
        let path = dir.join(FILE);
        let failed = |source| AdminTokenError::File {
            path: path.clone(),
            source,
        };
        let text = match File::open(&path) {
            Ok(file) => kept(file, &path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = fresh()?;
                keep(&text, &path).map_err(failed)?;
                text
            }
            Err(source) => return Err(failed(source)),
        };
        Ok(AdminToken(hash(&text)))
    }

    /// Whether `presented` is the token.
    pub fn is(&self, presented: &str) -> bool {
        hash(presented).ct_eq(&self.0).into()
    }
}

fn kept(mut file: File, path: &Path) -> Result<String, AdminTokenError> {
    let mut text = String::new();
    let read = file.metadata().and_then(|meta| {
        file.read_to_string(&mut text)?;
        Ok(meta.permissions().mode())
    });
    let mode = read.map_err(|source| AdminTokenError::File {
        path: path.into(),
        source,
    })?;
    if mode & 0o077 != 0 {
        return Err(AdminTokenError::Exposed { path: path.into() });
    }
    let text = text.trim_end();
    let digits = text.strip_prefix(PREFIX);
    let is_token = digits.is_some_and(|digits| {
        digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    });
    match is_token {
        true => Ok(text.to_owned()),
        false => Err(AdminTokenError::Malformed { path: path.into() }),
    }
}

fn fresh() -> Result<String, getrandom::Error> {
    let mut random = [0; DIGITS / 2];
    getrandom::fill(&mut random)?;
    let digits = random.iter().map(|byte| format!("{byte:02x}"));
    Ok(std::iter::once(PREFIX.to_owned()).chain(digits).collect())
}

/// All of it or nothing: half a token would keep the next start from serving.
fn keep(text: &str, path: &Path) -> std::io::Result<()> {
    let draft = path.with_extension("new");
    // What a start that was cut off left behind, or somebody else, keeps its own mode when it is opened.
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that panics has done its work.

    use std::fs;

    use super::*;

    #[test]
    fn it_is_made_once_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        // A draft that is there already, and open to all.
        fs::write(file.with_extension("new"), "x").unwrap();
        let token = AdminToken::of_folder(dir.path()).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(token.is(text.trim_end()));
        assert!(
            AdminToken::of_folder(dir.path())
                .unwrap()
                .is(text.trim_end())
        );
        for wrong in ["", "tga_", &text, &text[..67], &text.to_uppercase()] {
            assert!(!token.is(wrong), "{wrong:?}");
        }
        let other = tempfile::tempdir().unwrap();
        assert!(
            !AdminToken::of_folder(other.path())
                .unwrap()
                .is(text.trim_end())
        );
    }

    #[test]
    fn a_file_that_others_may_read_or_that_holds_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        AdminToken::of_folder(dir.path()).unwrap();
        let file = dir.path().join(FILE);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = AdminToken::of_folder(dir.path()).unwrap_err();
        assert!(exposed.to_string().contains("chmod 600"), "{exposed}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "tga_12", &"x".repeat(68)] {
            fs::write(&file, text).unwrap();
            let malformed = AdminToken::of_folder(dir.path()).unwrap_err();
            assert!(malformed.to_string().contains("remove it"), "{malformed}");
        }
    }
}
