//! Grant tokens: how they are made, recognised and remembered.
//!
//! A token is shown once, to whoever makes it; only its SHA-256 is kept. It never implements `Display` or `Debug`
//! with its text, so that it cannot get into a log by accident.

use std::fmt;

use sha2::{Digest, Sha256};

/// `tg_`, so that people and secret scanners recognise a token.
const PREFIX: &str = "tg_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 43 letters out of 62 hold 256 bits.
const SECRET_LEN: usize = 43;
/// Six letters hold a CRC-32.
const CHECKSUM_LEN: usize = 6;

/// A grant token as the agent holds it: `tg_`, 256 random bits in base 62, a CRC-32 of what stands before in base 62.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The SHA-256 of a token: what the store keeps and what a call is looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl Token {
    /// A new token from the operating system's randomness.
    pub fn mint() -> Result<Token, getrandom::Error> {
        let mut text = String::from(PREFIX);
        let mut random = [0u8; 64];
        while text.len() < PREFIX.len() + SECRET_LEN {
            getrandom::fill(&mut random)?;
            // 248 is the largest multiple of 62 in a byte: letters above it would come up more often than others.
            let letters = random
                .iter()
                .filter(|&&byte| byte < 248)
                .map(|&byte| ALPHABET[byte as usize % 62] as char);
            text.extend(letters.take(PREFIX.len() + SECRET_LEN - text.len()));
        }
        text.push_str(&checksum(&text));
        Ok(Token(text))
    }

    /// A token with this text; `None` if its form or its checksum is wrong, which a typing error almost always makes it.
    pub fn parse(text: &str) -> Option<Token> {
        let secret = text.strip_prefix(PREFIX)?;
        let fits = secret.len() == SECRET_LEN + CHECKSUM_LEN
            && secret.bytes().all(|byte| ALPHABET.contains(&byte));
        let (body, check) = text.split_at_checked(PREFIX.len() + SECRET_LEN)?;
        (fits && checksum(body) == check).then(|| Token(text.to_owned()))
    }

    /// The text, for the one who made it and for the search for it in what leaves the gateway.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What it is known by.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

fn checksum(text: &str) -> String {
    let mut sum = crc32fast::hash(text.as_bytes());
    let mut letters = [b'0'; CHECKSUM_LEN];
    for letter in letters.iter_mut().rev() {
        *letter = ALPHABET[sum as usize % 62];
        sum /= 62;
    }
    letters.iter().map(|&letter| letter as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_and_a_typing_error_is_not() {
        let token = Token::mint().expect("the system has randomness");
        let text = token.reveal();
        assert_eq!(text.len(), 3 + 43 + 6);
        assert_eq!(Token::parse(text), Some(token.clone()));
        for at in 0..text.len() {
            let mut wrong = text.as_bytes().to_vec();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            let wrong = String::from_utf8(wrong).expect("ASCII");
            assert_eq!(Token::parse(&wrong), None, "letter {at}");
        }
        for wrong in [
            "",
            "tg_",
            &text[..51],
            &format!("{text}0"),
            &format!("Bearer {text}"),
            "tg_é",
        ] {
            assert_eq!(Token::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_does_not_print_itself() {
        let token = Token::mint().expect("the system has randomness");
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn two_tokens_differ() {
        assert!(Token::mint().expect("random") != Token::mint().expect("random"));
    }
}
